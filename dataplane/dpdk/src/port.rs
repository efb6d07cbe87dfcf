//! Ports: finding, attaching and starting Ethernet devices.
use std::ptr;
use std::sync::Arc;

use dpdk_sys as sys;

use crate::device::{self, Device};
use crate::eal::Eal;
use crate::error::Error;
use crate::mempool::Mempool;
use crate::port_config::{PortConfig, Rss};
use crate::port_info::{Link, PortInfo, PortStats};
use crate::queue::{RxQueue, TxQueue};

/// Ethernet header, a VLAN tag and the checksum: what a frame has beyond its MTU.
const FRAME_OVERHEAD: u32 = 14 + 4 + 4;

/// A port that is not started, held by one owner. Dropping it closes the device.
#[derive(Debug)]
pub struct Port(Device);

/// A started port: counters, link, identity and RSS. The port stays open while this, a clone or any queue of it lives.
#[derive(Clone, Debug)]
pub struct StartedPort(pub(crate) Arc<Device>);

/// What starting a port gives.
#[derive(Debug)]
pub struct Started {
    /// The port itself.
    pub port: StartedPort,
    /// Its receive queues, in order.
    pub rx: Vec<RxQueue>,
    /// Its transmit queues, in order.
    pub tx: Vec<TxQueue>,
}

impl Eal {
    /// The names of the ports there are, in the order of their numbers.
    pub fn port_names(&self) -> Vec<String> {
        device::names()
    }
}

impl Port {
    /// Opens a port that the EAL found or made at start, by its name.
    ///
    /// # Errors
    /// [`Error::NoSuchPort`], [`Error::PortInUse`].
    pub fn open(eal: &Eal, name: &str) -> Result<Self, Error> {
        Device::open(eal, name, false).map(Self)
    }

    /// Makes a device, as `net_af_packet0,iface=eth1`, and opens its port. The device goes when the port is closed.
    ///
    /// # Errors
    /// [`Error::NoSuchInterface`] where it names a kernel interface that is not there, [`Error::Attach`] otherwise.
    pub fn attach(eal: &Eal, devargs: &str) -> Result<Self, Error> {
        device::attach(devargs).and_then(|name| Device::open(eal, name, true)).map(Self)
    }

    /// The port's identity and limits.
    ///
    /// # Errors
    /// [`Error::Port`] where the driver fails to tell.
    pub fn info(&self) -> Result<PortInfo, Error> {
        self.0.info()
    }

    /// Configures and starts the port; received packets come from `pool`.
    ///
    /// # Errors
    /// One that names the setting at fault, or [`Error::Port`]. The port is closed then.
    pub fn start(mut self, config: &PortConfig, pool: &Mempool) -> Result<Started, Error> {
        let device = &mut self.0;
        let info = device.raw_info()?;
        check_queues(device, config, &info)?;
        configure(device, config, pool, &info)?;
        set_up_queues(device, config, pool)?;
        device.start()?;
        if config.promiscuous {
            let operation = "enable the promiscuous mode";
            // SAFETY: the port exists.
            device.call(operation, |id| unsafe { sys::rte_eth_promiscuous_enable(id) })?;
        }
        let device = Arc::new(self.0);
        let rx = (0..config.rx_queues).map(|queue| RxQueue::new(Arc::clone(&device), queue)).collect();
        let tx = (0..config.tx_queues).map(|queue| TxQueue::new(Arc::clone(&device), queue)).collect();
        Ok(Started { port: StartedPort(device), rx, tx })
    }
}

impl StartedPort {
    /// The port's identity and limits.
    ///
    /// # Errors
    /// [`Error::Port`] where the driver fails to tell.
    pub fn info(&self) -> Result<PortInfo, Error> {
        self.0.info()
    }

    /// The MAC address.
    ///
    /// # Errors
    /// [`Error::Port`] where the driver fails to tell.
    pub fn mac(&self) -> Result<[u8; 6], Error> {
        self.0.mac()
    }

    /// The state of the link, without waiting for one to come up.
    ///
    /// # Errors
    /// [`Error::Port`] where the driver fails to tell.
    pub fn link(&self) -> Result<Link, Error> {
        self.0.link()
    }

    /// The counters. Exact only while no queue is polled.
    ///
    /// # Errors
    /// [`Error::Port`] where the driver keeps none.
    pub fn stats(&self) -> Result<PortStats, Error> {
        self.0.stats()
    }

    /// Sets the counters to zero.
    ///
    /// # Errors
    /// [`Error::Port`] where the driver cannot.
    pub fn reset_stats(&self) -> Result<(), Error> {
        self.0.reset_stats()
    }
}

fn check_queues(device: &Device, config: &PortConfig, info: &sys::rte_eth_dev_info) -> Result<(), Error> {
    let check = |direction, asked, max| {
        match asked {
            0 => false,
            _ => asked <= max,
        }
        .then_some(())
        .ok_or(Error::Queues { port: device.name().to_owned(), direction, asked, max })
    };
    check("rx", config.rx_queues, info.max_rx_queues)?;
    check("tx", config.tx_queues, info.max_tx_queues)
}

