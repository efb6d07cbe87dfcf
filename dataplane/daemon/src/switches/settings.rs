//! The values of all switches: from the file, then set at run time, kept over a restart.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sluice_api::{ErrorCode, RpcError, SysctlEffect, SysctlEntry, SysctlSource, SysctlValue};
use sluice_core::{Switches, Timeouts};

use super::Kind;
use super::defence::Defences;
use super::table::{ALL, Effect, NAMES, Refusal, Switch};

/// A value that was set at run time, as the state file keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptSwitch {
    /// The value.
    pub value: SysctlValue,
    /// What the configuration file, or the default, said then: where it says something else now, that is the later word.
    pub over: SysctlValue,
}

/// The values, in the order of [`ALL`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    values: Vec<Held>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    value: SysctlValue,
    /// What the configuration file says, or else the default.
    file: SysctlValue,
}

impl Default for Settings {
    fn default() -> Self {
        let held = |switch: &Switch| Held { value: switch.default_value(), file: switch.default_value() };
        Self { values: ALL.iter().map(held).collect() }
    }
}

impl Settings {
    /// Puts in what the configuration file says; `value` is one that the switch accepts.
    pub(crate) fn file_says(&mut self, place: usize, value: SysctlValue) {
        if let Some(held) = self.values.get_mut(place) {
            *held = Held { value: value.clone(), file: value };
        }
    }

    /// The value of a switch that is a number; 0 for any other.
    #[must_use]
    pub fn number(&self, name: &str) -> i64 {
        match Switch::find(name).and_then(|(place, _)| self.values.get(place)) {
            Some(Held { value: SysctlValue::Number(number), .. }) => *number,
            _ => 0,
        }
    }

    /// Sets all of these, or none; what the operator should know all the same.
    ///
    /// # Errors
    /// ENOENT: no such switch. EINVAL: a value that it does not take. EOPNOTSUPP: one that it cannot have yet.
    pub fn set(&mut self, wanted: &BTreeMap<String, SysctlValue>) -> Result<Vec<String>, RpcError> {
        let mut accepted = Vec::new();
        for (name, value) in wanted {
            let (place, switch) = Switch::find(name).ok_or_else(|| unknown(name))?;
            accepted.push((
                place,
                switch,
                switch.accept(value).map_err(|refusal| refused(name, value, &refusal))?,
            ));
        }
        let mut warnings = Vec::new();
        for (place, switch, value) in accepted {
            if let Effect::None(reason) = switch.effect
                && value != switch.default_value()
            {
                warnings.push(format!("{} is kept, but has no effect here: {reason}", switch.name));
            }
            self.put(place, value);
        }
        Ok(warnings)
    }

    /// Sets those timeouts that are not 0 (`--set`); the core has accepted them.
    pub(crate) fn set_timeouts(&mut self, mut wanted: Timeouts) {
        for (place, switch) in ALL.iter().enumerate() {
            let Effect::Timeout(field) = switch.effect else { continue };
            let seconds = *field(&mut wanted);
            if seconds != 0 {
                self.put(place, SysctlValue::Number(seconds.into()));
            }
        }
    }

    fn put(&mut self, place: usize, value: SysctlValue) {
        if let Some(held) = self.values.get_mut(place) {
            held.value = value;
        }
    }

    /// Turns an automatic defence from idle to work and back, as room goes and comes.
    pub(super) fn turn(&mut self, name: &str, mode: i64) {
        if let Some((place, _)) = Switch::find(name) {
            self.put(place, SysctlValue::Number(mode));
        }
    }

    /// The timeouts.
    #[must_use]
    pub fn timeouts(&self) -> Timeouts {
        let mut timeouts = Timeouts::default();
        for (switch, held) in ALL.iter().zip(&self.values) {
            if let (Effect::Timeout(field), SysctlValue::Number(seconds)) = (switch.effect, &held.value) {
                *field(&mut timeouts) = u32::try_from(*seconds).unwrap_or(u32::MAX);
            }
        }
        timeouts
    }

