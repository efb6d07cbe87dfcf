//! Why packets are dropped: one enum, one name, one counter each.
use sluice_packet::Malformed;

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $name:literal),+ $(,)?) => {
        /// Why a packet was dropped. The name is the counter's in every listing.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum DropReason { $($(#[$doc])* $variant),+ }

        impl DropReason {
            /// Every reason, in the order of the counters.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The counter's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
    };
}

reasons! {
    /// Shorter than its Ethernet header and VLAN tags.
    EthernetTruncated = "ethernet_truncated",
    /// IPv4 header cut off.
    Ipv4Truncated = "ipv4_truncated",
    /// IPv4 version field is not 4.
    Ipv4Version = "ipv4_version",
    /// IPv4 header length under 20 bytes.
    Ipv4HeaderLength = "ipv4_header_length",
    /// IPv4 total length under the header's or over the frame's.
    Ipv4TotalLength = "ipv4_total_length",
    /// IPv4 header checksum wrong.
    Ipv4Checksum = "ipv4_checksum",
    /// IPv6 header cut off.
    Ipv6Truncated = "ipv6_truncated",
    /// IPv6 version field is not 6.
    Ipv6Version = "ipv6_version",
    /// IPv6 payload length over the frame's.
    Ipv6PayloadLength = "ipv6_payload_length",
    /// IPv6 extension header cut off, or too many of them.
    Ipv6Extension = "ipv6_extension",
    /// Transport header cut off.
    TransportTruncated = "transport_truncated",
    /// Unicast to another MAC address than the port's.
    NotOurs = "not_ours",
    /// An SCTP packet of no flow, to a service, has no whole chunk.
    SctpNoChunk = "sctp_no_chunk",
    /// The ICMP checksum of an error about a flow's packet is wrong.
    IcmpChecksum = "icmp_checksum",
    /// A service with the SIP engine has to know a packet's Call-ID, and finds none.
    SipNoCallId = "sip_no_call_id",
    /// The flow's real server was removed (and expire_nodest_conn is off).
    RealGone = "real_gone",
    /// No real server of the service can take a new connection.
    NoReal = "no_real",
    /// One of the new flows that the drop_packet defence turns away.
    DropPacket = "drop_packet",
    /// The time to live ran out here.
    TtlExpired = "ttl_expired",
    /// No route to the next hop.
    NoRoute = "no_route",
    /// The route to a tunnelled real names no source for the packets of the tunnel.
    NoTunnelSource = "no_tunnel_source",
    /// The frame's buffer has no room in front for the headers of the tunnel.
    NoHeadroom = "no_headroom",
    /// The tunnel has a checksum, and the packet does not lie in one piece.
    TunnelChecksum = "tunnel_checksum",
    /// The IP packet is larger than the next hop's port takes.
    MtuExceeded = "mtu_exceeded",
    /// The flow table is full.
    FlowTableFull = "flow_table_full",
    /// The table of persistence templates is full.
    TemplateTableFull = "template_table_full",
    /// The device's transmit queue was full.
    TxFull = "tx_full",
    /// Another lcore's ring was full.
    RingFull = "ring_full",
    /// The slow path's ring was full: more packets for the kernel than it takes.
    SlowRingFull = "slow_ring_full",
    /// For the kernel, but the port has no kernel twin.
    NoTwin = "no_twin",
    /// The kernel twin's queue was full.
    TwinFull = "twin_full",
    /// Too many packets wait for this neighbour.
    NeighbourQueueFull = "neighbour_queue_full",
    /// The neighbour did not answer in time.
    NeighbourTimeout = "neighbour_timeout",
}

impl DropReason {
    /// How many reasons there are.
    pub const COUNT: usize = Self::ALL.len();

    /// The reason of a malformed frame.
    #[must_use]
    pub const fn of_malformed(malformed: Malformed) -> Self {
        match malformed {
            Malformed::None | Malformed::EthernetTruncated => Self::EthernetTruncated,
            Malformed::Ipv4Truncated => Self::Ipv4Truncated,
            Malformed::Ipv4Version => Self::Ipv4Version,
            Malformed::Ipv4HeaderLength => Self::Ipv4HeaderLength,
            Malformed::Ipv4TotalLength => Self::Ipv4TotalLength,
            Malformed::Ipv4Checksum => Self::Ipv4Checksum,
            Malformed::Ipv6Truncated => Self::Ipv6Truncated,
            Malformed::Ipv6Version => Self::Ipv6Version,
            Malformed::Ipv6PayloadLength => Self::Ipv6PayloadLength,
            Malformed::Ipv6Extension => Self::Ipv6Extension,
            Malformed::TransportTruncated => Self::TransportTruncated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::DropReason;

    #[test]
    fn counters_are_in_the_order_of_the_reasons() {
        for (place, reason) in DropReason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, place);
        }
    }
}
