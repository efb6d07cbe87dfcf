//! What the options of a line have said so far.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use sluice_api::{
    Checksum, Family, Forward, Netmask, Protocol, RealId, SchedFlag, ServiceId, SyncRole, Timeouts, Tunnel,
    TunnelKind,
};

use crate::address::{self, Lookup};
use crate::failure::Failure;
use crate::numbers;
use crate::options::{Action, Opt, OptSet};

/// The longest timeout in seconds: 31 days.
const MAX_TIMEOUT: i64 = 2_678_400;
/// `-p` without a number, in seconds.
const DEFAULT_PERSISTENCE: u32 = 360;

/// Values as read; defaults where nothing was.
#[derive(Debug)]
pub(crate) struct Draft {
    lookup: Lookup,
    pub(crate) given: OptSet,
    service: Option<ServiceId>,
    pub(crate) scheduler: String,
    /// Read once the scheduler is known for sure.
    pub(crate) flags_word: Option<String>,
    pub(crate) flags: Vec<SchedFlag>,
    pub(crate) persistent: Option<u32>,
    pub(crate) netmask: Netmask,
    pub(crate) pe: Option<String>,
    pub(crate) real: Option<RealId>,
    pub(crate) forward: Forward,
    pub(crate) weight: u32,
    pub(crate) upper_threshold: u32,
    pub(crate) lower_threshold: u32,
    pub(crate) tunnel: Tunnel,
    pub(crate) timeouts: Timeouts,
    pub(crate) role: SyncRole,
    pub(crate) interface: String,
    pub(crate) sync_id: u8,
    pub(crate) max_length: Option<u16>,
    pub(crate) group: Option<IpAddr>,
    pub(crate) mcast_port: Option<u16>,
    pub(crate) ttl: Option<u8>,
    pub(crate) json: bool,
    pub(crate) socket: Option<PathBuf>,
}

impl Draft {
    pub(crate) fn new(lookup: Lookup) -> Self {
        Self {
            lookup,
            given: OptSet::default(),
            service: None,
            scheduler: String::new(),
            flags_word: None,
            flags: Vec::new(),
            persistent: None,
            netmask: Netmask::V4(Ipv4Addr::BROADCAST),
            pe: None,
            real: None,
            forward: Forward::Route,
            weight: 1,
            upper_threshold: 0,
            lower_threshold: 0,
            tunnel: Tunnel { kind: TunnelKind::Ipip, port: 0, checksum: Checksum::None },
            timeouts: Timeouts { tcp: 0, tcp_fin: 0, udp: 0 },
            role: SyncRole::Master,
            interface: String::new(),
            sync_id: 0,
            max_length: None,
            group: None,
            mcast_port: None,
            ttl: None,
            json: false,
            socket: None,
        }
    }

    pub(crate) const fn service_id(&self) -> Option<ServiceId> {
        self.service
    }

    /// Takes in an option. `word` is its argument, empty where `has_word` is false.
    pub(crate) fn take(&mut self, action: Action, word: &str, has_word: bool) -> Result<(), Failure> {
        match action {
            Action::Service(protocol) => self.take_service(word, protocol),
            Action::Mark => self.take_mark(word),
            Action::Ipv6 => self.take_ipv6(),
            Action::Forward(forward) => {
                self.forward = forward;
                self.count(Opt::Forward)
            }
            Action::Checksum(checksum) => {
                self.tunnel.checksum = checksum;
                self.count(match checksum {
                    Checksum::None => Opt::TunNocsum,
                    Checksum::Csum => Opt::TunCsum,
                    Checksum::Remcsum => Opt::TunRemcsum,
                })
            }
            Action::Opt(opt) => {
                self.count(opt)?;
                self.take_value(opt, word, has_word)
            }
            Action::Json => {
                self.json = true;
                Ok(())
            }
            Action::Socket => {
                self.socket = Some(word.into());
                Ok(())
            }
            Action::Sort | Action::Command(_) | Action::Help | Action::Version => Ok(()),
        }
    }

    fn count(&mut self, opt: Opt) -> Result<(), Failure> {
        if self.given.insert(opt) {
            return Ok(());
        }
        Err(Failure::invalid(format!("multiple '{opt}' options specified")))
    }

    fn take_service(&mut self, word: &str, protocol: Protocol) -> Result<(), Failure> {
        self.count(Opt::Service)?;
        let Some((address, port)) = address::endpoint(word, Some(protocol), self.lookup) else {
            return Err(Failure::invalid("illegal virtual server address[:port] specified"));
        };
        if address.is_ipv6() {
            self.netmask = Netmask::V6(128);
        }
        self.service = Some(ServiceId::Address { protocol, address, port: port.unwrap_or(0) });
        Ok(())
    }

    fn take_mark(&mut self, word: &str) -> Result<(), Failure> {
        self.count(Opt::Service)?;
        let mark = numbers::parse(word, 1..=i64::from(u32::MAX)).and_then(|n| u32::try_from(n).ok());
        let Some(fwmark) = mark else {
            return Err(Failure::invalid(format!("invalid fwmark value `{word}' specified")));
        };
        self.service = Some(ServiceId::Mark { fwmark, family: Family::Ipv4 });
        Ok(())
    }

    fn take_ipv6(&mut self) -> Result<(), Failure> {
        let Some(ServiceId::Mark { fwmark, .. }) = self.service else {
            return Err(Failure::invalid("-6 used before -f\n"));
        };
        self.service = Some(ServiceId::Mark { fwmark, family: Family::Ipv6 });
        self.netmask = Netmask::V6(128);
        Ok(())
    }

