//! Virtual services and real servers as the operator states them and as a snapshot carries them.
use std::net::IpAddr;
use std::sync::Arc;

use super::encapsulation::Encapsulation;
use crate::real::RealId;
use crate::sched::Shared;

/// The transport protocols that can be balanced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Protocol {
    /// RFC 9293.
    Tcp = 6,
    /// RFC 768.
    Udp = 17,
    /// RFC 9260.
    Sctp = 132,
}

impl Protocol {
    /// Whether an IP protocol can be balanced; all that can begin with the ports, source first.
    pub(crate) fn has_ports(protocol: u8) -> bool {
        [Self::Tcp, Self::Udp, Self::Sctp].iter().any(|known| *known as u8 == protocol)
    }
}

/// What identifies a virtual service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ServiceKey {
    /// Packets of one protocol to one address and port.
    Address {
        /// Transport protocol.
        protocol: Protocol,
        /// The virtual address.
        address: IpAddr,
        /// The virtual port; 0 stands for every port.
        port: u16,
    },
    /// Packets that carry a firewall mark.
    Fwmark {
        /// The mark, not 0.
        mark: u32,
        /// Whether the service is one for IPv6 packets.
        ipv6: bool,
    },
}

impl ServiceKey {
    /// The port; 0 for every port, and for marks.
    #[inline]
    pub(crate) fn port(&self) -> u16 {
        match *self {
            Self::Address { port, .. } => port,
            Self::Fwmark { .. } => 0,
        }
    }
}

/// The schedulers by their ipvsadm names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SchedulerKind {
    /// Round robin.
    Rr,
    /// Weighted round robin.
    Wrr,
    /// Least connections.
    Lc,
    /// Weighted least connections.
    Wlc,
    /// Locality-based least connections.
    Lblc,
    /// Locality-based least connections with replication.
    Lblcr,
    /// Destination hashing.
    Dh,
    /// Source hashing.
    Sh,
    /// Shortest expected delay.
    Sed,
    /// Never queue.
    Nq,
    /// Weighted failover.
    Fo,
    /// Weighted overflow.
    Ovf,
    /// Maglev hashing.
    Mh,
    /// Weighted power of two choices.
    Twos,
    /// No scheduler: the service is there, and nothing is scheduled.
    None,
}

impl SchedulerKind {
    /// Every scheduler there is, and the want of one.
    pub const ALL: [Self; 15] = [
        Self::Rr,
        Self::Wrr,
        Self::Lc,
        Self::Wlc,
        Self::Lblc,
        Self::Lblcr,
        Self::Dh,
        Self::Sh,
        Self::Sed,
        Self::Nq,
        Self::Fo,
        Self::Ovf,
        Self::Mh,
        Self::Twos,
        Self::None,
    ];

    /// The name ipvsadm knows it by.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rr => "rr",
            Self::Wrr => "wrr",
            Self::Lc => "lc",
            Self::Wlc => "wlc",
            Self::Lblc => "lblc",
            Self::Lblcr => "lblcr",
            Self::Dh => "dh",
            Self::Sh => "sh",
            Self::Sed => "sed",
            Self::Nq => "nq",
            Self::Fo => "fo",
            Self::Ovf => "ovf",
            Self::Mh => "mh",
            Self::Twos => "twos",
            Self::None => "none",
        }
    }

    /// The scheduler of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// The persistence engines by their ipvsadm names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Engine {
    /// Calls of SIP over UDP keep their real, by their Call-ID.
    Sip,
}

impl Engine {
    /// The name ipvsadm knows it by.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sip => "sip",
        }
    }

    /// The engine of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        (name == Self::Sip.name()).then_some(Self::Sip)
    }
}

/// Persistence of a service: how long a client keeps its real, and what counts as one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Persistence {
    /// Seconds.
    pub timeout: u32,
    /// IPv4: the netmask's bits, host order. IPv6: the prefix length.
    pub netmask: u32,
}

/// A virtual service as the operator asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceConfig {
    /// What identifies it.
    pub key: ServiceKey,
    /// The scheduler's name.
    pub scheduler: String,
    /// The scheduler's flags (`-b`): bit 0 is flag-1 (`sh-fallback`, `mh-fallback`), bit 1 flag-2 (`sh-port`,
    /// `mh-port`), bit 2 flag-3. Other schedulers keep them and make nothing of them.
    pub flags: u8,
    /// Persistence (`-p`, `-M`), where asked for.
    pub persistence: Option<Persistence>,
    /// One-packet scheduling (`-o`).
    pub one_packet: bool,
    /// The persistence engine (`--pe`), where asked for.
    pub engine: Option<String>,
}

