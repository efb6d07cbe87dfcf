//! Which options a command, and which a tunnel type, needs, allows and refuses.

use sluice_api::TunnelKind;

use crate::failure::Failure;
use crate::options::{Command, OPTS, Opt, OptSet};

/// What one row of the matrix says. What is in no list is illegal.
struct Rules {
    required: &'static [Opt],
    allowed: &'static [Opt],
    /// At most one of these.
    exclusive: &'static [Opt],
}

const NOTHING: Rules = Rules { required: &[], allowed: &[], exclusive: &[] };

const SERVICE: Rules = Rules {
    required: &[Opt::Service],
    allowed: &[Opt::Scheduler, Opt::Persistent, Opt::Netmask, Opt::Ops, Opt::Pe, Opt::SchedFlags],
    exclusive: &[],
};

const SERVER: Rules = Rules {
    required: &[Opt::Service, Opt::RealServer],
    allowed: &[
        Opt::Forward,
        Opt::Weight,
        Opt::UThreshold,
        Opt::LThreshold,
        Opt::TunType,
        Opt::TunPort,
        Opt::TunNocsum,
        Opt::TunCsum,
        Opt::TunRemcsum,
    ],
    exclusive: &[],
};

const LIST: Rules = Rules {
    required: &[],
    allowed: &[
        Opt::Numeric,
        Opt::Stats,
        Opt::Rate,
        Opt::Thresholds,
        Opt::PersistentConn,
        Opt::NoSort,
        // ipvsadm takes this here and does nothing with it.
        Opt::SyncId,
        Opt::Exact,
        Opt::TunInfo,
    ],
    exclusive: &[Opt::Connection, Opt::Service, Opt::Timeout, Opt::Daemon],
};

const START_DAEMON: Rules = Rules {
    required: &[],
    allowed: &[
        Opt::McastInterface,
        Opt::SyncId,
        Opt::McastGroup,
        Opt::McastPort,
        Opt::McastTtl,
        Opt::SyncMaxlen,
    ],
    exclusive: &[],
};

const fn command_rules(command: Command) -> Rules {
    match command {
        Command::AddService | Command::EditService => SERVICE,
        Command::AddServer | Command::EditServer => SERVER,
        Command::DeleteService => Rules { required: &[Opt::Service], ..NOTHING },
        Command::DeleteServer => Rules { required: &[Opt::Service, Opt::RealServer], ..NOTHING },
        Command::Flush | Command::Set | Command::Restore => NOTHING,
        Command::List => LIST,
        Command::Save => Rules { allowed: &[Opt::Numeric], ..NOTHING },
        Command::Zero => Rules { allowed: &[Opt::Service], ..NOTHING },
        Command::StartDaemon => START_DAEMON,
        Command::StopDaemon => Rules { allowed: &[Opt::SyncId], ..NOTHING },
    }
}

const TUNNEL_OPTIONS: [Opt; 5] = [Opt::TunType, Opt::TunPort, Opt::TunNocsum, Opt::TunCsum, Opt::TunRemcsum];

const fn tunnel_rules(kind: TunnelKind) -> (&'static str, Rules) {
    match kind {
        TunnelKind::Ipip => ("ipip", Rules { allowed: &[Opt::TunType], ..NOTHING }),
        TunnelKind::Gue => (
            "gue",
            Rules {
                required: &[Opt::TunPort],
                allowed: &[Opt::TunType],
                exclusive: &[Opt::TunNocsum, Opt::TunCsum, Opt::TunRemcsum],
            },
        ),
        TunnelKind::Gre => (
            "gre",
            Rules { required: &[], allowed: &[Opt::TunType], exclusive: &[Opt::TunNocsum, Opt::TunCsum] },
        ),
    }
}

/// Checks the options given against a command.
pub(crate) fn check_command(command: Command, given: OptSet) -> Result<(), Failure> {
    let of_what = format!("'{}' command", command.name());
    check(&command_rules(command), given, OPTS.iter().map(|row| row.0), &of_what)
}

/// Whether the options given say something about a tunnel.
pub(crate) fn speaks_of_tunnel(given: OptSet) -> bool {
    given.has_any(&TUNNEL_OPTIONS)
}

/// Checks the tunnel options given against a tunnel type.
pub(crate) fn check_tunnel(kind: TunnelKind, given: OptSet) -> Result<(), Failure> {
    let (name, rules) = tunnel_rules(kind);
    check(&rules, given, TUNNEL_OPTIONS.into_iter(), &format!("'{name}' tunnel type"))
}

/// The first option, in matrix order, that breaks the rules is the one reported.
fn check(
    rules: &Rules,
    given: OptSet,
    order: impl Iterator<Item = Opt>,
    of_what: &str,
) -> Result<(), Failure> {
    let mut chosen: Option<Opt> = None;
    for opt in order {
        let text = match (given.has(opt), chosen) {
            (false, _) if rules.required.contains(&opt) => {
                format!("You need to supply the '{opt}' option for the {of_what}")
            }
            (true, Some(other)) if rules.exclusive.contains(&opt) => {
                format!("The option '{opt}' conflicts with the '{other}' option in the {of_what}")
            }
            (true, None) if rules.exclusive.contains(&opt) => {
                chosen = Some(opt);
                continue;
            }
            (true, _) if !rules.required.contains(&opt) && !rules.allowed.contains(&opt) => {
                format!("Illegal '{opt}' option with the {of_what}")
            }
            _ => continue,
        };
        return Err(Failure::invalid(text));
    }
    Ok(())
}

/// Listings of connections, timeouts and daemons have no columns to choose.
pub(crate) fn check_list(given: OptSet) -> Result<(), Failure> {
    let other = [Opt::Connection, Opt::Timeout, Opt::Daemon];
    if given.has_any(&other) && given.has_any(&[Opt::Stats, Opt::Rate, Opt::Thresholds])
        || given.has_any(&[Opt::Timeout, Opt::Daemon]) && given.has(Opt::PersistentConn)
    {
        return Err(Failure::invalid("options conflicts in the list command"));
    }
    Ok(())
}
