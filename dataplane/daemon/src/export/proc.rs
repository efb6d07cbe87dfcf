//! The kernel's /proc/net/ip_vs, ip_vs_stats and ip_vs_conn, byte for byte (kernel `ip_vs_ctl.c`, `ip_vs_conn.c`).

use std::fmt::Write;
use std::net::{IpAddr, Ipv6Addr};

use sluice_api::{Connection, Forward, Netmask, Protocol, RealEntry, ServiceEntry, ServiceId, Totals};

/// Debian's kernel counts 250 jiffies a second, and shows a persistence timeout in them.
const HZ: u32 = 250;

/// `ip_vs`. SCTP comes last: node_exporter does not know it, and takes its real servers for those of the service before.
pub(super) fn ip_vs(ipvs: &str, size: u64, services: &[ServiceEntry]) -> String {
    let mut text = format!(
        "IP Virtual Server version {ipvs} (size={size})\nProt LocalAddress:Port Scheduler Flags\n  \
         -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n"
    );
    let sctp = |service: &&ServiceEntry| {
        matches!(service.spec.id, ServiceId::Address { protocol: Protocol::Sctp, .. })
    };
    let (last, first): (Vec<_>, Vec<_>) = services.iter().partition(sctp);
    for service in first.into_iter().chain(last) {
        text += &service_line(service);
        service.reals.iter().for_each(|real| text += &real_line(real));
    }
    text
}

fn service_line(service: &ServiceEntry) -> String {
    let spec = &service.spec;
    let ops = if spec.one_packet { "ops " } else { "" };
    let mut line = match spec.id {
        ServiceId::Address { protocol, address, port } => {
            let place = endpoint(address, port);
            let name = protocol.name().to_uppercase();
            match address {
                IpAddr::V4(_) => format!("{name}  {place} {} {ops} ", spec.scheduler),
                IpAddr::V6(_) => format!("{name}  {place} {} ", spec.scheduler),
            }
        }
        ServiceId::Mark { fwmark, .. } => format!("FWM  {fwmark:08X} {} {ops}", spec.scheduler),
    };
    if let Some(persistence) = spec.persistent {
        let mask = match persistence.netmask {
            Some(Netmask::V4(mask)) => mask.to_bits(),
            // The kernel prints the prefix length through ntohl().
            Some(Netmask::V6(length)) => u32::from(length).swap_bytes(),
            None if spec.id.family() == sluice_api::Family::Ipv6 => 128_u32.swap_bytes(),
            None => u32::MAX,
        };
        let jiffies = u64::from(persistence.timeout) * u64::from(HZ);
        line += &format!("persistent {jiffies} {mask:08X}");
    }
    line + "\n"
}

fn real_line(real: &RealEntry) -> String {
    let forward = match real.spec.forward {
        Forward::Masq => "Masq",
        Forward::Route => "Route",
        Forward::Tunnel => "Tunnel",
        Forward::Local => "Local",
        Forward::Bypass => "Bypass",
    };
    format!(
        "  -> {}      {forward:<7} {:<6} {:<10} {:<10}\n",
        endpoint(real.spec.id.address, real.spec.id.port),
        real.spec.weight,
        real.active,
        real.inactive
    )
}

fn endpoint(address: IpAddr, port: u16) -> String {
    match address {
        IpAddr::V4(address) => format!("{:08X}:{port:04X}", address.to_bits()),
        IpAddr::V6(address) => format!("[{}]:{port:04X}", full(address)),
    }
}

/// All eight groups with their zeros (`%pI6`).
fn full(address: Ipv6Addr) -> String {
    address.segments().map(|group| format!("{group:04x}")).join(":")
}

/// `ip_vs_stats`: counters, and rates a second.
pub(super) fn ip_vs_stats(totals: &Totals) -> String {
    let Totals { stats, rates } = totals;
    let row = |[conns, in_packets, out_packets, in_bytes, out_bytes]: [u64; 5]| {
        format!("{conns:8X} {in_packets:8X} {out_packets:8X} {in_bytes:16X} {out_bytes:16X}\n")
    };
    [
        "   Total Incoming Outgoing         Incoming         Outgoing\n",
        "   Conns  Packets  Packets            Bytes            Bytes\n",
        &row([stats.conns, stats.in_packets, stats.out_packets, stats.in_bytes, stats.out_bytes]),
        "\n",
        " Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s\n",
        &row([rates.cps, rates.in_pps, rates.out_pps, rates.in_bps, rates.out_bps]),
    ]
    .concat()
}

/// The first line of `ip_vs_conn`.
pub(super) const CONN_TITLES: &str =
    "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n";

