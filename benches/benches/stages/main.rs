//! Stage benches: what each part of the packet path costs, in cycles of the time stamp counter per packet.
//!
//! Frames are byte arrays that were just written, as they are just after a driver's copy or a NIC's write to the cache;
//! flows are met in random order.
mod classify;
mod established;
mod marks;
mod measurement;
mod new_flows;
mod place;
mod rig;
mod strangers;

use std::time::Duration;

use criterion::Criterion;
use measurement::Cycles;

fn main() {
    place::on_huge_pages();
    let cpu = place::on_the_last_cpu();
    let mhz = sluice_bench::cycles::per_second() / 1e6;
    let pages = if place::has_huge_pages() { "huge" } else { "ORDINARY" };
    eprintln!("stages: on CPU {cpu}, time stamp counter at {mhz:.0} MHz, tables on {pages} pages");
    let quick = std::env::var_os("QUICK").is_some_and(|value| value == "1");
    let time = Duration::from_millis(if quick { 200 } else { 1000 });
    let mut criterion = Criterion::default()
        .with_measurement(Cycles)
        .sample_size(20)
        .warm_up_time(time / 4)
        .measurement_time(time)
        .without_plots()
        .configure_from_args();
    classify::bench(&mut criterion);
    established::bench(&mut criterion);
    strangers::bench(&mut criterion);
    marks::bench(&mut criterion);
    new_flows::bench(&mut criterion);
    new_flows::schedulers(&mut criterion);
    criterion.final_summary();
}
