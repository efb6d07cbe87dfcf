//! The TCP state tables of IPVS (reference 3.5), cell for cell: the usual set and the one of secure_tcp.
use super::Seen;
use crate::config::Timeouts;
use crate::time::Jiffies;

/// How many states there are.
pub(crate) const STATES: usize = 11;

/// States, numbered as the kernel numbers them: the number travels in sync messages.
const NO: u8 = 0;
const ES: u8 = 1;
const SS: u8 = 2;
const SR: u8 = 3;
const FW: u8 = 4;
const TW: u8 = 5;
const CL: u8 = 6;
const CW: u8 = 7;
const LA: u8 = 8;
const LI: u8 = 9;
const SA: u8 = 10;

/// No state yet: a flow before its first packet is counted.
pub(crate) const NONE: u8 = NO;
/// Open on both sides.
pub(crate) const ESTABLISHED: u8 = ES;
/// Half open: a SYN from the real.
pub(crate) const SYN_SENT: u8 = SS;
/// Half open: a SYN from the client.
pub(crate) const SYN_RECV: u8 = SR;
/// Half open, under secure_tcp.
pub(crate) const SYNACK: u8 = SA;
/// Closing handshake done.
pub(crate) const TIME_WAIT: u8 = TW;
/// Reset, or a packet without any of SYN, FIN, ACK and RST.
pub(crate) const CLOSE: u8 = CL;
/// One side has sent FIN.
pub(crate) const FIN_WAIT: u8 = FW;

/// FIN, SYN, RST and ACK in the TCP flags byte.
pub(crate) const FIN: u8 = 0x01;
/// SYN.
pub(crate) const SYN: u8 = 0x02;
/// RST.
pub(crate) const RST: u8 = 0x04;
/// ACK.
pub(crate) const ACK: u8 = 0x10;

/// One state's row: the next state after SYN, FIN, ACK, RST, and after none of them. Padded to eight for a cheap index.
type Row = [u8; 8];

const fn row(syn: u8, fin: u8, ack: u8, rst: u8) -> Row {
    [syn, fin, ack, rst, CL, CL, CL, CL]
}

/// Rows in the order of the states' numbers; padded to 16 for a cheap index.
type Table = [Row; 16];

/// A table for each of [`Seen`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tables([Table; 3]);

const REST: Row = row(CL, CL, CL, CL);

/// The usual tables, by [`Seen`].
pub(crate) static USUAL: Tables = Tables([INPUT, OUTPUT, INPUT_ONLY]);

/// The tables of secure_tcp: a flow under NAT counts as open when the real has answered the last packet of the handshake.
pub(crate) static SECURE: Tables = Tables([SECURE_INPUT, SECURE_OUTPUT, SECURE_INPUT_ONLY]);

const INPUT: Table = [
    row(SR, CL, ES, CL), // NO
    row(ES, CW, ES, CL), // ES
    row(ES, SS, SS, CL), // SS
    row(SR, TW, ES, SR), // SR
    row(SR, TW, FW, CL), // FW
    row(SR, TW, TW, CL), // TW
    row(SR, CL, CL, CL), // CL
    row(SR, CW, CW, CL), // CW
    row(SR, LA, CL, LA), // LA
    row(SR, LI, LI, LI), // LI
    row(SR, TW, ES, SR), // SA
    REST,
    REST,
    REST,
    REST,
    REST,
];

const OUTPUT: Table = [
    row(SS, TW, ES, CL), // NO
    row(ES, FW, ES, CL), // ES
    row(SS, SS, SS, SS), // SS
    row(SR, TW, ES, CL), // SR
    row(SS, FW, FW, CL), // FW
    row(SS, TW, TW, TW), // TW
    row(SS, CL, CL, CL), // CL
    row(SS, TW, CW, CL), // CW
    row(SS, LA, LA, CL), // LA
    row(LI, LI, ES, CL), // LI
    row(SR, TW, ES, CL), // SA
    REST,
    REST,
    REST,
    REST,
    REST,
];

const INPUT_ONLY: Table = [
    row(SR, CL, ES, CL), // NO
    row(ES, FW, ES, CL), // ES
    row(ES, SS, SS, CL), // SS
    row(SR, TW, ES, SR), // SR
    row(SR, FW, FW, CL), // FW
    row(SR, TW, TW, CL), // TW
    row(SR, CL, CL, CL), // CL
    row(SR, CW, CW, CL), // CW
    row(SR, LA, CL, LA), // LA
    row(SR, LI, LI, LI), // LI
    row(SR, TW, ES, CL), // SA
    REST,
    REST,
    REST,
    REST,
    REST,
];

const SECURE_INPUT: Table = [
    row(SR, CL, ES, CL), // NO
    row(ES, CW, ES, CL), // ES
    row(ES, SS, SS, CL), // SS
    row(SR, TW, SR, SR), // SR
    row(SR, TW, FW, CL), // FW
    row(SR, TW, TW, CL), // TW
    row(SR, CL, CL, CL), // CL
    row(SR, CW, CW, CL), // CW
    row(SR, LA, CL, LA), // LA
    row(SR, LI, LI, LI), // LI
    row(SA, SA, SA, CL), // SA
    REST,
    REST,
    REST,
    REST,
    REST,
];

