//! `sluicectl status`.

use std::io::{self, Write};

use sluice_api::{BurstSizes, LcoreStatus, PortStatus, Request, Status, TwinStatus};

use super::{ask, table};
use crate::failure::Failure;
use crate::list::other::json;
use crate::session::Session;

/// How the dataplane fares, on one screen.
pub(super) fn print(session: &mut Session) -> Result<(), Failure> {
    let status: Status = ask(session, &Request::Status)?;
    if session.json {
        return json(session, &status);
    }
    let out = &mut session.out;
    summary(out, &status)?;
    lcores(out, &status.lcores)?;
    ports(out, &status.ports)?;
    Ok(twins(out, &status.twins)?)
}

fn summary(out: &mut impl Write, status: &Status) -> io::Result<()> {
    let (s, table) = (status.uptime_s, &status.table);
    let clock = format!("{:02}:{:02}:{:02}", s / 3600 % 24, s / 60 % 60, s % 60);
    writeln!(out, "up {} d {clock}, {} services, {} real servers", s / 86400, status.services, status.reals)?;
    let share = percent(table.used as f64 / table.capacity.max(1) as f64);
    write!(out, "flows {} of {} ({share})", table.used, table.capacity)?;
    let (half_open, closing) = (table.evicted_half_open, table.evicted_closing);
    if half_open + closing > 0 {
        write!(out, "; a full table ended {half_open} half-open and {closing} closing ones")?;
    }
    if table.dropped_entries > 0 {
        write!(out, "; drop_entry ended {}", table.dropped_entries)?;
    }
    writeln!(out)?;
    let templates = &status.templates;
    if templates.used + templates.evicted == 0 {
        return Ok(());
    }
    let share = percent(templates.used as f64 / templates.capacity.max(1) as f64);
    write!(out, "persistence templates {} of {} ({share})", templates.used, templates.capacity)?;
    if templates.evicted > 0 {
        write!(out, "; a full table gave up {}", templates.evicted)?;
    }
    writeln!(out)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A second without packets has no cost of one.
fn cycles(per_packet: f64) -> String {
    if per_packet > 0.0 { format!("{per_packet:.0}") } else { "-".to_owned() }
}

fn lcores(out: &mut impl Write, lcores: &[LcoreStatus]) -> io::Result<()> {
    let rows: Vec<_> = lcores
        .iter()
        .map(|l| {
            let per_burst = l.packets as f64 / l.bursts.max(1) as f64;
            [
                l.id.to_string(),
                percent(l.busy),
                cycles(l.cycles_per_packet),
                l.packets.to_string(),
                format!("{per_burst:.1}"),
                l.steered.to_string(),
                l.dropped.to_string(),
                l.loops.to_string(),
                l.flows.to_string(),
            ]
        })
        .collect();
    let titles =
        ["LCORE", "BUSY", "CYCLES/PACKET", "PACKETS", "PER BURST", "STEERED", "DROPPED", "LOOPS", "FLOWS"];
    writeln!(out)?;
    table::print(out, titles, &rows)?;
    burst_sizes(out, lcores)
}

/// Of all bursts, how many in a hundred held so many packets.
fn burst_sizes(out: &mut impl Write, lcores: &[LcoreStatus]) -> io::Result<()> {
    let rows: Vec<_> = lcores
        .iter()
        .map(|l| {
            let counts = l.burst_sizes.counts();
            let all = counts.iter().sum::<u64>().max(1) as f64;
            let [one, two, to_4, to_8, to_16, to_31, full] = counts.map(|count| percent(count as f64 / all));
            [l.id.to_string(), one, two, to_4, to_8, to_16, to_31, full]
        })
        .collect();
    let [one, two, to_4, to_8, to_16, to_31, full] = BurstSizes::NAMES;
    writeln!(out)?;
    table::print(out, ["BURSTS OF", one, two, to_4, to_8, to_16, to_31, full], &rows)
}

fn ports(out: &mut impl Write, ports: &[PortStatus]) -> io::Result<()> {
    let rows: Vec<_> = ports
        .iter()
        .map(|p| {
            let link = match (p.link_up, p.speed_mbps) {
                (false, _) => "down".to_owned(),
                (true, 0) => "up".to_owned(),
                (true, speed) => format!("{speed} Mbit/s"),
            };
            [
                p.name.clone(),
                link,
                p.rx_packets.to_string(),
                p.tx_packets.to_string(),
                p.rx_missed.to_string(),
                p.rx_no_mbuf.to_string(),
                p.rx_errors.to_string(),
                p.tx_errors.to_string(),
            ]
        })
        .collect();
    let titles = ["PORT", "LINK", "RX", "TX", "MISSED", "NO MBUF", "RX ERRORS", "TX ERRORS"];
    writeln!(out)?;
    table::print(out, titles, &rows)
}

fn twins(out: &mut impl Write, twins: &[TwinStatus]) -> io::Result<()> {
    let rows: Vec<_> = twins
        .iter()
        .map(|t| {
            [
                t.interface.clone(),
                t.port.clone(),
                if t.up { "up" } else { "down" }.to_owned(),
                t.to_kernel.to_string(),
                t.from_kernel.to_string(),
                t.dropped.to_string(),
            ]
        })
        .collect();
    writeln!(out)?;
    table::print(out, ["TWIN", "PORT", "STATE", "TO KERNEL", "FROM KERNEL", "DROPPED"], &rows)
}