/// A line of `ip_vs_conn` after the other.
pub(super) fn ip_vs_conn(text: &mut String, connections: &[Connection]) {
    for connection in connections {
        let place = |at: std::net::SocketAddr| match at.ip() {
            IpAddr::V4(address) => format!("{:08X} {:04X}", address.to_bits(), at.port()),
            IpAddr::V6(address) => format!("{} {:04X}", full(address), at.port()),
        };
        // A String takes whatever is written.
        let _ = write!(
            text,
            "{:<3} {} {} {} {:<11} {:7}",
            connection.protocol.label(),
            place(connection.client),
            place(connection.virtual_),
            place(connection.destination),
            connection.state,
            connection.expires_s
        );
        if let (Some(name), Some(data)) = (&connection.pe_name, &connection.pe_data) {
            let _ = write!(text, " {name} {data}");
        }
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sluice_api::{Rates, Stats};

    use super::*;

    fn service(spec: serde_json::Value, reals: &[(&str, u16)]) -> ServiceEntry {
        let real = |(address, port): &(&str, u16)| RealEntry {
            spec: serde_json::from_value(
                json!({"id": {"address": address, "port": port}, "forward": "masq", "weight": 3}),
            )
            .expect("a real"),
            active: 2,
            inactive: 1,
            persistent: 0,
            stats: Stats::default(),
            rates: Rates::default(),
        };
        ServiceEntry {
            spec: serde_json::from_value(spec).expect("a service"),
            stats: Stats::default(),
            rates: Rates::default(),
            reals: reals.iter().map(real).collect(),
        }
    }

    /// The lines are the kernel's, as it printed them for the same services.
    #[test]
    fn services_are_listed_as_by_the_kernel() {
        let services = [
            service(
                json!({"id": {"protocol": "sctp", "address": "10.0.0.1", "port": 80}, "scheduler": "rr"}),
                &[],
            ),
            service(
                json!({"id": {"protocol": "tcp", "address": "10.0.0.1", "port": 80}, "scheduler": "rr"}),
                &[("192.168.1.2", 8080)],
            ),
            service(
                json!({"id": {"protocol": "udp", "address": "10.0.0.1", "port": 53}, "scheduler": "wrr",
                       "one_packet": true}),
                &[],
            ),
            service(
                json!({"id": {"protocol": "tcp", "address": "10.0.0.1", "port": 81}, "scheduler": "rr",
                       "persistent": {"timeout": 600, "netmask": "255.255.255.0"}}),
                &[],
            ),
            service(
                json!({"id": {"protocol": "tcp", "address": "2001:db8::1", "port": 80}, "scheduler": "lc",
                       "persistent": {"timeout": 120, "netmask": 64}}),
                &[("fd00::1", 8080)],
            ),
            service(json!({"id": {"fwmark": 7}, "scheduler": "wlc", "persistent": {"timeout": 300}}), &[]),
            service(json!({"id": {"fwmark": 8}, "scheduler": "wlc"}), &[]),
        ];
        let want = "\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  0A000001:0050 rr  \n  -> C0A80102:1F90      Masq    3      2          1         
UDP  0A000001:0035 wrr ops  
TCP  0A000001:0051 rr  persistent 150000 FFFFFF00
TCP  [2001:0db8:0000:0000:0000:0000:0000:0001]:0050 lc persistent 30000 40000000
  -> [fd00:0000:0000:0000:0000:0000:0000:0001]:1F90      Masq    3      2          1         
FWM  00000007 wlc persistent 75000 FFFFFFFF
FWM  00000008 wlc \nSCTP  0A000001:0050 rr  \n";
        assert_eq!(ip_vs("1.2.1", 4096, &services), want);
    }

    #[test]
    fn totals_are_hexadecimal() {
        let stats = Stats { conns: 3, in_packets: 1005, out_packets: 0, in_bytes: 100_200, out_bytes: 0 };
        let rates = Rates { cps: 0, in_pps: 53, out_pps: 0, in_bps: 5280, out_bps: 0 };
        let want = "   Total Incoming Outgoing         Incoming         Outgoing
   Conns  Packets  Packets            Bytes            Bytes
       3      3ED        0            18768                0

 Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s
       0       35        0             14A0                0
";
        assert_eq!(ip_vs_stats(&Totals { stats, rates }), want);
    }

    #[test]
    fn connections_are_listed_as_by_the_kernel() {
        let connections: Vec<Connection> = serde_json::from_value(json!([
            {"protocol": "tcp", "client": "172.16.7.7:7000", "virtual": "10.0.1.61:80",
             "destination": "192.168.1.2:80", "state": "ESTABLISHED", "expires_s": 898, "forward": "masq"},
            {"protocol": "tcp", "client": "172.16.5.5:1000", "virtual": "10.0.1.45:80",
             "destination": "[fd00::3]:80", "state": "SYN_RECV", "expires_s": 52, "forward": "tunnel"},
            {"protocol": "udp", "client": "172.16.7.7:0", "virtual": "10.0.1.64:5060",
             "destination": "192.168.1.2:5060", "state": "NONE", "expires_s": 59, "forward": "masq",
             "template": true, "pe_name": "sip", "pe_data": "abc@1"},
            {"protocol": "ip", "client": "172.16.7.7:0", "virtual": "0.0.0.9:0",
             "destination": "192.168.1.2:0", "state": "NONE", "expires_s": 199, "forward": "masq", "template": true},
        ]))
        .expect("connections");
        let mut text = CONN_TITLES.to_owned();
        ip_vs_conn(&mut text, &connections);
        let want = "\
Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData
TCP AC100707 1B58 0A00013D 0050 C0A80102 0050 ESTABLISHED     898
TCP AC100505 03E8 0A00012D 0050 fd00:0000:0000:0000:0000:0000:0000:0003 0050 SYN_RECV         52
UDP AC100707 0000 0A000140 13C4 C0A80102 13C4 NONE             59 sip abc@1
IP  AC100707 0000 00000009 0000 C0A80102 0000 NONE            199
";
        assert_eq!(text, want);
    }
}
