//! Whether packets wait on their way to a receiver, from the time there and back, and whether it is we who
//! fill that queue.

use std::time::{Duration, Instant};

/// So much longer than the shortest time there and back, and a queue has built up.
const LONG: Duration = Duration::from_millis(150);
/// The same, where it is only asked whether loss has to do with one.
const SHORT: Duration = Duration::from_millis(50);
/// Until it is forgotten.
const KNOWN: Duration = Duration::from_secs(3);
/// Longer than the time before, by so much, and it grows.
const GROWTH: Duration = Duration::from_millis(30);
/// Times there and back differ by so much for no reason.
const CHANCE: Duration = Duration::from_millis(15);
/// Where they differ by more than this, it is no chance.
const UNSTEADY: Duration = Duration::from_millis(60);
/// Where packets wait, what is sent shrinks to this part; and to the other where they wait longer
/// and longer. In per cent.
const SHRINK: u64 = 85;
const SHRINK_MORE: u64 = 50;
/// Others on the same line go back first, for so long, if it was they who sent more.
const COURTESY: Duration = Duration::from_secs(6);

/// See the module documentation.
#[derive(Debug, Clone, Default)]
pub(super) struct Queue {
    shortest: Option<Duration>,
    latest: Duration,
    /// When that became known.
    at: Option<Instant>,
    /// The time that it mostly takes, and by how much it differs from that.
    usual: Option<(Duration, Duration)>,
    /// By how much it was longer than the shortest at most, lately.
    worst: Duration,
    /// The last two since more or less is sent.
    last: [Option<Sample>; 2],
    since: Option<Instant>,
    /// What was done about it: how long they waited then, and what was sent before, in bits per second.
    answered: Option<(Duration, u64)>,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    began: Instant,
    took: Duration,
    /// It was longer than all lately: who has little time to answer is late now and then, and not more and more.
    is_record: bool,
}

/// What is to be done about packets that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Advice {
    Nothing,
    /// Send this part of what is sent, in per cent.
    Shrink(u64),
    /// They wait on the receiver's way to us. As much as before may be sent, in bits per second.
    Restore(u64),
}

impl Queue {
    /// A time there and back became known that began then.
    pub(super) fn note(&mut self, now: Instant, began: Instant, round_trip: Duration) {
        let shortest = self.shortest.map_or(round_trip, |shortest| shortest.min(round_trip));
        // Paths change: the shortest of long ago is forgotten slowly.
        self.shortest = Some(shortest + round_trip.saturating_sub(shortest) / 100);
        (self.latest, self.at) = (round_trip, Some(now));
        let excess = round_trip.saturating_sub(shortest);
        let is_record = excess > SHORT.max(self.worst + GROWTH);
        self.worst = (self.worst * 9 / 10).max(excess);
        self.last = [self.last[1], Some(Sample { began, took: round_trip, is_record })];
        if self.usual.is_some_and(|(usual, _)| self.is_queue(round_trip, usual)) {
            self.usual = None;
        }
        let (usual, mut differs) = self.usual.unwrap_or((round_trip, CHANCE));
        // What is chance is not learned from a queue.
        if !is_record && !self.is_long(now) {
            differs = (differs * 3 + round_trip.abs_diff(usual)) / 4;
        }
        let usual = if self.is_evident(now) { usual } else { (usual * 7 + round_trip) / 8 };
        self.usual = Some((usual, differs.min(UNSTEADY)));
        if self.is_long(now) {
            self.since.get_or_insert(now);
        } else {
            (self.since, self.answered) = (None, None);
        }
    }

    /// More or less is sent now.
    pub(super) fn reset(&mut self) {
        self.last = [None; 2];
    }

    /// Whether packets wait.
    pub(super) fn is_long(&self, now: Instant) -> bool {
        let shortest = self.shortest.filter(|_| self.is_known(now));
        shortest.is_some_and(|shortest| self.latest > shortest + shortest / 2 + LONG)
    }

    /// Whether there is a queue, if only a short one.
    pub(super) fn is_evident(&self, now: Instant) -> bool {
        let shortest = self.shortest.filter(|_| self.is_known(now));
        shortest.is_some_and(|shortest| self.is_queue(shortest, self.latest))
    }

    /// Where nothing is sent nothing is told, and no queue lasts.
    fn is_known(&self, now: Instant) -> bool {
        self.at.is_some_and(|at| now < at + KNOWN)
    }

