//! When and how a path is asked what it carries: a train of packets without content, so much and so fast that it shows
//! in how long the report behind it takes, and so little that a path which is full carries it in a moment.

use std::time::{Duration, Instant};

/// Between two; and until there is no answer.
const BETWEEN: Duration = Duration::from_millis(2500);
const PATIENCE: Duration = Duration::from_millis(2500);
/// On a path that carries just what is sent, it waits so long.
const LENGTH: Duration = Duration::from_millis(200);
/// In bytes: less shows nowhere, more is no moment any more.
const LEAST: u64 = 6_000;
const MOST: u64 = 48_000;
/// So many without an answer in a row, and it is given up for a while.
const UNANSWERED: u32 = 2;
const RESIGNATION: Duration = Duration::from_mins(1);
/// Who is sent so little sees no train: packets that would carry it on are rare. In bits per second.
const SILENCE: u64 = 10_000;

/// What a train is to be like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plan {
    /// In bits per second, with what is sent anyway.
    pub(super) rate: u64,
    /// The most that it may be, in bytes.
    pub(super) most: u64,
}

impl Plan {
    /// `sent` is what is sent now, `next` what is to be found out, `desired` all that would be of use, in bits per
    /// second.
    pub(super) fn new(sent: u64, next: u64, desired: u64) -> Self {
        let rate = desired.min(sent * 4).max(next + next / 3).max(sent + sent / 2);
        let length = u64::try_from(LENGTH.as_millis()).unwrap_or_default();
        Self { rate, most: (sent / 8 * length / 1000).clamp(LEAST, MOST) }
    }
}

/// See the module documentation.
#[derive(Debug, Clone, Default)]
pub(super) struct Probe {
    since: Option<Instant>,
    last: Option<Instant>,
    unanswered: u32,
}

impl Probe {
    /// When the next one may be, where so much is sent. `None`: this path cannot be asked.
    pub(super) fn due(&self, now: Instant, sent: u64) -> Option<Instant> {
        if sent < SILENCE {
            return None;
        }
        let Some(last) = self.last else { return Some(now) };
        if self.unanswered < UNANSWERED {
            return Some(last + BETWEEN);
        }
        (now >= last + RESIGNATION).then_some(now)
    }

    pub(super) fn begin(&mut self, now: Instant) {
        (self.since, self.last) = (Some(now), Some(now));
    }

    /// Until when its answer is waited for.
    pub(super) fn ends(&self) -> Option<Instant> {
        self.since.map(|since| since + PATIENCE)
    }

    /// When the one began that is under way.
    pub(super) fn since(&self) -> Option<Instant> {
        self.since
    }

    /// There was an answer.
    pub(super) fn answered(&mut self) {
        (self.since, self.unanswered) = (None, 0);
    }

    /// It showed that there is more, and there may be more than that.
    pub(super) fn succeeded(&mut self) {
        self.last = None;
    }

    /// There was none.
    pub(super) fn unanswered(&mut self) {
        self.since = None;
        self.unanswered += 1;
    }

    /// It does not work here.
    pub(super) fn is_impossible(&mut self) {
        (self.since, self.unanswered) = (None, UNANSWERED);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "any instant will do")]

    use super::*;

    #[test]
    fn a_train_is_faster_than_what_it_asks_for_and_as_short_as_what_is_sent_is_little() {
        let plan = Plan::new(300_000, 650_000, 5_000_000);
        assert_eq!(plan, Plan { rate: 1_200_000, most: 7500 });
        assert_eq!(Plan::new(60_000, 1_200_000, 1_200_000), Plan { rate: 1_600_000, most: LEAST });
        assert_eq!(Plan::new(9_000_000, 10_000_000, 10_000_000).most, MOST);
    }

    #[test]
    fn who_does_not_answer_is_not_asked_for_a_while() {
        let now = Instant::now();
        let mut probe = Probe::default();
        assert_eq!(probe.due(now, 300_000), Some(now));
        assert_eq!(probe.due(now, 0), None, "nothing goes there");
        for _ in 0..UNANSWERED {
            probe.begin(now);
            probe.unanswered();
        }
        assert_eq!(probe.due(now + RESIGNATION / 2, 300_000), None);
        let later = now + RESIGNATION;
        assert_eq!(probe.due(later, 300_000), Some(later));
        probe.begin(later);
        probe.answered();
        assert_eq!(probe.due(later, 300_000), Some(later + BETWEEN));
        probe.succeeded();
        assert_eq!(probe.due(later, 300_000), Some(later));
    }
}
