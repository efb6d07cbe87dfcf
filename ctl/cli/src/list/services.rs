//! Services with their real servers, in the columns asked for.

use std::io::{self, Write};

use sluice_api::request::OptionalService;
use sluice_api::{
    Checksum, Family, Forward, Netmask, Protocol, RealEntry, Request, ServiceEntry, ServiceId, ServiceSpec,
    TunnelKind, Version,
};

use crate::failure::Failure;
use crate::line::{Columns, Format};
use crate::list::order;
use crate::names::Names;
use crate::numbers::scaled;
use crate::options::Command;
use crate::sched_flags;
use crate::session::Session;

/// Lists one service, or all under a banner.
pub(crate) fn print(session: &mut Session, one: Option<ServiceId>, format: Format) -> Result<(), Failure> {
    if one.is_none() && !session.json {
        let version: Version = session.ask(&Request::Version, Command::List)?;
        let size = version.connection_table_size;
        writeln!(session.out, "IP Virtual Server version {} (size={size})", version.ipvs)?;
    }
    let request = Request::ServiceList(OptionalService { service: one });
    let mut services: Vec<ServiceEntry> = session.ask(&request, Command::List)?;
    if format.sorted {
        order::sort(&mut services);
    }
    if session.json {
        return super::other::json(session, &services);
    }
    let names = Names::new(format.numeric);
    titles(&mut session.out, format.columns)?;
    for service in &services {
        service_row(&mut session.out, service, &names, format)?;
        for real in &service.reals {
            real_row(&mut session.out, service.spec.id, real, &names, format)?;
        }
    }
    Ok(())
}

fn titles(out: &mut impl Write, columns: Columns) -> io::Result<()> {
    const LEFT: &str = "Prot LocalAddress:Port";
    match columns {
        Columns::Plain | Columns::TunInfo => writeln!(out, "{LEFT} Scheduler Flags")?,
        Columns::Stats => writeln!(
            out,
            "{LEFT:<33} {:>8} {:>8} {:>8} {:>8} {:>8}",
            "Conns", "InPkts", "OutPkts", "InBytes", "OutBytes"
        )?,
        Columns::Rate => writeln!(
            out,
            "{LEFT:<33} {:>8} {:>8} {:>8} {:>8} {:>8}",
            "CPS", "InPPS", "OutPPS", "InBPS", "OutBPS"
        )?,
        Columns::Thresholds => writeln!(
            out,
            "{LEFT:<33} {:<10} {:<10} {:<10} {:<10}",
            "Uthreshold", "Lthreshold", "ActiveConn", "InActConn"
        )?,
        Columns::PersistentConn => writeln!(
            out,
            "{LEFT:<33} {:<9} {:<11} {:<10} {:<10}",
            "Weight", "PersistConn", "ActiveConn", "InActConn"
        )?,
    }
    const RIGHT: &str = "  -> RemoteAddress:Port";
    match columns {
        Columns::Plain => writeln!(out, "{RIGHT:<33} Forward Weight ActiveConn InActConn"),
        Columns::TunInfo => writeln!(out, "{RIGHT:<33} Forward TunnelInfo    Weight ActiveConn InActConn"),
        _ => writeln!(out, "{RIGHT}"),
    }
}

fn service_row(
    out: &mut impl Write,
    service: &ServiceEntry,
    names: &Names,
    format: Format,
) -> io::Result<()> {
    let name = service_name(service.spec.id, names);
    let (stats, rates) = (&service.stats, &service.rates);
    let numbers = match format.columns {
        Columns::Stats => [stats.conns, stats.in_packets, stats.out_packets, stats.in_bytes, stats.out_bytes],
        Columns::Rate => [rates.cps, rates.in_pps, rates.out_pps, rates.in_bps, rates.out_bps],
        _ => return writeln!(out, "{name} {}{}", service.spec.scheduler, extras(&service.spec)),
    };
    write!(out, "{name:<33}")?;
    for number in numbers {
        out.write_all(scaled(number, format.exact).as_bytes())?;
    }
    writeln!(out)
}

