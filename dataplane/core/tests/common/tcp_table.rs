//! The TCP state tables of IPVS as text (reference 3.5), read by the tests: a second copy, made apart from the code's.

/// One row a state: its name, its timeout in seconds, whether it counts as active, and the next state after
/// SYN, FIN, ACK and RST for a packet from the client, from the real, and from the client while no reply was seen.
const TABLE: &str = "
    NO  NONE          2  -  | SR CL ES CL | SS TW ES CL | SR CL ES CL
    ES  ESTABLISHED 900  a  | ES CW ES CL | ES FW ES CL | ES FW ES CL
    SS  SYN_SENT    120  a  | ES SS SS CL | SS SS SS SS | ES SS SS CL
    SR  SYN_RECV     60  a  | SR TW ES SR | SR TW ES CL | SR TW ES SR
    FW  FIN_WAIT    120  -  | SR TW FW CL | SS FW FW CL | SR FW FW CL
    TW  TIME_WAIT   120  -  | SR TW TW CL | SS TW TW TW | SR TW TW CL
    CL  CLOSE        10  -  | SR CL CL CL | SS CL CL CL | SR CL CL CL
    CW  CLOSE_WAIT   60  -  | SR CW CW CL | SS TW CW CL | SR CW CW CL
    LA  LAST_ACK     30  -  | SR LA CL LA | SS LA LA CL | SR LA CL LA
    LI  LISTEN      120  -  | SR LI LI LI | LI LI ES CL | SR LI LI LI
    SA  SYNACK      120  a  | SR TW ES SR | SR TW ES CL | SR TW ES CL
";

/// The rows that differ under secure_tcp.
const SECURE: &str = "
    NO  NONE          2  -  | SR CL ES CL | SS TW ES CL | SA CL ES CL
    SR  SYN_RECV     60  a  | SR TW SR SR | SA TW ES CL | SR TW ES SR
    FW  FIN_WAIT    120  -  | SR TW FW CL | SS FW FW CL | SA FW FW CL
    TW  TIME_WAIT   120  -  | SR TW TW CL | SS TW TW TW | SA TW TW CL
    CL  CLOSE        10  -  | SR CL CL CL | SS CL CL CL | SA CL CL CL
    CW  CLOSE_WAIT   60  -  | SR CW CW CL | SS TW CW CL | SA CW CW CL
    LA  LAST_ACK     30  -  | SR LA CL LA | SS LA LA CL | SA LA CL LA
    LI  LISTEN      120  -  | SR LI LI LI | LI LI ES CL | SA LI LI LI
    SA  SYNACK      120  a  | SA SA SA CL | SA TW ES CL | SA TW ES CL
";

/// From where a packet is seen: a column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Seen {
    Input,
    Output,
    InputOnly,
}

/// What a packet says, by its flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Event {
    Syn,
    Fin,
    Ack,
    Rst,
    Nothing,
}

impl Event {
    pub(crate) const ALL: [Self; 5] = [Self::Syn, Self::Fin, Self::Ack, Self::Rst, Self::Nothing];

    /// The event of a flags byte.
    pub(crate) fn of(flags: u8) -> Self {
        let has = |bit: u8| flags & bit != 0;
        if has(4) {
            Self::Rst
        } else if has(2) {
            Self::Syn
        } else if has(1) {
            Self::Fin
        } else if has(16) {
            Self::Ack
        } else {
            Self::Nothing
        }
    }
}

/// A row, read.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    code: String,
    pub(crate) name: String,
    pub(crate) timeout: u32,
    pub(crate) active: bool,
    next: [[String; 4]; 3],
}

/// The table, read. States are named as listings name them.
#[derive(Clone, Debug)]
pub(crate) struct Table(Vec<Row>);

impl Table {
    pub(crate) fn read() -> Self {
        let rows = read_rows(TABLE);
        assert_eq!(rows.len(), 11);
        Self(rows)
    }

    /// As it is under secure_tcp.
    pub(crate) fn secure() -> Self {
        let mut table = Self::read();
        for row in read_rows(SECURE) {
            let usual = table.0.iter_mut().find(|usual| usual.code == row.code).unwrap();
            *usual = row;
        }
        table
    }

    pub(crate) fn row(&self, name: &str) -> &Row {
        self.0.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("no state {name}"))
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|row| row.name.as_str())
    }

    /// The name of the state after an event. A packet with none of the four flags closes.
    pub(crate) fn next(&self, name: &str, seen: Seen, event: Event) -> &str {
        let code = match event {
            Event::Nothing => "CL",
            event => &self.row(name).next[seen as usize][event as usize],
        };
        &self.0.iter().find(|row| row.code == code).unwrap().name
    }
}

fn read_rows(text: &str) -> Vec<Row> {
    text.lines().filter(|line| !line.trim().is_empty()).map(read_row).collect()
}

fn read_row(line: &str) -> Row {
    let mut groups = line.split('|').map(|group| group.split_whitespace().map(str::to_owned).collect());
    let head: Vec<String> = groups.next().unwrap();
    let next: Vec<[String; 4]> = groups.map(|cells: Vec<String>| cells.try_into().unwrap()).collect();
    Row {
        code: head[0].clone(),
        name: head[1].clone(),
        timeout: head[2].parse().unwrap(),
        active: head[3] == "a",
        next: next.try_into().unwrap(),
    }
}
