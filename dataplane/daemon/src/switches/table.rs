//! The one table of switches: name, values, default, what setting it does, what it is about. The configuration file,
//! `sysctl.list`, `sysctl.set`, `sluicectl sysctl` and docs/configuration.md all go by it.

use std::sync::LazyLock;

use sluice_api::SysctlValue;
use sluice_core::{Jiffies, Switches, Timeouts};

use super::Kind;

/// A switch.
#[derive(Clone, Copy, Debug)]
pub struct Switch {
    /// The kernel's name, without `net.ipv4.vs.`.
    pub name: &'static str,
    /// Its values.
    pub kind: Kind,
    /// The value if nobody sets it, as it is typed.
    pub default: &'static str,
    /// What setting it does.
    pub effect: Effect,
    /// What it is about.
    pub meaning: &'static str,
}

/// What setting a switch does.
#[derive(Clone, Copy, Debug)]
pub enum Effect {
    /// The lcores go by it: not 0 sets this.
    Flag(fn(&mut Switches) -> &mut bool),
    /// The lcores go by the number.
    Number(fn(&mut Switches) -> &mut u8),
    /// Lcores and the sweeps of the control side go by the seconds.
    Seconds(fn(&mut Switches) -> &mut u32),
    /// The lcores go by the timeout.
    Timeout(fn(&mut Timeouts) -> &mut u32),
    /// The control side goes by it.
    Control,
    /// Nothing, for this reason; any value is kept.
    None(&'static str),
    /// This is not there yet: any value but the default is refused.
    NotYet(&'static str),
}

const BOOLEAN: Kind = Kind::Number(0, 1);
/// Any number that the kernel keeps in a signed word.
const COUNT: Kind = Kind::Number(0, i32::MAX as i64);
/// Seconds, and 0 for none.
const IDLE: Kind = Kind::Number(0, Jiffies::MAX_SECONDS as i64);
/// Seconds that a timer can be set to.
const SECONDS: Kind = Kind::Number(1, Jiffies::MAX_SECONDS as i64);
const NO_SYNC: Effect = Effect::None("there is no sync daemon yet");
const NO_NETFILTER: Effect = Effect::None("balanced packets never meet the kernel's netfilter");
const ESTIMATION: Effect = Effect::None("rates are estimated by the control thread, on lcores.control");

/// All of them, in the order of their names.
pub static ALL: &[Switch] = &[
    of(
        "am_droprate",
        COUNT,
        "10",
        Effect::Control,
        "With drop_packet = 3, one of so many new connections is dropped; 0 for none.",
    ),
    of(
        "amemthresh",
        COUNT,
        "1024",
        Effect::Control,
        "Under so many pages of room for flows the automatic defences are at work. A page is 4096 bytes, \
         32 flows; the room is that of the worker with the least, and the threshold never counts for more \
         than an eighth of its table.",
    ),
    of("backup_only", BOOLEAN, "0", NO_SYNC, "1: nothing is balanced while a backup sync daemon runs."),
    of(
        "cache_bypass",
        BOOLEAN,
        "0",
        Effect::Flag(|switches| &mut switches.cache_bypass),
        "1: without a real server, packets to a firewall-mark service go on to their own destination.",
    ),
    of(
        "conn_reuse_mode",
        Kind::Number(0, 3),
        "1",
        Effect::Number(|switches| &mut switches.conn_reuse_mode),
        "When a SYN may end an old flow of the same client port and be scheduled anew. 0: never. 1: the \
         old flow is in TIME_WAIT or CLOSE. 2 or 3: also where it is in FIN_WAIT and no reply of the real \
         server passes here, as with direct routing.",
    ),
    of(
        "conntrack",
        BOOLEAN,
        "0",
        NO_NETFILTER,
        "1: the kernel keeps conntrack entries of balanced connections.",
    ),
    of(
        "debug_level",
        COUNT,
        "0",
        Effect::None("what is logged is set by log.level"),
        "How much the kernel logs of IPVS, if it is built for that.",
    ),
    of(
        "drop_entry",
        Kind::Mode,
        "0",
        Effect::Control,
        "Ends flows that are half open, or idle after few packets: each second a 32nd of every worker's \
         table and of the templates is looked through. 0: never. 1 and 2: while room is short (amemthresh); \
         1 turns into 2 then, and back. 3: always.",
    ),
    of(
        "drop_packet",
        Kind::Mode,
        "0",
        Effect::Control,
        "Drops every n-th new connection (`drop_packet` in `sluicectl drops`). 0: none. 1 and 2: while \
         room is short, n being amemthresh / (amemthresh - room); 1 turns into 2 then, and back. 3: \
         always, n being am_droprate.",
    ),
    of("est_cpulist", Kind::CpuList, "all", ESTIMATION, "CPUs of the kernel's estimator threads."),
    of("est_nice", Kind::Number(-20, 19), "0", ESTIMATION, "Niceness of the kernel's estimator threads."),
    of(
        "expire_nodest_conn",
        BOOLEAN,
        "0",
        Effect::Flag(|switches| &mut switches.expire_nodest_conn),
        "Packets of a flow whose real server was removed. 0: dropped as `real_gone`, so that the flow goes \
         on if the real server comes back. 1: the flow ends and its client is scheduled anew; so is a SYN \
         of a flow whose real server has weight 0.",
    ),
    of(
        "expire_quiescent_template",
        BOOLEAN,
        "0",
        Effect::Flag(|switches| &mut switches.expire_quiescent_template),
        "Clients of a persistent service whose real server has weight 0. 0: their new connections go on \
         to it, for as long as their template holds. 1: they are given another real server.",
    ),
    of(
        "ignore_tunneled",
        BOOLEAN,
        "0",
        Effect::None("what the kernel takes out of a tunnel does not come back to the lcores"),
        "1: packets of other protocols are marked, so that what comes out of them is not balanced again.",
    ),
    of(
        "lblc_expiration",
        IDLE,
        "86400",
        Effect::Seconds(|switches| &mut switches.lblc_expiration),
        "Seconds after which lblc forgets a destination that nobody asked for; it looks every half hour.",
    ),
    of(
        "lblcr_expiration",
        IDLE,
        "86400",
        Effect::Seconds(|switches| &mut switches.lblcr_expiration),
        "Seconds after which lblcr forgets a destination that nobody asked for (it looks every half hour), \
         and after which a set of real servers that did not change loses its most loaded one.",
    ),
    of(
        "nat_icmp_send",
        BOOLEAN,
        "0",
        Effect::NotYet("ICMP errors of our own"),
        "1: a reply of a masqueraded real server without a flow is answered with port unreachable.",
    ),
    of(
        "pmtu_disc",
        BOOLEAN,
        "1",
        Effect::Flag(|switches| &mut switches.pmtu_disc),
        "Packets to tunnelled real servers that must not be fragmented. 1: nor must the packet around them, and \
         one that does not fit into its tunnel is dropped. 0: the packet around them may be fragmented on its way.",
    ),
    of(
        "run_estimation",
        BOOLEAN,
        "1",
        Effect::Control,
        "0: rates are not estimated, and counters are shown as they were then. They are counted all the \
         same.",
    ),
    of(
        "schedule_icmp",
        BOOLEAN,
        "0",
        Effect::Flag(|switches| &mut switches.schedule_icmp),
        "An ICMP error about a packet of a virtual service that has no flow. 0: it is the kernel's. 1: it makes \
         a flow, of three seconds, and goes to that one's real server.",
    ),
    of(
        "secure_tcp",
        Kind::Mode,
        "0",
        Effect::Control,
        "Uses TCP states that a client alone cannot bring to ESTABLISHED. 0: never. 1 and 2: while room is \
         short (amemthresh); 1 turns into 2 then, and back. 3: always.",
    ),
    of(
        "sloppy_sctp",
        BOOLEAN,
        "0",
        Effect::Flag(|switches| &mut switches.sloppy_sctp),
        "1: any SCTP packet but an ABORT may start a flow, not only an INIT.",
    ),
    of(
        "sloppy_tcp",
        BOOLEAN,
        "0",
        Effect::Flag(|switches| &mut switches.sloppy_tcp),
        "1: any TCP segment but a RST may start a flow, not only a SYN. For taking over another balancer's \
         connections.",
    ),
    of(
        "snat_reroute",
        BOOLEAN,
        "1",
        Effect::None("replies are always routed by what they are after translation"),
        "1: the kernel routes replies anew after translation.",
    ),
    of(
        "sync_persist_mode",
        BOOLEAN,
        "0",
        NO_SYNC,
        "1: of persistent services only templates are synchronised.",
    ),
    of(
        "sync_ports",
        Kind::PowerOfTwo(1 << 30),
        "1",
        NO_SYNC,
        "Threads and ports of the sync daemon; used up to 64.",
    ),
    of(
        "sync_qlen_max",
        COUNT,
        "10240",
        NO_SYNC,
        "Sync messages that may wait in a queue. The kernel's default is a 32nd of its free pages.",
    ),
    of("sync_refresh_period", IDLE, "0", NO_SYNC, "Seconds after which a connection is synchronised again."),
    of("sync_retries", Kind::Number(0, 3), "0", NO_SYNC, "How often a synchronisation is repeated."),
    of("sync_sock_size", COUNT, "0", NO_SYNC, "Bytes of the sync sockets' buffers; 0 leaves them."),
    of(
        "sync_threshold",
        Kind::Threshold,
        "3 50",
        NO_SYNC,
        "Of each period's packets, the one upon which a connection is synchronised.",
    ),
    of("sync_version", BOOLEAN, "1", NO_SYNC, "Which form sync messages have."),
    of(
        "timeout_tcp",
        SECONDS,
        "900",
        Effect::Timeout(|timeouts| &mut timeouts.tcp),
        "Seconds that an idle established TCP connection is kept: the first of `ipvsadm --set`.",
    ),
    of(
        "timeout_tcp_fin",
        SECONDS,
        "120",
        Effect::Timeout(|timeouts| &mut timeouts.tcp_fin),
        "Seconds that a TCP connection is kept in FIN_WAIT: the second of `ipvsadm --set`.",
    ),
    of(
        "timeout_udp",
        SECONDS,
        "300",
        Effect::Timeout(|timeouts| &mut timeouts.udp),
        "Seconds that an idle UDP flow is kept: the third of `ipvsadm --set`.",
    ),
];

/// Their names.
pub static NAMES: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| ALL.iter().map(|switch| switch.name).collect());

const fn of(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    effect: Effect,
    meaning: &'static str,
) -> Switch {
    Switch { name, kind, default, effect, meaning }
}

impl Switch {
    /// The switch of that name, and its place in [`ALL`].
    #[must_use]
    pub fn find(name: &str) -> Option<(usize, &'static Self)> {
        ALL.iter().enumerate().find(|(_, switch)| switch.name == name)
    }

