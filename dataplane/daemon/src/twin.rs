//! Kernel twins: an interface of the kernel's for each port, with the port's MAC address.

use std::path::Path;
use std::sync::Arc;

use rtnetlink::LinkUnspec;
use sluice_dpdk::{Burst, Eal, Error, Mempool, Port, PortConfig, Started, StartedPort};

use crate::config::{MacAddress, TwinDriver};
use crate::ports::OpenPort;
use crate::slow::{TwinCounters, TwinEnd};

/// The kernel's accelerator for virtio devices.
const VHOST_NET: &str = "/dev/vhost-net";

/// A started twin.
#[derive(Debug)]
pub(crate) struct OpenTwin {
    /// The interface's name.
    pub(crate) name: String,
    /// Counters and link.
    pub(crate) port: StartedPort,
    /// The slow thread's end.
    pub(crate) end: TwinEnd,
}

/// The device arguments of a twin. `index` makes the device's name unique.
///
/// net_tap asks the kernel for no offload, so frames come with checksums complete and no longer than the MTU; the same
/// goes for virtio_user while no receive offload is asked for.
fn devargs(driver: TwinDriver, index: usize, name: &str, mac: [u8; 6], vhost: bool) -> String {
    let mac = MacAddress(mac);
    match driver {
        TwinDriver::VirtioUser => twin_of_virtio(index, name, mac),
        TwinDriver::Auto if vhost => twin_of_virtio(index, name, mac),
        TwinDriver::Auto | TwinDriver::Tap => format!("net_tap_twin{index},iface={name},mac={mac}"),
    }
}

fn twin_of_virtio(index: usize, name: &str, mac: MacAddress) -> String {
    format!("virtio_user{index},path={VHOST_NET},queues=1,queue_size=1024,iface={name},mac={mac}")
}

/// Makes and starts the twin of a port; `None` where the configuration wants none. It is gone with the process.
///
/// # Errors
/// What stands in the way, and what to do about it.
pub(crate) fn open(
    eal: &Eal,
    index: usize,
    port: &OpenPort,
    pool: &Mempool,
) -> Result<Option<OpenTwin>, Error> {
    let Some(name) = port.config.twin_name() else { return Ok(None) };
    let vhost = Path::new(VHOST_NET).exists();
    let devargs = devargs(port.config.twin_driver, index, &name, port.mac, vhost);
    let config = PortConfig { mtu: Some(port.config.mtu), ..PortConfig::default() };
    let Started { port: started, rx, tx } = Port::attach(eal, &devargs)?.start(&config, pool)?;
    let (Some(rx), Some(tx)) = (rx.into_iter().next(), tx.into_iter().next()) else { return Ok(None) };
    let end = TwinEnd { rx, tx, waiting: Burst::new(), counters: Arc::new(TwinCounters::default()) };
    Ok(Some(OpenTwin { name, port: started, end }))
}

/// Brings a twin's interface up with the port's MTU. Its addresses are the operator's.
///
/// # Errors
/// What the kernel says, as one line.
pub(crate) async fn bring_up(handle: &rtnetlink::Handle, name: &str, mtu: u16) -> Result<(), String> {
    let wrong = |error: &dyn std::fmt::Display| format!("cannot bring up the twin {name}: {error}");
    let index = nix::net::if_::if_nametoindex(name).map_err(|errno| wrong(&errno))?;
    let message = LinkUnspec::new_with_index(index).up().mtu(u32::from(mtu)).build();
    handle.link().set(message).execute().await.map_err(|error| wrong(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_is_virtio_user_only_where_it_can_be() {
        let of = |driver, vhost| devargs(driver, 1, "sl-wan", [2, 0, 0, 0, 0, 9], vhost);
        let tap = "net_tap_twin1,iface=sl-wan,mac=02:00:00:00:00:09";
        assert_eq!(of(TwinDriver::Auto, false), tap);
        assert_eq!(of(TwinDriver::Tap, true), tap);
        assert!(of(TwinDriver::Auto, true).starts_with("virtio_user1,path=/dev/vhost-net,"));
        assert_eq!(of(TwinDriver::VirtioUser, false), of(TwinDriver::Auto, true));
    }
}
