//! The SCTP state tables of IPVS as text (reference 3.7), read by the tests: a second copy, made apart from the code's.
use super::tcp_table::Seen;

/// The next state by event (`d i ia ce ca s sa sc er ab`) for a packet from the client, from the real, and from the client
/// while no reply was seen.
const TABLE: &str = "
    NO | ES I1 CW CR ES SR CL CL CL CL | ES CW CS CE ES SS SA CL CL CL | ES I1 CE ES ES SR CL CL CL CL
    I1 | I1 IN CW IN I1 I1 IN CL I1 CL | I1 CW CS CE ES SS SA I1 CL RJ | I1 IN CE ES I1 I1 IN CL I1 CL
    IN | IN IN CW IN IN IN IN CL IN CL | IN CW CS CE ES SS SA IN CL CL | IN IN CE ES IN IN IN CL IN CL
    CS | CS CS CS CR CS CS CS CS CS CL | CS CW CS CE ES SS SA CS CL CL | CS IN CE ES ES CS CS CL CS CL
    CR | CR CR CR CR CR CR CR CR CR CL | CR CW CR CE ES SS SA CR CL CL | CR IN CE ES ES CR CR CL CR CL
    CW | CW CW CO CW CW CW CW CW CW RJ | CW CW CW CE ES SS CW CW CW CL | ES IN CE ES CW CW CW CW CW RJ
    CO | CO CO CO CO CO CO CO CO CO CL | CO CW CO CE ES SS CO CO CO CL | CO CO CO CO ES CO CO CO CO CL
    CE | CE CE CE CE ES CE CE CE CL CL | CE CW CE CE ES SS CE CE CE CL | CE CE CE CE ES CE CE CE CE CL
    ES | ES ES ES ES ES SR ES ES ES CL | ES ES ES ES ES SS ES ES ES CL | ES ES ES ES ES SR CL ES ES CL
    SS | SS SS SS SS SS SS CL SS SS CL | SS CW SS SS SS SS SA SS SS CL | SS SS SS SS SS SS CL SS SS CL
    SR | SR SR SR SR SR SR SR SR SR CL | SR CW SR SR SR SR SA SR SR CL | SR SR SR SR SR SR SR CL SR CL
    SA | SA SA SA SA SA SA CL CL SA CL | SA CW SA SA SA SA SA SA SA CL | SA SA SA SA SA SA CL CL SA CL
    RJ | RJ IN RJ RJ RJ RJ RJ RJ RJ CL | RJ CW RJ RJ RJ RJ RJ RJ RJ CL | RJ IN RJ RJ RJ RJ RJ RJ RJ CL
    CL | CL IN CL CL CL CL CL CL CL CL | CL CW CL CL CL CL CL CL CL CL | CL IN CL CL CL CL CL CL CL CL
";

/// The states' codes, names and timeouts in seconds.
const STATES: [(&str, &str, u32); 14] = [
    ("NO", "NONE", 2),
    ("I1", "INIT1", 4),
    ("IN", "INIT", 61),
    ("CS", "C-SENT", 61),
    ("CR", "C-REPLIED", 61),
    ("CW", "C-WAIT", 61),
    ("CO", "COOKIE", 61),
    ("CE", "C-ECHOED", 61),
    ("ES", "ESTABLISHED", 900),
    ("SS", "S-SENT", 61),
    ("SR", "S-RECEIVED", 61),
    ("SA", "S-ACK-SENT", 61),
    ("RJ", "REJECTED", 4),
    ("CL", "CLOSED", 61),
];

/// A chunk type of each event, in the order of the columns.
pub(crate) const CHUNKS: [u8; 10] = [0, 1, 2, 10, 11, 7, 8, 14, 9, 6];

/// The column of a chunk type (RFC 9260 section 3.2). Where there is no chunk, 255, there is no event.
pub(crate) fn event(chunk: u8) -> Option<usize> {
    (chunk != 255).then(|| CHUNKS.iter().position(|&known| known == chunk).unwrap_or(0))
}

/// The name of the state after an event.
pub(crate) fn next(name: &str, seen: Seen, event: usize) -> &'static str {
    let code = STATES.iter().find(|state| state.1 == name).unwrap().0;
    let row = TABLE.lines().map(str::trim).find(|row| row.starts_with(code)).unwrap();
    let cells: Vec<&str> = row.split('|').nth(1 + seen as usize).unwrap().split_whitespace().collect();
    assert_eq!(cells.len(), CHUNKS.len());
    STATES.iter().find(|state| state.0 == cells[event]).unwrap().1
}

/// How long a state lasts, in seconds.
pub(crate) fn timeout(name: &str) -> u32 {
    STATES.iter().find(|state| state.1 == name).unwrap().2
}