/// Sets what holds for the whole port: queue numbers, MTU, RSS, offloads.
fn configure(
    device: &Device,
    config: &PortConfig,
    pool: &Mempool,
    info: &sys::rte_eth_dev_info,
) -> Result<(), Error> {
    let mut conf = sys::rte_eth_conf::default();
    // The IPv4 header's verdict is worth having; L4 checksums are rewritten by delta and verified by the receiver.
    conf.rxmode.offloads = info.rx_offload_capa & sys::SLUICE_RX_IPV4_CKSUM;
    conf.txmode.offloads = info.tx_offload_capa & sys::SLUICE_TX_MULTI_SEGS;
    if let Some(mtu) = config.mtu {
        let (min, max) = (info.min_mtu, device::max_mtu(info));
        if mtu < min || mtu > max {
            return Err(Error::Mtu { port: device.name().to_owned(), asked: mtu, min, max });
        }
        conf.rxmode.mtu = u32::from(mtu);
        conf.rxmode.offloads |= scatter(device, u32::from(mtu) + FRAME_OVERHEAD, pool, info)?;
    }
    // The key is read during the call below only.
    let mut key = Vec::new();
    if let Some(rss) = &config.rss {
        check_rss(device, rss, info)?;
        key.extend(rss.key.iter().flatten().copied());
        conf.rxmode.mq_mode = sys::RTE_ETH_MQ_RX_RSS;
        conf.rxmode.offloads |= info.rx_offload_capa & sys::SLUICE_RX_RSS_HASH;
        conf.rx_adv_conf.rss_conf = sys::rte_eth_rss_conf {
            rss_key: if key.is_empty() { ptr::null_mut() } else { key.as_mut_ptr() },
            rss_key_len: key.len() as u8,
            rss_hf: rss.fields.bits(),
        };
    }
    device.call("set the configuration", |id| {
        // SAFETY: the port exists and is not started; `conf`, and the key in it, outlive the call.
        unsafe { sys::rte_eth_dev_configure(id, config.rx_queues, config.tx_queues, &conf) }
    })?;
    // Drivers over a kernel interface act on this call alone. Those without the notion of one take the number above.
    let Some(mtu) = config.mtu else { return Ok(()) };
    if info.if_index != 0 || device.mtu()? != mtu {
        // SAFETY: the port exists.
        device.call("set the MTU", |id| unsafe { sys::rte_eth_dev_set_mtu(id, mtu) })?;
    }
    Ok(())
}

/// The offload that spreads a frame over several mbufs, where it takes that.
fn scatter(device: &Device, frame: u32, pool: &Mempool, info: &sys::rte_eth_dev_info) -> Result<u64, Error> {
    let room = u32::from(pool.frame_room());
    match info.rx_offload_capa & sys::SLUICE_RX_SCATTER {
        _ if frame <= room => Ok(0),
        0 => Err(Error::DataRoom { port: device.name().to_owned(), frame, room }),
        offload => Ok(offload),
    }
}

pub(crate) fn check_rss(device: &Device, rss: &Rss, info: &sys::rte_eth_dev_info) -> Result<(), Error> {
    let (asked, supported) = (rss.fields.bits(), info.flow_type_rss_offloads);
    if rss.fields.is_empty() || asked & !supported != 0 {
        return Err(Error::RssFields { port: device.name().to_owned(), asked, supported });
    }
    let wanted = device::rss_key_len(info);
    match rss.key.as_ref().map(Vec::len) {
        Some(given) if given != wanted => {
            Err(Error::RssKey { port: device.name().to_owned(), wanted, given })
        }
        _ => Ok(()),
    }
}

fn set_up_queues(device: &Device, config: &PortConfig, pool: &Mempool) -> Result<(), Error> {
    let (mut rx_descriptors, mut tx_descriptors) = (config.rx_descriptors, config.tx_descriptors);
    device.call("adjust the number of descriptors", |id| {
        // SAFETY: the port exists and both numbers are writable.
        unsafe { sys::rte_eth_dev_adjust_nb_rx_tx_desc(id, &mut rx_descriptors, &mut tx_descriptors) }
    })?;
    // SAFETY: the port exists.
    let socket = u32::try_from(unsafe { sys::rte_eth_dev_socket_id(device.id()) }).unwrap_or(u32::MAX);
    for queue in 0..config.rx_queues {
        device.call("set up a receive queue", |id| {
            // SAFETY: the port is configured for this queue; the pool lives as long as the process; a null
            // configuration means the driver's own.
            unsafe {
                sys::rte_eth_rx_queue_setup(id, queue, rx_descriptors, socket, ptr::null(), pool.as_ptr())
            }
        })?;
    }
    for queue in 0..config.tx_queues {
        device.call("set up a transmit queue", |id| {
            // SAFETY: the port is configured for this queue; a null configuration means the driver's own.
            unsafe { sys::rte_eth_tx_queue_setup(id, queue, tx_descriptors, socket, ptr::null()) }
        })?;
    }
    Ok(())
}
