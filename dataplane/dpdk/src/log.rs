//! DPDK's log: routed to one sink, and captured for the error messages of the call that caused it.
use std::cell::RefCell;
use std::ffi::{c_char, c_void};
use std::sync::OnceLock;

use dpdk_sys as sys;

use crate::error::{Error, Said, errno_of};

/// How grave a log message is, gravest first, as in syslog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// The machine cannot go on.
    Emergency,
    /// Something must be done at once.
    Alert,
    /// A critical failure.
    Critical,
    /// An operation failed.
    Error,
    /// Something is not as it should be.
    Warning,
    /// Normal, but worth a line.
    Notice,
    /// Progress.
    Info,
    /// For those who debug drivers.
    Debug,
}

impl LogLevel {
    /// DPDK's number for the level.
    pub(crate) const fn number(self) -> u32 {
        match self {
            Self::Emergency => sys::RTE_LOG_EMERG,
            Self::Alert => sys::RTE_LOG_ALERT,
            Self::Critical => sys::RTE_LOG_CRIT,
            Self::Error => sys::RTE_LOG_ERR,
            Self::Warning => sys::RTE_LOG_WARNING,
            Self::Notice => sys::RTE_LOG_NOTICE,
            Self::Info => sys::RTE_LOG_INFO,
            Self::Debug => sys::RTE_LOG_DEBUG,
        }
    }

    fn from_number(number: i32) -> Self {
        const BY_NUMBER: [LogLevel; 7] = [
            LogLevel::Emergency,
            LogLevel::Alert,
            LogLevel::Critical,
            LogLevel::Error,
            LogLevel::Warning,
            LogLevel::Notice,
            LogLevel::Info,
        ];
        let index = usize::try_from(number.saturating_sub(1)).unwrap_or(0);
        BY_NUMBER.get(index).copied().unwrap_or(Self::Debug)
    }
}

/// Where DPDK's log messages go; called on the thread that logs, without the closing newline. Must not panic.
pub type LogSink = fn(LogLevel, &str);

/// A driver that repeats itself must not make an error message endless.
const CAPTURE_LIMIT: usize = 600;

static SINK: OnceLock<LogSink> = OnceLock::new();

thread_local! {
    static CAPTURED: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Takes over DPDK's log for the rest of the process.
pub(crate) fn redirect(sink: LogSink) -> Result<(), Error> {
    if SINK.set(sink).is_err() {
        return Ok(());
    }
    // SAFETY: `write` fits the type and lives as long as the program.
    match unsafe { sys::sluice_log_redirect(Some(write)) } {
        0 => Ok(()),
        code => Err(Error::Eal { errno: errno_of(code), said: Said("cannot redirect the log".into()) }),
    }
}

/// Runs `operation` and returns what DPDK logged meanwhile on this thread, at level error or worse.
pub(crate) fn capture<T>(operation: impl FnOnce() -> T) -> (T, Said) {
    CAPTURED.set(Some(String::new()));
    let result = operation();
    (result, Said(CAPTURED.take().unwrap_or_default()))
}

/// The sink when none is chosen.
#[allow(clippy::print_stderr, reason = "DPDK's own default is stderr too")]
pub(crate) fn to_stderr(_: LogLevel, message: &str) {
    eprintln!("{message}");
}

/// One message of DPDK's, as the stream's write function.
extern "C" fn write(_cookie: *mut c_void, text: *const c_char, len: usize) -> isize {
    // SAFETY: the stream passes `len` readable bytes, which stay put during the call.
    let bytes = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), len) };
    // SAFETY: reads a thread-local of the calling thread, which is the one that logs.
    let level = LogLevel::from_number(unsafe { sys::rte_log_cur_msg_loglevel() });
    let message = String::from_utf8_lossy(bytes);
    let message = message.trim_end();
    // A thread on its way out may log after its thread-locals are gone; then there is nobody to capture for.
    if level <= LogLevel::Error {
        let _ = CAPTURED.try_with(|captured| append(&mut captured.borrow_mut(), message));
    }
    if let Some(sink) = SINK.get() {
        sink(level, message);
    }
    isize::try_from(len).unwrap_or(isize::MAX)
}

fn append(captured: &mut Option<String>, message: &str) {
    let Some(text) = captured else { return };
    if text.len() + message.len() > CAPTURE_LIMIT || message.is_empty() {
        return;
    }
    if !text.is_empty() {
        text.push_str(" / ");
    }
    text.push_str(message);
}