const SECURE_OUTPUT: Table = [
    row(SS, TW, ES, CL), // NO
    row(ES, FW, ES, CL), // ES
    row(SS, SS, SS, SS), // SS
    row(SA, TW, ES, CL), // SR
    row(SS, FW, FW, CL), // FW
    row(SS, TW, TW, TW), // TW
    row(SS, CL, CL, CL), // CL
    row(SS, TW, CW, CL), // CW
    row(SS, LA, LA, CL), // LA
    row(LI, LI, ES, CL), // LI
    row(SA, TW, ES, CL), // SA
    REST,
    REST,
    REST,
    REST,
    REST,
];

const SECURE_INPUT_ONLY: Table = [
    row(SA, CL, ES, CL), // NO
    row(ES, FW, ES, CL), // ES
    row(ES, SS, SS, CL), // SS
    row(SR, TW, ES, SR), // SR
    row(SA, FW, FW, CL), // FW
    row(SA, TW, TW, CL), // TW
    row(SA, CL, CL, CL), // CL
    row(SA, CW, CW, CL), // CW
    row(SA, LA, CL, LA), // LA
    row(SA, LI, LI, LI), // LI
    row(SA, TW, ES, CL), // SA
    REST,
    REST,
    REST,
    REST,
    REST,
];

/// The event of a flags byte, RST before SYN before FIN before ACK: a column of [`Row`].
#[inline(always)]
fn event(flag_byte: u8) -> usize {
    if flag_byte & (RST | SYN | FIN) == 0 {
        return if flag_byte & ACK != 0 { 2 } else { 4 };
    }
    if flag_byte & RST != 0 {
        3
    } else if flag_byte & SYN != 0 {
        0
    } else {
        1
    }
}

impl Tables {
    /// The state after a packet.
    #[inline(always)]
    pub(crate) fn next(&self, state: u8, seen: Seen, flag_byte: u8) -> u8 {
        let row = self.0.get(seen as usize).and_then(|table| table.get(usize::from(state & 15)));
        row.and_then(|row| row.get(event(flag_byte) & 7)).copied().unwrap_or(CL)
    }
}

/// Whether a state counts as active: ESTABLISHED, SYN_SENT, SYN_RECV, SYNACK.
#[inline(always)]
pub(crate) fn is_active(state: u8) -> bool {
    matches!(state, ES | SS | SR | SA)
}

/// Timeouts by state, in jiffies; ESTABLISHED and FIN_WAIT are the operator's.
pub(crate) fn timeouts(configured: Timeouts) -> [u32; STATES] {
    let seconds = [2, configured.tcp, 120, 60, configured.tcp_fin, 120, 10, 60, 30, 120, 120];
    seconds.map(Jiffies::ticks)
}

/// The state's name as the kernel prints it.
pub(crate) fn name(state: u8) -> &'static str {
    match state {
        NO => "NONE",
        ES => "ESTABLISHED",
        SS => "SYN_SENT",
        SR => "SYN_RECV",
        FW => "FIN_WAIT",
        TW => "TIME_WAIT",
        CL => "CLOSE",
        CW => "CLOSE_WAIT",
        LA => "LAST_ACK",
        LI => "LISTEN",
        SA => "SYNACK",
        _ => "BUG!",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(steps: &[(Seen, u8)]) -> Vec<&'static str> {
        let mut state = NONE;
        let step = |&(seen, flags): &(Seen, u8)| {
            state = USUAL.next(state, seen, flags);
            name(state)
        };
        steps.iter().map(step).collect()
    }

    #[test]
    fn a_masqueraded_connection_from_syn_to_time_wait() {
        use Seen::{Input, Output};
        let names = walk(&[
            (Input, SYN),
            (Output, SYN | ACK),
            (Input, ACK),
            (Input, FIN | ACK),
            (Output, FIN | ACK),
            (Input, ACK),
        ]);
        assert_eq!(names, ["SYN_RECV", "SYN_RECV", "ESTABLISHED", "CLOSE_WAIT", "TIME_WAIT", "TIME_WAIT"]);
        let server_first = walk(&[(Input, SYN), (Input, ACK), (Output, FIN | ACK), (Input, FIN | ACK)]);
        assert_eq!(server_first, ["SYN_RECV", "ESTABLISHED", "FIN_WAIT", "TIME_WAIT"]);
    }

    #[test]
    fn direct_routing_sees_one_side() {
        let names = walk(&[SYN, ACK, FIN | ACK, ACK].map(|flags| (Seen::InputOnly, flags)));
        assert_eq!(names, ["SYN_RECV", "ESTABLISHED", "FIN_WAIT", "FIN_WAIT"]);
    }

    #[test]
    fn reset_goes_before_syn_before_fin_before_ack_and_no_flag_closes() {
        assert_eq!(event(RST | SYN | FIN | ACK), 3);
        assert_eq!(event(SYN | FIN | ACK), 0);
        assert_eq!(event(FIN | ACK), 1);
        assert_eq!(USUAL.next(ES, Seen::Input, 0x08), CL);
    }
}
