//! Switches by their kernel names (`net.ipv4.vs.*`): what `sysctl.list` tells and `sysctl.set` takes.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A switch's value: a number, or text for those of the kernel's that are no single number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SysctlValue {
    /// A number.
    Number(i64),
    /// Text: `sync_threshold`, `est_cpulist`.
    Text(String),
}

impl fmt::Display for SysctlValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

impl SysctlValue {
    /// What is meant by a word on a command line.
    #[must_use]
    pub fn of_word(word: &str) -> Self {
        word.parse().map_or_else(|_| Self::Text(word.to_owned()), Self::Number)
    }
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SysctlSource {
    /// Nobody has set it.
    Default,
    /// The configuration file.
    File,
    /// `sysctl.set`, or `timeout.set`.
    Set,
}

/// What setting a switch does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SysctlEffect {
    /// What it does in the kernel.
    Works,
    /// Nothing: any value is accepted and kept.
    None,
    /// The part that it is about is not there yet: any value but the default is refused.
    NotYet,
}

/// A switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SysctlEntry {
    /// Its name, without `net.ipv4.vs.`.
    pub name: String,
    /// The value in force.
    pub value: SysctlValue,
    /// The value if nobody sets it.
    pub default: SysctlValue,
    /// The values that it takes, in words.
    pub accepts: String,
    /// Where the value comes from.
    pub source: SysctlSource,
    /// What setting it does.
    pub effect: SysctlEffect,
    /// Why it has no effect, or cannot be set yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What it is about.
    pub meaning: String,
}

/// Asks for switches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SysctlNames {
    /// Which, in this order; absent = all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<Vec<String>>,
}

/// Sets switches: all of them, or, if one is refused, none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SysctlValues {
    /// By name.
    pub values: BTreeMap<String, SysctlValue>,
}
