//! The lab: a client, a director and two real servers, each in a network namespace, joined by veth pairs.
//!
//! ```text
//!   client                      director                       switch              real1, real2
//!   eth0 10.1.0.2/24 ------ wan | sluiced | lan ------------ dir  br0  r1 ------- eth0 10.2.0.11/24
//!   back 10.2.0.2/24 ---+    sl-wan 10.1.0.1/24                |        r2 ------- eth0 10.2.0.12/24
//!                       |           10.1.0.100/32 (VIP)        |
//!                       |    sl-lan 10.2.0.1/24                |
//!                       +--------------------------------------+  cl
//! ```
//!
//! `sluiced` takes the director's two veths through DPDK's net_af_packet; the addresses sit on its kernel twins. Under
//! NAT the reals answer through the director; under DR they answer over the client's `back` link, past it.
//!
//! [`conform`] has a laboratory of its own, with a Linux kernel in it.
//!
//! Everything is real: nginx serves, tcpdump captures, `sluicectl` configures. A [`Lab`] needs root, is alone on the
//! machine while it lives, and leaves nothing behind, nor does one that was killed: the next one sweeps up after it.

pub mod capture;
pub mod command;
pub mod conform;
pub mod ctl;
pub mod echo;
pub mod farm;
pub mod http;
pub mod inject;
pub mod interrupt;
pub mod lease;
pub mod netns;
pub mod process;
pub mod sluiced;
pub mod topology;
pub mod wait;
pub mod web;

pub use anyhow::{Context, Result, bail, ensure};
pub use capture::Capture;
pub use ctl::Ctl;
pub use farm::Farm;
pub use netns::Netns;
pub use process::Process;
pub use sluiced::Sluiced;
pub use topology::{CLIENT, DIRECTOR, Lab, ReplyPath, VIP, real_address};
pub use wait::until;
pub use web::Web;
