//! What a path carries, from the reports that its receiver sends anyway (RFC 3550, section 6.4.2): loss and
//! the time there and back. Slower to see than numbers on every packet (transport-wide feedback),
//! and nearly free: those cost as much again as forwarding itself.

use std::time::{Duration, Instant};

/// More loss than this is taken for a full queue; less than the other is nobody's fault.
const FULL: f32 = 0.10;
const CLEAR: f32 = 0.02;
/// So much longer than the shortest time there and back, and a queue has built up.
const QUEUE: Duration = Duration::from_millis(150);
/// Where packets wait, what is sent shrinks to this part; and to the other where they wait longer
/// and longer. In per cent.
const SHRINK: u64 = 85;
const SHRINK_MORE: u64 = 50;
/// Reports are about what was sent a while ago: so long they may still be about what was too much.
const LAG: Duration = Duration::from_millis(2500);
/// In per cent, for each second without a sign of trouble.
const GROWTH: u64 = 8;
/// Who sends more than before, and finds too little, was the cause for so long.
const CAUSE: Duration = Duration::from_secs(6);
/// After an attempt that failed, until the next; each failure doubles it.
const PATIENCE: Duration = Duration::from_secs(10);
const MOST_PATIENCE: Duration = Duration::from_mins(2);
/// What is as small as this is tried again soon: it is all that there is.
const SMALL: u64 = 400_000;
const SMALL_PATIENCE: Duration = Duration::from_secs(3);
/// Less is left to no path: a number of zero would never grow.
const LEAST: u64 = 50_000;

/// What a receiver said lately.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reported {
    /// From 0 to 1.
    pub(super) loss: f32,
    pub(super) round_trip: Option<Duration>,
}

/// See the module documentation.
#[derive(Debug, Clone)]
pub(super) struct Estimate {
    /// A report came that was not looked at.
    pub(super) pending: bool,
    bandwidth: u64,
    /// When it last changed, and what had been sent by then, in bytes.
    last: Option<(Instant, u64)>,
    /// In bits per second, and when it became clearly more.
    rate: u64,
    rose: Option<Instant>,
    shortest: Option<Duration>,
    /// Packets wait: for how long when it shrank for that, and what it was before.
    waiting: Option<(Duration, u64)>,
    waits_since: Option<Instant>,
    /// When it shrank last.
    shrunk: Option<Instant>,
    /// What was too much, until when it is not tried again, and how long after the next failure.
    too_much: u64,
    until: Option<Instant>,
    patience: Duration,
}

impl Estimate {
    pub(super) fn new(first: u64) -> Self {
        Self {
            pending: false,
            bandwidth: first,
            last: None,
            rate: 0,
            rose: None,
            shortest: None,
            waiting: None,
            waits_since: None,
            shrunk: None,
            too_much: u64::MAX,
            until: None,
            patience: PATIENCE,
        }
    }

    /// In bits per second.
    pub(super) fn bandwidth(&self) -> u64 {
        self.bandwidth
    }

    /// A report came. `sent`: bytes since the beginning, with all headers. `desired`: more than this is of no use,
    /// in bits per second.
    pub(super) fn handle_report(
        &mut self,
        now: Instant,
        reported: Reported,
        sent: u64,
        desired: u64,
    ) {
        self.pending = false;
        let waits = reported.round_trip.filter(|it| self.waits(*it));
        let Some((at, before)) = self.last.replace((now, sent)) else { return };
        let passed = now.saturating_duration_since(at);
        let micros = u64::try_from(passed.as_micros()).unwrap_or(u64::MAX).max(1);
        let previous = self.rate;
        self.rate = sent.saturating_sub(before).saturating_mul(8_000_000) / micros;
        if self.rate > previous + previous / 5 {
            self.rose = Some(now);
        }
        if reported.loss > FULL {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1")]
            let arrived = u64::from(100 - (reported.loss.clamp(0.0, 1.0) * 100.0) as u32);
            self.shrink(now, self.rate * arrived / 100);
        } else if let Some(round_trip) = waits {
            self.wait(now, round_trip);
        } else if reported.loss < CLEAR {
            self.grow(now, micros, desired);
        }
    }

    fn waits(&mut self, round_trip: Duration) -> bool {
        let shortest = self.shortest.map_or(round_trip, |shortest| shortest.min(round_trip));
        // Paths change: the shortest of long ago is forgotten slowly.
        self.shortest = Some(shortest + round_trip.saturating_sub(shortest) / 100);
        let waits = round_trip > shortest + shortest / 2 + QUEUE;
        self.waiting = self.waiting.filter(|_| waits);
        self.waits_since = self.waits_since.filter(|_| waits);
        waits
    }

    fn wait(&mut self, now: Instant, round_trip: Duration) {
        let since = *self.waits_since.get_or_insert(now);
        // Others on the same line go back first, if it was they who sent more.
        if self.lags(now) || (!self.is_cause(now) && now < since + CAUSE) {
            return;
        }
        let Some((before, bandwidth)) = self.waiting else {
            self.waiting = Some((round_trip, self.bandwidth));
            return self.shrink(now, self.rate * SHRINK / 100);
        };
        if round_trip > before + before / 4 {
            self.waiting = Some((round_trip, bandwidth));
            self.shrink(now, self.rate * SHRINK_MORE / 100);
        } else if round_trip > before / 4 * 3 {
            // Less is sent, and they wait as long: on the member's way to us, where we fill no queue.
            self.shortest = Some(round_trip);
            self.bandwidth = self.bandwidth.max(bandwidth);
            self.waiting = None;
        }
    }

    fn is_cause(&self, now: Instant) -> bool {
        self.rose.is_some_and(|rose| now < rose + CAUSE)
    }

