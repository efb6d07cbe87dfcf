//! What came of the scenarios, for people: while they run, and as docs/conformance.md.

use std::fmt::Write;

use super::play::{Outcome, Seen};
use super::scenarios::Area;

/// What no scenario can tell, and why.
const NOT_COMPARED: &[(&str, &str)] = &[
    ("`twos`", "Debian's user-mode kernel has no such module, and its choices are random anyway"),
    ("`drop_entry`, automatic modes of the defences", "they depend on chance and on the memory that is free"),
    (
        "timeouts of more than seconds",
        "tested against the reference in the core's own tests, where time is made",
    ),
];

/// One word for an outcome.
pub fn verdict(outcome: &Outcome) -> &'static str {
    match outcome {
        outcome if !outcome.holds() => "DIFFERS",
        outcome if outcome.parts.is_empty() => "agrees",
        _ => "differs on purpose",
    }
}

/// All that does not hold, in full.
pub fn details(outcome: &Outcome) -> String {
    let mut text = String::new();
    for part in outcome.parts.iter().filter(|part| part.reason.is_none()) {
        let _ = writeln!(text, "  at: {}", part.step);
        text += &side("kernel", &part.kernel, &part.sluice);
        text += &side("sluice", &part.sluice, &part.kernel);
    }
    for step in &outcome.alike {
        let _ = writeln!(text, "  said to differ, but alike, at: {step}");
    }
    text
}

/// What was seen of one side; `!` where the other has something else.
fn side(name: &str, seen: &[Seen], other: &[Seen]) -> String {
    let mut text = String::new();
    for (at, one) in seen.iter().enumerate() {
        let alike = other.get(at).is_some_and(|other| one.same(other));
        let _ = writeln!(text, "    {name} {} {}", if alike { ' ' } else { '!' }, one.describe());
        if let (false, Seen::Frame(_, bytes)) = (alike, one) {
            let _ = writeln!(text, "             {}", super::describe::hex(bytes));
        }
    }
    if seen.is_empty() {
        let _ = writeln!(text, "    {name} ! nothing");
    }
    text
}

/// docs/conformance.md, which holds as long as every scenario does.
pub fn page(areas: &[Area]) -> String {
    let scenarios: usize = areas.iter().map(|area| area.scenarios.len()).sum();
    let mut page = format!(
        "# Conformance

`make conformance` gives the same frames and the same `ipvsadm` lines to Linux's IPVS and to `sluiced`, and compares
what comes of them: every frame that leaves, byte by byte, and every line that `ipvsadm` prints. It is part of
`make test`, and it has written this page (`make conformance WRITE=1`).

- **The kernel** is a real one: Debian 12's `user-mode-linux` (6.1), a Linux kernel that runs as a plain process, with
  Debian's `ipvsadm` 1.31. **Sluice** is `sluiced` on veth pairs, with `sluicectl` under the name `ipvsadm`, and
  `compat.overhead = \"classic\"`, as this kernel is older than the current rule.
- After each frame an ARP request follows it into each port, so that what comes out belongs to what went in.
- Not compared: the IP identification of packets that the balancer itself makes, the padding of short frames, the order
  of connections in `ipvsadm -Lc`, and up to two of the seconds that they have left, the size of the table in the first line of a listing.

{scenarios} scenarios:

"
    );
    for area in areas {
        let _ = writeln!(page, "**{}**\n", area.name);
        for scenario in &area.scenarios {
            let purpose = scenario.reasons().next().map_or("", |_| ": differs on purpose, see below");
            let _ = writeln!(page, "- {}{purpose}", scenario.name);
        }
        page += "\n";
    }
    page += &differences(areas);
    page += "## What no scenario compares\n\n| | |\n|---|---|\n";
    for (what, why) in NOT_COMPARED {
        let _ = writeln!(page, "| {what} | {why} |");
    }
    page
}

fn differences(areas: &[Area]) -> String {
    let mut rows: Vec<(&str, Vec<String>)> = Vec::new();
    for area in areas {
        for scenario in &area.scenarios {
            for (step, reason) in scenario.reasons() {
                let place = format!("{}, {}: {step}", area.name, scenario.name);
                match rows.iter_mut().find(|(known, _)| *known == reason) {
                    Some((_, places)) => places.push(place),
                    None => rows.push((reason, vec![place])),
                }
            }
        }
    }
    if rows.is_empty() {
        return "All of them agree.\n\n".into();
    }
    let mut text = "All agree but for what differs on purpose:\n\n".to_owned();
    for (reason, places) in rows {
        let _ = writeln!(text, "- {reason} ({})", places.join("; "));
    }
    text + "\n"
}
