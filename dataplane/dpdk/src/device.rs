//! An Ethernet device that is held by one owner, and the calls that concern all of it.
use std::ffi::{CStr, c_char};
use std::ptr;

use dpdk_sys as sys;
use nix::errno::Errno;
use nix::net::if_::if_nametoindex;

use crate::args::to_c;
use crate::eal::Eal;
use crate::error::{Error, Said, errno_of};
use crate::log;
use crate::port_config::RssFields;
use crate::port_info::{Link, PortId, PortInfo, PortStats};

/// What DPDK says of a link whose speed it does not know.
const SPEED_UNKNOWN: u32 = u32::MAX;

/// An Ethernet device, claimed. When dropped it is stopped and closed, and taken away again if it was attached here.
#[derive(Debug)]
pub(crate) struct Device {
    id: u16,
    name: String,
    attached: bool,
    started: bool,
    eal: Eal,
}

impl Device {
    /// Claims the device of this name. `attached` tells that the caller has just made it.
    pub(crate) fn open(eal: &Eal, name: &str, attached: bool) -> Result<Self, Error> {
        let missing = || Error::NoSuchPort { name: name.to_owned(), known: names() };
        let id = find(name)?.ok_or_else(missing)?;
        if !eal.claim_port(id) {
            return Err(Error::PortInUse { name: name.to_owned() });
        }
        Ok(Self { id, name: name.to_owned(), attached, started: false, eal: eal.clone() })
    }

