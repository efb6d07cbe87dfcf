//! Lines out of a byte stream, with a limit: one JSON-RPC message each.

use thiserror::Error;

/// The longest request line in bytes, its newline not counted: 16 MiB.
pub const MAX_REQUEST: usize = 16 << 20;

/// The longest reply line a client takes, in bytes: 1 GiB. A listing of 20,000 services is some tens of MiB.
pub const MAX_REPLY: usize = 1 << 30;

/// A line outgrew its limit. The stream cannot be used further: where the next line starts is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a line of more than {limit} bytes")]
pub struct LineTooLong {
    /// The limit in bytes.
    pub limit: usize,
}

/// Collects what a socket gives and hands out whole lines. Does no I/O, so it serves blocking and async code.
///
/// ```
/// # use sluice_api::framing::LineBuffer;
/// let mut lines = LineBuffer::new(64);
/// lines.extend(b"{\"a\":1}\n{\"b\"");
/// assert_eq!(lines.next_line().unwrap().as_deref(), Some(&b"{\"a\":1}"[..]));
/// assert_eq!(lines.next_line().unwrap(), None);
/// ```
#[derive(Debug)]
pub struct LineBuffer {
    bytes: Vec<u8>,
    /// Where the next line starts.
    start: usize,
    /// Up to where `bytes` is known to hold no newline, so that no byte is looked at twice.
    scanned: usize,
    limit: usize,
}

impl LineBuffer {
    /// Holds lines of up to `limit` bytes, the newline not counted.
    pub const fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), start: 0, scanned: 0, limit }
    }

    /// Adds what was read.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.compact();
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole line, without its newline; `None` = read more. Blank lines are skipped.
    ///
    /// # Errors
    /// [`LineTooLong`], whole or not, and on every later call.
    pub fn next_line(&mut self) -> Result<Option<Vec<u8>>, LineTooLong> {
        loop {
            let unseen = self.bytes.get(self.scanned..).unwrap_or_default();
            let found = unseen.iter().position(|&b| b == b'\n').map(|at| self.scanned + at);
            let end = found.unwrap_or(self.bytes.len());
            if end - self.start > self.limit {
                return Err(LineTooLong { limit: self.limit });
            }
            self.scanned = end;
            let Some(end) = found else { return Ok(None) };
            let line = self.bytes.get(self.start..end).unwrap_or_default().trim_ascii().to_vec();
            self.start = end + 1;
            self.scanned = self.start;
            if !line.is_empty() {
                return Ok(Some(line));
            }
        }
    }

    /// Bytes held that belong to no whole line yet. At the end of a stream: what was cut off.
    pub fn pending(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Drops the lines handed out, once they are the larger half: each byte is moved once at most on average.
    fn compact(&mut self) {
        if self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.scanned -= self.start;
            self.start = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn blank_lines_and_carriage_returns_are_no_messages() {
        let mut lines = LineBuffer::new(8);
        lines.extend(b"\n\r\n  \n{}\r\nx");
        assert_eq!(lines.next_line(), Ok(Some(b"{}".to_vec())));
        assert_eq!(lines.next_line(), Ok(None));
        assert_eq!(lines.pending(), 1);
    }

    #[test]
    fn the_limit_is_exact_and_holds_before_the_newline_comes() {
        let mut lines = LineBuffer::new(4);
        lines.extend(b"1234\n1234");
        assert_eq!(lines.next_line(), Ok(Some(b"1234".to_vec())));
        assert_eq!(lines.next_line(), Ok(None));
        lines.extend(b"5");
        assert_eq!(lines.next_line(), Err(LineTooLong { limit: 4 }));
        assert_eq!(lines.next_line(), Err(LineTooLong { limit: 4 }));
        let mut lines = LineBuffer::new(4);
        lines.extend(b"12345\n");
        assert_eq!(lines.next_line(), Err(LineTooLong { limit: 4 }));
    }

    proptest! {
        /// However a stream is cut into reads, the lines are those of the stream.
        #[test]
        fn cuts_do_not_matter(stream in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..400),
                              cuts in proptest::collection::vec(1usize..40, 0..60)) {
            let mut lines = LineBuffer::new(1000);
            let mut got = Vec::new();
            let mut rest = stream.as_slice();
            for cut in cuts.into_iter().chain(std::iter::repeat(7)) {
                let (now, later) = rest.split_at(cut.min(rest.len()));
                lines.extend(now);
                while let Some(line) = lines.next_line().unwrap() {
                    got.push(line);
                }
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            let whole = stream.iter().rposition(|&b| b == b'\n').map_or(&[][..], |end| &stream[..end]);
            let want: Vec<Vec<u8>> = whole
                .split(|&b| b == b'\n')
                .map(|l| l.trim_ascii().to_vec())
                .filter(|l| !l.is_empty())
                .collect();
            prop_assert_eq!(got, want);
        }
    }
}
