//! An ipvsadm line: words in, what to do or what is wrong out.
//!
//! The order of checks is ipvsadm's, because the first one that fails is the one reported: values as they are
//! read, then what is left over, scheduler flags, the legality matrix, and rules between values.

use sluice_api::request::{OptionalService, RealChange, RealRef, ServiceRef, SyncStop};
use sluice_api::{
    Forward, Netmask, Persistence, RealId, RealSpec, Request, ServiceId, ServiceSpec, SyncDaemon, Timeouts,
    Tunnel,
};

use crate::address::{Lookup, SYSTEM};
use crate::draft::{Draft, timeout};
use crate::failure::{Dialect, EXIT_MINUS_ONE, Failure};
use crate::legality;
use crate::line::{Format, Line, LineAction, What};
use crate::options::{Action, Command, Opt};
use crate::popt::Words;
use crate::sched_flags;

/// Understands a line (without the program's name, `program`, which messages quote).
pub(crate) fn parse(words: &[String], program: &str, dialect: Dialect) -> Result<Line, Failure> {
    parse_with(words, program, dialect, SYSTEM)
}

fn parse_with(words: &[String], program: &str, dialect: Dialect, lookup: Lookup) -> Result<Line, Failure> {
    let mut reader = Words::new(words, dialect == Dialect::Sluicectl);
    let mut draft = Draft::new(lookup);
    let command = match reader.next_option() {
        Some(Ok((Action::Command(command), argument))) => command_with_role(command, argument, &mut draft)?,
        Some(Ok((Action::Help, _))) => return Ok(plain(LineAction::Help)),
        Some(Ok((Action::Version, _))) => return Ok(plain(LineAction::Version)),
        _ => return Err(Failure::try_help(program)),
    };
    while let Some(option) = reader.next_option() {
        match option {
            Ok((Action::Command(_) | Action::Help | Action::Version, _)) => {
                return Err(Failure::invalid(format!("invalid option `{}'", reader.last_word())));
            }
            Ok((action, argument)) => draft.take(action, argument.unwrap_or_default(), argument.is_some())?,
            Err(bad) => {
                let text = format!("{}: {}", reader.last_word(), bad.text());
                return Err(Failure::Line { text, exit: EXIT_MINUS_ONE });
            }
        }
    }
    let mut operands = reader.into_operands().into_iter();
    if command == Command::Set {
        draft.timeouts = set_operands(&mut operands)?;
    }
    if let Some(word) = operands.next() {
        return Err(Failure::invalid(format!("unexpected argument {word}")));
    }
    let (json, socket) = (draft.json, draft.socket.take());
    Ok(Line { action: finish(command, draft)?, json, socket })
}

const fn plain(action: LineAction) -> Line {
    Line { action, json: false, socket: None }
}

fn command_with_role(
    command: Command,
    argument: Option<&str>,
    draft: &mut Draft,
) -> Result<Command, Failure> {
    use sluice_api::SyncRole::{Backup, Master};
    match (command, argument) {
        (Command::StartDaemon | Command::StopDaemon, Some("master")) => draft.role = Master,
        (Command::StartDaemon | Command::StopDaemon, Some("backup")) => draft.role = Backup,
        (Command::StartDaemon, _) => {
            return Err(Failure::invalid("illegal start-daemon parameter specified"));
        }
        (Command::StopDaemon, _) => return Err(Failure::invalid("illegal start_daemon specified")),
        _ => {}
    }
    Ok(command)
}

fn set_operands<'a>(operands: &mut impl Iterator<Item = &'a str>) -> Result<Timeouts, Failure> {
    match (operands.next(), operands.next(), operands.next()) {
        (Some(tcp), Some(tcp_fin), Some(udp)) => {
            Ok(Timeouts { tcp: timeout(tcp, 0)?, tcp_fin: timeout(tcp_fin, 0)?, udp: timeout(udp, 0)? })
        }
        _ => Err(Failure::invalid("--set option requires 3 timeout values")),
    }
}

