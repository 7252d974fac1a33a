//! Whether packets wait on their way to a receiver, from the time there and back, and whether it is we who
//! fill that queue.

use std::time::{Duration, Instant};

/// So much longer than the shortest time there and back, and a queue has built up.
const LONG: Duration = Duration::from_millis(150);
/// The same, where it is only asked whether loss has to do with one.
const SHORT: Duration = Duration::from_millis(50);
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
    since: Option<Instant>,
    /// What was done about it: how long they waited then, and what was sent before, in bits per second.
    answered: Option<(Duration, u64)>,
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
    /// A time there and back became known. Whether packets wait.
    pub(super) fn note(&mut self, now: Instant, round_trip: Duration) -> bool {
        let shortest = self.shortest.map_or(round_trip, |shortest| shortest.min(round_trip));
        // Paths change: the shortest of long ago is forgotten slowly.
        self.shortest = Some(shortest + round_trip.saturating_sub(shortest) / 100);
        self.latest = round_trip;
        let waits = round_trip > shortest + shortest / 2 + LONG;
        if waits {
            self.since.get_or_insert(now);
        } else {
            (self.since, self.answered) = (None, None);
        }
        waits
    }

    /// Whether there is a queue, if only a short one.
    pub(super) fn is_evident(&self) -> bool {
        self.shortest.is_some_and(|shortest| self.latest > shortest + shortest / 4 + SHORT)
    }

    /// The same, or nothing is known.
    pub(super) fn is_suspected(&self) -> bool {
        self.shortest.is_none() || self.is_evident()
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
            self.answered = None;
            Advice::Restore(before)
        } else {
            Advice::Nothing
        }
    }
}
