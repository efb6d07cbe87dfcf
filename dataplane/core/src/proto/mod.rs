//! Protocol states of a flow: which event moves it where, for how long, and whether it counts as active.
pub(crate) mod tcp;
pub(crate) mod udp;

use crate::config::{Protocol, Timeouts};
use crate::flow::{Direction, Flow, flags};
use crate::time::Jiffies;

/// How long a new flow lives until its first state says otherwise: 3 s (reference 3.4).
pub(crate) const CREATION: u32 = Jiffies::ticks(3);

/// Timeouts of all states in jiffies, made from the configured ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StateTimeouts {
    tcp: [u32; tcp::STATES],
    udp: u32,
}

impl StateTimeouts {
    pub(crate) fn new(configured: Timeouts) -> Self {
        Self { tcp: tcp::timeouts(configured), udp: Jiffies::ticks(configured.udp) }
    }

    /// The timeout of the state that a flow is in.
    pub(crate) fn of(&self, flow: &Flow) -> u32 {
        if flow.protocol() == Protocol::Tcp as u8 {
            self.tcp.get(usize::from(flow.state)).copied().unwrap_or(CREATION)
        } else {
            self.udp
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

/// Moves a flow's state by one packet and restarts its timer. `flag_byte` is the TCP flags byte.
pub(crate) fn advance(
    flow: &mut Flow,
    direction: Direction,
    flag_byte: u8,
    timeouts: &StateTimeouts,
    now: Jiffies,
) -> Activity {
    if flow.protocol() != Protocol::Tcp as u8 {
        if direction == Direction::Out {
            flow.flags &= !flags::NO_OUTPUT;
        }
        flow.expires = now.after(timeouts.udp);
        return Activity::Same;
    }
    let seen = match direction {
        Direction::Out => {
            flow.flags &= !flags::NO_OUTPUT;
            tcp::Seen::Output
        }
        Direction::In if flow.flags & flags::NO_OUTPUT != 0 => tcp::Seen::InputOnly,
        Direction::In => tcp::Seen::Input,
    };
    let state = tcp::next(flow.state, seen, flag_byte);
    flow.expires = now.after(timeouts.tcp.get(usize::from(state)).copied().unwrap_or(CREATION));
    if state == flow.state {
        return Activity::Same;
    }
    flow.state = state;
    match (tcp::is_active(state), flow.flags & flags::INACTIVE != 0) {
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

/// The deadline that a packet gives its flow, where that is all it changes: neither state nor flags, and no nearer
/// deadline.
#[inline(always)]
pub(crate) fn unchanged(
    flow: &Flow,
    direction: Direction,
    flag_byte: u8,
    timeouts: &StateTimeouts,
    now: Jiffies,
) -> Option<Jiffies> {
    let one_sided = flow.flags & flags::NO_OUTPUT != 0;
    if direction == Direction::Out && one_sided {
        return None;
    }
    let timeout = if flow.protocol() == Protocol::Tcp as u8 {
        let seen = match direction {
            Direction::Out => tcp::Seen::Output,
            Direction::In if one_sided => tcp::Seen::InputOnly,
            Direction::In => tcp::Seen::Input,
        };
        if tcp::next(flow.state, seen, flag_byte) != flow.state {
            return None;
        }
        *timeouts.tcp.get(usize::from(flow.state))?
    } else {
        timeouts.udp
    };
    let expires = now.after(timeout);
    (expires.since(flow.expires) >= 0).then_some(expires)
}

/// The name of a state as the kernel prints it.
pub(crate) fn state_name(protocol: u8, state: u8) -> &'static str {
    if protocol == Protocol::Tcp as u8 { tcp::name(state) } else { udp::NAME }
}