/// Checks what was read as a whole, and makes the request of it.
fn finish(command: Command, mut draft: Draft) -> Result<LineAction, Failure> {
    if let Some(word) = draft.flags_word.take() {
        draft.flags = sched_flags::parse(&word, &draft.scheduler)?;
    }
    legality::check_command(command, draft.given)?;
    let request = match command {
        Command::AddService => Request::ServiceAdd(service_spec(draft)?),
        Command::EditService => Request::ServiceEdit(service_spec(draft)?),
        Command::DeleteService => Request::ServiceDelete(ServiceRef { service: needed_service(&draft)? }),
        Command::Flush => Request::Flush,
        Command::AddServer => Request::RealAdd(real_change(&draft)?),
        Command::EditServer => Request::RealEdit(real_change(&draft)?),
        Command::DeleteServer => {
            Request::RealDelete(RealRef { service: needed_service(&draft)?, real: needed_real(&draft)? })
        }
        Command::Zero => Request::Zero(OptionalService { service: draft.service_id() }),
        Command::Set => Request::TimeoutSet(draft.timeouts),
        Command::StartDaemon => Request::SyncStart(sync_daemon(draft)),
        Command::StopDaemon => Request::SyncStop(SyncStop { role: draft.role, sync_id: draft.sync_id }),
        Command::List => {
            legality::check_list(draft.given)?;
            return Ok(LineAction::List(what(&draft), Format::from_options(draft.given)));
        }
        Command::Save => return Ok(LineAction::Save { numeric: draft.given.has(Opt::Numeric) }),
        Command::Restore => return Ok(LineAction::Restore),
    };
    Ok(LineAction::Change(command, request))
}

/// The matrix has seen to it that there is one.
fn needed_service(draft: &Draft) -> Result<ServiceId, Failure> {
    draft.service_id().ok_or_else(|| Failure::invalid("illegal virtual server address[:port] specified"))
}

fn needed_real(draft: &Draft) -> Result<RealId, Failure> {
    draft.real.ok_or_else(|| Failure::invalid("illegal real server address[:port] specified"))
}

fn what(draft: &Draft) -> What {
    match draft.service_id() {
        Some(id) => What::Service(id),
        None if draft.given.has(Opt::Connection) => What::Connections,
        None if draft.given.has(Opt::Timeout) => What::Timeouts,
        None if draft.given.has(Opt::Daemon) => What::Daemons,
        None => What::All,
    }
}

fn service_spec(draft: Draft) -> Result<ServiceSpec, Failure> {
    let id = needed_service(&draft)?;
    let one_packet = draft.given.has(Opt::Ops);
    if let ServiceId::Address { protocol, port, .. } = id {
        if port == 0 && draft.persistent.is_none() {
            return Err(Failure::invalid("Zero port specified for non-persistent service"));
        }
        if one_packet && protocol != sluice_api::Protocol::Udp {
            return Err(Failure::invalid("One-Packet Scheduling is only for UDP virtual services"));
        }
    }
    let netmask = Some(draft.netmask).filter(|mask: &Netmask| !mask.is_full());
    let scheduler = if draft.scheduler.is_empty() { "wlc".to_owned() } else { draft.scheduler };
    Ok(ServiceSpec {
        id,
        scheduler,
        flags: draft.flags,
        persistent: draft.persistent.map(|timeout| Persistence { timeout, netmask }),
        one_packet,
        pe: draft.pe,
    })
}

fn real_change(draft: &Draft) -> Result<RealChange, Failure> {
    let service = needed_service(draft)?;
    let mut id = needed_real(draft)?;
    // Direct routing and tunnels leave the destination port of packets alone, so it can only be the service's.
    if let (ServiceId::Address { port, .. }, Forward::Route | Forward::Tunnel) = (service, draft.forward) {
        id.port = port;
    }
    if sluice_api::Family::of(id.address) != service.family() && draft.forward != Forward::Tunnel {
        return Err(Failure::invalid("Different address family is allowed only for tunneling servers"));
    }
    let tunnels = draft.forward == Forward::Tunnel;
    if !tunnels && legality::speaks_of_tunnel(draft.given) {
        return Err(Failure::invalid("Tunnel options conflict with forward method"));
    }
    if tunnels {
        legality::check_tunnel(draft.tunnel.kind, draft.given)?;
    }
    let tunnel = Some(draft.tunnel).filter(|t: &Tunnel| tunnels && t.kind != sluice_api::TunnelKind::Ipip);
    Ok(RealChange {
        service,
        real: RealSpec {
            id,
            forward: draft.forward,
            weight: draft.weight,
            upper_threshold: draft.upper_threshold,
            lower_threshold: draft.lower_threshold,
            tunnel,
        },
    })
}

fn sync_daemon(draft: Draft) -> SyncDaemon {
    SyncDaemon {
        role: draft.role,
        interface: if draft.interface.is_empty() { "eth0".to_owned() } else { draft.interface },
        sync_id: draft.sync_id,
        max_length: draft.max_length,
        group: draft.group,
        port: draft.mcast_port,
        ttl: draft.ttl,
    }
}