    /// The value if nobody sets it.
    #[must_use]
    pub fn default_value(&self) -> SysctlValue {
        SysctlValue::of_word(self.default)
    }

    /// The value as it is kept.
    ///
    /// # Errors
    /// What values it takes, or why it cannot have this one yet.
    pub fn accept(&self, value: &SysctlValue) -> Result<SysctlValue, Refusal> {
        let accepted = self.kind.accept(value).ok_or_else(|| Refusal::Range(self.kind.to_string()))?;
        match self.effect {
            Effect::NotYet(what) if accepted != self.default_value() => Err(Refusal::NotYet(what)),
            _ => Ok(accepted),
        }
    }
}

/// Why a value is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is none of those that the switch takes.
    #[error("must be {0}")]
    Range(String),
    /// What it asks for is not there.
    #[error("{0}: not supported yet, so only the default can be had")]
    NotYet(&'static str),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_its_defaults_are_values() {
        assert!(ALL.is_sorted_by(|a, b| a.name < b.name));
        for switch in ALL {
            assert_eq!(switch.accept(&switch.default_value()), Ok(switch.default_value()), "{}", switch.name);
            assert!(switch.meaning.ends_with('.'), "{}", switch.name);
        }
    }

    /// The defaults are written twice: here, where they are shown, and in the core.
    #[test]
    fn defaults_are_the_cores() {
        let (mut switches, mut timeouts) = (Switches::default(), Timeouts::default());
        for switch in ALL {
            let SysctlValue::Number(default) = switch.default_value() else { continue };
            let core = match switch.effect {
                Effect::Flag(field) => i64::from(*field(&mut switches)),
                Effect::Number(field) => i64::from(*field(&mut switches)),
                Effect::Seconds(field) => i64::from(*field(&mut switches)),
                Effect::Timeout(field) => i64::from(*field(&mut timeouts)),
                Effect::Control | Effect::None(_) | Effect::NotYet(_) => continue,
            };
            assert_eq!(core, default, "{}", switch.name);
        }
    }
}
