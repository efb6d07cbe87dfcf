//! Pools of packet buffers.
use std::ptr::NonNull;

use dpdk_sys as sys;

use crate::args::to_c;
use crate::burst::Burst;
use crate::eal::Eal;
use crate::error::{Error, last_errno};
use crate::log;
use crate::mbuf::Mbuf;

/// How a pool is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MempoolConfig {
    /// The pool's name, unique in the process, at most 25 bytes.
    pub name: String,
    /// The number of mbufs; 2^n - 1 uses memory best. All rx and tx descriptors of all queues, all bursts on the way and
    /// all caches must find their mbufs here.
    pub mbufs: u32,
    /// The mbufs that each lcore may keep at hand, at most 512 and two thirds of the pool.
    pub cache: u32,
    /// The bytes of an mbuf's buffer: 128 of headroom, the rest for the frame.
    pub data_room: u16,
    /// The NUMA node to take the memory from; any when `None`.
    pub socket: Option<u32>,
}

impl MempoolConfig {
    /// A pool for frames of up to 2048 bytes, with a cache of 256, on any node.
    pub fn new(name: &str, mbufs: u32) -> Self {
        Self {
            name: name.to_owned(),
            mbufs,
            cache: 256.min(mbufs / 2),
            data_room: 2048 + HEADROOM,
            socket: None,
        }
    }
}

/// The bytes kept free in front of a received frame.
pub(crate) const HEADROOM: u16 = sys::RTE_PKTMBUF_HEADROOM as u16;

/// A pool of mbufs; clones are handles on the same pool.
///
/// A pool lives as long as the process. Freeing one would need proof that no thread is just now giving an mbuf back, and
/// a packet path makes its pools once.
#[derive(Debug, Clone)]
pub struct Mempool {
    pool: NonNull<sys::rte_mempool>,
    data_room: u16,
    _eal: Eal,
}

// SAFETY: a mempool is made for use by many threads at once; it is created here with ring operations that are
// multi-producer and multi-consumer, and its per-lcore caches are chosen by the calling thread's own lcore number.
unsafe impl Send for Mempool {}
// SAFETY: as for `Send`.
unsafe impl Sync for Mempool {}

impl Mempool {
    /// Makes a pool.
    ///
    /// # Errors
    /// [`Error::Mempool`] where the memory does not suffice, the name is taken or too long, or the cache is too large.
    pub fn new(eal: &Eal, config: &MempoolConfig) -> Result<Self, Error> {
        let name = to_c(config.name.clone())?;
        let socket = config.socket.map_or(-1, |socket| i32::try_from(socket).unwrap_or(-1));
        // Named, not left to the platform's choice: mbufs are freed on other threads than those that took them.
        let ops = c"ring_mp_mc";
        // SAFETY: the EAL runs, and the strings outlive the call, which copies them.
        let create = || unsafe {
            sys::rte_pktmbuf_pool_create_by_ops(
                name.as_ptr(),
                config.mbufs,
                config.cache,
                0,
                config.data_room,
                socket,
                ops.as_ptr(),
            )
        };
        let (pool, said) = log::capture(create);
        let pool = NonNull::new(pool).ok_or_else(|| Error::Mempool {
            name: config.name.clone(),
            mbufs: config.mbufs,
            megabytes: config.bytes() >> 20,
            errno: last_errno(),
            said,
        })?;
        Ok(Self { pool, data_room: config.data_room, _eal: eal.clone() })
    }

    /// An empty mbuf, with headroom; `None` where the pool is exhausted.
    #[inline]
    pub fn alloc(&self) -> Option<Mbuf> {
        // SAFETY: the pool lives as long as the process.
        let raw = unsafe { sys::sluice_mbuf_alloc(self.pool.as_ptr()) };
        // SAFETY: a fresh mbuf that nobody else has.
        NonNull::new(raw).map(|raw| unsafe { Mbuf::from_raw(raw) })
    }

    /// Fills the free room of `burst` with empty mbufs: all of it or, where the pool has too few, none.
    #[inline]
    pub fn alloc_burst(&self, burst: &mut Burst) -> bool {
        let (spare, room) = burst.spare();
        // SAFETY: `spare` has room for `room` pointers; the pool lives as long as the process.
        let code = unsafe { sys::sluice_mbuf_alloc_bulk(self.pool.as_ptr(), spare, u32::from(room)) };
        if code == 0 {
            // SAFETY: success means that all `room` pointers were written, to fresh mbufs.
            unsafe { burst.assume_filled(room) };
        }
        code == 0
    }

    /// The mbufs in the pool and its caches. Exact only while no other thread takes or frees.
    pub fn available(&self) -> u32 {
        // SAFETY: the pool lives as long as the process; counting is allowed beside other users.
        unsafe { sys::rte_mempool_avail_count(self.pool.as_ptr()) }
    }

    /// The mbufs out of the pool: in descriptor rings, in bursts, or lost. Exact as [`available`](Self::available) is.
    pub fn in_use(&self) -> u32 {
        self.capacity().saturating_sub(self.available())
    }

    /// The mbufs the pool was made with.
    pub fn capacity(&self) -> u32 {
        // SAFETY: reads a field that is written once, when the pool is made.
        unsafe { sys::sluice_mempool_size(self.pool.as_ptr()) }
    }

    /// The bytes of a frame that one mbuf takes in.
    pub fn frame_room(&self) -> u16 {
        self.data_room.saturating_sub(HEADROOM)
    }

    pub(crate) fn as_ptr(&self) -> *mut sys::rte_mempool {
        self.pool.as_ptr()
    }
}

impl MempoolConfig {
    /// The memory a pool takes, near enough for an error message: mbuf, buffer, and the pool's own header.
    fn bytes(&self) -> u64 {
        u64::from(self.mbufs) * (size_of::<sys::rte_mbuf>() as u64 + u64::from(self.data_room) + 64)
    }
}
