//! Packets that a receiver asks for again, which it does at once: in each quarter of a second, whether they are many.

use std::time::{Duration, Instant};

const QUARTER: Duration = Duration::from_millis(250);
/// So many of a hundred are many, and so few in all are chance.
const MANY: u64 = 15;
const LEAST: u64 = 4;
/// More is not believed at once, for what is sent again is lost again.
const MOST: u64 = 70;

/// See the module documentation.
#[derive(Debug, Clone, Default)]
pub(super) struct Misses {
    /// When the quarter began, and what had been sent by then, in packets.
    since: Option<(Instant, u64)>,
    missing: u64,
    /// Missing and sent in the quarter before.
    before: (u64, u64),
    /// Quarters in a row with many, and what was missing lately, in per cent.
    bad: u32,
    lost: u64,
}

impl Misses {
    /// So many are missing; so many were sent since the beginning.
    pub(super) fn note(&mut self, now: Instant, missing: u64, sent: u64) {
        self.missing += missing;
        let (at, before) = *self.since.get_or_insert((now, sent));
        let passed = now.saturating_duration_since(at);
        if passed < QUARTER {
            return;
        }
        let sent_since = sent.saturating_sub(before).max(1);
        let is_bad = self.missing >= LEAST && self.missing * 100 >= sent_since * MANY;
        // Who missed nothing for long told nothing.
        self.bad = if is_bad && passed < QUARTER * 3 { self.bad + 1 } else { 0 };
        // What is missing now may have been sent then.
        let all = (self.missing + self.before.0, sent_since + self.before.1);
        self.lost = (all.0 * 100 / all.1).min(MOST);
        self.before = (self.missing, sent_since);
        (self.since, self.missing) = (Some((now, sent)), 0);
    }

    /// Quarters in a row.
    pub(super) fn bad(&self) -> u32 {
        self.bad
    }

    /// Lately, in per cent.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// More or less is sent now.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "any instant will do")]

    use super::*;

    /// Of 25 packets each 50 ms so many are missing.
    fn after(missing: impl IntoIterator<Item = u64>) -> Misses {
        let start = Instant::now();
        let mut misses = Misses::default();
        for (step, missing) in (0..).zip(missing) {
            misses.note(start + Duration::from_millis(50) * step, missing, u64::from(step) * 25);
        }
        misses
    }

    #[test]
    fn quarters_in_a_row_are_counted_with_what_was_missing() {
        let misses = after([10; 26]);
        assert_eq!((misses.bad(), misses.lost()), (5, 40));
        assert_eq!(after([2; 26]).bad(), 0, "a few");
    }

    #[test]
    fn a_good_quarter_ends_the_row_and_so_does_silence() {
        let missing = [10; 12].into_iter().chain([0; 5]);
        assert_eq!(after(missing).bad(), 0);
        let mut misses = after([10; 12]);
        assert_eq!(misses.bad(), 2);
        misses.note(Instant::now() + Duration::from_secs(9), 100, 400);
        assert_eq!(misses.bad(), 0);
    }
}
