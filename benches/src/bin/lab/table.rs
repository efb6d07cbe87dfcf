//! The report as a table for the terminal.
use std::fmt::Write as _;

use crate::report::Report;

/// Lays out `report`.
pub(crate) fn of(report: &Report) -> String {
    let machine = &report.machine;
    let mut text = format!(
        "\n{} x {}, time stamp counter at {:.0} MHz, Linux {}, DPDK {}, load {}\n{}\n\
         UDP frames of {} bytes, {} flows, one forwarding CPU; {} rounds of {} s; commit {}\n\n\
         {:<18} {:>8} {:>17} {:>15} {:>12} {:>19}\n",
        machine.cpus,
        machine.cpu,
        machine.tsc_mhz,
        machine.kernel,
        machine.dpdk,
        machine.load,
        machine.packet_memory,
        report.frame_bytes,
        report.flows,
        report.rounds,
        report.seconds,
        machine.commit,
        "",
        "Mpps",
        "(min to max)",
        "cycles/packet",
        "of testpmd",
        "(min to max)",
    );
    for entry in &report.contenders {
        let range = format!("({:.2} to {:.2})", entry.mpps.min, entry.mpps.max);
        let (mpps, cycles) = (entry.mpps.median, entry.cycles_per_packet.median);
        // Writing to a string cannot fail.
        let _ = write!(text, "{:<18} {mpps:>8.2} {range:>17} {cycles:>15.1}", entry.name);
        if let Some(ratio) = entry.of_testpmd {
            let range = format!("({:.1} to {:.1} %)", ratio.min * 100.0, ratio.max * 100.0);
            let _ = write!(text, " {:>10.1} % {range:>19}", ratio.median * 100.0);
        }
        text.push('\n');
    }
    text.push_str("Mpps and cycles are of the forwarding thread's CPU time; medians over the rounds.");
    text
}
