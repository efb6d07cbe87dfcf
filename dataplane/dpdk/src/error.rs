//! What can go wrong outside the packet path, each error saying what to do about it.
use std::fmt;

use nix::errno::Errno;
use nix::unistd::geteuid;

/// The errors of setting up and controlling DPDK.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The EAL lives once per process and cannot be started again, even after it has been cleaned up.
    #[error("the EAL has already been started in this process: share the first `Eal` by cloning it")]
    AlreadyInitialised,

    /// Hugepages were asked for and the machine has none free.
    #[error(
        "no free hugepages: reserve some with `dpdk-hugepages.py --setup 2G`, or run without them \
         (slower) by setting memory.no_huge = true"
    )]
    NoHugePages,

    /// More workers than DPDK has room for beside the main lcore.
    #[error("{asked} workers asked for, but DPDK is built for at most {max}")]
    TooManyWorkers {
        /// Workers asked for.
        asked: usize,
        /// Workers that fit.
        max: usize,
    },

    /// A worker's CPU is offline, does not exist, or lies outside the process's cpuset.
    #[error("CPU {cpu} is not available to this process: choose from its allowed CPUs ({allowed})")]
    CpuUnavailable {
        /// The CPU asked for.
        cpu: usize,
        /// The CPUs the calling thread may run on, as a list.
        allowed: String,
    },

    /// An argument holds a NUL byte.
    #[error("the argument {0:?} holds a NUL byte")]
    NulInArgument(String),

    /// The EAL refused to start, for a reason that no other variant names.
    #[error("the EAL did not start: {errno}{said}{}", start(*.errno))]
    Eal {
        /// The error number.
        errno: Errno,
        /// What DPDK logged about it.
        said: Said,
    },

    /// The calling thread's CPU affinity could not be read or restored.
    #[error("cannot {operation} the calling thread's CPU affinity: {errno}")]
    Affinity {
        /// `read` or `restore`.
        operation: &'static str,
        /// The error number.
        errno: Errno,
    },

    /// A worker lcore already has a job.
    #[error("lcore {lcore} is already running a job: join it first")]
    LcoreBusy {
        /// The lcore.
        lcore: u32,
    },

    /// The calling thread could not become a lcore.
    #[error("cannot register this thread with DPDK: {errno}{said}")]
    Register {
        /// The error number; `EEXIST` where the thread is a lcore already.
        errno: Errno,
        /// What DPDK logged about it.
        said: Said,
    },

    /// A packet buffer pool could not be made.
    #[error("cannot create the mbuf pool `{name}` ({mbufs} mbufs, about {megabytes} MB): {errno}{said}{}", pool(*.errno))]
    Mempool {
        /// The pool's name.
        name: String,
        /// The mbufs asked for.
        mbufs: u32,
        /// The memory that takes, in megabytes.
        megabytes: u64,
        /// The error number.
        errno: Errno,
        /// What DPDK logged about it.
        said: Said,
    },

    /// A virtual device names a kernel interface that is not there.
    #[error(
        "interface `{interface}` does not exist in this network namespace (wanted by `{devargs}`); see `ip link`"
    )]
    NoSuchInterface {
        /// The interface.
        interface: String,
        /// The device string that names it.
        devargs: String,
    },

    /// A device could not be attached.
    #[error("cannot attach `{devargs}`: {errno}{said}{}", attach(*.errno))]
    Attach {
        /// The device string.
        devargs: String,
        /// The error number.
        errno: Errno,
        /// What DPDK logged about it.
        said: Said,
    },

    /// No port has this name.
    #[error("there is no port `{name}` (a PCI device has to be named to the EAL and bound to vfio-pci, see `dpdk-devbind.py -s`); the ports are: {}", list(.known))]
    NoSuchPort {
        /// The name asked for.
        name: String,
        /// The names of the ports there are.
        known: Vec<String>,
    },

    /// Another [`Port`](crate::Port) holds the device.
    #[error("port `{name}` is already open in this process")]
    PortInUse {
        /// The port.
        name: String,
    },

    /// The device has too few queues, or none were asked for.
    #[error(
        "port `{port}` has {max} {direction} queues, {asked} asked (at least 1 is needed): lower the number of workers or of {direction}_queues"
    )]
    Queues {
        /// The port.
        port: String,
        /// `rx` or `tx`.
        direction: &'static str,
        /// Queues asked for.
        asked: u16,
        /// Queues the device has.
        max: u16,
    },

    /// The device cannot carry frames of this size.
    #[error("port `{port}` takes an MTU from {min} to {max}, {asked} asked")]
    Mtu {
        /// The port.
        port: String,
        /// The MTU asked for, in bytes.
        asked: u16,
        /// The smallest MTU, in bytes.
        min: u16,
        /// The largest MTU, in bytes.
        max: u16,
    },

    /// Frames of the MTU do not fit in one mbuf and the device cannot spread them over several.
    #[error(
        "port `{port}`: frames of up to {frame} bytes do not fit the pool's mbufs ({room} bytes) and the device cannot scatter: raise the pool's data room to {frame} + 128"
    )]
    DataRoom {
        /// The port.
        port: String,
        /// The largest frame, in bytes.
        frame: u32,
        /// The bytes an mbuf takes.
        room: u32,
    },

    /// The device cannot hash on the fields asked for.
    #[error(
        "port `{port}` cannot spread flows by the fields asked for (asked {asked:#x}, supported {supported:#x}): ask for fewer, or use one rx queue"
    )]
    RssFields {
        /// The port.
        port: String,
        /// The fields asked for, as DPDK's bits.
        asked: u64,
        /// The fields the device knows.
        supported: u64,
    },

    /// The RSS key has the wrong length for the device.
    #[error("port `{port}` takes an RSS key of {wanted} bytes, {given} given")]
    RssKey {
        /// The port.
        port: String,
        /// The device's key length in bytes.
        wanted: usize,
        /// The length given.
        given: usize,
    },

    /// The table that maps hashes to queues has another size.
    #[error("port `{port}` has a redirection table of {wanted} entries, {given} given")]
    RetaSize {
        /// The port.
        port: String,
        /// The entries of the device's table; 0 where it has none.
        wanted: u16,
        /// The entries given.
        given: usize,
    },

    /// The device does not take a flow rule.
    #[error("port `{port}` does not take the flow rule: {errno}{}", because(.message))]
    FlowRule {
        /// The port.
        port: String,
        /// The error number; `ENOSYS` where the driver knows no flow rules.
        errno: Errno,
        /// What the driver says about it; may be empty.
        message: String,
    },

    /// An operation on a port failed.
    #[error("cannot {operation} of port `{port}`: {errno}{said}{}", privilege(*.errno))]
    Port {
        /// The port.
        port: String,
        /// What was tried, as "set the MTU".
        operation: &'static str,
        /// The error number.
        errno: Errno,
        /// What DPDK logged about it.
        said: Said,
    },

    /// The kernel refused advice on memory.
    #[error("cannot advise huge pages for {bytes} bytes: {errno}; is CONFIG_TRANSPARENT_HUGEPAGE set?")]
    Advise {
        /// The size of the memory in bytes.
        bytes: usize,
        /// The error number.
        errno: Errno,
    },
}

