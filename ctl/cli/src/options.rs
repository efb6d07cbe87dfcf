//! Every command and option of ipvsadm, as data: the parser, the legality matrix and the help all read it.

use std::fmt;

use sluice_api::{Checksum, Forward, Protocol};

/// What an ipvsadm line does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    AddService,
    EditService,
    DeleteService,
    Flush,
    AddServer,
    EditServer,
    DeleteServer,
    List,
    Zero,
    Set,
    Restore,
    Save,
    StartDaemon,
    StopDaemon,
}

impl Command {
    /// The name in messages. `-C` is "flush" there although its long form is `--clear`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::AddService => "add-service",
            Self::EditService => "edit-service",
            Self::DeleteService => "delete-service",
            Self::Flush => "flush",
            Self::AddServer => "add-server",
            Self::EditServer => "edit-server",
            Self::DeleteServer => "delete-server",
            Self::List => "list",
            Self::Zero => "zero",
            Self::Set => "set",
            Self::Restore => "restore",
            Self::Save => "save",
            Self::StartDaemon => "start-daemon",
            Self::StopDaemon => "stop-daemon",
        }
    }
}

/// An option as the legality matrix counts them: the four service options are one, so are the three forwarding
/// methods. The order is that in which they are checked, and decides which error is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opt {
    Numeric,
    Connection,
    Service,
    Scheduler,
    Persistent,
    Netmask,
    RealServer,
    Forward,
    Weight,
    UThreshold,
    LThreshold,
    McastInterface,
    Timeout,
    Daemon,
    Stats,
    Rate,
    Thresholds,
    PersistentConn,
    NoSort,
    SyncId,
    Exact,
    Ops,
    Pe,
    SchedFlags,
    McastGroup,
    McastPort,
    McastTtl,
    SyncMaxlen,
    TunInfo,
    TunType,
    TunPort,
    TunNocsum,
    TunCsum,
    TunRemcsum,
}

/// The options in matrix order, with their names in messages.
pub(crate) const OPTS: [(Opt, &str); 34] = [
    (Opt::Numeric, "numeric"),
    (Opt::Connection, "connection"),
    (Opt::Service, "service-address"),
    (Opt::Scheduler, "scheduler"),
    (Opt::Persistent, "persistent"),
    (Opt::Netmask, "netmask"),
    (Opt::RealServer, "real-server"),
    (Opt::Forward, "forwarding-method"),
    (Opt::Weight, "weight"),
    (Opt::UThreshold, "u-threshold"),
    (Opt::LThreshold, "l-threshold"),
    (Opt::McastInterface, "mcast-interface"),
    (Opt::Timeout, "timeout"),
    (Opt::Daemon, "daemon"),
    (Opt::Stats, "stats"),
    (Opt::Rate, "rate"),
    (Opt::Thresholds, "thresholds"),
    (Opt::PersistentConn, "persistent-conn"),
    (Opt::NoSort, "nosort"),
    (Opt::SyncId, "syncid"),
    (Opt::Exact, "exact"),
    (Opt::Ops, "ops"),
    (Opt::Pe, "pe"),
    (Opt::SchedFlags, "sched-flags"),
    (Opt::McastGroup, "mcast-group"),
    (Opt::McastPort, "mcast-port"),
    (Opt::McastTtl, "mcast-ttl"),
    (Opt::SyncMaxlen, "sync-maxlen"),
    (Opt::TunInfo, "tun-info"),
    (Opt::TunType, "tun-type"),
    (Opt::TunPort, "tun-port"),
    (Opt::TunNocsum, "tun-nocsum"),
    (Opt::TunCsum, "tun-csum"),
    (Opt::TunRemcsum, "tun-remcsum"),
];

impl fmt::Display for Opt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(OPTS[*self as usize].1)
    }
}

/// A set of options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OptSet(u64);

impl OptSet {
    /// Adds an option; `false` = it was in already.
    pub(crate) fn insert(&mut self, opt: Opt) -> bool {
        let fresh = !self.has(opt);
        self.0 |= 1 << opt as u32;
        fresh
    }

    pub(crate) const fn has(self, opt: Opt) -> bool {
        self.0 & 1 << opt as u32 != 0
    }

    pub(crate) fn has_any(self, opts: &[Opt]) -> bool {
        opts.iter().any(|&opt| self.has(opt))
    }
}

/// What the parser does on meeting an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Command(Command),
    Help,
    Version,
    /// `-t`, `-u`, `--sctp-service`.
    Service(Protocol),
    Mark,
    Ipv6,
    Forward(Forward),
    Checksum(Checksum),
    /// Accepted for scripts of old; sorting is the default.
    Sort,
    /// An option whose matrix slot says all; its argument, if any, is read by that.
    Opt(Opt),
    /// sluicectl's own.
    Json,
    /// sluicectl's own.
    Socket,
}

/// Whether an option takes an argument, and what the help calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Argument {
    None,
    Required(&'static str),
    /// Taken only if the next word does not start with `-`.
    Optional(&'static str),
}

/// Where the help lists an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Commands,
    Services,
    ServiceParameters,
    ServerParameters,
    Listing,
    Sync,
    Sluice,
}

