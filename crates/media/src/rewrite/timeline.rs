//! RTP timestamps that go on over a change of source.

use std::time::{Duration, Instant};

/// Ticks per second of an RTP timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock(pub u32);

impl Clock {
    /// Opus (RFC 7587, section 4.1).
    pub const OPUS: Self = Self(48_000);
    /// G.711.
    pub const TELEPHONY: Self = Self(8_000);
    /// Every video format.
    pub const VIDEO: Self = Self(90_000);

    /// How long so many ticks are.
    pub(crate) fn duration(self, ticks: u64) -> Duration {
        let nanoseconds = u128::from(ticks) * 1_000_000_000 / u128::from(self.0.max(1));
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }

    pub(crate) fn ticks(self, duration: Duration) -> u64 {
        let ticks = duration.as_nanos() * u128::from(self.0) / 1_000_000_000;
        u64::try_from(ticks).unwrap_or(u64::MAX)
    }
}

/// The clock of what goes out. Timestamps are unwrapped by the caller.
#[derive(Debug, Clone)]
pub(super) struct Timeline {
    clock: Clock,
    shift: i128,
    /// The newest timestamp that went out, and when its packet came in.
    last: Option<(u64, Instant)>,
    /// Where the first source begins.
    start: u64,
}

impl Timeline {
    pub(super) fn starting_at(clock: Clock, start: u64) -> Self {
        Self { clock, shift: 0, last: None, start }
    }

    /// Another source begins: between its first packet and the last one of the old source as much
    /// time passes as passed between their arrivals. At least one tick, because two frames never
    /// have the same timestamp.
    pub(super) fn begin(&mut self, arrival: Instant, timestamp: u64) {
        let out = match self.last {
            None => self.start,
            Some((last, at)) => {
                last + self.clock.ticks(arrival.saturating_duration_since(at)).max(1)
            }
        };
        self.shift = i128::from(out) - i128::from(timestamp);
    }

    pub(super) fn map(&mut self, arrival: Instant, timestamp: u64) -> u64 {
        let out = u64::try_from(i128::from(timestamp) + self.shift).unwrap_or_default();
        if self.last.is_none_or(|(last, _)| out > last) {
            self.last = Some((out, arrival));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "any instant will do")]

    use super::*;

    #[test]
    fn a_switch_takes_the_time_that_it_took() {
        let now = Instant::now();
        let mut line = Timeline::starting_at(Clock::VIDEO, 1000);
        line.begin(now, 5_000_000);
        assert_eq!(line.map(now, 5_000_000), 1000);
        assert_eq!(line.map(now + Duration::from_millis(33), 5_002_970), 3970);
        let later = now + Duration::from_millis(133);
        line.begin(later, 17);
        assert_eq!(line.map(later, 17), 3970 + 9000);
    }

    #[test]
    fn two_frames_never_share_a_timestamp() {
        let now = Instant::now();
        let mut line = Timeline::starting_at(Clock::VIDEO, 0);
        line.begin(now, 100);
        line.map(now, 100);
        line.begin(now, 9);
        assert_eq!(line.map(now, 9), 1);
    }

    #[test]
    fn a_late_packet_does_not_turn_the_clock_back() {
        let now = Instant::now();
        let mut line = Timeline::starting_at(Clock::VIDEO, 0);
        line.begin(now, 0);
        line.map(now, 9000);
        assert_eq!(line.map(now + Duration::from_secs(1), 6000), 6000);
        line.begin(now + Duration::from_millis(100), 50);
        assert_eq!(line.map(now + Duration::from_millis(100), 50), 18_000);
    }
}