    /// What the lcores go by, with the defences as they are at the moment.
    #[must_use]
    pub fn switches(&self, defences: &Defences) -> Switches {
        let mut switches = Switches::default();
        for (switch, held) in ALL.iter().zip(&self.values) {
            let SysctlValue::Number(number) = held.value else { continue };
            match switch.effect {
                Effect::Flag(field) => *field(&mut switches) = number != 0,
                Effect::Number(field) => *field(&mut switches) = u8::try_from(number).unwrap_or(u8::MAX),
                Effect::Seconds(field) => *field(&mut switches) = u32::try_from(number).unwrap_or(u32::MAX),
                Effect::Timeout(_) | Effect::Control | Effect::None(_) | Effect::NotYet(_) => {}
            }
        }
        defences.apply(&mut switches);
        switches
    }

    /// All switches, or those named, in that order.
    ///
    /// # Errors
    /// ENOENT: no such switch.
    pub fn entries(&self, names: Option<&[String]>) -> Result<Vec<SysctlEntry>, RpcError> {
        let entry =
            |(place, switch): (usize, &Switch)| self.values.get(place).map(|held| entry(switch, held));
        match names {
            None => Ok(ALL.iter().enumerate().filter_map(entry).collect()),
            Some(names) => names
                .iter()
                .map(|name| Switch::find(name).and_then(entry).ok_or_else(|| unknown(name)))
                .collect(),
        }
    }

    /// What was set at run time, by name.
    #[must_use]
    pub fn kept(&self) -> BTreeMap<String, KeptSwitch> {
        let set = |(switch, held): (&Switch, &Held)| {
            let value = settled(switch, &held.value);
            let kept = KeptSwitch { value, over: held.file.clone() };
            (kept.value != settled(switch, &held.file)).then(|| (switch.name.to_owned(), kept))
        };
        ALL.iter().zip(&self.values).filter_map(set).collect()
    }

    /// Takes over what was kept: the latest word counts, so a switch whose value in the configuration file has changed
    /// since is the file's. What was not taken over is told, a sentence each.
    pub fn restore(&mut self, kept: BTreeMap<String, KeptSwitch>) -> Vec<String> {
        let mut told = Vec::new();
        for (name, kept) in kept {
            let Some((place, switch)) = Switch::find(&name) else {
                told.push(format!("{name} was set and is no switch any more"));
                continue;
            };
            let file = self.values.get(place).map(|held| held.file.clone());
            match switch.accept(&kept.value) {
                _ if file.as_ref() != Some(&kept.over) => {
                    told.push(format!("vs.{name} was set to {}, but the file has changed since", kept.value));
                }
                Ok(value) => self.put(place, value),
                Err(refusal) => told.push(format!("vs.{name} was set to {}: {refusal}", kept.value)),
            }
        }
        told
    }
}

/// The value without what comes and goes by itself.
fn settled(switch: &Switch, value: &SysctlValue) -> SysctlValue {
    match (switch.kind, value) {
        (Kind::Mode, SysctlValue::Number(2)) => SysctlValue::Number(1),
        (_, value) => value.clone(),
    }
}

fn entry(switch: &Switch, held: &Held) -> SysctlEntry {
    let default = switch.default_value();
    let source = match (settled(switch, &held.value), settled(switch, &held.file)) {
        (value, file) if value != file => SysctlSource::Set,
        (_, file) if file != default => SysctlSource::File,
        _ => SysctlSource::Default,
    };
    let (effect, reason) = match switch.effect {
        Effect::None(reason) => (SysctlEffect::None, Some(reason)),
        Effect::NotYet(reason) => (SysctlEffect::NotYet, Some(reason)),
        _ => (SysctlEffect::Works, None),
    };
    SysctlEntry {
        name: switch.name.to_owned(),
        value: held.value.clone(),
        default,
        accepts: switch.kind.to_string(),
        source,
        effect,
        reason: reason.map(str::to_owned),
        meaning: switch.meaning.to_owned(),
    }
}

fn unknown(name: &str) -> RpcError {
    let message = match crate::config::nearest(name, &NAMES) {
        Some(near) => format!("no switch `{name}`, did you mean `{near}`?"),
        None => format!("no switch `{name}`: `sluicectl sysctl` lists them"),
    };
    RpcError::new(ErrorCode::NoSuchEntry, message)
}

