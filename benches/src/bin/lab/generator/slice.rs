//! A slice of time of one forwarder, measured by the CPU time that its thread really had.
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::time::{ClockId, clock_gettime};
use sluice_core::BURST;

use crate::interrupt;
use crate::trial::Trial;

/// Bursts between two looks at the clock.
const CHUNK: u64 = 2000;

/// Runs `turn`, which forwards a burst and says how many packets it sent, for `seconds` of CPU time.
pub(crate) fn run(seconds: f64, tsc_hz: f64, mut turn: impl FnMut() -> usize) -> Result<Trial> {
    let (start, cpu_start) = (Instant::now(), thread_time()?);
    let (mut packets, mut offered) = (0u64, 0u64);
    let cpu = loop {
        for _ in 0..CHUNK {
            packets += turn() as u64;
        }
        offered += CHUNK * BURST as u64;
        interrupt::check()?;
        let cpu = (thread_time()? - cpu_start).as_secs_f64();
        if cpu >= seconds {
            break cpu;
        }
    };
    ensure!(packets == offered, "of {offered} packets only {packets} were forwarded");
    let wall = start.elapsed().as_secs_f64();
    Ok(Trial {
        seconds: wall,
        packets,
        cpu_share: cpu / wall,
        mpps_by_the_clock: packets as f64 / wall / 1e6,
        mpps: packets as f64 / cpu / 1e6,
        cycles_per_packet: cpu * tsc_hz / packets as f64,
    })
}

fn thread_time() -> Result<Duration> {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).context("this thread's CPU time")?;
    Ok(Duration::from(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_packet_is_an_error() {
        let mut turns = 0;
        let all = run(0.0, 1e9, || BURST).expect("all are sent");
        assert_eq!(all.packets, CHUNK * BURST as u64);
        let lossy = || {
            turns += 1;
            if turns == 77 { BURST - 1 } else { BURST }
        };
        run(0.0, 1e9, lossy).expect_err("one is lost");
    }
}
