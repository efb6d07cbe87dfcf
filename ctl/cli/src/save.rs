//! `-S`: the table as lines that `-R` takes.
//!
//! ipvsadm saves no thresholds, so neither does its name here; sluicectl does (`-x`, `-y`), in lines that
//! ipvsadm restores too.

use std::io::Write;

use sluice_api::request::OptionalService;
use sluice_api::{
    Checksum, Family, Forward, Netmask, Protocol, RealSpec, Request, ServiceEntry, ServiceId, ServiceSpec,
    TunnelKind,
};

use crate::failure::{Dialect, Failure};
use crate::list::order;
use crate::names::Names;
use crate::options::Command;
use crate::sched_flags;
use crate::session::Session;

/// Prints all services and real servers, sorted.
pub(crate) fn print(session: &mut Session, numeric: bool) -> Result<(), Failure> {
    let mut services: Vec<ServiceEntry> =
        session.ask(&Request::ServiceList(OptionalService::default()), Command::Save)?;
    order::sort(&mut services);
    if session.json {
        return crate::list::other::json(session, &services);
    }
    let names = Names::new(numeric);
    let thresholds = session.dialect == Dialect::Sluicectl;
    for service in &services {
        let service_words = service_words(service.spec.id, &names);
        writeln!(session.out, "-A {service_words}{}", service_options(&service.spec))?;
        for real in &service.reals {
            let real_words = real_words(service.spec.id, &real.spec, &names, thresholds);
            writeln!(session.out, "-a {service_words} {real_words}")?;
        }
    }
    Ok(())
}

fn service_words(id: ServiceId, names: &Names) -> String {
    match id {
        ServiceId::Mark { fwmark, family: Family::Ipv4 } => format!("-f {fwmark}"),
        ServiceId::Mark { fwmark, family: Family::Ipv6 } => format!("-f {fwmark} -6"),
        ServiceId::Address { protocol, address, port } => {
            let option = match protocol {
                Protocol::Tcp => "-t",
                Protocol::Udp => "-u",
                Protocol::Sctp => "--sctp-service",
            };
            format!("{option} {}", names.endpoint(address, port, Some(protocol)))
        }
    }
}

fn service_options(spec: &ServiceSpec) -> String {
    let mut text = format!(" -s {}", spec.scheduler);
    if let Some(persistent) = spec.persistent {
        text += &format!(" -p {}", persistent.timeout);
        match persistent.netmask.filter(|mask| !mask.is_full()) {
            Some(Netmask::V4(mask)) => text += &format!(" -M {mask}"),
            Some(Netmask::V6(length)) => text += &format!(" -M {length}"),
            None => {}
        }
    }
    if let Some(pe) = &spec.pe {
        text += &format!(" --pe {pe}");
    }
    if spec.one_packet {
        text += " -o";
    }
    let flags = sched_flags::text(&spec.flags, &spec.scheduler);
    if !flags.is_empty() {
        text += &format!(" -b {flags}");
    }
    text
}

fn real_words(service: ServiceId, real: &RealSpec, names: &Names, thresholds: bool) -> String {
    let protocol = match service {
        ServiceId::Address { protocol, .. } => Some(protocol),
        ServiceId::Mark { .. } => None,
    };
    let method = match real.forward {
        Forward::Masq => "-m",
        Forward::Tunnel => "-i",
        // That a real server is local is found out anew.
        Forward::Route | Forward::Local | Forward::Bypass => "-g",
    };
    let endpoint = names.endpoint(real.id.address, real.id.port, protocol);
    let mut text = format!("-r {endpoint} {method} -w {}", real.weight);
    if real.forward == Forward::Tunnel {
        text += &tunnel_words(real);
    }
    if thresholds && real.upper_threshold > 0 {
        text += &format!(" -x {}", real.upper_threshold);
    }
    if thresholds && real.lower_threshold > 0 {
        text += &format!(" -y {}", real.lower_threshold);
    }
    text
}

fn tunnel_words(real: &RealSpec) -> String {
    let checksum = |checksum| match checksum {
        Checksum::None => "--tun-nocsum",
        Checksum::Csum => "--tun-csum",
        Checksum::Remcsum => "--tun-remcsum",
    };
    match real.tunnel {
        Some(t) if t.kind == TunnelKind::Gue => {
            format!(" --tun-type gue --tun-port {} {}", t.port, checksum(t.checksum))
        }
        Some(t) if t.kind == TunnelKind::Gre => format!(" --tun-type gre {}", checksum(t.checksum)),
        _ => " --tun-type ipip".to_owned(),
    }
}
