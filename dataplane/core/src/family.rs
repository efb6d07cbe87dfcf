//! The address families as types: code that is generic over them is compiled once for each.
use std::fmt::Debug;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sluice_packet::checksum::Delta;

use crate::flow::{FlowKey, Key4, Key6};

/// An address family: its addresses, in host order, and what names a flow.
pub(crate) trait Family: Copy + Debug + 'static {
    type Address: Copy + Debug + Eq + Hash;
    type Key: FlowKey<Address = Self::Address>;

    /// The address as a number; `None` where it is of the other family.
    fn address(ip: IpAddr) -> Option<Self::Address>;

    fn ip(address: Self::Address) -> IpAddr;

    /// What another address does to a checksum.
    fn delta(old: Self::Address, new: Self::Address) -> Delta;
}

/// IPv4.
#[derive(Clone, Copy, Debug)]
pub(crate) struct V4;

/// IPv6.
#[derive(Clone, Copy, Debug)]
pub(crate) struct V6;

impl Family for V4 {
    type Address = u32;
    type Key = Key4;

    #[inline]
    fn address(ip: IpAddr) -> Option<u32> {
        match ip {
            IpAddr::V4(address) => Some(address.to_bits()),
            IpAddr::V6(_) => None,
        }
    }

    #[inline]
    fn ip(address: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from_bits(address))
    }

    #[inline]
    fn delta(old: u32, new: u32) -> Delta {
        Delta::of_u32(old, new)
    }
}

impl Family for V6 {
    type Address = u128;
    type Key = Key6;

    #[inline]
    fn address(ip: IpAddr) -> Option<u128> {
        match ip {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => Some(address.to_bits()),
        }
    }

    #[inline]
    fn ip(address: u128) -> IpAddr {
        IpAddr::V6(Ipv6Addr::from_bits(address))
    }

    #[inline]
    fn delta(old: u128, new: u128) -> Delta {
        Delta::of_v6(&old.to_be_bytes(), &new.to_be_bytes())
    }
}
