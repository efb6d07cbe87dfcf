//! Opening and starting the ports of the configuration.

use sluice_dpdk::{
    Eal, EalArgs, Error, Mempool, MempoolConfig, Port, PortConfig, PortInfo, Rss, RssFields, RxQueue,
    Started, StartedPort, TxQueue,
};

use crate::config;

/// Ethernet header, VLAN tags and checksum: what a frame has beyond its MTU.
const FRAME_OVERHEAD: u16 = 14 + 8 + 4;
/// Headroom of a packet buffer.
const HEADROOM: u16 = 128;
/// Packet buffers that each lcore keeps at hand.
const CACHE: u32 = 256;

/// A started port.
#[derive(Debug)]
pub(crate) struct OpenPort {
    /// Its configuration.
    pub(crate) config: config::Port,
    /// Counters and link.
    pub(crate) port: StartedPort,
    /// Receive queues, at most one a worker.
    pub(crate) rx: Vec<RxQueue>,
    /// Transmit queues, at most one a worker.
    pub(crate) tx: Vec<TxQueue>,
    /// MAC address.
    pub(crate) mac: [u8; 6],
}

/// The PCI address that a device is named by, in full; `None` where the device is a virtual one.
fn pci_address(device: &str) -> Option<String> {
    let (address, arguments) = match device.split_once(',') {
        Some((address, arguments)) => (address, format!(",{arguments}")),
        None => (device, String::new()),
    };
    let hex = |text: &str, length| text.len() == length && text.chars().all(|c| c.is_ascii_hexdigit());
    let (rest, function) = address.rsplit_once('.')?;
    let mut parts: Vec<&str> = rest.split(':').collect();
    if parts.len() == 2 {
        parts.insert(0, "0000");
    }
    let [domain, bus, slot] = parts[..] else { return None };
    let sound = hex(domain, 4) && hex(bus, 2) && hex(slot, 2) && hex(function, 1);
    sound.then(|| format!("{domain}:{bus}:{slot}.{function}{arguments}"))
}

/// Tells the EAL of the PCI devices: they are probed when it starts, virtual ones when their port is opened.
pub(crate) fn allow(args: EalArgs, ports: &[config::Port]) -> EalArgs {
    ports.iter().filter_map(|port| pci_address(&port.device)).fold(args, |args, device| args.pci(&device))
}

/// The pool from which all ports and twins take their packet buffers, large enough each for the largest MTU.
///
/// # Errors
/// Where the memory does not suffice.
pub(crate) fn pool(eal: &Eal, config: &config::Config) -> Result<Mempool, Error> {
    let mtu = config.ports.iter().map(|port| port.mtu).max().unwrap_or(1500);
    let room = mtu.saturating_add(FRAME_OVERHEAD).max(2048);
    Mempool::new(
        eal,
        &MempoolConfig {
            cache: CACHE,
            data_room: room.saturating_add(HEADROOM),
            ..MempoolConfig::new("sluice", config.memory.mbufs)
        },
    )
}

/// Opens and starts one port.
///
/// # Errors
/// What stands in the way, and what to do about it.
pub(crate) fn open(
    eal: &Eal,
    config: &config::Port,
    workers: u16,
    pool: &Mempool,
) -> Result<OpenPort, Error> {
    let port = match pci_address(&config.device) {
        Some(device) => Port::open(eal, device.split(',').next().unwrap_or(&device))?,
        None => Port::attach(eal, &config.device)?,
    };
    let start = port_config(config, workers, &port.info()?);
    let Started { port, rx, tx } = port.start(&start, pool)?;
    let mac = port.mac()?;
    Ok(OpenPort { config: config.clone(), port, rx, tx, mac })
}

/// A receive queue that no worker polls would lose its share of the traffic, so there are never more than workers.
fn port_config(config: &config::Port, workers: u16, info: &PortInfo) -> PortConfig {
    let queues = |most: u16| if config.queues == 0 { workers.min(most) } else { config.queues };
    let (rx_queues, tx_queues) = (queues(info.max_rx_queues), queues(info.max_tx_queues));
    let fields = (RssFields::IP | RssFields::TCP | RssFields::UDP).intersection(info.rss_fields);
    let spread = rx_queues > 1 && !fields.is_empty();
    PortConfig {
        rx_queues,
        tx_queues,
        rx_descriptors: config.rx_descriptors,
        tx_descriptors: config.tx_descriptors,
        mtu: Some(config.mtu),
        promiscuous: config.promiscuous,
        rss: spread.then_some(Rss { key: None, fields }),
    }
}

#[cfg(test)]
mod tests {
    use super::pci_address;

    #[test]
    fn pci_addresses_are_told_from_virtual_devices() {
        assert_eq!(pci_address("0000:03:00.0").as_deref(), Some("0000:03:00.0"));
        assert_eq!(pci_address("03:00.1,mprq_en=1").as_deref(), Some("0000:03:00.1,mprq_en=1"));
        for device in ["net_af_packet0,iface=eth1.5", "net_null0", "eth1.100", "0000:03:00"] {
            assert_eq!(pci_address(device), None, "{device}");
        }
    }
}
