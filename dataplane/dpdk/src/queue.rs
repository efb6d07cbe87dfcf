//! The queues of a port: where a burst comes in and goes out.
use std::sync::Arc;

use dpdk_sys as sys;

use crate::burst::Burst;
use crate::device::Device;
use crate::port_info::PortId;

/// The number of a receive queue of its port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RxQueueIndex(pub u16);

/// The number of a transmit queue of its port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TxQueueIndex(pub u16);

/// A receive queue of a started port. One owner, who may take it to another lcore; keeps the port open.
///
/// ```compile_fail,E0599
/// fn poll_twice(queue: &sluice_dpdk::RxQueue) -> sluice_dpdk::RxQueue {
///     queue.clone()
/// }
/// ```
#[derive(Debug)]
pub struct RxQueue {
    port: u16,
    queue: u16,
    _device: Arc<Device>,
}

/// A transmit queue of a started port. One owner, who may take it to another lcore; keeps the port open.
#[derive(Debug)]
pub struct TxQueue {
    port: u16,
    queue: u16,
    _device: Arc<Device>,
}

impl RxQueue {
    /// To be called once for each queue that was set up, by the one who started the port.
    pub(crate) fn new(device: Arc<Device>, queue: u16) -> Self {
        Self { port: device.id(), queue, _device: device }
    }

    /// Receives packets into the free room of `burst`; returns how many. The packets already there stay.
    ///
    /// Give it an empty burst: vectorised drivers receive in steps of four or eight and nothing into less room.
    #[inline]
    pub fn rx_burst(&mut self, burst: &mut Burst) -> usize {
        let (spare, room) = burst.spare();
        // SAFETY: the port is started and stays so while `_device` lives; this handle is the queue's only one and is
        // borrowed for writing, so no other thread polls it; `spare` has room for `room` pointers.
        let received = unsafe { sys::sluice_rx_burst(self.port, self.queue, spare, room) };
        // SAFETY: the driver wrote that many pointers, at most `room`, and gave the packets up.
        unsafe { burst.assume_filled(received) };
        usize::from(received)
    }

    /// The port.
    pub fn port(&self) -> PortId {
        PortId(self.port)
    }

    /// The queue's number.
    pub fn index(&self) -> RxQueueIndex {
        RxQueueIndex(self.queue)
    }
}

impl TxQueue {
    /// To be called once for each queue that was set up, by the one who started the port.
    pub(crate) fn new(device: Arc<Device>, queue: u16) -> Self {
        Self { port: device.id(), queue, _device: device }
    }

    /// Sends from the front of `burst` what the driver takes, and returns how many. The rest stays in the burst, in order;
    /// the caller counts and frees it, or tries again.
    #[inline]
    pub fn tx_burst(&mut self, burst: &mut Burst) -> usize {
        let (mbufs, len) = burst.as_raw();
        // SAFETY: the port is started and stays so while `_device` lives; this handle is the queue's only one and is
        // borrowed for writing; `mbufs` are `len` packets.
        let sent = unsafe { sys::sluice_tx_burst(self.port, self.queue, mbufs, len) };
        // SAFETY: the driver owns the first `sent` packets now.
        unsafe { burst.forget_front(sent) };
        usize::from(sent)
    }

    /// Frees packets that have left, up to `most`; returns how many. Drivers otherwise do so only when sending, so that a
    /// queue gone idle keeps up to a ring's worth of mbufs. `None` where the driver cannot.
    pub fn reclaim(&mut self, most: u32) -> Option<u32> {
        // SAFETY: as in `tx_burst`.
        let code = unsafe { sys::rte_eth_tx_done_cleanup(self.port, self.queue, most) };
        u32::try_from(code).ok()
    }

    /// The port.
    pub fn port(&self) -> PortId {
        PortId(self.port)
    }

    /// The queue's number.
    pub fn index(&self) -> TxQueueIndex {
        TxQueueIndex(self.queue)
    }
}
