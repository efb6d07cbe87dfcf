//! The mark rules as lcores look them up: bit vectors over the rules, one field at a time.
//!
//! A lookup finds, for each field, the vector of the rules that accept the packet's value, and takes the first rule that is
//! in all of them. Rules that ask for the same fields lie together, so that a word of 64 rules is looked at only where
//! some of them accept the packet in every field they ask for. The work is bounded by the number of words, whatever the
//! rules and the packet are; there is no recursion, nothing is hashed, nothing is written.
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::field::{Accepting, Bit, Field, Range};
use super::rule::MarkRule;

/// What rules can ask of an IPv4 packet; addresses and ports in host order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkPacket4 {
    /// Index of the port it came in by.
    pub port: u16,
    /// Its outermost VLAN id; 0 where it has no tag.
    pub vlan: u16,
    /// IP protocol.
    pub protocol: u8,
    /// Source address.
    pub source: u32,
    /// Destination address.
    pub destination: u32,
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
}

/// The rule that a packet met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkHit {
    /// The rule's slot among the counters.
    pub slot: u32,
    /// The mark.
    pub mark: u32,
}

/// The rules, compiled.
#[derive(Clone, Debug, Default)]
pub struct MarkTable {
    /// `None`: no rule for IPv4 packets.
    v4: Option<Classifier>,
}

impl MarkTable {
    /// A table of these rules, each with its slot, in the order in which they are to be asked.
    #[must_use]
    pub fn new<'a>(rules: impl Iterator<Item = (u32, &'a MarkRule)>) -> Self {
        let rules: Vec<_> = rules.filter(|(_, rule)| rule.takes_ipv4()).collect();
        Self { v4: (!rules.is_empty()).then(|| Classifier::new(&rules)) }
    }

    /// The first rule that matches the packet.
    #[inline]
    #[must_use]
    pub fn lookup(&self, packet: &MarkPacket4) -> Option<MarkHit> {
        self.v4.as_ref()?.lookup(packet)
    }
}

/// How many fields there are.
const FIELDS: usize = 7;

/// What a rule asks of each field, in the order in which a packet's values are given.
fn asked(rule: &MarkRule) -> [Option<RangeInclusive<u32>>; FIELDS] {
    let exactly = |value: u32| value..=value;
    let ports = |ports: &RangeInclusive<u16>| u32::from(*ports.start())..=u32::from(*ports.end());
    [
        rule.destination.and_then(|prefix| prefix.range4()),
        rule.source.and_then(|prefix| prefix.range4()),
        rule.destination_ports.as_ref().map(ports),
        rule.source_ports.as_ref().map(ports),
        rule.protocol.map(|protocol| exactly(protocol as u32)),
        rule.port.map(|port| exactly(port.into())),
        rule.vlan.map(|vlan| exactly(vlan.into())),
    ]
}

/// The rules of one address family.
#[derive(Clone, Debug)]
struct Classifier {
    fields: [Field<u32>; FIELDS],
    /// By word, the lowest rank in it; rising.
    firsts: Box<[u32]>,
    /// By word and bit, the rules' places in their order; `NOBODY` where there is no rule.
    ranks: Box<[[u32; 64]]>,
    /// By rank.
    hits: Box<[MarkHit]>,
    parts: usize,
}

const NOBODY: u32 = u32::MAX;

