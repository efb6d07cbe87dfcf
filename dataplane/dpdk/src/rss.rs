//! Receive side scaling of a started port: its key and fields, and the table that maps hashes to queues.
use std::ptr;

use dpdk_sys as sys;

use crate::device;
use crate::error::Error;
use crate::port::{StartedPort, check_rss};
use crate::port_config::{Rss, RssFields};

/// Entries in one group of the table, as DPDK passes it.
const GROUP: usize = sys::RTE_ETH_RETA_GROUP_SIZE as usize;

impl StartedPort {
    /// The key and the fields that the device hashes by.
    ///
    /// # Errors
    /// [`Error::Port`] where the device has no RSS or the driver does not tell.
    pub fn rss(&self) -> Result<Rss, Error> {
        let device = &self.0;
        let mut key = vec![0; device::rss_key_len(&device.raw_info()?)];
        let mut conf = sys::rte_eth_rss_conf {
            rss_key: key.as_mut_ptr(),
            rss_key_len: u8::try_from(key.len()).unwrap_or(u8::MAX),
            rss_hf: 0,
        };
        device.call("read the RSS key", |id| {
            // SAFETY: the port exists; `conf` is writable, and so is the key, of the length that it names.
            unsafe { sys::rte_eth_dev_rss_hash_conf_get(id, &mut conf) }
        })?;
        key.truncate(conf.rss_key_len.into());
        Ok(Rss { key: Some(key).filter(|key| !key.is_empty()), fields: RssFields(conf.rss_hf) })
    }

    /// Sets the key and the fields; without a key the device keeps the one it has.
    ///
    /// # Errors
    /// [`Error::RssFields`], [`Error::RssKey`], or [`Error::Port`] where the device was started without RSS or cannot
    /// change it.
    pub fn set_rss(&self, rss: &Rss) -> Result<(), Error> {
        let device = &self.0;
        check_rss(device, rss, &device.raw_info()?)?;
        let mut key = rss.key.clone().unwrap_or_default();
        let mut conf = sys::rte_eth_rss_conf {
            rss_key: if key.is_empty() { ptr::null_mut() } else { key.as_mut_ptr() },
            rss_key_len: u8::try_from(key.len()).unwrap_or(u8::MAX),
            rss_hf: rss.fields.bits(),
        };
        device.call("set the RSS key", |id| {
            // SAFETY: the port exists; `conf`, and the key in it, outlive the call.
            unsafe { sys::rte_eth_dev_rss_hash_update(id, &mut conf) }
        })?;
        Ok(())
    }

    /// The redirection table: the queue for each value of the hash's low bits.
    ///
    /// # Errors
    /// [`Error::Port`] where the device has none or the driver does not tell.
    pub fn reta(&self) -> Result<Vec<u16>, Error> {
        let device = &self.0;
        let size = device.raw_info()?.reta_size;
        let mut groups = groups(&vec![0; size.into()]);
        device.call("read the redirection table", |id| {
            // SAFETY: the port exists, and there are groups for `size` entries.
            unsafe { sys::rte_eth_dev_rss_reta_query(id, groups.as_mut_ptr(), size) }
        })?;
        Ok(groups.iter().flat_map(|group| group.reta).take(size.into()).collect())
    }

    /// Sets the redirection table.
    ///
    /// # Errors
    /// [`Error::RetaSize`], or [`Error::Port`] where it names a queue that was not started or the device cannot change
    /// its table.
    pub fn set_reta(&self, queues: &[u16]) -> Result<(), Error> {
        let device = &self.0;
        let size = device.raw_info()?.reta_size;
        if queues.len() != usize::from(size) || size == 0 {
            let port = device.name().to_owned();
            return Err(Error::RetaSize { port, wanted: size, given: queues.len() });
        }
        let mut groups = groups(queues);
        device.call("set the redirection table", |id| {
            // SAFETY: the port exists, and there are groups for `size` entries.
            unsafe { sys::rte_eth_dev_rss_reta_update(id, groups.as_mut_ptr(), size) }
        })?;
        Ok(())
    }
}

/// The table in groups, all of whose entries are meant.
fn groups(queues: &[u16]) -> Vec<sys::rte_eth_rss_reta_entry64> {
    let group = |chunk: &[u16]| {
        let mut group = sys::rte_eth_rss_reta_entry64::default();
        for (at, (entry, queue)) in group.reta.iter_mut().zip(chunk).enumerate() {
            *entry = *queue;
            group.mask |= 1 << at;
        }
        group
    };
    queues.chunks(GROUP).map(group).collect()
}
