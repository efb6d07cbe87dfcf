//! What classification says of a frame: its kind, its offsets and its addresses.

/// What a frame is to the load balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// IPv4 with a whole TCP or UDP header (its first 20 or 8 bytes): may be service traffic.
    Flow4,
    /// As `Flow4`, over IPv6.
    Flow6,
    /// IPv4 with a whole SCTP common header (12 bytes): may be service traffic.
    Sctp4,
    /// As `Sctp4`, over IPv6.
    Sctp6,
    /// IPv4 with ESP or AH, fragments included (of a later one `l4` is 0): may belong to a flow of service
    /// traffic between the same hosts.
    Ipsec4,
    /// IPv6 with ESP. AH is passed over, as the kernel does (`ipv6_find_hdr`): what follows it counts.
    Ipsec6,
    /// An ICMP error (types 3, 4, 11) that quotes an IPv4 packet: belongs to the quoted packet's flow.
    IcmpError4,
    /// An ICMPv6 error (types below 128).
    IcmpError6,
    /// A fragment of an IPv4 packet, the first included, of other protocols than ESP and AH. Only a first one
    /// with a whole transport header has `l4`, ports and flags.
    Fragment4,
    /// A fragment of an IPv6 packet, the first included, and so an atomic one (RFC 6946), which is a whole
    /// packet. Only a first one has `l4`, ports and flags.
    Fragment6,
    /// Sound, and not for the load balancer: ARP, LLDP, echo, other IP protocols, multicast, broadcast, more
    /// than two VLAN tags. Also an IP address that no host has on a wire (0/8, 127/8, ::, ::1, a multicast
    /// source), for the kernel to refuse, and an IPv6 packet of more than 65,535 bytes.
    Other,
    /// Unicast to a MAC address that is not the port's.
    NotOurs,
    /// Broken: [`Parsed::malformed`] says how.
    Bad,
}

/// Why a frame is broken. Each has a drop counter of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Malformed {
    /// Not a broken frame.
    None,
    /// Shorter than its Ethernet header and VLAN tags.
    EthernetTruncated,
    /// IPv4: shorter than 20 bytes, or than its header length says.
    Ipv4Truncated,
    /// IPv4: the version field is not 4.
    Ipv4Version,
    /// IPv4: the header length is under 20 bytes.
    Ipv4HeaderLength,
    /// IPv4: the total length is under the header length or over the frame.
    Ipv4TotalLength,
    /// IPv4: the header checksum is wrong.
    Ipv4Checksum,
    /// IPv6: shorter than 40 bytes.
    Ipv6Truncated,
    /// IPv6: the version field is not 6.
    Ipv6Version,
    /// IPv6: the payload length is over the frame (a jumbogram, which states none, is [`Kind::Other`]).
    Ipv6PayloadLength,
    /// IPv6: an extension header is cut off or reaches over the packet, or there are more than eight.
    Ipv6Extension,
    /// TCP, UDP, SCTP, ICMP or ICMPv6: the header is cut off.
    TransportTruncated,
}

/// The outcome of classification. Addresses and ports are in host order; offsets count from the first byte of
/// the frame.
///
/// Fields that a kind does not have are 0: [`Kind::Bad`] has the tag at most, [`Kind::Other`] what was read
/// before it was clear that the packet is not for the load balancer (`l3` is 0 where that was before the IP
/// header). For IPv6 the addresses are read from the frame (`l3 + 8`, `l3 + 24`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Parsed {
    /// What the frame is.
    pub kind: Kind,
    /// Why it is broken, where `kind` is [`Kind::Bad`].
    pub malformed: Malformed,
    /// The IP protocol of the transport header (IPv6: after the extension headers).
    pub protocol: u8,
    /// The TCP flags byte (FIN 0x01, SYN 0x02, RST 0x04, ACK 0x10); for SCTP the type of the chunk that tells
    /// what the packet does (see [`SctpChunk::telling`](crate::header::SctpChunk::telling)); else 0.
    pub flags: u8,
    /// Offset of the IP header: 14, or more after VLAN tags.
    pub l3: u16,
    /// Offset of the transport header; 0 where there is none, as in a later fragment.
    pub l4: u16,
    /// Length of the IP packet in bytes, its header included; what follows in the frame is padding.
    pub ip_len: u16,
    /// The outermost VLAN tag (priority and id), 0 where there is none.
    pub vlan: u16,
    /// IPv4 source address.
    pub src: u32,
    /// IPv4 destination address.
    pub dst: u32,
    /// Source port.
    pub sport: u16,
    /// Destination port.
    pub dport: u16,
}

impl Parsed {
    /// What is known before anything has been read.
    pub const NOTHING: Self = Self {
        kind: Kind::Other,
        malformed: Malformed::None,
        protocol: 0,
        flags: 0,
        l3: 0,
        l4: 0,
        ip_len: 0,
        vlan: 0,
        src: 0,
        dst: 0,
        sport: 0,
        dport: 0,
    };
}
