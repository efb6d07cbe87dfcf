//! Direct routing: the packet goes to the real as it is.
use sluice_packet::Parsed;
use sluice_packet::checksum::Delta;

use super::{ip_header, step_ttl};

/// Leaves the packet as it is, but for its time to live.
#[inline(always)]
pub(crate) fn direct(frame: &mut [u8], parsed: &Parsed) {
    if let Some(header) = ip_header(frame, parsed) {
        step_ttl(header, Delta::ZERO);
    }
}
