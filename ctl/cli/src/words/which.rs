//! Which service, and which real server of it, in ipvsadm's letters.

use clap::Args;
use sluice_api::{Family, Protocol, RealId, ServiceId};

use crate::address::{self, SYSTEM};
use crate::failure::Failure;

#[derive(Args)]
#[group(required = true, multiple = false)]
pub(super) struct Service {
    /// TCP service
    #[arg(short = 't', long = "tcp-service", value_name = "ADDRESS[:PORT]")]
    tcp: Option<String>,
    /// UDP service
    #[arg(short = 'u', long = "udp-service", value_name = "ADDRESS[:PORT]")]
    udp: Option<String>,
    /// SCTP service
    #[arg(long = "sctp-service", value_name = "ADDRESS[:PORT]")]
    sctp: Option<String>,
    /// Service of packets with this mark
    #[arg(short = 'f', long = "fwmark-service", value_name = "MARK",
          value_parser = clap::value_parser!(u32).range(1..))]
    mark: Option<u32>,
}

impl Service {
    /// The service named; `ipv6` is of a mark's.
    pub(super) fn id(&self, ipv6: bool) -> Result<ServiceId, Failure> {
        let family = if ipv6 { Family::Ipv6 } else { Family::Ipv4 };
        let word = match (&self.tcp, &self.udp, &self.sctp, self.mark) {
            (Some(word), ..) => Some((Protocol::Tcp, word)),
            (_, Some(word), ..) => Some((Protocol::Udp, word)),
            (.., Some(word), _) => Some((Protocol::Sctp, word)),
            (.., Some(fwmark)) => return Ok(ServiceId::Mark { fwmark, family }),
            _ => None,
        };
        let found = word.and_then(|(protocol, word)| {
            let (address, port) = address::endpoint(word, Some(protocol), SYSTEM)?;
            Some(ServiceId::Address { protocol, address, port: port.unwrap_or(0) })
        });
        found.ok_or_else(|| Failure::invalid("illegal virtual server address[:port] specified"))
    }
}

/// The real server that a word names; without a port, by that of the service.
pub(super) fn real(word: &str, service: &ServiceId) -> Result<RealId, Failure> {
    let (protocol, own) = match *service {
        ServiceId::Address { protocol, port, .. } => (protocol, port),
        ServiceId::Mark { .. } => (Protocol::Tcp, 0),
    };
    let (address, port) = address::endpoint(word, Some(protocol), SYSTEM)
        .ok_or_else(|| Failure::invalid("illegal real server address[:port] specified"))?;
    Ok(RealId { address, port: port.unwrap_or(own) })
}
