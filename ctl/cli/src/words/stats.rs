//! `sluicectl stats`: all services together, as the kernel's `ip_vs_stats` has them.

use sluice_api::{Request, Totals};

use super::{ask, table};
use crate::failure::Failure;
use crate::list::other::json;
use crate::session::Session;

/// Counters and rates of everything together, what is gone included.
pub(super) fn print(session: &mut Session) -> Result<(), Failure> {
    let totals: Totals = ask(session, &Request::Stats)?;
    if session.json {
        return json(session, &totals);
    }
    let Totals { stats, rates } = totals;
    let row = |name: &str, numbers: [u64; 5]| {
        let [conns, in_packets, out_packets, in_bytes, out_bytes] = numbers.map(|number| number.to_string());
        [name.to_owned(), conns, in_packets, out_packets, in_bytes, out_bytes]
    };
    let total = [stats.conns, stats.in_packets, stats.out_packets, stats.in_bytes, stats.out_bytes];
    let rates = [rates.cps, rates.in_pps, rates.out_pps, rates.in_bps, rates.out_bps];
    let titles = ["", "CONNS", "IN PACKETS", "OUT PACKETS", "IN BYTES", "OUT BYTES"];
    Ok(table::print(&mut session.out, titles, &[row("total", total), row("a second", rates)])?)
}
