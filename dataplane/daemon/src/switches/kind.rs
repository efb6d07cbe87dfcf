//! What values a switch takes, and what is told of one that it does not take.

use std::fmt;

use sluice_api::SysctlValue;

/// The values of a switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number from the first to the second.
    Number(i64, i64),
    /// A power of two up to this one.
    PowerOfTwo(i64),
    /// A defence: 0 off, 1 automatic and idle, 2 automatic and at work, 3 always at work. 1 and 2 turn into each other.
    Mode,
    /// `threshold period`: both 0 or more, and the threshold below the period unless that is 0.
    Threshold,
    /// CPU numbers and ranges (`0-3,6`), `all`, or nothing.
    CpuList,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(0, 1) => f.write_str("0 or 1"),
            Self::Number(least, most) => write!(f, "{least} to {most}"),
            Self::PowerOfTwo(most) => write!(f, "a power of two up to {most}"),
            Self::Mode => f.write_str("0 to 3"),
            Self::Threshold => {
                f.write_str("\"THRESHOLD PERIOD\", the first below the second unless that is 0")
            }
            Self::CpuList => f.write_str("CPUs such as \"0-3,6\", or \"all\""),
        }
    }
}

impl Kind {
    /// The value as it is kept, if the switch takes it.
    #[must_use]
    pub fn accept(self, value: &SysctlValue) -> Option<SysctlValue> {
        match self {
            Self::Number(..) | Self::PowerOfTwo(_) | Self::Mode => {
                let SysctlValue::Number(number) = *value else { return None };
                self.has(number).then_some(SysctlValue::Number(number))
            }
            Self::Threshold => threshold(&value.to_string()).map(SysctlValue::Text),
            Self::CpuList => {
                let text = value.to_string();
                is_cpu_list(&text).then_some(SysctlValue::Text(text))
            }
        }
    }

    fn has(self, number: i64) -> bool {
        match self {
            Self::Number(least, most) => (least..=most).contains(&number),
            Self::PowerOfTwo(most) => number > 0 && number <= most && number.count_ones() == 1,
            Self::Mode => (0..=3).contains(&number),
            Self::Threshold | Self::CpuList => false,
        }
    }
}

fn threshold(text: &str) -> Option<String> {
    let numbers: Vec<u32> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
    let [threshold, period] = numbers[..] else { return None };
    let most = i32::MAX.cast_unsigned();
    let fits = threshold <= most && period <= most && (period == 0 || threshold < period);
    fits.then(|| format!("{threshold} {period}"))
}

fn is_cpu_list(text: &str) -> bool {
    let is_part = |part: &str| match part.split_once('-') {
        None => part.parse::<u16>().is_ok(),
        Some((from, to)) => match (from.parse::<u16>(), to.parse::<u16>()) {
            (Ok(from), Ok(to)) => from <= to,
            _ => false,
        },
    };
    text.is_empty() || text == "all" || text.split(',').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(kind: Kind, word: &str) -> bool {
        kind.accept(&SysctlValue::of_word(word)).is_some()
    }

    #[test]
    fn each_kind_takes_its_values_and_no_other() {
        let cases: [(Kind, &[&str], &[&str]); 6] = [
            (Kind::Number(0, 1), &["0", "1"], &["2", "-1", "", "on", "1.0", "0 1"]),
            (Kind::Number(-20, 19), &["-20", "19"], &["-21", "20"]),
            (Kind::PowerOfTwo(64), &["1", "2", "64"], &["0", "3", "128", "-2", "x"]),
            (Kind::Mode, &["0", "3"], &["4", "-1", "auto"]),
            (
                Kind::Threshold,
                &["3 50", "0 1", "7 0"],
                &["3", "50 50", "3 50 7", "-1 5", "a b", "3 4294967295"],
            ),
            (
                Kind::CpuList,
                &["", "all", "5", "0-3,6", "7,9-9"],
                &["x", "3-1", "1,,2", "-", "99999", "1-2-3"],
            ),
        ];
        for (kind, good, bad) in cases {
            assert!(good.iter().all(|word| takes(kind, word)), "{kind:?}: {good:?}");
            for word in bad {
                assert!(!takes(kind, word), "{kind:?}: {word:?}");
            }
        }
    }

    #[test]
    fn a_threshold_is_kept_in_one_form() {
        let kept = Kind::Threshold.accept(&SysctlValue::Text(" 3\t50 ".to_owned()));
        assert_eq!(kept, Some(SysctlValue::Text("3 50".to_owned())));
    }
}