/// `TCP  10.0.0.1:80`, cut at 33 characters unless it is IPv6.
fn service_name(id: ServiceId, names: &Names) -> String {
    match id {
        ServiceId::Mark { fwmark, family: Family::Ipv4 } => format!("FWM  {fwmark}"),
        ServiceId::Mark { fwmark, family: Family::Ipv6 } => format!("FWM  {fwmark} IPv6"),
        ServiceId::Address { protocol, address, port } => {
            let label = match protocol {
                Protocol::Tcp => "TCP",
                Protocol::Udp => "UDP",
                Protocol::Sctp => "SCTP",
            };
            let name = format!("{label:<4} {}", names.endpoint(address, port, Some(protocol)));
            if address.is_ipv4() { format!("{name:.33}") } else { name }
        }
    }
}

fn extras(spec: &ServiceSpec) -> String {
    let mut text = String::new();
    if !spec.flags.is_empty() {
        text += &format!(" ({})", sched_flags::text(&spec.flags, &spec.scheduler));
    }
    if let Some(persistent) = spec.persistent {
        text += &format!(" persistent {}", persistent.timeout);
        match persistent.netmask.filter(|mask| !mask.is_full()) {
            Some(Netmask::V4(mask)) => text += &format!(" mask {mask}"),
            Some(Netmask::V6(length)) => text += &format!(" mask {length}"),
            None => {}
        }
        if let Some(pe) = &spec.pe {
            text += &format!(" pe {pe}");
        }
    }
    if spec.one_packet {
        text += " ops";
    }
    text
}

fn real_row(
    out: &mut impl Write,
    service: ServiceId,
    real: &RealEntry,
    names: &Names,
    format: Format,
) -> io::Result<()> {
    let protocol = match service {
        ServiceId::Address { protocol, .. } => Some(protocol),
        ServiceId::Mark { .. } => None,
    };
    let (spec, exact) = (&real.spec, format.exact);
    let mut name = names.endpoint(spec.id.address, spec.id.port, protocol);
    if spec.id.address.is_ipv4() {
        name = format!("{name:.28}");
    }
    write!(out, "  -> {name:<28}")?;
    match format.columns {
        Columns::Plain => write!(out, " {:<7} {:<6}", forward_label(spec.forward), spec.weight)?,
        Columns::TunInfo => {
            let forward = forward_label(spec.forward);
            write!(out, " {forward:<7} {:<13} {:<6}", tunnel_label(real), spec.weight)?;
        }
        Columns::Thresholds => {
            write!(out, " {:<10} {:<10}", spec.upper_threshold, spec.lower_threshold)?;
        }
        Columns::PersistentConn => write!(out, " {:<9} {:<11}", spec.weight, real.persistent)?,
        Columns::Stats => {
            let s = &real.stats;
            let all = [s.conns, s.in_packets, s.out_packets, s.in_bytes, s.out_bytes];
            return writeln!(out, "{}", all.map(|number| scaled(number, exact)).concat());
        }
        Columns::Rate => {
            let r = &real.rates;
            write!(out, " {:8} {:8} {:8}", r.cps, r.in_pps, r.out_pps)?;
            return writeln!(out, "{}{}", scaled(r.in_bps, exact), scaled(r.out_bps, exact));
        }
    }
    writeln!(out, " {:<10} {:<10}", real.active, real.inactive)
}

const fn forward_label(forward: Forward) -> &'static str {
    match forward {
        Forward::Masq => "Masq",
        Forward::Route => "Route",
        Forward::Tunnel => "Tunnel",
        Forward::Local => "Local",
        Forward::Bypass => "ByPass",
    }
}

fn tunnel_label(real: &RealEntry) -> String {
    let checksum = |checksum| match checksum {
        Checksum::None => "-c",
        Checksum::Csum => "+c",
        Checksum::Remcsum => "r+c",
    };
    match (real.spec.forward, real.spec.tunnel) {
        (Forward::Tunnel, Some(t)) if t.kind == TunnelKind::Gue => {
            format!("gue:{}:{}", t.port, checksum(t.checksum))
        }
        (Forward::Tunnel, Some(t)) if t.kind == TunnelKind::Gre => format!("gre:{}", checksum(t.checksum)),
        (Forward::Tunnel, _) => "ipip".to_owned(),
        _ => "n/a".to_owned(),
    }
}
