//! Numbers on the command line, and in listings.

use std::ops::RangeInclusive;

/// A decimal number as C's strtol reads one (leading blanks, a sign), the whole word used and within `range`.
pub(crate) fn parse(word: &str, range: RangeInclusive<i64>) -> Option<i64> {
    let digits = word.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    // A sign alone, or two of them, is refused by from_str as by strtol.
    digits.parse().ok().filter(|n| range.contains(n))
}

/// A counter, in a column of nine with its separator; from 100 million on in thousands (K), millions (M), ...
/// With `exact` in full: from nine digits on the column grows.
pub(crate) fn scaled(n: u64, exact: bool) -> String {
    match n {
        _ if exact && n >= 100_000_000 => format!(" {n}"),
        _ if exact || n < 100_000_000 => format!("{n:9}"),
        _ if n < 1_000_000_000 => format!("{:8}K", n / 1_000),
        _ if n < 100_000_000_000 => format!("{:8}M", n / 1_000_000),
        _ if n < 100_000_000_000_000 => format!("{:8}G", n / 1_000_000_000),
        _ => format!("{:8}T", n / 1_000_000_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strtol() {
        for (word, want) in [("08", 8), (" 5", 5), ("+5", 5), ("0", 0), ("99", 99), ("\t7", 7)] {
            assert_eq!(parse(word, 0..=99), Some(want), "{word:?}");
        }
        let bad =
            ["", " ", "1x", "6.5", "5 ", "0x10", "-1", "100", "+", "+-5", "- 5", "99999999999999999999"];
        for word in bad {
            assert_eq!(parse(word, 0..=99), None, "{word:?}");
        }
        assert_eq!(parse("-3", -5..=5), Some(-3));
    }

    #[test]
    fn columns() {
        for (n, want, exact) in [
            (0, "        0", "        0"),
            (99_999_999, " 99999999", " 99999999"),
            (100_000_000, "  100000K", " 100000000"),
            (999_999_999, "  999999K", " 999999999"),
            (1_234_567_890, "    1234M", " 1234567890"),
            (99_999_999_999, "   99999M", " 99999999999"),
            (123_456_789_012, "     123G", " 123456789012"),
            (99_999_999_999_999, "   99999G", " 99999999999999"),
            (100_000_000_000_000, "     100T", " 100000000000000"),
            (u64::MAX, "18446744T", " 18446744073709551615"),
        ] {
            assert_eq!(scaled(n, false), want);
            assert_eq!(scaled(n, true), exact);
        }
    }
}