impl Classifier {
    fn new(rules: &[(u32, &MarkRule)]) -> Self {
        let asked: Vec<_> = rules.iter().map(|(_, rule)| asked(rule)).collect();
        let mut shapes: BTreeMap<[bool; FIELDS], Vec<u32>> = BTreeMap::new();
        for (rank, asked) in (0..).zip(&asked) {
            shapes.entry(asked.each_ref().map(Option::is_some)).or_default().push(rank);
        }
        // Words of 64 rules, those that hold the first in order before the others.
        let chunks =
            shapes.iter().flat_map(|(shape, ranks)| ranks.chunks(64).map(move |ranks| (shape, ranks)));
        let mut chunks: Vec<_> = chunks.collect();
        chunks.sort_by_key(|(_, ranks)| ranks.first().copied());

        let mut fields: [FieldDraft; FIELDS] = std::array::from_fn(|_| FieldDraft::new(chunks.len()));
        let mut ranks = Vec::with_capacity(chunks.len());
        for (word, (shape, of_word)) in chunks.iter().enumerate() {
            for (field, _) in fields.iter_mut().zip(*shape).filter(|(_, asks)| !**asks) {
                field.leave_open(word);
            }
            let mut padded = [NOBODY; 64];
            for ((place, &rank), bit) in padded.iter_mut().zip(*of_word).zip(first_bit(word)..) {
                *place = rank;
                let asked = asked.get(rank as usize).into_iter().flatten();
                for (field, values) in fields.iter_mut().zip(asked) {
                    field.ranges.extend(values.as_ref().map(|values| Range::new(bit, values)));
                }
            }
            ranks.push(padded);
        }
        let words = chunks.len();
        Self {
            fields: fields.map(|field| Field::build(words, 0, &field.ranges, field.open.into())),
            firsts: ranks.iter().map(|[first, ..]| *first).collect(),
            ranks: ranks.into(),
            hits: rules.iter().map(|(slot, rule)| MarkHit { slot: *slot, mark: rule.mark }).collect(),
            parts: words.div_ceil(64),
        }
    }

    fn lookup(&self, packet: &MarkPacket4) -> Option<MarkHit> {
        let values: [u32; FIELDS] = [
            packet.destination,
            packet.source,
            packet.destination_port.into(),
            packet.source_port.into(),
            packet.protocol.into(),
            packet.port.into(),
            packet.vlan.into(),
        ];
        let [a, b, c, d, e, f, g] = &self.fields;
        let [of_a, of_b, of_c, of_d, of_e, of_f, of_g] = values;
        let accepting = [
            a.accepting(of_a),
            b.accepting(of_b),
            c.accepting(of_c),
            d.accepting(of_d),
            e.accepting(of_e),
            f.accepting(of_f),
            g.accepting(of_g),
        ];
        self.hits.get(self.first(&accepting) as usize).copied()
    }

    /// The lowest rank of a rule that is in all vectors.
    fn first(&self, accepting: &[Accepting<'_>; FIELDS]) -> u32 {
        let mut best = NOBODY;
        for part in 0..self.parts {
            let mut candidates = accepting.iter().fold(u64::MAX, |all, one| all & one.candidates(part));
            while candidates != 0 {
                let bit = candidates.trailing_zeros();
                candidates &= candidates - 1;
                let word = part * 64 + bit as usize;
                if self.firsts.get(word).is_none_or(|first| *first >= best) {
                    return best;
                }
                let matching = accepting.iter().fold(u64::MAX, |all, one| all & one.word(part, bit));
                if matching != 0 {
                    let ranks = self.ranks.get(word);
                    let rank = ranks.and_then(|ranks| ranks.get(matching.trailing_zeros() as usize));
                    best = rank.map_or(best, |rank| best.min(*rank));
                }
            }
        }
        best
    }
}

/// The bit of a word's first rule.
fn first_bit(word: usize) -> Bit {
    Bit::try_from(word * 64).unwrap_or(Bit::MAX)
}

/// A field while the rules are gathered.
struct FieldDraft {
    ranges: Vec<Range<u32>>,
    open: Vec<u64>,
}

impl FieldDraft {
    fn new(words: usize) -> Self {
        Self { ranges: Vec::new(), open: vec![0; words.div_ceil(64)] }
    }

    /// The rules of this word do not ask for the field.
    fn leave_open(&mut self, word: usize) {
        if let Some(part) = self.open.get_mut(word / 64) {
            *part |= 1 << (word % 64);
        }
    }
}
