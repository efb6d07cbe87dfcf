//! Why a change of configuration was refused, in the kernel's terms.
use thiserror::Error;

/// A refused change. Nothing was altered. Each variant names the errno the kernel would give.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// EEXIST: the service is there already.
    #[error("service already exists")]
    ServiceExists,
    /// EEXIST: the service has this real already.
    #[error("destination already exists")]
    RealExists,
    /// ESRCH: there is no such service.
    #[error("no such service")]
    NoService,
    /// ENOENT: the service has no such real.
    #[error("no such destination")]
    NoReal,
    /// EEXIST: there is a mark rule of that number.
    #[error("mark rule {0} already exists")]
    MarkExists(u32),
    /// ENOENT: no mark rule of that number.
    #[error("no mark rule {0}")]
    NoMark(u32),
    /// ENOENT: no scheduler of that name.
    #[error("no scheduler `{0}`")]
    NoScheduler(String),
    /// ENOENT: no persistence engine of that name.
    #[error("no persistence engine `{0}`")]
    NoEngine(String),
    /// ERANGE: a number is out of its range.
    #[error("{0} is out of range")]
    Range(&'static str),
    /// EINVAL: the address cannot be a real server's.
    #[error("{0} is neither a unicast nor a local address")]
    NotUnicast(std::net::IpAddr),
    /// EINVAL: the change contradicts itself.
    #[error("{0}")]
    Invalid(&'static str),
    /// ENOMEM: a table is full.
    #[error("all {limit} {table} are in use: raise tables.{table}")]
    Full {
        /// The table's configuration key.
        table: &'static str,
        /// Its size.
        limit: usize,
    },
    /// EOPNOTSUPP: the kernel has it, Sluice does not yet.
    #[error("{0} is not supported yet")]
    Unsupported(&'static str),
}
