//! Which crate may depend on which: the arrows of ARCHITECTURE.md, held with `cargo tree`.

use std::collections::BTreeSet;
use std::process::Command;

use sluice_tests::{Context, Result, ensure};

/// A crate, and all crates of the workspace that may be below it, at any depth.
const ALLOWED: &[(&str, &[&str])] = &[
    ("dpdk-sys", &[]),
    ("sluice-packet", &[]),
    ("sluice-api", &[]),
    ("sluice-core", &["sluice-packet"]),
    ("sluice-dpdk", &["dpdk-sys", "sluice-packet"]),
    ("sluicectl", &["sluice-api"]),
    ("sluiced", &["dpdk-sys", "sluice-api", "sluice-core", "sluice-dpdk", "sluice-packet"]),
];

/// The packet path knows no serialisation, no runtime, no operating system and no log.
const PURE: &[&str] = &["sluice-core", "sluice-packet"];
const IMPURE: &[&str] =
    &["bindgen", "libc", "nix", "rtnetlink", "serde", "serde_json", "tokio", "toml", "tracing"];

/// What is wrong with the packages in the tree of `name`.
fn violations(name: &str, packages: &BTreeSet<String>) -> Vec<String> {
    let allowed =
        ALLOWED.iter().find(|(crate_name, _)| *crate_name == name).map_or(&[][..], |(_, below)| below);
    let ours = |package: &&String| ALLOWED.iter().any(|(crate_name, _)| crate_name == package);
    let wrong_way = packages
        .iter()
        .filter(ours)
        .filter(|package| *package != name && !allowed.contains(&package.as_str()));
    let impure = packages.iter().filter(|package| PURE.contains(&name) && IMPURE.contains(&package.as_str()));
    wrong_way.chain(impure).map(|package| format!("{name} must not depend on {package}")).collect()
}

/// All packages that building `name` takes, itself included; tests and benches may use what they like.
fn tree(name: &str) -> Result<BTreeSet<String>> {
    let arguments = [
        "tree",
        "--offline",
        "--package",
        name,
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ];
    let output = Command::new(env!("CARGO")).args(arguments).output().context("cannot start cargo")?;
    ensure!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
}

#[test]
fn arrows_point_one_way() -> Result<()> {
    for (name, _) in ALLOWED {
        let packages = tree(name)?;
        ensure!(packages.contains(*name), "cargo tree shows no {name}: {packages:?}");
        let violations = violations(name, &packages);
        ensure!(violations.is_empty(), "{}", violations.join("\n"));
    }
    Ok(())
}

#[test]
fn a_wrong_arrow_is_seen() {
    let with = |name: &str, package: &str| violations(name, &[name, package].map(str::to_owned).into());
    assert_eq!(with("sluice-core", "sluice-dpdk"), ["sluice-core must not depend on sluice-dpdk"]);
    assert_eq!(with("sluice-core", "serde"), ["sluice-core must not depend on serde"]);
    assert_eq!(with("sluice-packet", "sluice-core"), ["sluice-packet must not depend on sluice-core"]);
    assert_eq!(with("sluicectl", "sluice-core"), ["sluicectl must not depend on sluice-core"]);
    assert_eq!(with("sluice-dpdk", "tokio"), [""; 0]);
    assert_eq!(with("sluiced", "sluice-core"), [""; 0]);
}