/// How packets reach a real server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Forward {
    /// Network address translation (`-m`).
    Masq = 0,
    /// Encapsulation (`-i`).
    Tunnel = 2,
    /// Direct routing (`-g`).
    Route = 3,
    /// On to the packet's own destination, without a real server: what cache_bypass makes of a flow. No real has it.
    Bypass = 4,
}

/// A real server as the operator asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RealConfig {
    /// Its address.
    pub address: IpAddr,
    /// Its port; 0 keeps the port the client asked for.
    pub port: u16,
    /// How packets reach it.
    pub forward: Forward,
    /// Its share, 0 to `i32::MAX`; 0 quiesces it.
    pub weight: u32,
    /// Connections at which it counts as overloaded; 0 is never. At most `i32::MAX`.
    pub upper: u32,
    /// Connections under which it counts as recovered; 0 stands for three quarters of `upper`. At most `upper`.
    pub lower: u32,
    /// How packets are wrapped, where they are tunnelled to it.
    pub encapsulation: Encapsulation,
}

/// A real server of a service, in a snapshot.
#[derive(Clone, Debug)]
pub struct Real {
    /// Its slot in the tables of counts and statistics.
    pub id: RealId,
    /// New with each addition and edit, so that an lcore sees one that changed no field.
    pub revision: u64,
    /// The weight it was added with, or the last that was not 0 since: what mh goes by.
    pub last_weight: u32,
    /// What the operator asked for.
    pub config: RealConfig,
}

/// A virtual service, in a snapshot.
#[derive(Clone, Debug)]
pub struct Service {
    /// Unique over the life of the process; a service that is deleted and added anew gets another.
    pub uid: u64,
    /// What the operator asked for.
    pub config: ServiceConfig,
    /// The scheduler the name stands for.
    pub scheduler: SchedulerKind,
    /// The persistence engine the name stands for.
    pub engine: Option<Engine>,
    /// Its reals, the last added first: the order in which the kernel walks them.
    pub reals: Arc<[Real]>,
    /// What lcores share of its scheduler.
    pub(crate) shared: Shared,
}

/// Connection timeouts that can be set (`--set`), in seconds. Where one is asked for, 0 leaves it as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// TCP in ESTABLISHED.
    pub tcp: u32,
    /// TCP in FIN_WAIT.
    pub tcp_fin: u32,
    /// UDP.
    pub udp: u32,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { tcp: 900, tcp_fin: 120, udp: 300 }
    }
}

/// The words of `net.ipv4.vs` that Sluice knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switches {
    /// Which flows a SYN of the same client port may replace: bit 0 those in TIME_WAIT and CLOSE, bit 1 also those in
    /// FIN_WAIT of which no reply is seen.
    pub conn_reuse_mode: u8,
    /// Whether a flow whose real is gone is scheduled anew, instead of its packets being dropped.
    pub expire_nodest_conn: bool,
    /// Whether a template whose real has weight 0 holds no longer.
    pub expire_quiescent_template: bool,
    /// Whether packets of a fwmark service without a real server go on to their own destination.
    pub cache_bypass: bool,
    /// Whether TCP packets without a flow are scheduled though they carry no SYN.
    pub sloppy_tcp: bool,
    /// drop_packet as it works at the moment: of so many new flows one is dropped; 0 for none.
    pub drop_rate: u32,
    /// Whether the first new flow is the one that is dropped (mode 3), rather than the last of so many.
    pub drop_at_once: bool,
    /// drop_entry as it works at the moment: whether half-open and idle flows are looked for and ended.
    pub drop_entry: bool,
    /// Whether SCTP packets without a flow are scheduled though they carry no INIT.
    pub sloppy_sctp: bool,
    /// Whether an ICMP error about a service's packet makes a flow where there is none.
    pub schedule_icmp: bool,
    /// secure_tcp as it works at the moment: whether its TCP tables are in force.
    pub secure_tcp: bool,
    /// Whether a packet that must not be fragmented and does not fit into its tunnel is refused, rather than the packet
    /// around it fragmented.
    pub pmtu_disc: bool,
    /// How long lblc remembers a destination that is not used, in seconds.
    pub lblc_expiration: u32,
    /// The same for lblcr, and how long its set of reals for a destination stays as it is.
    pub lblcr_expiration: u32,
}

/// In seconds.
const DAY: u32 = 86_400;

impl Default for Switches {
    fn default() -> Self {
        Self {
            conn_reuse_mode: 1,
            expire_nodest_conn: false,
            expire_quiescent_template: false,
            cache_bypass: false,
            sloppy_tcp: false,
            drop_rate: 0,
            drop_at_once: false,
            drop_entry: false,
            sloppy_sctp: false,
            schedule_icmp: false,
            secure_tcp: false,
            pmtu_disc: true,
            lblc_expiration: DAY,
            lblcr_expiration: DAY,
        }
    }
}
