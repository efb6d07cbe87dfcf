//! How packets to a tunnelled real server are wrapped.

/// The headers between the outer IP header and the packet inside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TunnelKind {
    /// None (RFC 2003, RFC 2473).
    #[default]
    Ipip,
    /// UDP and Generic UDP Encapsulation.
    Gue,
    /// Generic Routing Encapsulation (RFC 2784).
    Gre,
}

/// The checksum of the encapsulation; IP in IP has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TunnelChecksum {
    /// None.
    #[default]
    None,
    /// UDP's, or GRE's own.
    Full,
    /// Remote checksum offload, of GUE. It is for packets whose transport checksum a device was still to compute; those that
    /// come in by a port have theirs, so that it is `Full` on the wire.
    Remote,
}

/// The encapsulation of a real server (`--tun-type`, `--tun-port`, `--tun-csum` and its like).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Encapsulation {
    /// Which.
    pub kind: TunnelKind,
    /// UDP destination port of GUE, not 0 there; others make nothing of it.
    pub port: u16,
    /// Its checksum.
    pub checksum: TunnelChecksum,
}