    /// Whether reports may be about what was sent before it shrank.
    fn lags(&self, now: Instant) -> bool {
        self.shrunk.is_some_and(|at| now < at + LAG)
    }

    fn shrink(&mut self, now: Instant, to: u64) {
        let to = to.max(LEAST);
        if to >= self.bandwidth || self.lags(now) {
            return;
        }
        self.shrunk = Some(now);
        if self.is_cause(now) && self.until.is_none_or(|until| until <= now) {
            // A new attempt has failed, and not the last one's end.
            self.too_much = self.rate;
            if self.rate <= SMALL {
                self.until = Some(now + SMALL_PATIENCE);
            } else {
                self.until = Some(now + self.patience);
                self.patience = (self.patience * 2).min(MOST_PATIENCE);
            }
        }
        self.bandwidth = to;
    }

    fn grow(&mut self, now: Instant, micros: u64, desired: u64) {
        if self.rate > self.too_much {
            // It is not too much any more.
            self.too_much = u64::MAX;
            self.patience = PATIENCE;
        }
        let mut most = desired.saturating_add(desired / 2);
        if self.until.is_some_and(|until| now < until) {
            most = most.min(self.too_much / 10 * 9);
        }
        let more = self.bandwidth.saturating_mul(GROWTH).saturating_mul(micros.min(2_000_000));
        let grown = self.bandwidth.saturating_add(more / 100_000_000);
        self.bandwidth = grown.min(most).max(self.bandwidth);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "any instant will do")]

    use super::*;

    const MEGABIT: u64 = 1_000_000;

    /// A path with a report each second.
    struct Path {
        now: Instant,
        sent: u64,
        estimate: Estimate,
    }

    impl Path {
        fn new(first: u64) -> Self {
            let mut path = Self { now: Instant::now(), sent: 0, estimate: Estimate::new(first) };
            path.second(0, 0.0, 50);
            path
        }

        fn second(&mut self, rate: u64, loss: f32, millis: u64) {
            self.now += Duration::from_secs(1);
            self.sent += rate / 8;
            let round_trip = Some(Duration::from_millis(millis));
            let reported = Reported { loss, round_trip };
            self.estimate.handle_report(self.now, reported, self.sent, 3 * MEGABIT);
        }
    }

    #[test]
    fn a_good_path_grows_to_what_is_of_use() {
        let mut path = Path::new(MEGABIT);
        for _ in 0..100 {
            path.second(MEGABIT, 0.01, 55);
        }
        assert_eq!(path.estimate.bandwidth(), 4_500_000);
    }

    #[test]
    fn loss_and_waiting_shrink_it_to_what_arrives() {
        let mut path = Path::new(2 * MEGABIT);
        path.second(2 * MEGABIT, 0.5, 50);
        assert_eq!(path.estimate.bandwidth(), MEGABIT);
        let mut path = Path::new(2 * MEGABIT);
        path.second(2 * MEGABIT, 0.0, 300);
        assert_eq!(path.estimate.bandwidth(), 1_700_000);
    }

    #[test]
    fn one_trouble_counts_once() {
        let mut path = Path::new(2 * MEGABIT);
        path.second(2 * MEGABIT, 0.2, 50);
        path.second(1_600_000, 0.5, 400);
        path.second(1_600_000, 0.3, 400);
        assert_eq!(path.estimate.bandwidth(), 1_600_000);
        path.second(1_600_000, 0.3, 400);
        assert_eq!(path.estimate.bandwidth(), 1_120_000);
    }

    #[test]
    fn a_queue_on_the_way_back_is_not_ours() {
        let mut path = Path::new(2 * MEGABIT);
        path.second(2 * MEGABIT, 0.0, 50);
        for _ in 0..20 {
            let rate = path.estimate.bandwidth().min(2 * MEGABIT);
            path.second(rate, 0.0, 400);
        }
        assert!(path.estimate.bandwidth() > 2 * MEGABIT, "{}", path.estimate.bandwidth());
    }

    #[test]
    fn a_deep_queue_that_grows_is() {
        let mut path = Path::new(2 * MEGABIT);
        path.second(2 * MEGABIT, 0.0, 50);
        let mut millis: u64 = 50;
        for _ in 0..20 {
            let rate = path.estimate.bandwidth().min(2 * MEGABIT);
            millis = if rate > 600_000 { millis + 300 } else { 50.max(millis.saturating_sub(300)) };
            path.second(rate, 0.0, millis);
        }
        assert!(path.estimate.bandwidth() < MEGABIT, "{}", path.estimate.bandwidth());
    }

    #[test]
    fn a_little_loss_is_weather() {
        let mut path = Path::new(MEGABIT);
        for _ in 0..100 {
            path.second(MEGABIT, 0.06, 70);
        }
        assert_eq!(path.estimate.bandwidth(), MEGABIT);
    }

    #[test]
    fn what_was_too_much_is_tried_again_and_each_time_later() {
        let mut path = Path::new(2 * MEGABIT);
        let mut failures = Vec::new();
        for second in 0..200 {
            // A picture of 1.5 Mbit/s on a path of 1; without it there is only sound.
            let shows = path.estimate.bandwidth() > 1_500_000;
            let (rate, loss) = if shows { (1_500_000, 0.33) } else { (60_000, 0.0) };
            path.second(rate, loss, 50);
            if shows {
                failures.push(second);
            }
        }
        assert!((3..10).contains(&failures.len()), "{failures:?}");
        let pauses: Vec<i32> = failures.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(pauses.windows(2).all(|pair| pair[1] >= pair[0]), "{pauses:?}");
    }
}
