//! A tournament of numbers: the least is at hand, and a change costs the logarithm.
//!
//! Players meet in groups of four, the winners of four groups meet again, and so on up to the final. A group is one
//! cache line; of a thousand players a change touches five at most, and stops where it changes no winner.

use std::hint::select_unpredictable;

/// The least of all numbers that were set. They are all different, or `u128::MAX`.
#[derive(Clone, Debug)]
pub(super) struct Tournament {
    /// Round by round, the players' own groups first and the final last.
    groups: Box<[Group]>,
    /// How many groups the first round has.
    first_round: usize,
}

const SIZE: usize = 4;

/// Four players; a seat that is left empty holds `u128::MAX`.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Group([u128; SIZE]);

const _: () = assert!(size_of::<Group>() == 64);

impl Group {
    /// Seats a player and returns the winner.
    #[inline(always)]
    fn seat(&mut self, seat: usize, player: u128) -> u128 {
        // The others first, from memory: only one comparison has to wait for the player of the round before.
        let [a, b, c, d] = self.0;
        let other = |at, held| select_unpredictable(at == seat, u128::MAX, held);
        let others = lesser(lesser(other(0, a), other(1, b)), lesser(other(2, c), other(3, d)));
        if let Some(held) = self.0.get_mut(seat) {
            *held = player;
        }
        lesser(others, player)
    }

    #[inline(always)]
    fn winner(&self) -> u128 {
        let [a, b, c, d] = self.0;
        lesser(lesser(a, b), lesser(c, d))
    }
}

/// The lesser of two, without a branch: which it is cannot be foretold.
#[inline(always)]
fn lesser(a: u128, b: u128) -> u128 {
    select_unpredictable(b < a, b, a)
}

impl Tournament {
    /// For `players` players, all with `u128::MAX`.
    pub(super) fn new(players: usize) -> Self {
        let first_round = players.div_ceil(SIZE);
        let rounds =
            std::iter::successors(Some(first_round), |&groups| (groups > 1).then(|| groups.div_ceil(SIZE)));
        Self { groups: vec![Group([u128::MAX; SIZE]); rounds.sum()].into(), first_round }
    }

    /// Sets all players' numbers.
    pub(super) fn play(&mut self, players: impl Iterator<Item = u128>) {
        fill(&mut self.groups, players);
        let (mut from, mut groups) = (0, self.first_round);
        while groups > 1 {
            let Some((played, next)) = self.groups.split_at_mut_checked(from + groups) else { return };
            fill(next, played.iter().skip(from).map(Group::winner));
            (from, groups) = (from + groups, groups.div_ceil(SIZE));
        }
    }

    /// Sets the number of the player at `at`.
    #[inline]
    pub(super) fn set(&mut self, mut at: usize, mut player: u128) {
        let (mut from, mut groups) = (0, self.first_round);
        while let Some(group) = self.groups.get_mut(from + at / SIZE) {
            let seat = at % SIZE;
            if group.0.get(seat) == Some(&player) {
                return;
            }
            player = group.seat(seat, player);
            (from, groups, at) = (from + groups, groups.div_ceil(SIZE), at / SIZE);
        }
    }

    /// The least number; `u128::MAX` where there is no player.
    #[inline]
    pub(super) fn least(&self) -> u128 {
        self.groups.last().map_or(u128::MAX, Group::winner)
    }
}

fn fill(groups: &mut [Group], players: impl Iterator<Item = u128>) {
    for (seat, player) in groups.iter_mut().flat_map(|group| &mut group.0).zip(players) {
        *seat = player;
    }
}

#[cfg(test)]
mod tests {
    use super::Tournament;
    use proptest::prelude::*;

    fn numbers() -> impl Strategy<Value = u128> {
        prop_oneof![4 => 0..1000_u128, 1 => any::<u128>(), 1 => Just(u128::MAX)]
    }

    proptest! {
        #[test]
        fn the_least_wins(
            mut players in prop::collection::vec(numbers(), 0..300),
            changes in prop::collection::vec((any::<prop::sample::Index>(), numbers()), 0..100),
        ) {
            let mut tournament = Tournament::new(players.len());
            prop_assert_eq!(tournament.least(), u128::MAX);
            tournament.play(players.iter().copied());
            let least = |players: &[u128]| players.iter().copied().min().unwrap_or(u128::MAX);
            prop_assert_eq!(tournament.least(), least(&players));
            for (at, number) in changes {
                if players.is_empty() {
                    break;
                }
                let at = at.index(players.len());
                tournament.set(at, number);
                players[at] = number;
                prop_assert_eq!(tournament.least(), least(&players));
            }
        }
    }
}
