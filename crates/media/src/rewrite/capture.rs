//! When packets were captured, on our clock: so that what a receiver is told of the times of sound
//! and pictures (RFC 3550, section 6.4.1) is what their sender said, and not when they came by.

use std::time::{Duration, Instant};

/// Further behind, and the sender's clock was set.
const FAR: Duration = Duration::from_secs(10);

/// The clock of one sender, beside ours. It is one for all that the sender sends, so sound and
/// pictures keep their distance, whatever the distance of the clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct CaptureClock {
    /// One moment on both.
    moment: Option<(Instant, Duration)>,
}

impl CaptureClock {
    /// When a packet was captured that came at `arrival` and that its sender says is of `captured`, counted from
    /// any beginning. Never later than the arrival: the packets that were on their way for the
    /// shortest time count as captured when they came.
    pub fn map(&mut self, arrival: Instant, captured: Duration) -> Instant {
        if let Some(here) = self.here(captured)
            && here <= arrival
            && arrival - here < FAR
        {
            return here;
        }
        self.moment = Some((arrival, captured));
        arrival
    }

    fn here(&self, captured: Duration) -> Option<Instant> {
        let (here, there) = self.moment?;
        match captured.checked_sub(there) {
            Some(later) => here.checked_add(later),
            None => here.checked_sub(there.saturating_sub(captured)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "any instant will do")]

    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn what_is_late_was_captured_when_it_was() {
        let start = Instant::now();
        let mut clock = CaptureClock::default();
        assert_eq!(clock.map(start, millis(70_000)), start);
        assert_eq!(clock.map(start + millis(300), millis(70_100)), start + millis(100));
        assert_eq!(
            clock.map(start + millis(301), millis(69_990)),
            start.checked_sub(millis(10)).unwrap()
        );
    }

    #[test]
    fn nothing_was_captured_in_the_future() {
        let start = Instant::now();
        let mut clock = CaptureClock::default();
        clock.map(start, millis(1000));
        // The first was on its way for long.
        assert_eq!(clock.map(start + millis(10), millis(1100)), start + millis(10));
        assert_eq!(clock.map(start + millis(110), millis(1190)), start + millis(100));
    }

    #[test]
    fn a_clock_that_was_set_is_followed() {
        let start = Instant::now();
        let mut clock = CaptureClock::default();
        clock.map(start, millis(100_000));
        let later = start + millis(1000);
        assert_eq!(clock.map(later, millis(3000)), later);
        assert_eq!(clock.map(later + millis(50), millis(3020)), later + millis(20));
        assert_eq!(clock.map(later + millis(60), Duration::MAX), later + millis(60));
        assert_eq!(clock.map(later + millis(70), Duration::ZERO), later + millis(70));
    }
}
