//! Numbers that go up by one: what is left out on purpose leaves no gap, what is lost does.

use std::collections::VecDeque;

/// Runs of numbers with the same shift that are remembered, for packets that come late. A packet
/// that is later than this many omissions is not worth sending any more.
const REMEMBERED: usize = 64;

/// Maps the numbers of a source, unwrapped, to those that go out.
///
/// Numbers are unwrapped by the caller and never wrap here.
#[derive(Debug, Clone, Default)]
pub struct Continuity {
    /// From the oldest to the newest.
    runs: VecDeque<Run>,
    /// The highest number that came in, of the current source.
    newest: Option<u64>,
    /// The number that goes out next if the source begins anew.
    next: u64,
}

/// From this incoming number on, what goes out is so much less or more.
#[derive(Debug, Clone, Copy)]
struct Run {
    from: u64,
    shift: i128,
}

impl Continuity {
    /// Begins with this number.
    pub fn starting_at(next: u64) -> Self {
        Self { next, ..Self::default() }
    }

    /// Another source begins with this number: it goes out right behind the last one.
    pub fn begin(&mut self, number: u64) {
        self.runs.clear();
        self.newest = None;
        self.runs
            .push_back(Run { from: number, shift: i128::from(self.next) - i128::from(number) });
    }

    /// The outgoing number of one that is forwarded. `None`: it is older than the source, or too
    /// late for what is remembered, and must not go out.
    pub fn forward(&mut self, number: u64) -> Option<u64> {
        if self.runs.is_empty() {
            self.begin(number);
        }
        let run = self.runs.iter().rev().find(|run| run.from <= number)?;
        let out = u64::try_from(i128::from(number) + run.shift).ok()?;
        self.saw(number);
        self.next = self.next.max(out + 1);
        Some(out)
    }

    /// This number is left out on purpose: those behind it close up. One that comes late cannot be
    /// closed up any more; its place stays empty, as if it were lost.
    pub fn omit(&mut self, number: u64) {
        let late = self.newest.is_some_and(|newest| number <= newest);
        let Some(last) = self.runs.back().copied() else { return };
        if late || number < last.from {
            return;
        }
        self.saw(number);
        if last.from == number {
            // Nothing has the shift of a run that is left out from its beginning.
            self.runs.pop_back();
        }
        self.runs.push_back(Run { from: number + 1, shift: last.shift - 1 });
        if self.runs.len() > REMEMBERED {
            self.runs.pop_front();
        }
        // What was lost before it keeps its place.
        let out = i128::from(number) + last.shift;
        self.next = self.next.max(u64::try_from(out).unwrap_or_default());
    }

    /// The number that goes out next.
    pub fn next(&self) -> u64 {
        self.next
    }

    fn saw(&mut self, number: u64) {
        self.newest = Some(self.newest.map_or(number, |newest| newest.max(number)));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_loss_leaves_a_gap_and_an_omission_none() {
        let mut numbers = Continuity::starting_at(100);
        assert_eq!(numbers.forward(5), Some(100));
        numbers.omit(6);
        assert_eq!(numbers.forward(7), Some(101));
        // 8 is lost.
        assert_eq!(numbers.forward(9), Some(103));
        assert_eq!(numbers.forward(8), Some(102), "it comes late and finds its place");
    }

    #[test]
    fn a_new_source_goes_on_behind_the_old_one() {
        let mut numbers = Continuity::starting_at(0);
        numbers.forward(1000);
        numbers.forward(1001);
        numbers.begin(7);
        assert_eq!(numbers.forward(7), Some(2));
        assert_eq!(numbers.forward(6), None, "before the switch");
        assert_eq!(numbers.forward(8), Some(3));
    }

    #[test]
    fn what_is_omitted_late_stays_a_gap() {
        let mut numbers = Continuity::starting_at(0);
        numbers.forward(0);
        numbers.forward(2);
        numbers.omit(1);
        assert_eq!(numbers.forward(3), Some(3));
    }

    #[test]
    fn what_was_lost_before_an_omission_keeps_its_place() {
        let mut numbers = Continuity::starting_at(0);
        numbers.forward(0);
        numbers.omit(3);
        numbers.begin(50);
        assert_eq!(numbers.forward(50), Some(3), "1 and 2 may still come, 3 does not");
    }

    proptest! {
        /// Whatever comes in which order, is lost or omitted: no two packets get one number, the order
        /// of numbers is that of the source, and without loss there is no gap.
        #[test]
        fn outgoing_numbers_are_unique_and_in_order(
            fates in prop::collection::vec(0..3_u8, 1..300),
            start in 0..1_000_000_u64,
            swaps in prop::collection::vec(0..300_usize, 0..20),
        ) {
            let mut order: Vec<usize> = (0..fates.len()).collect();
            for at in swaps {
                if at + 1 < order.len() {
                    order.swap(at, at + 1);
                }
            }
            let mut numbers = Continuity::starting_at(start);
            numbers.begin(10);
            let mut sent = std::collections::BTreeMap::new();
            for index in order {
                let number = 10 + index as u64;
                match fates[index] {
                    0 => numbers.omit(number),
                    1 => {}
                    _ => if let Some(out) = numbers.forward(number) {
                        prop_assert!(sent.insert(number, out).is_none());
                    },
                }
            }
            let outs: Vec<u64> = sent.values().copied().collect();
            prop_assert!(outs.windows(2).all(|pair| pair[0] < pair[1]), "{outs:?}");
            prop_assert!(outs.iter().all(|out| *out >= start));
        }

        #[test]
        fn without_loss_and_reordering_nothing_is_missing(omitted in prop::collection::vec(any::<bool>(), 1..300)) {
            let mut numbers = Continuity::starting_at(7);
            numbers.begin(0);
            let mut expected = 7;
            for (number, omitted) in (0..).zip(omitted) {
                if omitted {
                    numbers.omit(number);
                } else {
                    prop_assert_eq!(numbers.forward(number), Some(expected));
                    expected += 1;
                }
            }
        }
    }
}
