//! The one header of SIP (RFC 3261) that matters to a load balancer: what names a call.

/// The longest Call-ID that IPVS takes, in bytes.
pub const CALL_ID_MAX: usize = 255;

/// The value of a message's Call-ID header, found as the kernel finds it (ip_vs_pe_sip, ct_sip_get_header): by its name
/// or by the compact form `i`, not in the first line, 1 to [`CALL_ID_MAX`] bytes of those that SIP allows, and then the
/// end of the line: CR, LF or both. `None` where there is none, also where the first that there is is no good.
#[must_use]
pub fn call_id(message: &[u8]) -> Option<&[u8]> {
    let mut rest = message;
    loop {
        rest = after_name(next_line(rest)?)?;
        let after_colon = skip_blanks(skip_blanks(rest)?.strip_prefix(b":")?)?;
        let value = value(after_colon);
        if value.is_empty() {
            // No such value: the kernel goes on looking for another.
            rest = after_colon;
            continue;
        }
        let ends = matches!(after_colon.get(value.len()), Some(b'\r' | b'\n'));
        return (ends && value.len() <= CALL_ID_MAX).then_some(value);
    }
}

/// What follows the first end of a line: one of the two bytes, or both.
fn next_line(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n'))?;
    match bytes.get(end..)? {
        [b'\r', b'\n', rest @ ..] | [_, rest @ ..] => Some(rest),
        [] => None,
    }
}

/// What follows the name in the first line from here on that has it, folded lines passed over.
fn after_name(mut line: &[u8]) -> Option<&[u8]> {
    const NAME: &[u8] = b"Call-ID";
    loop {
        if let Some((name, rest)) = line.split_at_checked(NAME.len())
            && name.eq_ignore_ascii_case(NAME)
        {
            return Some(rest);
        }
        if let Some((b'i' | b'I', rest)) = line.split_first()
            && rest.first().is_some_and(|next| !next.is_ascii_alphabetic())
        {
            return Some(rest);
        }
        // The kernel has passed over a byte by now: of an empty line it may miss the end, and with it the next line.
        line = next_line(line.get(1..)?)?;
    }
}

/// Without spaces and the folds of lines (an end of line, then a space or a tab) in front. `None` where the line ends.
fn skip_blanks(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        bytes = match bytes {
            [b' ', rest @ ..] => rest,
            [b'\r', b'\n', b' ' | b'\t', rest @ ..] | [b'\r' | b'\n', b' ' | b'\t', rest @ ..] => {
                let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
                rest.get(blanks..)?
            }
            [] | [b'\r' | b'\n', ..] => return None,
            _ => return Some(bytes),
        }
    }
}

/// A word, or two joined by `@`; empty where there is no word, or none after the `@`.
fn value(bytes: &[u8]) -> &[u8] {
    let first = word(bytes);
    let whole = match bytes.get(first..) {
        Some([b'@', rest @ ..]) if first > 0 => match word(rest) {
            0 => 0,
            second => first.saturating_add(1).saturating_add(second),
        },
        _ => first,
    };
    bytes.get(..whole).unwrap_or_default()
}

/// How many bytes a word (RFC 3261, 25.1) has here.
fn word(bytes: &[u8]) -> usize {
    let is_word = |byte: &&u8| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~()<>:\\\"/[]?{}".contains(byte);
    bytes.iter().take_while(is_word).count()
}
