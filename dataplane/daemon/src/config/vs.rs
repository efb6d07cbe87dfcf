//! `[vs]`: the kernel's switches, by the one table of them.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, Visitor};
use sluice_api::SysctlValue;

use crate::switches::{NAMES, Settings, Switch};

/// The switches as the file has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vs(pub Settings);

impl<'de> Deserialize<'de> for Vs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Table)
    }
}

struct Table;

impl<'de> Visitor<'de> for Table {
    type Value = Vs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("switches by their names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vs, A::Error> {
        let mut settings = Settings::default();
        while let Some((place, switch)) = map.next_key_seed(Name)? {
            settings.file_says(place, map.next_value_seed(Value(switch))?);
        }
        Ok(Vs(settings))
    }
}

/// Reads a name; an error then points at it.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = (usize, &'static Switch);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let name = String::deserialize(deserializer)?;
        Switch::find(&name).ok_or_else(|| de::Error::unknown_field(&name, &NAMES))
    }
}

/// Reads a value of this switch.
struct Value(&'static Switch);

impl<'de> DeserializeSeed<'de> for Value {
    type Value = SysctlValue;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<SysctlValue, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Value {
    type Value = SysctlValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.kind)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<SysctlValue, E> {
        self.0.accept(&SysctlValue::Number(number)).map_err(E::custom)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<SysctlValue, E> {
        self.0.accept(&SysctlValue::Text(text.to_owned())).map_err(E::custom)
    }
}
