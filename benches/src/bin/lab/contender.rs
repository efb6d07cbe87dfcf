//! What is compared: a program, what it does, and the traffic it does it to.
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use sluice_api::Forward;
use sluice_bench::pcap;
use sluice_bench::traffic::{FRAME, REALS, Template};

/// The MAC address of the first device that the `net_pcap` driver makes.
pub(crate) const PORT_MAC: [u8; 6] = [0x02, 0x70, 0x63, 0x61, 0x70, 0x00];

/// Packets of the shortest capture. The device replays no more at once than a capture holds, so that one of a few packets
/// would make bursts of a few.
const SHORTEST: u32 = 1024;

/// The frames that come in, over and over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Traffic {
    /// One request of each flow.
    Requests,
    /// Of each flow a request and the reply of its real server.
    Both,
}

impl Traffic {
    pub(crate) const ALL: [Self; 2] = [Self::Requests, Self::Both];

    /// Packets of the capture: one or two for each flow, and enough for whole bursts.
    pub(crate) fn packets(self, flows: u32) -> u32 {
        let each = match self {
            Self::Requests => flows,
            Self::Both => 2 * flows,
        };
        each.max(SHORTEST)
    }

    /// The capture's file in `folder`.
    pub(crate) fn capture(self, folder: &Path, flows: u32) -> PathBuf {
        folder.join(match self {
            Self::Requests => format!("requests-{flows}.pcap"),
            Self::Both => format!("both-{flows}.pcap"),
        })
    }

    pub(crate) fn write_capture(self, folder: &Path, flows: u32) -> Result<()> {
        let path = self.capture(folder, flows);
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        let frames = self.frames(flows);
        let repeated = frames.iter().map(<[u8; FRAME]>::as_slice).cycle().take(self.packets(flows) as usize);
        pcap::write(&mut BufWriter::new(file), repeated)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    fn frames(self, flows: u32) -> Vec<[u8; FRAME]> {
        let requests = Template::requests(PORT_MAC);
        // One lcore in round robin gives flow n to real n modulo their number.
        let replies: Vec<_> = (0..REALS).map(|n| Template::replies(PORT_MAC, n)).collect();
        let mut frames = Vec::new();
        for flow in 0..flows {
            let mut frame = [0; FRAME];
            requests.write(flow, &mut frame);
            frames.push(frame);
            if self == Self::Both {
                replies[(flow % REALS) as usize].write(flow, &mut frame);
                frames.push(frame);
            }
        }
        frames
    }
}

/// A program and what it does with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// `dpdk-testpmd --forward-mode=macswap`.
    Testpmd,
    /// `sluiced` with one service whose reals are reached so.
    Sluiced(Forward),
}

/// One line of the comparison.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) program: Program,
    pub(crate) traffic: Traffic,
}

impl Contender {
    /// Whether it is what the others with its traffic are measured by.
    pub(crate) fn is_baseline(&self) -> bool {
        self.program == Program::Testpmd
    }
}

const ALL: [Contender; 6] = [
    Contender { name: "testpmd-requests", program: Program::Testpmd, traffic: Traffic::Requests },
    Contender { name: "nat-requests", program: Program::Sluiced(Forward::Masq), traffic: Traffic::Requests },
    Contender { name: "dr-requests", program: Program::Sluiced(Forward::Route), traffic: Traffic::Requests },
    Contender {
        name: "ipip-requests",
        program: Program::Sluiced(Forward::Tunnel),
        traffic: Traffic::Requests,
    },
    Contender { name: "testpmd-both", program: Program::Testpmd, traffic: Traffic::Both },
    Contender { name: "nat-both", program: Program::Sluiced(Forward::Masq), traffic: Traffic::Both },
];

/// The contenders whose name holds `only`, with the baselines they are measured by, in a fixed order.
pub(crate) fn chosen(only: Option<&str>) -> Result<Vec<Contender>> {
    let named = |contender: &Contender| only.is_none_or(|only| contender.name.contains(only));
    let wanted = |contender: &Contender| {
        named(contender)
            || contender.is_baseline()
                && ALL.iter().any(|other| named(other) && other.traffic == contender.traffic)
    };
    let chosen: Vec<_> = ALL.into_iter().filter(wanted).collect();
    ensure!(!chosen.is_empty(), "--only fits none of {}", ALL.map(|contender| contender.name).join(", "));
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_brings_its_baseline() {
        let names = |only| {
            chosen(only).expect("names that fit").iter().map(|contender| contender.name).collect::<Vec<_>>()
        };
        assert_eq!(names(Some("dr")), ["testpmd-requests", "dr-requests"]);
        assert_eq!(names(Some("nat-both")), ["testpmd-both", "nat-both"]);
        assert_eq!(names(None).len(), ALL.len());
        chosen(Some("vpp")).expect_err("fits none");
    }

    #[test]
    fn a_capture_of_one_flow_still_makes_whole_bursts() {
        let folder = tempfile::tempdir().expect("a folder");
        Traffic::Requests.write_capture(folder.path(), 1).expect("a capture");
        let length = std::fs::metadata(Traffic::Requests.capture(folder.path(), 1)).expect("a file").len();
        assert_eq!(length, 24 + u64::from(SHORTEST) * (16 + FRAME as u64));
    }

    #[test]
    fn both_ways_holds_a_reply_after_each_request() {
        let frames = Traffic::Both.frames(1000);
        assert_eq!(frames.len(), Traffic::Both.packets(1000) as usize);
        for pair in frames.chunks(2) {
            let (request, reply) = (&pair[0], &pair[1]);
            assert_eq!(request[26..30], reply[30..34], "the client's address");
            assert_eq!(request[34..36], reply[36..38], "the client's port");
        }
    }
}
