//! Flow rules: which fields a port hashes for IPv4 packets to one destination, or for all of them.
use std::ffi::CStr;
use std::net::Ipv4Addr;
use std::ptr::{self, NonNull, from_ref};
use std::sync::Arc;

use dpdk_sys as sys;

use crate::device::Device;
use crate::error::{Error, errno_of};
use crate::port::StartedPort;
use crate::port_config::Rss;

/// A rule: IPv4 packets that match are spread over queues by a Toeplitz hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RssRule {
    /// The destination to match; every IPv4 packet when `None`.
    pub destination: Option<Ipv4Addr>,
    /// Among rules that match, the lowest number wins. Not every device has more than 0.
    pub priority: u32,
    /// The fields to hash, and the key.
    pub rss: Rss,
    /// The queues, by the hash's low bits.
    pub queues: Vec<u16>,
}

/// A rule in force. Dropping it takes it away; it keeps its port open.
#[derive(Debug)]
pub struct FlowRule {
    handle: NonNull<sys::rte_flow>,
    device: Arc<Device>,
}

// SAFETY: the handle is nobody else's, and ethdev serialises rule calls itself where a driver does not.
unsafe impl Send for FlowRule {}

impl StartedPort {
    /// Asks whether the device would take the rule, and leaves it as it is.
    ///
    /// # Errors
    /// [`Error::FlowRule`], with the driver's reason.
    pub fn validate_rule(&self, rule: &RssRule) -> Result<(), Error> {
        let code = with_c(rule, |attr, pattern, actions, error| {
            // SAFETY: the port exists; both lists end with their END and all that they point to outlives the call.
            unsafe { sys::rte_flow_validate(self.0.id(), attr, pattern.as_ptr(), actions.as_ptr(), error) }
        });
        match code {
            (0, _) => Ok(()),
            (code, error) => Err(refused(&self.0, code, &error)),
        }
    }

    /// Puts the rule in force.
    ///
    /// # Errors
    /// [`Error::FlowRule`], with the driver's reason.
    pub fn add_rule(&self, rule: &RssRule) -> Result<FlowRule, Error> {
        let (handle, error) = with_c(rule, |attr, pattern, actions, error| {
            // SAFETY: as above.
            unsafe { sys::rte_flow_create(self.0.id(), attr, pattern.as_ptr(), actions.as_ptr(), error) }
        });
        match NonNull::new(handle) {
            Some(handle) => Ok(FlowRule { handle, device: Arc::clone(&self.0) }),
            None => Err(refused(&self.0, -(crate::error::last_errno() as i32), &error)),
        }
    }
}

impl Drop for FlowRule {
    /// The error of a device that is gone already is logged by DPDK; nothing is left to be done about it.
    fn drop(&mut self) {
        let mut error = sys::rte_flow_error::default();
        // SAFETY: the rule is this port's, which `device` keeps open, and is destroyed once.
        unsafe { sys::rte_flow_destroy(self.device.id(), self.handle.as_ptr(), &mut error) };
    }
}

/// Calls `function` with the rule in DPDK's words, and returns what it said beside its result.
fn with_c<T>(
    rule: &RssRule,
    function: impl FnOnce(
        &sys::rte_flow_attr,
        &[sys::rte_flow_item; 3],
        &[sys::rte_flow_action; 2],
        &mut sys::rte_flow_error,
    ) -> T,
) -> (T, sys::rte_flow_error) {
    let mut attr = sys::rte_flow_attr { priority: rule.priority, ..Default::default() };
    attr.set_ingress(1);
    let (mut spec, mut mask) = (sys::rte_flow_item_ipv4::default(), sys::rte_flow_item_ipv4::default());
    if let Some(destination) = rule.destination {
        // Both are in network order.
        spec.hdr.dst_addr = u32::from_ne_bytes(destination.octets());
        mask.hdr.dst_addr = u32::MAX;
    }
    let item = |type_| sys::rte_flow_item { type_, ..Default::default() };
    let mut ipv4 = item(sys::RTE_FLOW_ITEM_TYPE_IPV4);
    if rule.destination.is_some() {
        (ipv4.spec, ipv4.mask) = (from_ref(&spec).cast(), from_ref(&mask).cast());
    }
    let pattern = [item(sys::RTE_FLOW_ITEM_TYPE_ETH), ipv4, item(sys::RTE_FLOW_ITEM_TYPE_END)];
    let key = rule.rss.key.as_deref().unwrap_or_default();
    let rss = sys::rte_flow_action_rss {
        func: sys::RTE_ETH_HASH_FUNCTION_TOEPLITZ,
        types: rule.rss.fields.bits(),
        key_len: u32::try_from(key.len()).unwrap_or(u32::MAX),
        key: if key.is_empty() { ptr::null() } else { key.as_ptr() },
        queue_num: u32::try_from(rule.queues.len()).unwrap_or(u32::MAX),
        queue: rule.queues.as_ptr(),
        ..Default::default()
    };
    let spread = sys::rte_flow_action { type_: sys::RTE_FLOW_ACTION_TYPE_RSS, conf: from_ref(&rss).cast() };
    let end = sys::rte_flow_action { type_: sys::RTE_FLOW_ACTION_TYPE_END, conf: ptr::null() };
    let mut error = sys::rte_flow_error::default();
    let result = function(&attr, &pattern, &[spread, end], &mut error);
    (result, error)
}

fn refused(device: &Device, code: i32, error: &sys::rte_flow_error) -> Error {
    let message = match error.message.is_null() {
        true => String::new(),
        // SAFETY: a C string with the driver's life, as rte_flow asks of drivers.
        false => unsafe { CStr::from_ptr(error.message) }.to_string_lossy().into_owned(),
    };
    Error::FlowRule { port: device.name().to_owned(), errno: errno_of(code), message }
}
