//! Fuzz targets. Under `cargo test` each replays its corpus and adds random inputs; under cargo-bolero a
//! fuzzing engine takes over. The corpora are written from the shapes with `UPDATE_CORPUS=1`.
mod common;

use bolero::check;
use common::naive;
use common::shapes::shapes;
use sluice_packet::build::Frame;
use sluice_packet::checksum::{Crc32c, Delta, Sum};
use sluice_packet::{Kind, Malformed, Quoted4, classify};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// No bytes make classification panic, step out of the frame or differ from the naive reading.
#[test]
fn fuzz_classify() {
    check!().with_iterations(200_000).with_max_len(256).for_each(|bytes: &[u8]| {
        agrees(bytes);
        // Random bytes seldom have our address and an IP ethertype: give them these.
        for ethertype in [0x0800_u16, 0x86dd, 0x8100] {
            let addresses = [Frame::DESTINATION, Frame::SOURCE].concat();
            agrees(&[&addresses[..], &ethertype.to_be_bytes(), bytes].concat());
        }
    });
}

fn agrees(frame: &[u8]) {
    for frame_len in [frame.len(), frame.len() + 70_000] {
        for good in [false, true] {
            let parsed = classify(frame, frame_len, &Frame::DESTINATION, good);
            assert_eq!(parsed, naive::classify(frame, frame_len, &Frame::DESTINATION, good));
            assert_eq!(parsed.kind == Kind::Bad, parsed.malformed != Malformed::None);
            assert!(usize::from(parsed.l3) + usize::from(parsed.ip_len) <= frame_len);
            assert!(usize::from(parsed.l4) <= frame.len());
            if let Some(quoted) = Quoted4::of(frame, &parsed) {
                assert!(parsed.kind == Kind::IcmpError4 && usize::from(quoted.l4) <= frame.len());
            }
        }
    }
}

/// The fast sums are the slow ones, and a changed word moves the checksum as a fresh sum does.
#[test]
fn fuzz_checksum() {
    check!().with_iterations(100_000).with_max_len(512).for_each(|bytes: &[u8]| {
        let sum = naive::slow_sum(bytes);
        assert_eq!(Sum::of_bytes(bytes).fold(), sum);
        let slow = bytes.iter().fold(Crc32c::default(), |crc, byte| crc.plus(&[*byte]));
        assert_eq!(Crc32c::default().plus(bytes).value(), slow.value());
        if let [old_high, old_low, new_high, new_low, rest @ ..] = bytes {
            let (old, new) = ([*old_high, *old_low], [*new_high, *new_low]);
            let fresh = |word: [u8; 2]| !naive::slow_sum(&[&word, rest, &[0, 6]].concat());
            let delta = Delta::of_u16(u16::from_be_bytes(old), u16::from_be_bytes(new));
            // An odd rest would shift the two bytes that keep the sum above 0.
            if rest.len() % 2 == 0 {
                assert_eq!(delta.apply(fresh(old)), fresh(new));
            }
        }
    });
}

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/__fuzz__").join(target).join("corpus")
}

fn checksum_seeds() -> BTreeMap<String, Vec<u8>> {
    let seeds: [(&str, Vec<u8>); 6] = [
        ("empty", vec![]),
        ("odd", vec![0x12, 0x34, 0x56]),
        ("rfc1071", vec![0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]),
        ("rfc1624", vec![0x55, 0x55, 0x32, 0x85, 0xcd, 0x7a]),
        ("zeros", vec![0; 40]),
        ("ones", vec![0xff; 41]),
    ];
    seeds.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect()
}

/// The corpora in the repository are what the shapes give, so that a new shape is fuzzed too.
#[test]
fn corpora_are_the_shapes() {
    let frames = shapes().into_iter().map(|shape| (shape.name.to_owned(), shape.frame)).collect();
    for (target, seeds) in [("classify", frames), ("checksum", checksum_seeds())] {
        let folder = folder(target);
        if std::env::var_os("UPDATE_CORPUS").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            for (name, bytes) in &seeds {
                std::fs::write(folder.join(name), bytes).unwrap();
            }
        }
        let committed: BTreeMap<String, Vec<u8>> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| {
                (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap())
            })
            .collect();
        assert!(committed == seeds, "{target}: UPDATE_CORPUS=1 cargo test writes the corpus anew");
    }
}