    fn is_queue(&self, shortest: Duration, round_trip: Duration) -> bool {
        let differs = self.usual.map_or(Duration::ZERO, |(_, differs)| differs * 2);
        round_trip > shortest + shortest / 4 + SHORT.max(differs)
    }

    /// The same, or nothing is known.
    pub(super) fn is_suspected(&self, now: Instant) -> bool {
        self.shortest.is_none() || self.is_evident(now)
    }

    /// How much more is sent than the path carries, in per cent, where the queue was there and has become longer.
    pub(super) fn growth(&self) -> Option<u64> {
        let [Some(before), Some(latest)] = self.last else { return None };
        if !before.is_record || !latest.is_record {
            return None;
        }
        let passed = latest.began.saturating_duration_since(before.began).as_millis().max(1);
        let more = latest.took.saturating_sub(before.took);
        u64::try_from(more.as_millis() * 100 / passed).ok()
    }

    /// Whether the last one was longer than all lately.
    pub(super) fn is_record(&self) -> bool {
        self.last[1].is_some_and(|latest| latest.is_record)
    }

    /// How long something waited that took so long there and back, unless that may be chance.
    pub(super) fn wait(&self, round_trip: Duration) -> Duration {
        let (usual, differs) = self.usual.unwrap_or((round_trip, CHANCE));
        let wait = round_trip.saturating_sub(usual);
        if wait > CHANCE + differs * 2 { wait } else { Duration::ZERO }
    }

    /// Packets wait. `is_cause`: it may be because more was sent lately.
    pub(super) fn advice(&mut self, now: Instant, is_cause: bool, bandwidth: u64) -> Advice {
        if !is_cause && self.since.is_some_and(|since| now < since + COURTESY) {
            return Advice::Nothing;
        }
        let round_trip = self.latest;
        let Some((then, before)) = self.answered else {
            self.answered = Some((round_trip, bandwidth));
            return Advice::Shrink(SHRINK);
        };
        if round_trip > then + then / 4 {
            self.answered = Some((round_trip, before));
            Advice::Shrink(SHRINK_MORE)
        } else if round_trip > then / 4 * 3 {
            // Less is sent, and they wait as long.
            self.shortest = Some(round_trip);
            self.usual = None;
            self.answered = None;
            Advice::Restore(before)
        } else {
            Advice::Nothing
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "any instant will do")]

    use super::*;

    fn after(round_trips: &[u64]) -> (Queue, Instant) {
        let mut now = Instant::now();
        let mut queue = Queue::default();
        for milliseconds in round_trips {
            now += Duration::from_secs(1);
            queue.note(now, now, Duration::from_millis(*milliseconds));
        }
        (queue, now)
    }

    #[test]
    fn a_queue_that_was_there_and_grows_tells_by_how_much_too_much_is_sent() {
        assert_eq!(after(&[20, 20, 20, 150, 280]).0.growth(), Some(13));
        assert_eq!(after(&[20, 20, 20, 20, 150]).0.growth(), None, "it may be a moment's");
        assert_eq!(after(&[20, 20, 20, 280, 285]).0.growth(), None);
    }

    #[test]
    fn a_path_whose_times_differ_much_shows_no_queue_by_one_long_time() {
        let (queue, now) = after(&[20, 20, 20, 20, 20, 100]);
        assert!(queue.is_evident(now));
        let (queue, now) = after(&[20, 100, 30, 90, 20, 110, 20, 100, 20, 110]);
        assert!(!queue.is_evident(now));
        assert_eq!(queue.wait(Duration::from_millis(100)), Duration::ZERO);
        let (queue, now) = after(&[20, 100, 30, 90, 20, 110, 20, 100, 250, 400]);
        assert!(queue.is_evident(now) && queue.growth().is_some());
        for late in [[250, 240], [100, 250], [300, 320]] {
            let times = [&[1, 60, 5, 200, 1, 2, 30], &late[..]].concat();
            assert_eq!(after(&times).0.growth(), None, "{times:?}: it is only late now and then");
        }
    }

    #[test]
    fn a_queue_of_which_nothing_is_heard_any_more_is_forgotten() {
        let (queue, now) = after(&[20, 20, 300]);
        assert!(queue.is_long(now) && queue.is_evident(now));
        let later = now + KNOWN;
        assert!(!queue.is_long(later) && !queue.is_evident(later));
    }

    #[test]
    fn a_first_time_that_was_long_is_not_what_is_usual() {
        let (queue, _) = after(&[180, 20, 20]);
        assert_eq!(queue.wait(Duration::from_millis(120)), Duration::from_millis(100));
    }
}
