//! When the defences are at work (reference 4.8): what counts as short memory here, and what each mode makes of it.
//!
//! The kernel compares free pages with amemthresh. An lcore's memory is all taken at start; what runs short is room in
//! its flow table. So the pages that count are those of free flows, of the lcore that has the fewest.

use sluice_core::{FLOW_BYTES, Switches};

use super::settings::Settings;

/// Bytes of a page, in which amemthresh is given.
const PAGE: u64 = 4096;
const FLOWS_A_PAGE: u64 = PAGE / FLOW_BYTES as u64;
/// The threshold never counts for more than this part of a table, or a small one would always be short.
const PART: u64 = 8;

/// Room in the flow table of one lcore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Flows there is room for in all.
    pub capacity: u64,
    /// Flows there are.
    pub used: u64,
}

impl Room {
    fn free_pages(self) -> u64 {
        self.capacity.saturating_sub(self.used) / FLOWS_A_PAGE
    }

    /// How far free pages are below the threshold, and the threshold; `None` where there are enough.
    fn lack(self, amemthresh: u64) -> Option<(u64, u64)> {
        let threshold = amemthresh.min(self.capacity / FLOWS_A_PAGE / PART);
        let lack = threshold.saturating_sub(self.free_pages());
        (lack > 0).then_some((lack, threshold))
    }
}

/// The defences as they are at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Defences {
    drop_rate: u32,
    drop_at_once: bool,
    drop_entry: bool,
    secure_tcp: bool,
}

impl Defences {
    /// Judges by the room of the lcores, and turns the automatic modes in `settings`.
    pub fn judge(settings: &mut Settings, rooms: impl Iterator<Item = Room>) -> Self {
        let amemthresh = u64::try_from(settings.number("amemthresh")).unwrap_or(0);
        let lack = rooms.filter_map(|room| room.lack(amemthresh)).max_by_key(|(lack, _)| *lack);
        let short = lack.is_some();
        let drop_rate = match settings.number("drop_packet") {
            3 => u32::try_from(settings.number("am_droprate")).unwrap_or(0),
            1 | 2 => lack.map_or(0, |(lack, threshold)| u32::try_from(threshold / lack).unwrap_or(u32::MAX)),
            _ => 0,
        };
        let drop_at_once = settings.number("drop_packet") == 3;
        let drop_entry = at_work(settings, "drop_entry", short);
        let secure_tcp = at_work(settings, "secure_tcp", short);
        at_work(settings, "drop_packet", short);
        Self { drop_rate, drop_at_once, drop_entry, secure_tcp }
    }

    pub(super) fn apply(&self, switches: &mut Switches) {
        switches.drop_rate = self.drop_rate;
        switches.drop_at_once = self.drop_at_once;
        switches.drop_entry = self.drop_entry;
        switches.secure_tcp = self.secure_tcp;
    }
}

/// Whether a defence is at work. An automatic one says by its mode which it is.
fn at_work(settings: &mut Settings, name: &str, short: bool) -> bool {
    match settings.number(name) {
        1 | 2 => {
            settings.turn(name, if short { 2 } else { 1 });
            short
        }
        mode => mode == 3,
    }
}

#[cfg(test)]
mod tests {
    use sluice_api::SysctlValue;

    use super::*;

    /// 32,768 flows: 1024 pages, so that the threshold counts up to 128.
    const CAPACITY: u64 = 1 << 15;

    fn with(values: &[(&str, i64)]) -> Settings {
        let mut settings = Settings::default();
        let wanted = values.iter().map(|(name, value)| ((*name).to_owned(), SysctlValue::Number(*value)));
        settings.set(&wanted.collect()).expect("accepted");
        settings
    }

    fn judge(settings: &mut Settings, free_pages: &[u64]) -> (u32, bool) {
        let room = |free: &u64| Room { capacity: CAPACITY, used: CAPACITY - free * FLOWS_A_PAGE };
        let defences = Defences::judge(settings, free_pages.iter().map(room));
        (defences.drop_rate, defences.drop_entry)
    }

    #[test]
    fn automatic_modes_turn_as_room_goes_and_comes() {
        let mut settings = with(&[("drop_packet", 1), ("drop_entry", 2), ("amemthresh", 100)]);
        let modes = |settings: &Settings| (settings.number("drop_packet"), settings.number("drop_entry"));
        for (free, expected, after) in [
            (100, (0, false), (1, 1)),
            (99, (100, true), (2, 2)),
            (50, (2, true), (2, 2)),
            (49, (1, true), (2, 2)),
            (0, (1, true), (2, 2)),
            (100, (0, false), (1, 1)),
        ] {
            assert_eq!(judge(&mut settings, &[free]), expected, "{free} pages");
            assert_eq!(modes(&settings), after, "{free} pages");
        }
    }

    #[test]
    fn secure_tcp_turns_as_the_others_do() {
        for (mode, expected, after) in
            [(0, [false, false], 0), (1, [false, true], 2), (2, [false, true], 2), (3, [true, true], 3)]
        {
            let mut settings = with(&[("secure_tcp", mode), ("amemthresh", 100)]);
            let at_work = [100, 99].map(|free| {
                let room = Room { capacity: CAPACITY, used: CAPACITY - free * FLOWS_A_PAGE };
                let defences = Defences::judge(&mut settings, std::iter::once(room));
                settings.switches(&defences).secure_tcp
            });
            assert_eq!((at_work, settings.number("secure_tcp")), (expected, after), "mode {mode}");
        }
    }

    #[test]
    fn the_lcore_with_the_least_room_counts() {
        let mut settings = with(&[("drop_packet", 1), ("amemthresh", 100)]);
        assert_eq!(judge(&mut settings, &[1000, 75, 90]).0, 4);
    }

    #[test]
    fn mode_3_and_mode_0_do_not_ask_for_room() {
        let mut settings = with(&[("drop_packet", 3), ("drop_entry", 3), ("am_droprate", 7)]);
        for free in [0, 1000] {
            assert_eq!(judge(&mut settings, &[free]), (7, true));
        }
        let mut settings = Settings::default();
        assert_eq!(judge(&mut settings, &[0]), (0, false));
        assert_eq!(settings, Settings::default());
    }

    #[test]
    fn an_empty_small_table_is_not_short() {
        let mut settings = with(&[("drop_entry", 1)]);
        let room = |used| std::iter::once(Room { capacity: 1024, used });
        assert!(!Defences::judge(&mut settings, room(0)).drop_entry, "the default is a thousand pages");
        assert!(!Defences::judge(&mut settings, room(1024 - 4 * 32)).drop_entry);
        assert!(Defences::judge(&mut settings, room(1024 - 4 * 32 + 1)).drop_entry);
    }
}
