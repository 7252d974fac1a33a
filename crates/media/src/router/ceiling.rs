//! What was too much for a path, and when it may be tried again.

use std::time::{Duration, Instant};

/// After trouble, until the next attempt: at first, where it may have been a moment's weather and where
/// there was a queue. Each failure doubles it.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
const PATIENCE_WITH_QUEUE: Duration = Duration::from_secs(4);
const MOST_PATIENCE: Duration = Duration::from_secs(15);
/// The same after attempts that more than double what is sent, once or at most twice that: while they last,
/// sound suffers most.
const PATIENCE_WITH_LEAPS: Duration = Duration::from_secs(30);
/// What is as small as this, in bits per second, is tried again soon: it is all that there is.
pub(super) const SMALL: u64 = 400_000;
const SOON: Duration = Duration::from_secs(3);

/// More was tried.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt {
    pub(super) at: Instant,
    /// What there was before, in bits per second.
    pub(super) from: u64,
    /// It would more than double what is sent.
    pub(super) leaps: bool,
    /// A train had shown that there is room.
    pub(super) is_shown: bool,
}

/// See the module documentation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ceiling {
    pub(super) rate: u64,
    /// In per cent.
    pub(super) lost: u64,
    at: Instant,
    /// It is not tried again before.
    pub(super) until: Instant,
    patience: Duration,
    /// Trains come through where this much does not.
    pub(super) deceives: bool,
    /// There was no queue, so it may have been a moment's weather: all that was sent before can be tried again.
    pub(super) before: Option<u64>,
}

impl Ceiling {
    /// `attempt`: what failed, unless the path has become narrower. `known`: what was too much before.
    pub(super) fn new(
        now: Instant,
        (rate, lost): (u64, u64),
        attempt: Option<Attempt>,
        known: Option<Self>,
        is_queue: bool,
    ) -> Self {
        let patience = match known {
            // The first trouble since long.
            None if is_queue => PATIENCE_WITH_QUEUE,
            None => PATIENCE,
            Some(known) => match attempt {
                None => known.patience,
                Some(it) if it.leaps => {
                    (known.patience * 2).clamp(PATIENCE_WITH_LEAPS, PATIENCE_WITH_LEAPS * 2)
                }
                Some(_) => (known.patience * 2).min(MOST_PATIENCE),
            },
        };
        Self {
            rate: known.map_or(rate, |known| known.rate.min(rate)),
            lost,
            at: now,
            until: now + patience,
            patience,
            deceives: attempt.map_or(known.is_some_and(|it| it.deceives), |it| it.is_shown),
            before: None,
        }
    }

    /// When so much may be tried again.
    pub(super) fn until(&self, rate: u64) -> Option<Instant> {
        let is_near = rate > self.rate / 10 * 9;
        let until = if rate <= SMALL { self.until.min(self.at + SOON) } else { self.until };
        is_near.then_some(until)
    }

    pub(super) fn is_first(&self) -> bool {
        self.patience == PATIENCE
    }

    /// What came through of it, in bits per second.
    pub(super) fn arrived(&self) -> u64 {
        self.rate * (100 - self.lost.min(100)) / 100
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "any instant will do")]

    use super::*;

    #[test]
    fn each_attempt_that_fails_makes_the_next_one_later_and_a_narrower_path_does_not() {
        let now = Instant::now();
        let attempt = |leaps| Attempt { at: now, from: 300_000, leaps, is_shown: false };
        let after = |attempts: &[Option<Attempt>]| {
            let first = Ceiling::new(now, (900_000, 10), None, None, true);
            let fail = |known, attempt: &Option<Attempt>| {
                Ceiling::new(now, (900_000, 10), *attempt, Some(known), true)
            };
            attempts.iter().fold(first, fail).until.duration_since(now).as_secs()
        };
        let step = Some(attempt(false));
        assert_eq!([after(&[]), after(&[None]), after(&[step])], [4, 4, 8]);
        assert_eq!([after(&[step; 2]), after(&[step; 9])], [15, 15]);
        let leap = Some(attempt(true));
        assert_eq!([after(&[leap]), after(&[leap; 2]), after(&[leap; 9])], [30, 60, 60]);
    }

    #[test]
    fn what_is_little_is_tried_soon_and_what_is_far_below_at_once() {
        let now = Instant::now();
        let of = |rate| Ceiling::new(now, (rate, 0), None, None, true);
        assert_eq!(of(900_000).until(900_000), Some(now + PATIENCE_WITH_QUEUE));
        assert_eq!(of(300_000).until(300_000), Some(now + SOON));
        assert_eq!(of(900_000).until(500_000), None);
    }
}
