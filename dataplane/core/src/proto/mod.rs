//! Protocol states of a flow: which event moves it where, for how long, and whether it counts as active.
pub(crate) mod sctp;
pub(crate) mod tcp;
pub(crate) mod udp;

use sluice_packet::header::SctpChunk;

use crate::config::{Protocol, Snapshot, Switches};
use crate::family::Family;
use crate::flow::{Direction, Flow, flags};
use crate::time::Jiffies;

/// How long a new flow lives until its first state says otherwise: 3 s (reference 3.4).
pub(crate) const CREATION: u32 = Jiffies::ticks(3);

const TCP: u8 = Protocol::Tcp as u8;
const SCTP: u8 = Protocol::Sctp as u8;

/// What an lcore goes by: the timeouts that can be set, in jiffies, and the TCP tables in force. The tables are a copy,
/// so that a packet finds them at a known place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StateTimeouts {
    tcp: [u32; tcp::STATES],
    udp: u32,
    tables: tcp::Tables,
}

impl StateTimeouts {
    pub(crate) fn new(snapshot: &Snapshot) -> Self {
        let configured = snapshot.timeouts;
        Self {
            tcp: tcp::timeouts(configured),
            udp: Jiffies::ticks(configured.udp),
            tables: if snapshot.switches.secure_tcp { tcp::SECURE } else { tcp::USUAL },
        }
    }

    /// The timeout of the state that a flow is in.
    pub(crate) fn of<F: Family>(&self, flow: &Flow<F>) -> u32 {
        match flow.protocol() {
            TCP => self.tcp.get(usize::from(flow.state)).copied().unwrap_or(CREATION),
            SCTP => sctp::timeout(flow.state),
            _ => self.udp,
        }
    }
}

/// From where a packet is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Seen {
    /// From the client of a flow whose replies pass the director.
    Input = 0,
    /// From the real server.
    Output = 1,
    /// From the client of a flow whose replies do not.
    InputOnly = 2,
}

impl Seen {
    #[inline(always)]
    fn of<F: Family>(flow: &Flow<F>, direction: Direction) -> Self {
        match direction {
            Direction::Out => Self::Output,
            Direction::In if flow.flags & flags::NO_OUTPUT != 0 => Self::InputOnly,
            Direction::In => Self::Input,
        }
    }
}

/// What a packet did to its flow's activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activity {
    Same,
    Began,
    Ended,
}

/// Moves a flow's state by one packet and restarts its timer. `told` is the packet's
/// [`flags`](sluice_packet::Parsed::flags).
pub(crate) fn advance<F: Family>(
    flow: &mut Flow<F>,
    direction: Direction,
    told: u8,
    timeouts: &StateTimeouts,
    now: Jiffies,
) -> Activity {
    let seen = Seen::of(flow, direction);
    let is_sctp = flow.protocol() == SCTP;
    if is_sctp && told == SctpChunk::NONE {
        flow.expires = now.after(sctp::timeout(flow.state));
        return Activity::Same;
    }
    if seen == Seen::Output {
        flow.flags &= !flags::NO_OUTPUT;
    }
    if flow.protocol() == TCP {
        let state = timeouts.tables.next(flow.state, seen, told);
        flow.expires = now.after(timeouts.tcp.get(usize::from(state)).copied().unwrap_or(CREATION));
        enter(flow, state, tcp::is_active(state))
    } else if is_sctp {
        let state = sctp::next(flow.state, seen, told);
        flow.expires = now.after(sctp::timeout(state));
        enter(flow, state, state == sctp::ESTABLISHED)
    } else {
        flow.expires = now.after(timeouts.udp);
        Activity::Same
    }
}

/// Gives a flow its state, and counts it as active or not.
fn enter<F: Family>(flow: &mut Flow<F>, state: u8, is_active: bool) -> Activity {
    if state == flow.state {
        return Activity::Same;
    }
    flow.state = state;
    match (is_active, flow.flags & flags::INACTIVE != 0) {
        (true, true) => {
            flow.flags &= !flags::INACTIVE;
            Activity::Began
        }
        (false, false) => {
            flow.flags |= flags::INACTIVE;
            Activity::Ended
        }
        _ => Activity::Same,
    }
}

/// Whether a packet asks for a new connection, though a flow of the same client port may be known.
#[inline]
pub(crate) fn opens(protocol: u8, told: u8) -> bool {
    match protocol {
        TCP => told & tcp::SYN != 0,
        SCTP => told == SctpChunk::INIT,
        _ => false,
    }
}

/// Whether a packet without a flow may start one (reference 4.4, step 7).
pub(crate) fn may_start(protocol: u8, told: u8, switches: &Switches) -> bool {
    let sloppy = match protocol {
        TCP if told & tcp::RST != 0 => return false,
        TCP => switches.sloppy_tcp,
        SCTP if told == SctpChunk::ABORT => return false,
        SCTP => switches.sloppy_sctp,
        _ => return true,
    };
    sloppy || opens(protocol, told)
}

/// Whether a packet that asks for a new connection may end this flow (reference 4.4, step 5).
pub(crate) fn may_be_reused<F: Family>(flow: &Flow<F>, mode: u8) -> bool {
    match (flow.protocol(), flow.state) {
        (TCP, tcp::TIME_WAIT | tcp::CLOSE) | (SCTP, sctp::CLOSED) => mode != 0,
        (TCP, tcp::FIN_WAIT) => mode & 2 != 0 && flow.flags & flags::NO_OUTPUT != 0,
        _ => false,
    }
}

/// The deadline that a TCP or UDP packet gives its flow, where that is all it changes: neither state nor flags, and no
/// nearer deadline.
#[inline(always)]
pub(crate) fn unchanged<F: Family>(
    flow: &Flow<F>,
    direction: Direction,
    flag_byte: u8,
    timeouts: &StateTimeouts,
    now: Jiffies,
) -> Option<Jiffies> {
    let seen = Seen::of(flow, direction);
    if seen == Seen::Output && flow.flags & flags::NO_OUTPUT != 0 {
        return None;
    }
    let timeout = if flow.protocol() == TCP {
        if timeouts.tables.next(flow.state, seen, flag_byte) != flow.state {
            return None;
        }
        *timeouts.tcp.get(usize::from(flow.state))?
    } else {
        timeouts.udp
    };
    let expires = now.after(timeout);
    (expires.since(flow.expires) >= 0).then_some(expires)
}

/// Whether a packet that moved its flow shows that the client is answered: its template is assured by that.
pub(crate) fn assures<F: Family>(flow: &Flow<F>, direction: Direction) -> bool {
    match flow.protocol() {
        TCP => flow.state == tcp::ESTABLISHED,
        SCTP => flow.state == sctp::ESTABLISHED,
        _ => direction == Direction::Out,
    }
}

/// The name of a state as the kernel prints it.
pub(crate) fn state_name(protocol: u8, state: u8) -> &'static str {
    match protocol {
        TCP => tcp::name(state),
        SCTP => sctp::name(state),
        _ => udp::NAME,
    }
}
