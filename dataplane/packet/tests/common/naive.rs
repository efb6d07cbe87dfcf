//! Classification as the rules read, one after the other, with no thought of speed: what the real one must
//! agree with.
use sluice_packet::{Kind, Malformed, Parsed};

pub const NOTHING: Parsed = Parsed {
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

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from(bytes[at]) * 256 + u16::from(bytes[at + 1])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) * 65_536 + u32::from(u16_at(bytes, at + 2))
}

/// The ones'-complement sum, one word at a time, every carry brought in at once.
pub fn slow_sum(bytes: &[u8]) -> u16 {
    let mut sum = 0_u32;
    for (i, byte) in bytes.iter().enumerate() {
        sum += u32::from(*byte) << if i % 2 == 0 { 8 } else { 0 };
        if sum > 0xffff {
            sum -= 0xffff;
        }
    }
    sum as u16
}

pub fn classify(frame: &[u8], frame_len: usize, mac: &[u8; 6], ip_checksum_good: bool) -> Parsed {
    let mut vlan = 0;
    let mut read = || -> Result<Parsed, Malformed> {
        if frame.len() < 14 {
            return Err(Malformed::EthernetTruncated);
        }
        if frame[0] % 2 == 1 && frame[..6] != mac[..] {
            return Ok(NOTHING);
        }
        if frame[..6] != mac[..] {
            return Ok(Parsed { kind: Kind::NotOurs, ..NOTHING });
        }
        let mut l3 = 14;
        while [0x8100, 0x88a8].contains(&u16_at(frame, l3 - 2)) && l3 < 22 {
            if frame.len() < l3 + 4 {
                return Err(Malformed::EthernetTruncated);
            }
            if l3 == 14 {
                vlan = u16_at(frame, l3);
            }
            l3 += 4;
        }
        match u16_at(frame, l3 - 2) {
            0x0800 => ipv4(frame, frame_len, l3, ip_checksum_good),
            0x86dd => ipv6(frame, frame_len, l3),
            _ => Ok(NOTHING),
        }
    };
    let parsed = read().unwrap_or_else(|malformed| Parsed { kind: Kind::Bad, malformed, ..NOTHING });
    Parsed { vlan, ..parsed }
}

fn ipv4(frame: &[u8], frame_len: usize, l3: usize, checksum_good: bool) -> Result<Parsed, Malformed> {
    let ip = &frame[l3..];
    if ip.len() < 20 {
        return Err(Malformed::Ipv4Truncated);
    }
    if ip[0] / 16 != 4 {
        return Err(Malformed::Ipv4Version);
    }
    let header_len = usize::from(ip[0] % 16) * 4;
    if header_len < 20 {
        return Err(Malformed::Ipv4HeaderLength);
    }
    if header_len > ip.len() {
        return Err(Malformed::Ipv4Truncated);
    }
    if !checksum_good && slow_sum(&ip[..header_len]) != 0xffff {
        return Err(Malformed::Ipv4Checksum);
    }
    let ip_len = usize::from(u16_at(ip, 2));
    if ip_len < header_len || ip_len > frame_len - l3 {
        return Err(Malformed::Ipv4TotalLength);
    }
    let parsed = Parsed {
        protocol: ip[9],
        l3: l3 as u16,
        l4: (l3 + header_len) as u16,
        ip_len: ip_len as u16,
        src: u32_at(ip, 12),
        dst: u32_at(ip, 16),
        ..NOTHING
    };
    let nobody = |address: &[u8]| {
        matches!(address[0], 0 | 127) || (224..240).contains(&address[0]) || address == [255; 4]
    };
    if nobody(&ip[12..16]) || nobody(&ip[16..20]) {
        return Ok(parsed);
    }
    let payload = &ip[header_len..ip_len.min(ip.len())];
    let more_or_offset = u16_at(ip, 6) % 0x4000;
    if more_or_offset != 0 {
        let ipsec = parsed.protocol == 50 || parsed.protocol == 51;
        let kind = if ipsec { Kind::Ipsec4 } else { Kind::Fragment4 };
        let later = Parsed { kind, l4: 0, ..parsed };
        if more_or_offset & 0x1fff != 0 {
            return Ok(later);
        }
        let first = transport(parsed, payload, 1);
        return Ok(first.map_or(later, |first| Parsed { kind, ..first }));
    }
    let parsed = transport(parsed, payload, 1)?;
    Ok(match parsed.protocol {
        6 | 17 => Parsed { kind: Kind::Flow4, ..parsed },
        132 => Parsed { kind: Kind::Sctp4, ..parsed },
        50 | 51 => Parsed { kind: Kind::Ipsec4, ..parsed },
        1 if [3, 4, 11].contains(&payload[0]) => Parsed { kind: Kind::IcmpError4, ..parsed },
        _ => parsed,
    })
}