/// What DPDK logged, at level error or worse, while an operation ran; often the only place where the cause is named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said(pub(crate) String);

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "; DPDK says: {}", self.0) }
    }
}

/// The error number of a DPDK call that returns it negated.
pub(crate) fn errno_of(code: i32) -> Errno {
    Errno::from_raw(code.saturating_neg())
}

/// The error number that DPDK left for the calling thread.
pub(crate) fn last_errno() -> Errno {
    // SAFETY: reads a thread-local of the calling thread.
    Errno::from_raw(unsafe { dpdk_sys::sluice_errno() })
}

fn privilege(errno: Errno) -> &'static str {
    match errno {
        // Drivers answer EPERM to root too, with another meaning.
        Errno::EPERM | Errno::EACCES if !geteuid().is_root() => {
            "; run as root, or grant CAP_NET_ADMIN, CAP_NET_RAW and CAP_IPC_LOCK"
        }
        _ => "",
    }
}

fn start(errno: Errno) -> &'static str {
    match errno {
        Errno::ENOMEM => "; reserve more hugepages, or ask for less memory at start",
        other => privilege(other),
    }
}

fn pool(errno: Errno) -> &'static str {
    match errno {
        Errno::ENOMEM | Errno::ENOBUFS => {
            "; reserve more hugepages, or raise memory.megabytes when running without them"
        }
        Errno::EEXIST => "; pool names are unique in a process",
        Errno::EINVAL => "; the cache holds at most 512 and at most two thirds of the pool",
        Errno::ENAMETOOLONG => "; use a name of at most 25 bytes",
        _ => "",
    }
}

fn attach(errno: Errno) -> &'static str {
    match errno {
        Errno::EEXIST => "; a device of this name is attached already: give the new one another name",
        Errno::ENODEV | Errno::ENOENT | Errno::EFAULT => {
            "; is the driver's name right, as in net_af_packet0 or net_tap0?"
        }
        other => privilege(other),
    }
}

fn because(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(" ({message})") }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