    fn take_value(&mut self, opt: Opt, word: &str, has_word: bool) -> Result<(), Failure> {
        match opt {
            Opt::Scheduler => self.scheduler = cut(word, 15),
            Opt::Persistent if has_word => self.persistent = Some(timeout(word, 1)?),
            Opt::Persistent => self.persistent = Some(DEFAULT_PERSISTENCE),
            Opt::Netmask => self.netmask = self.mask(word)?,
            Opt::RealServer => self.real = Some(self.real_server(word)?),
            Opt::Weight => self.weight = number(word, 0..=MAX_INT, "illegal weight specified")?,
            Opt::UThreshold => {
                self.upper_threshold = number(word, 0..=MAX_INT, "illegal u_threshold specified")?;
            }
            Opt::LThreshold => {
                self.lower_threshold = number(word, 0..=MAX_INT, "illegal l_threshold specified")?;
            }
            Opt::Pe => self.pe = Some(cut(word, 16)).filter(|name| !name.is_empty()),
            Opt::SchedFlags => self.flags_word = Some(word.to_owned()),
            Opt::McastInterface => self.interface = cut(word, 15),
            Opt::SyncId => self.sync_id = number(word, 0..=255, "illegal syncid specified")?,
            Opt::McastGroup => self.group = Some(multicast(word)?),
            Opt::McastPort => {
                self.mcast_port = Some(number(word, 1..=65535, "illegal mcast-port specified")?);
            }
            Opt::McastTtl => self.ttl = Some(number(word, 1..=255, "illegal mcast-ttl specified")?),
            Opt::SyncMaxlen => {
                self.max_length = Some(number(word, 1..=65507, "illegal sync-maxlen specified")?);
            }
            Opt::TunType => self.tunnel.kind = tunnel_kind(word)?,
            Opt::TunPort => self.tunnel.port = number(word, 1..=65535, "illegal tunnel port specified")?,
            _ => {}
        }
        Ok(())
    }

    /// A service of IPv6 must be known by now: before it, a mask is read as IPv4's and then lost.
    fn mask(&self, word: &str) -> Result<Netmask, Failure> {
        if self.service.is_some_and(|id| id.family() == Family::Ipv6) {
            let length = leading_number(word).and_then(|n| u8::try_from(n).ok());
            return length
                .filter(|n| (1..=128).contains(n))
                .map(Netmask::V6)
                .ok_or_else(|| Failure::invalid("illegal ipv6 netmask specified"));
        }
        address::ipv4(word, self.lookup)
            .map(Netmask::V4)
            .ok_or_else(|| Failure::invalid("illegal virtual server persistent mask specified"))
    }

    /// A port left out is the service's, if that stands before.
    fn real_server(&self, word: &str) -> Result<RealId, Failure> {
        let (protocol, service_port) = match self.service {
            Some(ServiceId::Address { protocol, port, .. }) => (Some(protocol), port),
            // Marks are TCP to the kernel, and so are their port names.
            Some(ServiceId::Mark { .. }) => (Some(Protocol::Tcp), 0),
            None => (None, 0),
        };
        address::endpoint(word, protocol, self.lookup)
            .map(|(address, port)| RealId { address, port: port.unwrap_or(service_port) })
            .ok_or_else(|| Failure::invalid("illegal real server address[:port] specified"))
    }
}

const MAX_INT: i64 = i32::MAX as i64;

fn number<T: TryFrom<i64>>(
    word: &str,
    range: std::ops::RangeInclusive<i64>,
    complaint: &str,
) -> Result<T, Failure> {
    numbers::parse(word, range).and_then(|n| T::try_from(n).ok()).ok_or_else(|| Failure::invalid(complaint))
}

/// Seconds, `min..=2678400`.
pub(crate) fn timeout(word: &str, min: i64) -> Result<u32, Failure> {
    number(word, min..=MAX_TIMEOUT, &format!("invalid timeout value `{word}' specified"))
}

/// The number a word begins with, as C's atoi reads it: what follows is ignored.
fn leading_number(word: &str) -> Option<i64> {
    let word = word.trim_start();
    let sign = usize::from(word.starts_with(['+', '-']));
    let digits = word.bytes().skip(sign).take_while(u8::is_ascii_digit).count();
    numbers::parse(word.get(..sign + digits)?, i64::MIN..=i64::MAX)
}

/// The kernel's name fields are of fixed size; ipvsadm cuts without a word.
fn cut(word: &str, max: usize) -> String {
    let end = (0..=max.min(word.len())).rev().find(|&at| word.is_char_boundary(at)).unwrap_or(0);
    word[..end].to_owned()
}

fn multicast(word: &str) -> Result<IpAddr, Failure> {
    if word.contains(':') {
        let group = word.parse::<Ipv6Addr>().ok().filter(Ipv6Addr::is_multicast);
        return group
            .map(IpAddr::V6)
            .ok_or_else(|| Failure::invalid(format!("invalid IPv6 mcast-group `{word}'")));
    }
    let group = word.parse::<Ipv4Addr>().ok().filter(Ipv4Addr::is_multicast);
    group.map(IpAddr::V4).ok_or_else(|| Failure::invalid(format!("invalid IPv4 mcast-group `{word}'")))
}

fn tunnel_kind(word: &str) -> Result<TunnelKind, Failure> {
    match word {
        "ipip" => Ok(TunnelKind::Ipip),
        "gue" => Ok(TunnelKind::Gue),
        "gre" => Ok(TunnelKind::Gre),
        _ => Err(Failure::invalid("illegal tunnel type specified")),
    }
}
