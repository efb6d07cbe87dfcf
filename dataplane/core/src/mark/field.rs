//! One field of the classifier: which rules accept a value.
//!
//! Where rules begin and end to accept values, the field is cut into intervals. Each has a bit vector, one bit a rule,
//! of which only the words that are not 0 are kept, behind a summary of one bit a word; 64 words that did not change from
//! one interval to the next are kept once.
use std::ops::RangeInclusive;

/// A rule's place in the bit vectors.
pub(super) type Bit = u32;

/// 64 words of an interval's vector.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    /// The words that are not 0.
    kept: u64,
    /// Where the first of these is.
    at: u32,
}

/// One field.
#[derive(Clone, Debug)]
pub(super) struct Field<K> {
    /// The first value of each interval, the lowest value there is first.
    starts: Box<[K]>,
    /// The parts of each interval's vector.
    parts: Box<[Part]>,
    words: Box<[u64]>,
    /// By word, whether its rules do not ask for this field: they accept every value.
    open: Box<[u64]>,
    parts_each: usize,
}

/// The rules that accept one value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Accepting<'a> {
    parts: &'a [Part],
    words: &'a [u64],
    open: &'a [u64],
}

impl Accepting<'_> {
    /// Of 64 words, those in which a rule may accept the value.
    #[inline]
    pub(super) fn candidates(&self, part: usize) -> u64 {
        let kept = self.parts.get(part).map_or(0, |part| part.kept);
        kept | self.open.get(part).copied().unwrap_or(0)
    }

    /// The rules of word `bit` of a part that accept the value.
    #[inline]
    pub(super) fn word(&self, part: usize, bit: u32) -> u64 {
        if self.open.get(part).is_some_and(|open| open >> bit & 1 != 0) {
            return u64::MAX;
        }
        let Some(Part { kept, at }) = self.parts.get(part) else { return 0 };
        let before = (kept & !(u64::MAX << bit)).count_ones();
        self.words.get((at + before) as usize).copied().unwrap_or(0)
    }
}

impl<K: Copy + Ord> Field<K> {
    /// The field, for `words` words of rules. `ranges` are those that the rules ask for, with what follows the last value
    /// (`None` where that is the last there is); rules of the words in `open` ask for none.
    pub(super) fn build(words: usize, lowest: K, ranges: &[Range<K>], open: Box<[u64]>) -> Self {
        // A rule accepts from one edge to the next.
        let mut edges: Vec<(K, Bit)> = Vec::with_capacity(ranges.len() * 2);
        for range in ranges {
            edges.push((range.first, range.bit));
            edges.extend(range.beyond.map(|beyond| (beyond, range.bit)));
        }
        edges.sort_unstable();
        let parts_each = words.div_ceil(64);
        let mut field = Draft { starts: Vec::new(), parts: Vec::new(), words: Vec::new() };
        let mut now = vec![PartDraft::default(); parts_each];
        let mut start = lowest;
        for (value, bit) in edges {
            if value != start {
                field.push(start, &mut now);
                start = value;
            }
            if let Some(part) = now.get_mut(bit as usize / (64 * 64)) {
                part.flip(bit);
            }
        }
        field.push(start, &mut now);
        Self {
            starts: field.starts.into(),
            parts: field.parts.into(),
            words: field.words.into(),
            open,
            parts_each,
        }
    }

    /// The rules that accept `value`.
    #[inline]
    pub(super) fn accepting(&self, value: K) -> Accepting<'_> {
        let interval = self.starts.partition_point(|start| *start <= value).saturating_sub(1);
        let from = interval * self.parts_each;
        let parts = self.parts.get(from..from + self.parts_each).unwrap_or(&[]);
        Accepting { parts, words: &self.words, open: &self.open }
    }
}

/// The values that one rule asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range<K> {
    bit: Bit,
    first: K,
    beyond: Option<K>,
}

impl Range<u32> {
    pub(super) fn new(bit: Bit, values: &RangeInclusive<u32>) -> Self {
        Self { bit, first: *values.start(), beyond: values.end().checked_add(1) }
    }
}

struct Draft<K> {
    starts: Vec<K>,
    parts: Vec<Part>,
    words: Vec<u64>,
}

impl<K> Draft<K> {
    /// Ends the interval that begins at `start`. A part that is as it was in the interval before shares its words.
    fn push(&mut self, start: K, vector: &mut [PartDraft]) {
        self.starts.push(start);
        for part in vector {
            if part.changed {
                part.changed = false;
                part.shared.at = u32::try_from(self.words.len()).unwrap_or(u32::MAX);
                self.words.extend(part.words.iter().filter(|word| **word != 0));
            }
            self.parts.push(part.shared);
        }
    }
}

/// A part of the vector of the interval at hand, whole.
#[derive(Clone)]
struct PartDraft {
    words: [u64; 64],
    shared: Part,
    changed: bool,
}

impl Default for PartDraft {
    fn default() -> Self {
        Self { words: [0; 64], shared: Part::default(), changed: false }
    }
}

impl PartDraft {
    fn flip(&mut self, bit: Bit) {
        let at = bit / 64 % 64;
        if let Some(word) = self.words.get_mut(at as usize) {
            *word ^= 1 << (bit % 64);
            let here = 1 << at;
            self.shared.kept = if *word == 0 { self.shared.kept & !here } else { self.shared.kept | here };
            self.changed = true;
        }
    }
}
