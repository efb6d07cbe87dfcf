//! Mark rules as lines of a file: the options of `mark add`.

use clap::Parser;
use sluice_api::{MarkSpec, Protocol};

use super::Rule;

#[derive(Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct Line {
    #[command(flatten)]
    rule: Rule,
}

/// The rules of a file; an error begins with the number of its line.
pub(super) fn parse_all(text: &str) -> Result<Vec<MarkSpec>, String> {
    let lines = (1..).zip(text.lines()).map(|(number, line)| {
        let rule = line.split('#').next().unwrap_or_default();
        (number, rule)
    });
    let rules = lines.filter(|(_, rule)| !rule.trim().is_empty());
    rules.map(|(number, rule)| parse(rule).map_err(|error| format!("{number}: {error}"))).collect()
}

fn parse(rule: &str) -> Result<MarkSpec, String> {
    let parsed = Line::try_parse_from(rule.split_whitespace());
    parsed.map(|line| line.rule.into()).map_err(|error| {
        // Up to the first empty line; what follows are hints for an interactive user.
        let text = error.to_string();
        let said: Vec<_> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
        said.join(" ").trim_start_matches("error: ").to_owned()
    })
}

/// The line of a rule.
pub(super) fn of(spec: &MarkSpec) -> String {
    let mut line = String::new();
    let mut option = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            line += &format!("{name} {value} ");
        }
    };
    option("--id", spec.id.map(|id| id.to_string()));
    option("--priority", Some(spec.priority.to_string()));
    option("-i", spec.port.clone());
    option("--vlan", spec.vlan.map(|vlan| vlan.to_string()));
    option("-p", spec.protocol.map(Protocol::name).map(str::to_owned));
    option("-s", spec.source.map(|prefix| prefix.to_string()));
    option("--sport", spec.source_ports.map(|ports| ports.to_string()));
    option("-d", spec.destination.map(|prefix| prefix.to_string()));
    option("--dport", spec.destination_ports.map(|ports| ports.to_string()));
    option("--mark", Some(spec.mark.to_string()));
    line.trim_end().to_owned()
}
