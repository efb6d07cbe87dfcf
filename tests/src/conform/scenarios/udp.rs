//! UDP through both ways of forwarding.

use super::super::frames::{VIP, client, real, udp};
use super::super::scenario::Scenario;
use super::rules;

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![nat(), direct(), sums_that_are_zero()]
}

fn nat() -> Scenario {
    let query = udp((client(1), 5000), (VIP, 53));
    Scenario::with(
        "NAT, with checksums and without",
        &rules(&format!("-u {VIP}:53"), "-s rr", &[(10, ":5353 -m")]),
    )
    .answered()
    .frame("query", &query)
    .frame("query without a checksum", &query.clone().no_udp_checksum())
    .frame("query without data", &query.clone().payload(b""))
    .frame("query with a wrong checksum", &query.clone().wrong_transport_checksum())
    .frame("reply without a checksum", &udp((real(10), 5353), (client(1), 5000)).no_udp_checksum())
    .tables()
    .counters()
}

fn direct() -> Scenario {
    let mut scenario = Scenario::with(
        "direct routing",
        &rules(&format!("-u {VIP}:53"), "-s rr", &[(10, ":53 -g"), (11, ":53 -g")]),
    );
    for n in 1..=4 {
        let query = udp((client(n), 5000), (VIP, 53));
        scenario = scenario
            .frame(&format!("client {n}"), &query)
            .frame("again, without a checksum", &query.clone().no_udp_checksum().tos(0x10));
    }
    scenario.tables().counters()
}

/// A checksum that comes out as 0 is sent as 0xffff: payloads over all that a sum can be.
fn sums_that_are_zero() -> Scenario {
    let rules = rules(&format!("-u {VIP}:53"), "-s rr", &[(10, ":53 -m")]);
    let mut scenario = Scenario::with("checksums near zero", &rules);
    let query = udp((client(1), 5000), (VIP, 53));
    // The two bytes that make the translated sum come out as 0, and their neighbours.
    let translated = udp((client(1), 5000), (real(10), 53)).payload(&[0, 0]).build();
    let sum = u16::from_be_bytes([translated[40], translated[41]]);
    for payload in [sum.wrapping_sub(1), sum, sum.wrapping_add(1)] {
        let frame = query.clone().payload(&payload.to_be_bytes());
        scenario = scenario.frame(&format!("payload {payload:#06x}"), &frame);
    }
    scenario.tables()
}
