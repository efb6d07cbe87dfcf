//! docs/configuration.md against the configuration: every key described, every default true, every example accepted.

use std::collections::BTreeSet;

use sluice_api::SysctlValue;
use sluiced::config::parse;
use sluiced::switches::{Effect, Switch};
use toml::{Table, Value};

const DOCUMENT: &str = include_str!("../../../docs/configuration.md");
const REFERENCE: &str = include_str!("../sluice.toml");
/// The least file, with the tables that are lists.
const LEAST: &str = r#"
    lcores = { workers = [1] }
    ports = [{ name = "wan", device = "net_null0" }]
    routes = [{ to = "0.0.0.0/0", port = "wan" }]
    neighbours = [{ address = "192.0.2.1", port = "wan", mac = "02:00:00:00:00:01" }]
"#;

/// The file with what is commented out (`# key = value`, `# [[table]]`) switched on.
fn switched_on(text: &str) -> Table {
    let is_key = |line: &str| line.starts_with("[[") || line.split(' ').nth(1) == Some("=");
    let line = |line: &str| match line.strip_prefix("# ") {
        Some(hidden) if is_key(hidden) => format!("{hidden}\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect::<String>().parse().expect("TOML")
}

/// `table.key` for every key; lists of tables count as one table.
fn keys(file: &Table) -> BTreeSet<String> {
    let tables = file.iter().flat_map(|(name, value)| match value {
        Value::Array(entries) => entries.iter().map(|entry| (name, entry)).collect(),
        other => vec![(name, other)],
    });
    let key = |(name, value): (&String, &Value)| -> Vec<String> {
        let table = value.as_table().expect("a table");
        table.keys().map(|key| format!("{name}.{key}")).collect()
    };
    tables.flat_map(key).collect()
}

/// The rows of the document's tables: key and default.
fn rows() -> Vec<(&'static str, &'static str)> {
    let cells = |line: &'static str| -> Option<(&'static str, &'static str)> {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let key = cells.next()?.strip_suffix('`')?;
        Some((key, cells.nth(1)?))
    };
    DOCUMENT.lines().filter_map(cells).collect()
}

fn examples() -> Vec<&'static str> {
    DOCUMENT.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn every_key_is_described_and_no_other() {
    let described: BTreeSet<String> = rows().into_iter().map(|(key, _)| key.to_owned()).collect();
    assert_eq!(described.len(), rows().len(), "a key twice");
    assert_eq!(
        described,
        keys(&switched_on(REFERENCE)),
        "docs/configuration.md against dataplane/daemon/sluice.toml"
    );
}

/// Writing a default out must change nothing.
#[test]
fn every_default_is_the_true_one() {
    let least: Table = LEAST.parse().expect("TOML");
    let accepted = |file: &Table| parse("f", &file.to_string()).map(|config| format!("{config:?}"));
    let plain = accepted(&least).expect("accepted");
    for (name, default) in rows() {
        let (table, key) = name.split_once('.').expect("table.key");
        let mut file = least.clone();
        let place = match file.entry(table).or_insert_with(|| Table::new().into()) {
            Value::Array(entries) => entries.first_mut().and_then(Value::as_table_mut).expect("an entry"),
            other => other.as_table_mut().expect("a table"),
        };
        match default {
            "required" => {
                assert!(place.remove(key).is_some(), "{name}: {LEAST} has it");
                let text = accepted(&file).expect_err("must be refused");
                assert!(text.to_string().contains(&format!("missing field `{key}`")), "{name}: {text}");
            }
            "none" => assert!(!place.contains_key(key), "{name}: accepted without"),
            default => {
                let value = default.trim_matches('`');
                let value: Table = format!("value = {value}").parse().expect("a value");
                place.insert(key.to_owned(), value["value"].clone());
                assert_eq!(accepted(&file).expect("accepted"), plain, "{name} = {default}");
            }
        }
    }
}

#[test]
fn examples_are_accepted_and_the_complete_one_is_complete() {
    let examples = examples();
    for example in &examples {
        parse("example", example).expect("accepted");
    }
    let complete = switched_on(examples.last().expect("an example"));
    parse("switched on", &complete.to_string()).expect("accepted");
    assert_eq!(keys(&complete), keys(&switched_on(REFERENCE)));
}

/// The rows under `[vs]` are the table of switches, word for word.
#[test]
fn every_switch_is_described_by_the_one_table() {
    for switch in sluiced::switches::ALL {
        let row = switch_row(switch);
        assert!(DOCUMENT.lines().any(|line| line == row), "this row is missing:\n{row}");
    }
}

fn switch_row(switch: &Switch) -> String {
    let default = match switch.default_value() {
        SysctlValue::Number(number) => number.to_string(),
        SysctlValue::Text(text) => format!("\"{text}\""),
    };
    let effect = match switch.effect {
        Effect::None(reason) => format!(" **No effect here**: {reason}."),
        Effect::NotYet(what) => format!(" **Not yet** ({what}): only the default is accepted."),
        _ => String::new(),
    };
    let (name, accepts, meaning) = (switch.name, switch.kind.to_string(), switch.meaning);
    format!("| `vs.{name}` | {accepts} | `{default}` | {meaning}{effect} |")
}
