//! What survives a restart: services, reals, mark rules and switches, as JSON of the control socket's own types.
//!
//! Written whole, beside the old file, flushed to disk and renamed over it: a crash leaves the old or the new one.
//! A file that cannot be understood stops the start; services must not vanish because a disk lost some bytes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sluice_api::{MarkSpec, RealSpec, ServiceSpec, SysctlValue, Timeouts};

use crate::switches::KeptSwitch;

/// Everything that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedState {
    /// Layout of this file: [`VERSION`].
    pub version: u32,
    /// Switches that were set at run time, by name.
    pub sysctl: BTreeMap<String, KeptSwitch>,
    /// Services, in the order of their ids.
    pub services: Vec<SavedService>,
    /// Mark rules, in the order in which they are asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<MarkSpec>,
}

/// A service and its reals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedService {
    /// The service.
    pub service: ServiceSpec,
    /// Its reals, in the order in which they were added.
    pub reals: Vec<RealSpec>,
}

/// The layout that this program writes; it reads the first one too.
pub const VERSION: u32 = 2;

/// The first layout: no switches, but the timeouts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct First {
    #[expect(dead_code, reason = "known already when this is read")]
    version: u32,
    timeouts: Timeouts,
    services: Vec<SavedService>,
}

impl From<First> for SavedState {
    fn from(first: First) -> Self {
        let Timeouts { tcp, tcp_fin, udp } = first.timeouts;
        let kept = [("timeout_tcp", tcp, 900), ("timeout_tcp_fin", tcp_fin, 120), ("timeout_udp", udp, 300)];
        let number = |seconds: u32| SysctlValue::Number(seconds.into());
        let set = kept.into_iter().filter(|(_, seconds, default)| seconds != default);
        let kept = |(name, seconds, default): (&str, u32, u32)| {
            (name.to_owned(), KeptSwitch { value: number(seconds), over: number(default) })
        };
        Self {
            version: VERSION,
            sysctl: set.map(kept).collect(),
            services: first.services,
            marks: Vec::new(),
        }
    }
}

/// What tells layouts apart.
#[derive(Deserialize)]
struct Layout {
    version: u32,
}

/// Why the state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The system refuses.
    #[error("state file {}: cannot {what}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
    /// The content is not what this program writes.
    #[error(
        "state file {}: {what}: repair it, or move it away to start without services", path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

/// Reads the state; `None` where there is no file.
///
/// # Errors
/// [`StateError`].
pub fn load(path: &Path) -> Result<Option<SavedState>, StateError> {
    let corrupt = |what: String| StateError::Corrupt { path: path.to_owned(), what };
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StateError::Io { path: path.to_owned(), what: "read it", source }),
    };
    let state = match parse::<Layout>(&text).map_err(corrupt)?.version {
        1 => parse::<First>(&text).map(SavedState::from),
        VERSION => parse::<SavedState>(&text),
        other => Err(format!("version {other} (this program reads {VERSION})")),
    };
    state.map(Some).map_err(corrupt)
}

fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, String> {
    serde_json::from_slice(text).map_err(|error| error.to_string())
}

/// Replaces the state on disk.
///
/// # Errors
/// [`StateError::Io`]; the old file stays then.
pub fn save(path: &Path, state: &SavedState) -> Result<(), StateError> {
    let io = |what| move |source| StateError::Io { path: path.to_owned(), what, source };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(io("make its folder"))?;
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut text = serde_json::to_vec(state).map_err(std::io::Error::from).map_err(io("write it"))?;
    text.push(b'\n');
    let mut file = File::create(&beside).map_err(io("write it"))?;
    file.write_all(&text).map_err(io("write it"))?;
    file.sync_all().map_err(io("flush it"))?;
    std::fs::rename(&beside, path).map_err(io("rename it"))?;
    // The rename itself is on disk only when the folder is.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io("flush its folder"))
}

#[cfg(test)]
mod tests {
    use sluice_api::{Forward, Protocol, RealId, ServiceId};

    use super::*;

    fn state() -> SavedState {
        let id = ServiceId::Address {
            protocol: Protocol::Tcp,
            address: "10.0.0.1".parse().expect("address"),
            port: 80,
        };
        let service = ServiceSpec {
            id,
            scheduler: "wlc".to_owned(),
            flags: Vec::new(),
            persistent: None,
            one_packet: false,
            pe: None,
        };
        let real = RealSpec {
            id: RealId { address: "192.0.2.1".parse().expect("address"), port: 80 },
            forward: Forward::Masq,
            weight: 3,
            upper_threshold: 9,
            lower_threshold: 2,
            tunnel: None,
        };
        let kept = KeptSwitch { value: SysctlValue::Number(0), over: SysctlValue::Number(1) };
        let marks = vec![MarkSpec {
            id: Some(3),
            priority: 10,
            port: Some("wan".to_owned()),
            vlan: Some(0),
            protocol: Some(Protocol::Udp),
            source: Some("192.0.2.0/24".parse().expect("prefix")),
            destination: Some("2001:db8::1".parse().expect("prefix")),
            source_ports: Some("1024-65535".parse().expect("range")),
            destination_ports: Some("53".parse().expect("range")),
            mark: u32::MAX,
        }];
        SavedState {
            version: VERSION,
            sysctl: BTreeMap::from([("conn_reuse_mode".to_owned(), kept)]),
            services: vec![SavedService { service, reals: vec![real] }],
            marks,
        }
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("lib/state.json");
        assert_eq!(load(&path).expect("no file is no error"), None);
        save(&path, &state()).expect("saved");
        assert_eq!(load(&path).expect("loaded"), Some(state()));
        let left: Vec<_> = std::fs::read_dir(path.parent().expect("folder")).expect("listed").collect();
        assert_eq!(left.len(), 1, "no temporary file is left");
    }

    /// As versions before mark rules wrote it, and as it is without any.
    #[test]
    fn a_file_without_mark_rules_is_read() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("state.json");
        let without = SavedState { marks: Vec::new(), ..state() };
        save(&path, &without).expect("saved");
        assert!(!std::fs::read_to_string(&path).expect("read").contains("marks"));
        assert_eq!(load(&path).expect("loaded"), Some(without));
    }

    #[test]
    fn a_corrupt_file_is_refused_and_named() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("state.json");
        save(&path, &state()).expect("saved");
        let whole = std::fs::read(&path).expect("read");
        for cut in [0, 1, whole.len() / 2, whole.len() - 2] {
            std::fs::write(&path, &whole[..cut]).expect("written");
            let text = load(&path).expect_err("corrupt").to_string();
            assert!(text.starts_with(&format!("state file {}: ", path.display())), "{text}");
            assert!(text.ends_with("repair it, or move it away to start without services"), "{text}");
        }
        let newer = SavedState { version: 9, ..state() };
        save(&path, &newer).expect("saved");
        assert!(load(&path).expect_err("newer").to_string().contains("version 9 (this program reads 2)"));
    }

    /// As the first version wrote it; only what was set counts.
    #[test]
    fn the_first_layout_is_read() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("state.json");
        let text = r#"{"version":1,"timeouts":{"tcp":900,"tcp_fin":30,"udp":300},"services":[]}"#;
        std::fs::write(&path, text).expect("written");
        let state = load(&path).expect("read").expect("there");
        let kept = KeptSwitch { value: SysctlValue::Number(30), over: SysctlValue::Number(120) };
        assert_eq!(state.sysctl, BTreeMap::from([("timeout_tcp_fin".to_owned(), kept)]));
        assert_eq!((state.version, state.services), (VERSION, Vec::new()));
    }
}
