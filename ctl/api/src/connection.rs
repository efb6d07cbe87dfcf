//! Entries of the connection table, a page at a time.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::real::Forward;

/// One connection or persistence template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Its protocol.
    pub protocol: ConnProtocol,
    /// The client.
    pub client: SocketAddr,
    /// The virtual service; of a mark's template the mark as an IPv4 address (0.0.0.7:0), as IPVS shows it.
    #[serde(rename = "virtual")]
    pub virtual_: SocketAddr,
    /// The real server.
    pub destination: SocketAddr,
    /// The state's name as IPVS has it: `ESTABLISHED`, `SYN_RECV`, `UDP`, `NONE`, ...
    pub state: String,
    /// Seconds until it expires if no packet comes.
    pub expires_s: u32,
    /// How its packets are forwarded; chosen when it was made, whatever the real server's method is now.
    pub forward: Forward,
    /// Whether it is a persistence template.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub template: bool,
    /// The persistence engine that keyed the template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pe_name: Option<String>,
    /// What that engine keyed it by (a Call-ID), non-printing bytes replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pe_data: Option<String>,
}

/// The protocol of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConnProtocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
    /// Any: the template of a mark.
    Ip,
}

impl ConnProtocol {
    /// The name in a listing.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
            Self::Ip => "IP",
        }
    }
}

/// A page of the connection table. The table moves while it is read: an entry made or gone between two pages may
/// be missed, none that stays is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionPage {
    /// At most `limit` entries, in table order; may be fewer, even none, before the last page.
    pub connections: Vec<Connection>,
    /// The cursor of the next page; absent after the last. Below 2^53.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}
