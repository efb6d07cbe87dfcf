//! What becomes of a packet.
use crate::drop::DropReason;

/// The most packets a burst holds.
pub const BURST: usize = 32;

/// What the worker has to do with a packet. The frame's bytes are final, save where `Resolve` says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Send it out of this port.
    Transmit {
        /// Index of the port, in the order of the configuration.
        port: u16,
    },
    /// Hand it to the kernel, through the twin of the port it came by.
    ToKernel,
    /// Hold it until the kernel knows the neighbour's MAC address, write that and the port's own into the first twelve
    /// bytes, and send it.
    Resolve {
        /// Index of the port.
        port: u16,
        /// The neighbour's IPv4 address.
        address: u32,
    },
    /// Hand it to the lcore that owns its flow, unchanged.
    Steer {
        /// That lcore.
        lcore: u16,
    },
    /// Free it; the pipeline has counted the reason.
    Drop(DropReason),
}

/// Where a burst comes from.
#[derive(Clone, Copy, Debug)]
pub struct Ingress {
    /// Index of the port, in the order of the configuration.
    pub port: u16,
    /// The port's MAC address.
    pub mac: [u8; 6],
    /// Whether the frames come from the port's kernel twin: what is nobody's flow leaves by the port.
    pub from_kernel: bool,
    /// Whether another lcore has steered them here: they are not steered again.
    pub steered: bool,
}
