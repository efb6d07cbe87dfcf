//! The report as a table for the terminal.
use std::fmt::Write as _;

use crate::generator::Series;
use crate::report::Report;
use crate::statistics::Spread;

/// Lays out `report`.
pub(crate) fn of(report: &Report) -> String {
    let machine = &report.machine;
    let mut text = format!(
        "\n{} x {}, time stamp counter at {:.0} MHz, Linux {}, DPDK {}, load {}\n{}\n\
         UDP frames of {} bytes, one forwarding CPU; {} rounds of {} s; commit {}\n",
        machine.cpus,
        machine.cpu,
        machine.tsc_mhz,
        machine.kernel,
        machine.dpdk,
        machine.load,
        machine.packet_memory,
        report.frame_bytes,
        report.rounds,
        report.seconds,
        machine.commit,
    );
    for rung in &report.daemon {
        head(&mut text, &format!("{} flows", rung.flows), "of testpmd");
        for entry in &rung.contenders {
            line(&mut text, entry.name, entry.mpps, entry.cycles_per_packet, entry.of_testpmd);
        }
    }
    if let Some(load) = &report.under_load {
        let _ = write!(
            text,
            "\n{} flows, {:.0} changes and {:.0} flows listed a second: {:.1} % of the throughput without \
             ({:.1} to {:.1} %), {} packets dropped\n",
            load.flows,
            load.changes_per_second,
            load.listed_per_second,
            load.of_quiet.median * 100.0,
            load.of_quiet.min * 100.0,
            load.of_quiet.max * 100.0,
            load.dropped,
        );
    }
    if let Some(generated) = &report.generated {
        group(&mut text, "traffic made on the forwarding lcore", "of macswap", &generated.established);
        group(&mut text, "each packet a new flow", "of macswap", &generated.new_flows);
        group(&mut text, "workers", "of one", &generated.workers);
        let missing = generated.missing_schedulers.join(", ");
        let missing = if missing.is_empty() { "none".to_owned() } else { missing };
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\nmemory of a flow table: {:.0} bytes a flow; schedulers not there to measure: {missing}\n",
            generated.bytes_per_flow
        );
    }
    text.push_str("Mpps and cycles are of the forwarding thread's CPU time; medians over the rounds.");
    text
}

fn group(text: &mut String, title: &str, baseline: &str, all: &[Series]) {
    head(text, title, baseline);
    for series in all {
        let name = format!("{} {} ({})", series.name, series.flows, series.reals);
        line(text, &name, series.mpps, series.cycles_per_packet, series.of_baseline);
    }
}

fn head(text: &mut String, title: &str, baseline: &str) {
    let _ = writeln!(
        text,
        "\n{title:<36} {:>8} {:>17} {:>15} {baseline:>12} {:>19}",
        "Mpps", "(min to max)", "cycles/packet", "(min to max)"
    );
}

fn line(text: &mut String, name: &str, mpps: Spread, cycles: Spread, ratio: Option<Spread>) {
    let range = format!("({:.2} to {:.2})", mpps.min, mpps.max);
    let _ = write!(text, "{name:<36} {:>8.2} {range:>17} {:>15.1}", mpps.median, cycles.median);
    if let Some(ratio) = ratio {
        let range = format!("({:.1} to {:.1} %)", ratio.min * 100.0, ratio.max * 100.0);
        let _ = write!(text, " {:>10.1} % {range:>19}", ratio.median * 100.0);
    }
    text.push('\n');
}
