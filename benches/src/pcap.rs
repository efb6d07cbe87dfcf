//! Writes capture files: libpcap's classic format, link type Ethernet.
use std::io::{self, Write};

/// The largest packet a reader has to expect.
const SNAP_LENGTH: u32 = 65_535;
const LINKTYPE_ETHERNET: u32 = 1;

/// Writes a capture of `frames` to `to`. All frames bear the time 0.
///
/// # Errors
/// What `to` refuses, and a frame of 64 KiB or more.
pub fn write<'a>(to: &mut impl Write, frames: impl IntoIterator<Item = &'a [u8]>) -> io::Result<()> {
    // Magic number (microseconds, this machine's byte order), version 2.4, time zone, accuracy.
    to.write_all(&0xa1b2_c3d4_u32.to_ne_bytes())?;
    to.write_all(&2_u16.to_ne_bytes())?;
    to.write_all(&4_u16.to_ne_bytes())?;
    for word in [0, 0, SNAP_LENGTH, LINKTYPE_ETHERNET] {
        to.write_all(&word.to_ne_bytes())?;
    }
    for frame in frames {
        let length = u32::try_from(frame.len()).ok().filter(|&length| length <= SNAP_LENGTH);
        let length = length.ok_or_else(|| io::Error::other("a frame of 64 KiB or more"))?;
        // Seconds, microseconds, bytes captured, bytes on the wire.
        for word in [0, 0, length, length] {
            to.write_all(&word.to_ne_bytes())?;
        }
        to.write_all(frame)?;
    }
    to.flush()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_capture_has_the_format_s_lengths() {
        let mut file = Vec::new();
        super::write(&mut file, [&[1u8; 60][..], &[2; 61]]).expect("memory takes it");
        assert_eq!(file.len(), 24 + 16 + 60 + 16 + 61);
        assert_eq!(file[24 + 8..24 + 12], 60u32.to_ne_bytes());
        assert_eq!(file[24 + 16..24 + 16 + 60], [1; 60]);
        super::write(&mut Vec::new(), [&vec![0; 65_536][..]]).expect_err("too long");
    }
}
