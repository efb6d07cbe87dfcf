//! The Call-IDs by which the SIP engine tells templates apart, beside the templates: only what such a service writes takes
//! memory.
use sluice_packet::sip::CALL_ID_MAX;

/// Call-IDs by a template's cell.
#[derive(Debug)]
pub(super) struct CallIds(Box<[u8]>);

impl CallIds {
    pub(super) fn new(cells: usize) -> Self {
        // Zeros from the system, which have no memory until they are written.
        Self(vec![0; cells * CALL_ID_MAX].into_boxed_slice())
    }

    /// The Call-ID in a cell; its length is the template's to know.
    pub(super) fn get(&self, cell: u32, length: u8) -> &[u8] {
        let start = cell as usize * CALL_ID_MAX;
        self.0.get(start..start + usize::from(length)).unwrap_or_default()
    }

    /// Keeps a Call-ID and returns its length.
    pub(super) fn set(&mut self, cell: u32, call_id: &[u8]) -> u8 {
        let start = cell as usize * CALL_ID_MAX;
        let length = call_id.len().min(CALL_ID_MAX);
        let places = self.0.get_mut(start..start + length).unwrap_or_default();
        places.iter_mut().zip(call_id).for_each(|(place, byte)| *place = *byte);
        length as u8
    }
}

/// A Call-ID as listings show it; empty where there is none.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CallId {
    length: u8,
    bytes: [u8; CALL_ID_MAX],
}

impl CallId {
    pub(super) fn of(call_id: &[u8]) -> Self {
        let mut bytes = [0; CALL_ID_MAX];
        bytes.iter_mut().zip(call_id).for_each(|(place, byte)| *place = *byte);
        Self { length: call_id.len().min(CALL_ID_MAX) as u8, bytes }
    }

    /// Its bytes: letters, digits and punctuation of ASCII.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

impl std::fmt::Debug for CallId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(self.as_bytes()))
    }
}
