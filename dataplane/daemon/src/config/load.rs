//! Reading the configuration file, and errors that name the line, the key and the nearest known key.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::Config;

/// Why a configuration file is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The text is no TOML, or a key or value in it is not known.
    #[error("{file}:{line}: {message}")]
    Line {
        /// The file's name.
        file: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong there.
        message: String,
    },
    /// A value is well formed and makes no sense.
    #[error("{file}: {message}")]
    Value {
        /// The file's name.
        file: String,
        /// Which key, and what it must be.
        message: String,
    },
}

/// Reads and checks the file at `path`.
///
/// # Errors
/// [`ConfigError`], whose text is one line that names the file and the key.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    parse(&path.display().to_string(), &text)
}

/// Reads and checks `text`; `file` is only named in errors.
///
/// # Errors
/// As [`load`].
pub fn parse(file: &str, text: &str) -> Result<Config, ConfigError> {
    let config: Config = toml::from_str(text).map_err(|error| describe(file, text, &error))?;
    super::check::check(&config).map_err(|message| ConfigError::Value { file: file.to_owned(), message })?;
    Ok(config)
}

fn describe(file: &str, text: &str, error: &toml::de::Error) -> ConfigError {
    let span = error.span().unwrap_or(0..0);
    let line = text.get(..span.start).map_or(1, |before| before.matches('\n').count() + 1);
    let message = match unknown_field(error.message()) {
        Some(unknown) => unknown,
        None => in_line(text, &span, error.message()),
    };
    ConfigError::Line { file: file.to_owned(), line, message }
}

/// Serde says "unknown field `x`, expected one of `a`, `b`" (or "... expected `a` or `b`"): the names stand in backticks.
fn unknown_field(message: &str) -> Option<String> {
    let rest = message.strip_prefix("unknown field ")?;
    let mut names = rest.split('`').skip(1).step_by(2);
    let unknown = names.next()?;
    let known: Vec<&str> = names.collect();
    Some(match nearest(unknown, &known) {
        Some(near) => format!("unknown key `{unknown}`, did you mean `{near}`?"),
        None => format!("unknown key `{unknown}`; known here: {}", known.join(", ")),
    })
}

/// The name of `known` most like `word`, where one is like it at all.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(word, name), *name))
        .min()
        .filter(|(distance, name)| *distance <= name.len().max(3) / 3 + 1)
        .map(|(_, name)| name)
}

/// Puts the line that the error points into before its message, so that the key is named.
fn in_line(text: &str, span: &Range<usize>, message: &str) -> String {
    let line = text
        .get(..span.start)
        .and_then(|before| text.get(before.rfind('\n').map_or(0, |newline| newline + 1)..))
        .and_then(|from| from.lines().next())
        .map_or("", str::trim);
    let message = message.lines().collect::<Vec<_>>().join(", ");
    if line.is_empty() { message } else { format!("`{line}`: {message}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Twin};

    const LEAST: &str = "[lcores]\nworkers = [1]\n[[ports]]\nname = \"wan\"\ndevice = \"net_null0\"\n";

    fn error(text: &str) -> String {
        parse("sluice.toml", text).expect_err("must be refused").to_string()
    }

    #[test]
    fn least_file_has_defaults() {
        let config = parse("sluice.toml", LEAST).expect("accepted");
        assert_eq!(config.ports[0].twin_name().as_deref(), Some("sl-wan"));
        assert_eq!((config.memory.mbufs, config.tables.flows), (65536, 1_048_576));
        assert_eq!((config.vs.0.number("conn_reuse_mode"), config.lcores.control), (1, 0));
    }

    #[test]
    fn the_reference_file_shows_the_defaults() {
        let reference = parse("sluice.toml", include_str!("../../sluice.toml")).expect("accepted");
        let least = parse("sluice.toml", LEAST).expect("accepted");
        let shown = |config: &Config| {
            format!(
                "{:?} {:?} {:?} {:?} {:?} {:?} {:?}",
                config.memory,
                config.control,
                config.state,
                config.tables,
                config.vs,
                config.http,
                config.proc
            )
        };
        assert_eq!(shown(&reference), shown(&least));
        let port = |config: &Config| config::Port {
            device: String::new(),
            twin: Twin::None,
            ..config.ports[0].clone()
        };
        assert_eq!(format!("{:?}", port(&reference)), format!("{:?}", port(&least)));
        assert_eq!(reference.ports[0].twin_name(), least.ports[0].twin_name());
    }

    #[test]
    fn unknown_keys_are_named_with_line_and_nearest() {
        assert_eq!(
            error(&format!("{LEAST}[[prots]]\nname = \"x\"\n")),
            "sluice.toml:6: unknown key `prots`, did you mean `ports`?"
        );
        assert_eq!(
            error(&LEAST.replace("device", "devcie")),
            "sluice.toml:5: unknown key `devcie`, did you mean `device`?"
        );
        assert_eq!(
            error(&format!("[vs]\nconn_reuse = 0\n{LEAST}")),
            "sluice.toml:2: unknown key `conn_reuse`, did you mean `conn_reuse_mode`?"
        );
        assert_eq!(
            error(&format!("[log]\nlevle = \"info\"\n{LEAST}")),
            "sluice.toml:2: unknown key `levle`, did you mean `level`?"
        );
    }

    #[test]
    fn mistyped_values_are_named_with_line_and_text() {
        assert_eq!(
            error(&format!("{LEAST}queues = \"two\"\n")),
            "sluice.toml:6: `queues = \"two\"`: invalid type: string \"two\", expected u16"
        );
        assert_eq!(
            error(&format!("{LEAST}twin = 3\n")),
            "sluice.toml:6: `twin = 3`: invalid type: integer `3`, expected an interface name or false"
        );
        assert_eq!(
            error(&format!(
                "{LEAST}[[neighbours]]\naddress = \"192.0.2.1\"\nport = \"wan\"\nmac = \"02:00\"\n"
            )),
            "sluice.toml:9: `mac = \"02:00\"`: `02:00` is no MAC address such as 02:00:00:00:00:01"
        );
        assert_eq!(
            error(&format!("{LEAST}[[routes]]\nto = \"10.0.0.1/8\"\nport = \"wan\"\n")),
            "sluice.toml:7: `to = \"10.0.0.1/8\"`: `10.0.0.1/8` has bits beyond its length: write 10.0.0.0/8"
        );
        assert_eq!(
            error(&format!("{LEAST}twin_driver = \"tup\"\n")),
            "sluice.toml:6: `twin_driver = \"tup\"`: unknown variant `tup`, expected one of `auto`, `tap`, `virtio_user`"
        );
    }

    #[test]
    fn missing_keys_and_broken_toml_are_named() {
        assert!(error("[lcores]\nworkers = [1]\n").contains("missing field `ports`"));
        assert!(error("[[ports]]\nname = \"a\"\ndevice = \"b\"\n").contains("missing field `lcores`"));
        assert!(error("[lcores\n").starts_with("sluice.toml:1: "));
        assert!(!error("[lcores\n").contains('\n'));
    }

    #[test]
    fn missing_file_is_named() {
        let text = load(Path::new("/nonexistent/sluice.toml")).expect_err("no file").to_string();
        assert!(text.starts_with("cannot read the configuration file /nonexistent/sluice.toml: "), "{text}");
    }
}
