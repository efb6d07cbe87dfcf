//! Call-IDs as the kernel's SIP engine finds them: RFC messages, its limits and its quirks, and any bytes.
use bolero::check;
use sluice_packet::sip::{CALL_ID_MAX, call_id};

/// The INVITE of RFC 3261, 7.
const INVITE: &str = "INVITE sip:bob@biloxi.com SIP/2.0\r\n\
    Via: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bK776asdhds\r\n\
    To: Bob <sip:bob@biloxi.com>\r\n\
    From: Alice <sip:alice@atlanta.com>;tag=1928301774\r\n\
    Call-ID: a84b4c76e66710@pc33.atlanta.com\r\n\
    CSeq: 314159 INVITE\r\n\r\n";

fn found(message: &str) -> Option<&str> {
    call_id(message.as_bytes()).map(|id| std::str::from_utf8(id).unwrap())
}

/// A message whose only header this is.
fn header(line: &str) -> Option<String> {
    found(&format!("BYE sip:b SIP/2.0\r\n{line}")).map(str::to_owned)
}

#[test]
fn a_call_id_is_found_among_the_headers() {
    assert_eq!(found(INVITE), Some("a84b4c76e66710@pc33.atlanta.com"));
    for end in ["\r", "\n"] {
        assert_eq!(found(&INVITE.replace("\r\n", end)), Some("a84b4c76e66710@pc33.atlanta.com"), "{end:?}");
    }
}

#[test]
fn names_and_blanks_are_free() {
    for line in [
        "Call-ID: x@y\r\n",
        "call-id:x@y\r\n",
        "CALL-ID  :   x@y\n",
        "i: x@y\r",
        "I:x@y\r\n",
        "i :x@y\r\n",
        "Call-ID\r\n : x@y\r\n",
        "Call-ID:\r\n\t x@y\r\n",
        "Call-ID: \n x@y\r\n",
        "Info: z\r\nint: z\r\ni: x@y\r\n",
        "Subject: a\r\n Call-ID: folded\r\ni: x@y\r\n",
        "Call-ID: \u{e9}\r\nCall-ID: x@y\r\n",
        "Call-ID: a@\r\ni: x@y\r\n",
        "Via: z\r\n\r\ni: x@y\r\n",
    ] {
        assert_eq!(header(line).as_deref(), Some("x@y"), "{line:?}");
    }
    assert_eq!(
        header("i: -.!%*_+`'~()<>:\\\"/[]?{}09azAZ\r\n").as_deref(),
        Some("-.!%*_+`'~()<>:\\\"/[]?{}09azAZ")
    );
}

#[test]
fn what_the_kernel_does_not_take_is_not_found() {
    for line in [
        "",
        "Call-ID",
        "Call-ID:",
        "Call-ID: ",
        "Call-ID: x@y",
        "Call-ID: x@y \r\n",
        "Call-ID: x@y@z\r\n",
        "Call-ID: x,y\r\n",
        "Call-ID:\r\n",
        "Call-ID:\tx\r\n",
        "Call-IDs: x\r\ni: x\r\n",
        "i-x: y\r\ni: x\r\n",
        " Call-ID: x\r\n",
        "Via: x\r\n",
        "i",
        "Via: z\n\ni: x@y\n",
    ] {
        assert_eq!(header(line), None, "{line:?}");
    }
    assert_eq!(found("Call-ID: x@y\r\n"), None, "the first line is none of the headers");
    assert_eq!(found("\r\nCall-ID: x@y\r\n"), Some("x@y"));
}

#[test]
fn at_most_255_bytes() {
    for (length, taken) in [(1, true), (CALL_ID_MAX, true), (CALL_ID_MAX + 1, false), (1000, false)] {
        let id = "x".repeat(length);
        assert_eq!(header(&format!("i:{id}\r\ni:y\r\n")), taken.then_some(id));
    }
}

#[test]
fn a_message_cut_anywhere_has_its_call_id_or_none() {
    for end in 0..=INVITE.len() {
        let whole = INVITE.find("CSeq").unwrap() - 2;
        let expected = (end > whole).then_some("a84b4c76e66710@pc33.atlanta.com");
        assert_eq!(found(&INVITE[..end]), expected, "cut at {end}");
    }
}

/// Whatever comes in, a Call-ID is a part of it that ends with its line.
#[test]
fn fuzz_call_id() {
    check!().with_iterations(200_000).with_max_len(128).for_each(|bytes: &[u8]| {
        for message in [bytes.to_vec(), [b"\r\nCall-ID", bytes].concat(), [b"\ni:", bytes].concat()] {
            if let Some(id) = call_id(&message) {
                assert!((1..=CALL_ID_MAX).contains(&id.len()));
                let start = id.as_ptr() as usize - message.as_ptr() as usize;
                assert!(matches!(message[start + id.len()], b'\r' | b'\n'));
                assert!(id.iter().all(|byte| byte.is_ascii_graphic() && *byte != b','));
            }
        }
    });
}
