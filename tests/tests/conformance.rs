//! What Linux's IPVS does, Sluice does: every scenario of `make conformance`, and the page about them.

use sluice_tests::conform::{self, report, scenarios};
use sluice_tests::{Result, ensure};

#[test]
fn sluice_does_what_the_kernel_does() -> Result<()> {
    let mut failed = String::new();
    conform::run(
        &[],
        |_| {},
        |played| {
            if !played.outcome.holds() {
                failed += &format!("{}\n{}", played.name, report::details(&played.outcome));
            }
        },
    )?;
    ensure!(failed.is_empty(), "{failed}");
    Ok(())
}

#[test]
fn the_page_says_what_is_compared() -> Result<()> {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/conformance.md"))?;
    ensure!(
        page == report::page(&scenarios::all()),
        "docs/conformance.md is old: `make conformance WRITE=1`"
    );
    Ok(())
}

#[test]
fn names_tell_scenarios_apart() {
    for area in scenarios::all() {
        let names: std::collections::BTreeSet<_> =
            area.scenarios.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), area.scenarios.len(), "{}", area.name);
    }
}
