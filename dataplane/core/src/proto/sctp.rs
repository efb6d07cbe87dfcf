//! The SCTP state tables of IPVS (reference 3.7), cell for cell.
use sluice_packet::header::SctpChunk;

use super::Seen;
use crate::time::Jiffies;

/// How many states there are.
const STATES: usize = 14;

/// States, numbered as the kernel numbers them: the number travels in sync messages.
const NO: u8 = 0;
const I1: u8 = 1;
const IN: u8 = 2;
const CS: u8 = 3;
const CR: u8 = 4;
const CW: u8 = 5;
const CO: u8 = 6;
const CE: u8 = 7;
const ES: u8 = 8;
const SS: u8 = 9;
const SR: u8 = 10;
const SA: u8 = 11;
const RJ: u8 = 12;
const CL: u8 = 13;

/// The client has asked once.
pub(crate) const INIT1: u8 = I1;
/// The client has asked again.
pub(crate) const INIT: u8 = IN;
/// Open on both sides.
pub(crate) const ESTABLISHED: u8 = ES;
/// Over, or refused.
pub(crate) const CLOSED: u8 = CL;

/// One state's row: the next state after each event, in the order of [`event`].
type Row = [u8; 10];

/// Rows in the order of the states' numbers.
type Table = [Row; STATES];

// The columns: data init init-ack cookie-echo cookie-ack shutdown shutdown-ack shutdown-complete error abort.

static INPUT: Table = [
    [ES, I1, CW, CR, ES, SR, CL, CL, CL, CL], // NO
    [I1, IN, CW, IN, I1, I1, IN, CL, I1, CL], // I1
    [IN, IN, CW, IN, IN, IN, IN, CL, IN, CL], // IN
    [CS, CS, CS, CR, CS, CS, CS, CS, CS, CL], // CS
    [CR, CR, CR, CR, CR, CR, CR, CR, CR, CL], // CR
    [CW, CW, CO, CW, CW, CW, CW, CW, CW, RJ], // CW
    [CO, CO, CO, CO, CO, CO, CO, CO, CO, CL], // CO
    [CE, CE, CE, CE, ES, CE, CE, CE, CL, CL], // CE
    [ES, ES, ES, ES, ES, SR, ES, ES, ES, CL], // ES
    [SS, SS, SS, SS, SS, SS, CL, SS, SS, CL], // SS
    [SR, SR, SR, SR, SR, SR, SR, SR, SR, CL], // SR
    [SA, SA, SA, SA, SA, SA, CL, CL, SA, CL], // SA
    [RJ, IN, RJ, RJ, RJ, RJ, RJ, RJ, RJ, CL], // RJ
    [CL, IN, CL, CL, CL, CL, CL, CL, CL, CL], // CL
];

static OUTPUT: Table = [
    [ES, CW, CS, CE, ES, SS, SA, CL, CL, CL], // NO
    [I1, CW, CS, CE, ES, SS, SA, I1, CL, RJ], // I1
    [IN, CW, CS, CE, ES, SS, SA, IN, CL, CL], // IN
    [CS, CW, CS, CE, ES, SS, SA, CS, CL, CL], // CS
    [CR, CW, CR, CE, ES, SS, SA, CR, CL, CL], // CR
    [CW, CW, CW, CE, ES, SS, CW, CW, CW, CL], // CW
    [CO, CW, CO, CE, ES, SS, CO, CO, CO, CL], // CO
    [CE, CW, CE, CE, ES, SS, CE, CE, CE, CL], // CE
    [ES, ES, ES, ES, ES, SS, ES, ES, ES, CL], // ES
    [SS, CW, SS, SS, SS, SS, SA, SS, SS, CL], // SS
    [SR, CW, SR, SR, SR, SR, SA, SR, SR, CL], // SR
    [SA, CW, SA, SA, SA, SA, SA, SA, SA, CL], // SA
    [RJ, CW, RJ, RJ, RJ, RJ, RJ, RJ, RJ, CL], // RJ
    [CL, CW, CL, CL, CL, CL, CL, CL, CL, CL], // CL
];

static INPUT_ONLY: Table = [
    [ES, I1, CE, ES, ES, SR, CL, CL, CL, CL], // NO
    [I1, IN, CE, ES, I1, I1, IN, CL, I1, CL], // I1
    [IN, IN, CE, ES, IN, IN, IN, CL, IN, CL], // IN
    [CS, IN, CE, ES, ES, CS, CS, CL, CS, CL], // CS
    [CR, IN, CE, ES, ES, CR, CR, CL, CR, CL], // CR
    [ES, IN, CE, ES, CW, CW, CW, CW, CW, RJ], // CW
    [CO, CO, CO, CO, ES, CO, CO, CO, CO, CL], // CO
    [CE, CE, CE, CE, ES, CE, CE, CE, CE, CL], // CE
    [ES, ES, ES, ES, ES, SR, CL, ES, ES, CL], // ES
    [SS, SS, SS, SS, SS, SS, CL, SS, SS, CL], // SS
    [SR, SR, SR, SR, SR, SR, SR, CL, SR, CL], // SR
    [SA, SA, SA, SA, SA, SA, CL, CL, SA, CL], // SA
    [RJ, IN, RJ, RJ, RJ, RJ, RJ, RJ, RJ, CL], // RJ
    [CL, IN, CL, CL, CL, CL, CL, CL, CL, CL], // CL
];

/// The event of a chunk type: a column of [`Row`]. DATA stands for all types that are not told apart.
fn event(chunk: u8) -> usize {
    match chunk {
        SctpChunk::INIT => 1,
        SctpChunk::INIT_ACK => 2,
        SctpChunk::COOKIE_ECHO => 3,
        SctpChunk::COOKIE_ACK => 4,
        SctpChunk::SHUTDOWN => 5,
        SctpChunk::SHUTDOWN_ACK => 6,
        SctpChunk::SHUTDOWN_COMPLETE => 7,
        SctpChunk::ERROR => 8,
        SctpChunk::ABORT => 9,
        _ => 0,
    }
}

/// The state after a packet whose telling chunk is of this type.
pub(crate) fn next(state: u8, seen: Seen, chunk: u8) -> u8 {
    let table = match seen {
        Seen::Input => &INPUT,
        Seen::Output => &OUTPUT,
        Seen::InputOnly => &INPUT_ONLY,
    };
    table.get(usize::from(state)).and_then(|row| row.get(event(chunk))).copied().unwrap_or(CL)
}

/// How long a flow in this state lives without a packet, in jiffies. None of it can be set.
pub(crate) fn timeout(state: u8) -> u32 {
    Jiffies::ticks(match state {
        NO => 2,
        // The first INIT, and one that was refused: a retransmission is due after 3 s.
        I1 | RJ => 4,
        ES => 900,
        // The longest retransmission timeout, and a second.
        _ => 61,
    })
}

/// The state's name as the kernel prints it.
pub(crate) fn name(state: u8) -> &'static str {
    match state {
        NO => "NONE",
        I1 => "INIT1",
        IN => "INIT",
        CS => "C-SENT",
        CR => "C-REPLIED",
        CW => "C-WAIT",
        CO => "COOKIE",
        CE => "C-ECHOED",
        ES => "ESTABLISHED",
        SS => "S-SENT",
        SR => "S-RECEIVED",
        SA => "S-ACK-SENT",
        RJ => "REJECTED",
        CL => "CLOSED",
        _ => "BUG!",
    }
}