fn ipv6(frame: &[u8], frame_len: usize, l3: usize) -> Result<Parsed, Malformed> {
    let ip = &frame[l3..];
    if ip.len() < 40 {
        return Err(Malformed::Ipv6Truncated);
    }
    if ip[0] / 16 != 6 {
        return Err(Malformed::Ipv6Version);
    }
    let ip_len = 40 + usize::from(u16_at(ip, 4));
    if ip_len > frame_len - l3 {
        return Err(Malformed::Ipv6PayloadLength);
    }
    let nobody = |address: &[u8]| address[0] == 255 || (address[..15] == [0; 15] && address[15] < 2);
    if ip_len > 65_535 || (ip_len == 40 && ip[6] == 0) || nobody(&ip[8..24]) || nobody(&ip[24..40]) {
        return Ok(NOTHING);
    }
    let ip = &ip[..ip_len.min(ip.len())];
    let mut parsed = Parsed { protocol: ip[6], l3: l3 as u16, ip_len: ip_len as u16, ..NOTHING };
    let (mut at, mut extensions, mut fragment) = (40, 0, false);
    while [0, 43, 44, 51, 60].contains(&parsed.protocol) {
        extensions += 1;
        if extensions > 8 || ip.len() < at + 2 {
            return Err(Malformed::Ipv6Extension);
        }
        let len = match parsed.protocol {
            44 => 8,
            51 => usize::from(ip[at + 1]) * 4 + 8,
            _ => usize::from(ip[at + 1]) * 8 + 8,
        };
        if ip.len() < at + len {
            return Err(Malformed::Ipv6Extension);
        }
        let is_fragment = parsed.protocol == 44;
        parsed.protocol = ip[at];
        if is_fragment && u16_at(ip, at + 2) / 8 != 0 {
            return Ok(Parsed { kind: Kind::Fragment6, ..parsed });
        }
        fragment |= is_fragment;
        at += len;
    }
    parsed.l4 = (l3 + at) as u16;
    let parsed = transport(parsed, &ip[at..], 58)?;
    Ok(match parsed.protocol {
        _ if fragment => Parsed { kind: Kind::Fragment6, ..parsed },
        6 | 17 => Parsed { kind: Kind::Flow6, ..parsed },
        132 => Parsed { kind: Kind::Sctp6, ..parsed },
        50 => Parsed { kind: Kind::Ipsec6, ..parsed },
        58 if ip[at] < 128 => Parsed { kind: Kind::IcmpError6, ..parsed },
        _ => parsed,
    })
}

/// Ports and flags; an error where the header is cut off.
fn transport(parsed: Parsed, payload: &[u8], icmp: u8) -> Result<Parsed, Malformed> {
    let need = match parsed.protocol {
        6 => 20,
        17 => 8,
        132 => 12,
        protocol if protocol == icmp => 8,
        _ => return Ok(parsed),
    };
    if payload.len() < need {
        return Err(Malformed::TransportTruncated);
    }
    if parsed.protocol == icmp {
        return Ok(parsed);
    }
    let flags = match parsed.protocol {
        6 => payload[13],
        132 => chunk(&payload[12..]),
        _ => 0,
    };
    Ok(Parsed { flags, sport: u16_at(payload, 0), dport: u16_at(payload, 2), ..parsed })
}

/// The chunk type that counts (reference 3.7): the first, but an ABORT behind COOKIE_ECHO or COOKIE_ACK.
fn chunk(chunks: &[u8]) -> u8 {
    if chunks.len() < 4 {
        return 255;
    }
    let len = usize::from(u16_at(chunks, 2));
    let padded = len.div_ceil(4) * 4;
    match chunks[0] {
        10 | 11 if len > 3 && chunks.len() >= padded + 4 && chunks[padded] == 6 => 6,
        kind if kind < 15 => kind,
        _ => 0,
    }
}