fn refused(name: &str, value: &SysctlValue, refusal: &Refusal) -> RpcError {
    let code = match refusal {
        Refusal::Range(_) => ErrorCode::Invalid,
        Refusal::NotYet(_) => ErrorCode::NotSupported,
    };
    RpcError::new(code, format!("{name} = {value}: {refusal}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(value: i64) -> SysctlValue {
        SysctlValue::Number(value)
    }

    fn set(settings: &mut Settings, name: &str, value: i64) {
        settings.set(&BTreeMap::from([(name.to_owned(), number(value))])).expect("accepted");
    }

    /// As the file has them.
    fn with_file(values: &[(&str, i64)]) -> Settings {
        let mut settings = Settings::default();
        for (name, value) in values {
            settings.file_says(Switch::find(name).expect("a switch").0, number(*value));
        }
        settings
    }

    fn source(settings: &Settings, name: &str) -> SysctlSource {
        settings.entries(Some(&[name.to_owned()])).expect("there")[0].source
    }

    #[test]
    fn one_refused_value_leaves_all_as_they_were() {
        let mut settings = Settings::default();
        let wanted = [("conn_reuse_mode", 0), ("sloppy_tcp", 1), ("drop_packet", 4)];
        let wanted = wanted.map(|(name, value)| (name.to_owned(), number(value))).into();
        let error = settings.set(&wanted).expect_err("refused");
        assert_eq!(
            (error.kind(), error.message.as_str()),
            (Some(ErrorCode::Invalid), "drop_packet = 4: must be 0 to 3")
        );
        assert_eq!(settings, Settings::default());
    }

    #[test]
    fn a_value_set_at_run_time_survives_until_the_file_says_something_else() {
        let mut settings = with_file(&[("conn_reuse_mode", 2)]);
        set(&mut settings, "conn_reuse_mode", 3);
        set(&mut settings, "sloppy_tcp", 1);
        let kept = settings.kept();
        assert_eq!(kept.keys().collect::<Vec<_>>(), ["conn_reuse_mode", "sloppy_tcp"]);
        let mut again = with_file(&[("conn_reuse_mode", 2)]);
        assert_eq!(again.restore(kept.clone()), [""; 0]);
        assert_eq!(again, settings);
        assert_eq!(source(&again, "conn_reuse_mode"), SysctlSource::Set);
        let mut edited = with_file(&[("conn_reuse_mode", 0)]);
        assert_eq!(edited.restore(kept), ["vs.conn_reuse_mode was set to 3, but the file has changed since"]);
        assert_eq!((edited.number("conn_reuse_mode"), edited.number("sloppy_tcp")), (0, 1));
        assert_eq!(source(&edited, "conn_reuse_mode"), SysctlSource::File);
    }

    #[test]
    fn set_back_to_what_the_file_says_nothing_is_kept() {
        let mut settings = with_file(&[("timeout_tcp", 600)]);
        set(&mut settings, "timeout_tcp", 900);
        assert_eq!(settings.kept().len(), 1);
        set(&mut settings, "timeout_tcp", 600);
        assert_eq!((settings.kept().len(), source(&settings, "timeout_tcp")), (0, SysctlSource::File));
    }

    /// What a defence does by itself is no word of the operator's.
    #[test]
    fn automatic_modes_are_kept_as_idle() {
        let mut settings = with_file(&[("drop_entry", 1)]);
        set(&mut settings, "drop_packet", 1);
        settings.turn("drop_packet", 2);
        settings.turn("drop_entry", 2);
        let kept = settings.kept();
        assert_eq!(kept.len(), 1);
        assert_eq!(kept["drop_packet"], KeptSwitch { value: number(1), over: number(0) });
        assert_eq!(source(&settings, "drop_entry"), SysctlSource::File);
    }

    #[test]
    fn what_a_later_version_kept_is_told_and_left() {
        let kept = |value| KeptSwitch { value: number(value), over: number(1) };
        let kept = BTreeMap::from([("conn_reuse_mode".to_owned(), kept(9)), ("no_such".to_owned(), kept(1))]);
        let mut settings = Settings::default();
        assert_eq!(
            settings.restore(kept),
            ["vs.conn_reuse_mode was set to 9: must be 0 to 3", "no_such was set and is no switch any more"]
        );
        assert_eq!(settings, Settings::default());
    }
}