impl Group {
    /// All of ipvsadm's, in the order of the help.
    pub(crate) const IPVSADM: [Self; 6] = [
        Self::Commands,
        Self::Services,
        Self::ServiceParameters,
        Self::ServerParameters,
        Self::Listing,
        Self::Sync,
    ];

    /// What stands above its options.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Commands => "Commands",
            Self::Services => "SERVICE is one of",
            Self::ServiceParameters => "Service parameters",
            Self::ServerParameters => "Real server parameters",
            Self::Listing => "Listing options",
            Self::Sync => "Synchronisation options",
            Self::Sluice => "Options of sluicectl, also before all others",
        }
    }
}

/// One option.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) long: &'static str,
    pub(crate) short: Option<char>,
    pub(crate) argument: Argument,
    pub(crate) action: Action,
    pub(crate) group: Group,
    pub(crate) help: &'static str,
}

const fn row(
    group: Group,
    short: &'static str,
    long: &'static str,
    argument: Argument,
    action: Action,
    help: &'static str,
) -> Row {
    let short = match short.as_bytes() {
        [letter] => Some(*letter as char),
        _ => None,
    };
    Row { long, short, argument, action, group, help }
}

use Argument::{None as Bare, Optional, Required};
use Group::{Commands, Listing, ServerParameters, ServiceParameters, Services, Sluice, Sync};

