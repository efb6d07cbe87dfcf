//! The names of scheduler flags: generic ones, and what `sh` and `mh` call theirs.

use sluice_api::SchedFlag;

use crate::failure::Failure;

const GENERIC: [(&str, SchedFlag); 3] =
    [("flag-1", SchedFlag::Flag1), ("flag-2", SchedFlag::Flag2), ("flag-3", SchedFlag::Flag3)];
const SH: [(&str, SchedFlag); 2] = [("sh-fallback", SchedFlag::Flag1), ("sh-port", SchedFlag::Flag2)];
const MH: [(&str, SchedFlag); 2] = [("mh-fallback", SchedFlag::Flag1), ("mh-port", SchedFlag::Flag2)];

/// Understands the argument of `-b` for a scheduler. Empty items are skipped.
pub(crate) fn parse(word: &str, scheduler: &str) -> Result<Vec<SchedFlag>, Failure> {
    let mut flags = Vec::new();
    for name in word.split(',').filter(|name| !name.is_empty()) {
        let flag = parse_one(name, scheduler)?;
        if !flags.contains(&flag) {
            flags.push(flag);
        }
    }
    flags.sort_unstable();
    Ok(flags)
}

fn parse_one(name: &str, scheduler: &str) -> Result<SchedFlag, Failure> {
    for (owner, table) in [("", &GENERIC[..]), ("sh", &SH[..]), ("mh", &MH[..])] {
        if let Some((_, flag)) = table.iter().find(|row| row.0 == name) {
            if owner.is_empty() || owner == scheduler {
                return Ok(*flag);
            }
            return Err(Failure::invalid(format!("incompatible scheduler flag `{name}'")));
        }
    }
    Err(Failure::invalid(format!("invalid scheduler flag `{name}'")))
}

/// The flags as a listing prints them. `sh` and `mh` have no name for flag 3, and ipvsadm then prints none.
pub(crate) fn text(flags: &[SchedFlag], scheduler: &str) -> String {
    let names: &[(&str, SchedFlag)] = match scheduler {
        "sh" => &SH,
        "mh" => &MH,
        _ => &GENERIC,
    };
    let shown: Vec<&str> = names.iter().filter(|row| flags.contains(&row.1)).map(|row| row.0).collect();
    shown.join(",")
}