    pub(crate) fn id(&self) -> u16 {
        self.id
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Calls a function of DPDK's on the port. `operation` says what it does, as "set the MTU".
    pub(crate) fn call(
        &self,
        operation: &'static str,
        function: impl FnOnce(u16) -> i32,
    ) -> Result<i32, Error> {
        let (code, said) = log::capture(|| function(self.id));
        if code >= 0 {
            return Ok(code);
        }
        Err(Error::Port { port: self.name.clone(), operation, errno: errno_of(code), said })
    }

    /// Starts the device, whose queues the caller has set up.
    pub(crate) fn start(&mut self) -> Result<(), Error> {
        // SAFETY: the port exists and is configured.
        self.call("start the device", |id| unsafe { sys::rte_eth_dev_start(id) })?;
        self.started = true;
        Ok(())
    }

    pub(crate) fn raw_info(&self) -> Result<sys::rte_eth_dev_info, Error> {
        let mut info = sys::rte_eth_dev_info::default();
        // SAFETY: the port exists and `info` is writable.
        self.call("read the capabilities", |id| unsafe { sys::rte_eth_dev_info_get(id, &mut info) })?;
        Ok(info)
    }

    pub(crate) fn info(&self) -> Result<PortInfo, Error> {
        let raw = self.raw_info()?;
        // SAFETY: the port exists.
        let socket = unsafe { sys::rte_eth_dev_socket_id(self.id) };
        Ok(PortInfo {
            id: PortId(self.id),
            name: self.name.clone(),
            // SAFETY: null or the driver's name, which lives as long as its driver.
            driver: unsafe { text(raw.driver_name) },
            mac: self.mac()?,
            socket: u32::try_from(socket).ok(),
            if_index: Some(raw.if_index).filter(|&index| index != 0),
            max_rx_queues: raw.max_rx_queues,
            max_tx_queues: raw.max_tx_queues,
            mtu: self.mtu()?,
            min_mtu: raw.min_mtu,
            max_mtu: max_mtu(&raw),
            multi_segment_tx: raw.tx_offload_capa & sys::SLUICE_TX_MULTI_SEGS != 0,
            rss_fields: RssFields(raw.flow_type_rss_offloads),
            rss_key_len: rss_key_len(&raw),
            reta_size: raw.reta_size,
        })
    }

    pub(crate) fn mac(&self) -> Result<[u8; 6], Error> {
        let mut mac = sys::rte_ether_addr::default();
        // SAFETY: the port exists and `mac` is writable.
        self.call("read the MAC address", |id| unsafe { sys::rte_eth_macaddr_get(id, &mut mac) })?;
        Ok(mac.addr_bytes)
    }

    pub(crate) fn mtu(&self) -> Result<u16, Error> {
        let mut mtu = 0;
        // SAFETY: the port exists and `mtu` is writable.
        self.call("read the MTU", |id| unsafe { sys::rte_eth_dev_get_mtu(id, &mut mtu) })?;
        Ok(mtu)
    }

    pub(crate) fn link(&self) -> Result<Link, Error> {
        let mut link = sys::rte_eth_link::default();
        // SAFETY: the port exists and `link` is writable.
        self.call("read the link state", |id| unsafe { sys::rte_eth_link_get_nowait(id, &mut link) })?;
        let mbps = Some(link.link_speed).filter(|&speed| speed != 0 && speed != SPEED_UNKNOWN);
        Ok(Link { up: u32::from(link.link_status()) == sys::RTE_ETH_LINK_UP, mbps })
    }

    pub(crate) fn stats(&self) -> Result<PortStats, Error> {
        let mut raw = sys::rte_eth_stats::default();
        // SAFETY: the port exists and `raw` is writable.
        self.call("read the counters", |id| unsafe { sys::rte_eth_stats_get(id, &mut raw) })?;
        Ok(PortStats {
            ipackets: raw.ipackets,
            opackets: raw.opackets,
            ibytes: raw.ibytes,
            obytes: raw.obytes,
            imissed: raw.imissed,
            ierrors: raw.ierrors,
            oerrors: raw.oerrors,
            rx_nombuf: raw.rx_nombuf,
        })
    }

    pub(crate) fn reset_stats(&self) -> Result<(), Error> {
        // SAFETY: the port exists.
        self.call("reset the counters", |id| unsafe { sys::rte_eth_stats_reset(id) }).map(drop)
    }

    /// The errors of taking a device down are logged by DPDK; nothing is left to be done about them.
    fn shut(&mut self) {
        let device = self.raw_info().map_or(ptr::null_mut(), |info| info.device);
        if self.started {
            // SAFETY: the last owner is going, so no queue of the port is in use.
            unsafe { sys::rte_eth_dev_stop(self.id) };
        }
        // SAFETY: as above; frees the packets in the queues.
        unsafe { sys::rte_eth_dev_close(self.id) };
        if self.attached && !device.is_null() {
            // SAFETY: the device outlives its port; it was made for this port, so nobody else uses it.
            unsafe { sys::rte_dev_remove(device) };
        }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.shut();
        self.eal.release_port(self.id);
    }
}

/// Makes the device that `devargs` describes and returns its name.
pub(crate) fn attach(devargs: &str) -> Result<&str, Error> {
    let c_devargs = to_c(devargs.to_owned())?;
    let name = devargs.split(',').next().unwrap_or(devargs);
    // DPDK would call it a success and leave the old device as it is, whatever the new arguments say.
    if find(name)?.is_some() {
        let (errno, said) = (Errno::EEXIST, Said::default());
        return Err(Error::Attach { devargs: devargs.to_owned(), errno, said });
    }
    // SAFETY: a C string.
    let (code, said) = log::capture(|| unsafe { sys::rte_dev_probe(c_devargs.as_ptr()) });
    if code < 0 {
        let errno = errno_of(code);
        let missing = missing_interface(devargs);
        return Err(missing.unwrap_or_else(|| Error::Attach { devargs: devargs.to_owned(), errno, said }));
    }
    Ok(name)
}

/// The number of the port of this name.
fn find(name: &str) -> Result<Option<u16>, Error> {
    let name = to_c(name.to_owned())?;
    let mut id = 0;
    // SAFETY: `name` is a C string, `id` is writable.
    let code = unsafe { sys::rte_eth_dev_get_port_by_name(name.as_ptr(), &mut id) };
    Ok((code == 0).then_some(id))
}

/// The length of the device's RSS key. Where a driver does not say, ethdev's default holds.
pub(crate) fn rss_key_len(info: &sys::rte_eth_dev_info) -> usize {
    const DEFAULT: usize = 40;
    if info.hash_key_size == 0 { DEFAULT } else { usize::from(info.hash_key_size) }
}

/// The largest MTU in bytes, by ethdev's own rule: drivers may leave the MTU open and bound the frame.
pub(crate) fn max_mtu(info: &sys::rte_eth_dev_info) -> u16 {
    const HEADER_AND_CRC: u32 = 14 + 4;
    if info.max_mtu != u16::MAX {
        return info.max_mtu;
    }
    u16::try_from(info.max_rx_pktlen.saturating_sub(HEADER_AND_CRC)).unwrap_or(u16::MAX)
}

/// The names of all ports, in the order of their numbers.
pub(crate) fn names() -> Vec<String> {
    let owner = u64::from(sys::RTE_ETH_DEV_NO_OWNER);
    // SAFETY: takes any number, and returns one past the last port where there is no further one.
    let next = |from: u16| u16::try_from(unsafe { sys::rte_eth_find_next_owned_by(from, owner) }).ok();
    let existing = |id: &u16| u32::from(*id) < sys::RTE_MAX_ETHPORTS;
    let ids = std::iter::successors(next(0).filter(existing), |&id| next(id + 1).filter(existing));
    ids.filter_map(name_of).collect()
}

fn name_of(id: u16) -> Option<String> {
    let mut name = [0 as c_char; sys::RTE_ETH_NAME_MAX_LEN as usize];
    // SAFETY: the buffer has the size that the function asks for.
    let code = unsafe { sys::rte_eth_dev_get_name_by_port(id, name.as_mut_ptr()) };
    // SAFETY: on success the buffer holds a C string.
    (code == 0).then(|| unsafe { text(name.as_ptr()) })
}

/// The error for device strings that name a kernel interface that is not there, if this is one.
///
/// Only of drivers that take an interface over: others, as net_tap, make the one they name.
fn missing_interface(devargs: &str) -> Option<Error> {
    let (driver, arguments) = devargs.split_once(',')?;
    let interface = arguments.split(',').find_map(|argument| argument.strip_prefix("iface="))?;
    let takes_over = ["net_af_packet", "net_af_xdp", "net_pcap"].iter().any(|name| driver.starts_with(name));
    if !takes_over || if_nametoindex(interface).is_ok() {
        return None;
    }
    Some(Error::NoSuchInterface { interface: interface.to_owned(), devargs: devargs.to_owned() })
}

/// # Safety
/// `raw` is null, for the empty string, or a C string.
unsafe fn text(raw: *const c_char) -> String {
    if raw.is_null() {
        return String::new();
    }
    // SAFETY: a C string by the caller's word.
    unsafe { CStr::from_ptr(raw) }.to_string_lossy().into_owned()
}