/// The table. Its order is that of the help.
#[rustfmt::skip] // A table: one row a line.
pub(crate) const ROWS: &[Row] = &[
    row(Commands, "A", "add-service", Bare, Action::Command(Command::AddService), "add a virtual service"),
    row(Commands, "E", "edit-service", Bare, Action::Command(Command::EditService), "replace all parameters of a virtual service"),
    row(Commands, "D", "delete-service", Bare, Action::Command(Command::DeleteService), "delete a virtual service and its real servers"),
    row(Commands, "C", "clear", Bare, Action::Command(Command::Flush), "delete every virtual service"),
    row(Commands, "R", "restore", Bare, Action::Command(Command::Restore), "carry out the lines of standard input"),
    row(Commands, "S", "save", Bare, Action::Command(Command::Save), "print the table as lines for --restore"),
    row(Commands, "a", "add-server", Bare, Action::Command(Command::AddServer), "add a real server to a virtual service"),
    row(Commands, "e", "edit-server", Bare, Action::Command(Command::EditServer), "replace all parameters of a real server"),
    row(Commands, "d", "delete-server", Bare, Action::Command(Command::DeleteServer), "take a real server out of a virtual service"),
    row(Commands, "L", "list", Bare, Action::Command(Command::List), "list the table, or one virtual service (also -l)"),
    row(Commands, "l", "list", Bare, Action::Command(Command::List), ""),
    row(Commands, "Z", "zero", Bare, Action::Command(Command::Zero), "zero the counters of one virtual service, or all"),
    row(Commands, "", "set", Bare, Action::Command(Command::Set), "set the timeouts TCP TCPFIN UDP, in seconds; 0 keeps one"),
    row(Commands, "", "start-daemon", Required("master|backup"), Action::Command(Command::StartDaemon), "start synchronising connections"),
    row(Commands, "", "stop-daemon", Required("master|backup"), Action::Command(Command::StopDaemon), "stop it"),
    row(Commands, "h", "help", Bare, Action::Help, "print this"),
    row(Commands, "v", "version", Bare, Action::Version, "print the version"),

    row(Services, "t", "tcp-service", Required("HOST[:PORT]"), Action::Service(Protocol::Tcp), "a TCP service; an IPv6 address is [ADDR]:PORT"),
    row(Services, "u", "udp-service", Required("HOST[:PORT]"), Action::Service(Protocol::Udp), "a UDP service"),
    row(Services, "", "sctp-service", Required("HOST[:PORT]"), Action::Service(Protocol::Sctp), "an SCTP service"),
    row(Services, "f", "fwmark-service", Required("MARK"), Action::Mark, "packets with this firewall mark, 1..=4294967295"),
    row(Services, "6", "ipv6", Bare, Action::Ipv6, "the mark's packets are IPv6; comes after -f"),

    row(ServiceParameters, "s", "scheduler", Required("NAME"), Action::Opt(Opt::Scheduler), "rr wrr lc wlc sed nq fo ovf dh sh mh lblc lblcr twos none; default wlc"),
    row(ServiceParameters, "p", "persistent", Optional("SECONDS"), Action::Opt(Opt::Persistent), "keep a client with its real server; default 360"),
    row(ServiceParameters, "M", "netmask", Required("MASK"), Action::Opt(Opt::Netmask), "clients counted as one; IPv6: a prefix length"),
    row(ServiceParameters, "", "pe", Required("NAME"), Action::Opt(Opt::Pe), "persistence engine: sip"),
    row(ServiceParameters, "o", "ops", Bare, Action::Opt(Opt::Ops), "schedule every UDP packet on its own"),
    row(ServiceParameters, "b", "sched-flags", Required("FLAG,..."), Action::Opt(Opt::SchedFlags), "flag-1 flag-2 flag-3; sh and mh: (sh|mh)-fallback, (sh|mh)-port"),

    row(ServerParameters, "r", "real-server", Required("HOST[:PORT]"), Action::Opt(Opt::RealServer), "the real server"),
    row(ServerParameters, "g", "gatewaying", Bare, Action::Forward(Forward::Route), "direct routing; the default"),
    row(ServerParameters, "i", "ipip", Bare, Action::Forward(Forward::Tunnel), "encapsulation"),
    row(ServerParameters, "m", "masquerading", Bare, Action::Forward(Forward::Masq), "NAT"),
    row(ServerParameters, "w", "weight", Required("N"), Action::Opt(Opt::Weight), "0..=2147483647; 0 quiesces; default 1"),
    row(ServerParameters, "x", "u-threshold", Required("N"), Action::Opt(Opt::UThreshold), "no new connections at this many; 0 = no limit"),
    row(ServerParameters, "y", "l-threshold", Required("N"), Action::Opt(Opt::LThreshold), "new connections again below this many"),
    row(ServerParameters, "", "tun-type", Required("TYPE"), Action::Opt(Opt::TunType), "ipip (the default), gue or gre"),
    row(ServerParameters, "", "tun-port", Required("PORT"), Action::Opt(Opt::TunPort), "destination port of gue"),
    row(ServerParameters, "", "tun-nocsum", Bare, Action::Checksum(Checksum::None), "encapsulate without a checksum; the default"),
    row(ServerParameters, "", "tun-csum", Bare, Action::Checksum(Checksum::Csum), "encapsulate with a checksum"),
    row(ServerParameters, "", "tun-remcsum", Bare, Action::Checksum(Checksum::Remcsum), "encapsulate with remote checksum offload"),

    row(Listing, "c", "connection", Bare, Action::Opt(Opt::Connection), "list connections"),
    row(Listing, "", "timeout", Bare, Action::Opt(Opt::Timeout), "list the timeouts"),
    row(Listing, "", "daemon", Bare, Action::Opt(Opt::Daemon), "list the synchronisation daemons"),
    row(Listing, "", "stats", Bare, Action::Opt(Opt::Stats), "show counters"),
    row(Listing, "", "rate", Bare, Action::Opt(Opt::Rate), "show rates"),
    row(Listing, "", "exact", Bare, Action::Opt(Opt::Exact), "show whole numbers, not K, M, G"),
    row(Listing, "X", "exact", Bare, Action::Opt(Opt::Exact), ""),
    row(Listing, "", "thresholds", Bare, Action::Opt(Opt::Thresholds), "show thresholds"),
    row(Listing, "", "persistent-conn", Bare, Action::Opt(Opt::PersistentConn), "show persistent connections"),
    row(Listing, "", "tun-info", Bare, Action::Opt(Opt::TunInfo), "show encapsulations"),
    row(Listing, "", "nosort", Bare, Action::Opt(Opt::NoSort), "leave the daemon's order"),
    row(Listing, "", "sort", Bare, Action::Sort, "accepted, does nothing"),
    row(Listing, "n", "numeric", Bare, Action::Opt(Opt::Numeric), "print numbers, not names (also for -S)"),

    row(Sync, "", "mcast-interface", Required("NAME"), Action::Opt(Opt::McastInterface), "default eth0"),
    row(Sync, "", "syncid", Required("N"), Action::Opt(Opt::SyncId), "0..=255, default 0"),
    row(Sync, "", "sync-maxlen", Required("BYTES"), Action::Opt(Opt::SyncMaxlen), "1..=65507"),
    row(Sync, "", "mcast-group", Required("ADDRESS"), Action::Opt(Opt::McastGroup), "IPv4 or IPv6"),
    row(Sync, "", "mcast-port", Required("PORT"), Action::Opt(Opt::McastPort), "1..=65535"),
    row(Sync, "", "mcast-ttl", Required("TTL"), Action::Opt(Opt::McastTtl), "1..=255"),

    row(Sluice, "", "json", Bare, Action::Json, "print what is listed as JSON"),
    row(Sluice, "", "socket", Required("PATH"), Action::Socket, "sluiced's socket; default $SLUICE_SOCKET or /run/sluice/control.sock"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrix_order_is_the_enums() {
        for (index, (opt, _)) in OPTS.iter().enumerate() {
            assert_eq!(*opt as usize, index);
        }
    }

    #[test]
    fn every_spelling_is_unique_but_for_the_two_rows_that_share_a_long_form() {
        for (i, a) in ROWS.iter().enumerate() {
            for b in &ROWS[i + 1..] {
                assert!(a.short.is_none() || a.short != b.short, "-{:?}", a.short);
                assert!(a.long != b.long || a.action == b.action, "--{}", a.long);
            }
        }
    }
}
