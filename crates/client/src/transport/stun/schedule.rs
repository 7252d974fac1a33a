//! When a request is sent again, and when it is given up (RFC 8489 section 6.2).

use std::time::{Duration, Instant};

/// The first interval; each is twice as long as the one before.
const FIRST: Duration = Duration::from_millis(500);
/// Transmissions over UDP. Two less than the RFC proposes: after 11.5 s instead of 39.5 s nobody
/// waits any more for a connection.
const TRANSMISSIONS: u8 = 5;
/// From the last transmission to giving up.
const LAST: Duration = Duration::from_secs(4);
/// Over TCP nothing is sent again.
const STREAM: Duration = Duration::from_millis(11_500);

/// The transmissions of one request, the first of which is made with the schedule.
#[derive(Debug, Clone)]
pub(in super::super) struct Schedule {
    due: Instant,
    interval: Duration,
    left: u8,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Step {
    /// Nothing yet.
    Wait,
    /// The request is to be sent again.
    Send,
    /// There is no answer.
    GiveUp,
}

impl Schedule {
    pub(in super::super) fn datagram(now: Instant) -> Self {
        Self { due: now + FIRST, interval: FIRST, left: TRANSMISSIONS - 1 }
    }

    pub(in super::super) fn stream(now: Instant) -> Self {
        Self { due: now + STREAM, interval: STREAM, left: 0 }
    }

    pub(in super::super) fn due(&self) -> Instant {
        self.due
    }

    pub(in super::super) fn step(&mut self, now: Instant) -> Step {
        if now < self.due {
            return Step::Wait;
        }
        let Some(left) = self.left.checked_sub(1) else { return Step::GiveUp };
        self.left = left;
        self.interval *= 2;
        // Counted from now: a program that slept does not send all of them at once.
        self.due = now + if left == 0 { LAST } else { self.interval };
        Step::Send
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::start;
    use super::*;

    #[test]
    fn a_datagram_is_sent_five_times_in_growing_intervals() {
        let start = start();
        let mut schedule = Schedule::datagram(start);

        let mut sent = Vec::new();
        let end = loop {
            let now = schedule.due();
            match schedule.step(now) {
                Step::Send => sent.push((now - start).as_millis()),
                Step::GiveUp => break (now - start).as_millis(),
                Step::Wait => unreachable!("it is due"),
            }
        };

        assert_eq!(sent, [500, 1500, 3500, 7500]);
        assert_eq!(end, 11_500);
    }

    #[test]
    fn a_stream_is_trusted_to_deliver() {
        let start = start();
        let mut schedule = Schedule::stream(start);

        assert_eq!(schedule.step(start + Duration::from_secs(11)), Step::Wait);
        assert_eq!(schedule.step(start + Duration::from_secs(12)), Step::GiveUp);
    }
}
