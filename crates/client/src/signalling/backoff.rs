//! How long to wait before the next attempt.

use std::time::Duration;

/// Doubles from `first` to `longest`; each time a random part of up to half is left out.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    limit: Option<u32>,
    attempts: u32,
    chance: u64,
}

impl Backoff {
    pub(crate) fn new(first: Duration, longest: Duration, limit: Option<u32>, seed: u64) -> Self {
        Self { first, longest, limit, attempts: 0, chance: seed }
    }

    /// The time until the next attempt; `None` when it is time to give up.
    pub(crate) fn next(&mut self) -> Option<Duration> {
        if self.limit.is_some_and(|limit| self.attempts >= limit) {
            return None;
        }
        let factor = 2u32.saturating_pow(self.attempts);
        self.attempts = self.attempts.saturating_add(1);
        let whole = self.first.saturating_mul(factor).min(self.longest);
        Some(whole.mul_f64(1.0 - self.fraction() / 2.0))
    }

    /// The attempts that follow are the first again.
    pub(crate) fn reset(&mut self) {
        self.attempts = 0;
    }

    /// At least 0, less than 1: `SplitMix64`, of which 53 bits fit into a float.
    fn fraction(&mut self) -> f64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.chance;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
        let fraction = (bits >> 11) as f64 / (1u64 << 53) as f64;
        fraction
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_doubles_up_to_the_longest() {
        let (first, longest) = (Duration::from_millis(500), Duration::from_secs(30));
        for seed in 0..100 {
            let mut backoff = Backoff::new(first, longest, None, seed);
            for whole in [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000] {
                let delay = backoff.next().unwrap().as_millis();
                assert!(delay > whole / 2 - 1 && delay <= whole, "{delay} of {whole}");
            }
            backoff.reset();
            assert!(backoff.next().unwrap() <= first);
        }
    }

    #[test]
    fn peers_do_not_come_all_at_once() {
        let first_delay = |seed| {
            let second = Duration::from_secs(1);
            Backoff::new(second, second, None, seed).next().unwrap()
        };
        let mut delays: Vec<_> = (0..100).map(first_delay).collect();
        delays.sort();
        delays.dedup();
        assert_eq!(delays.len(), 100);
    }

    #[test]
    fn attempts_can_be_limited() {
        let mut backoff = Backoff::new(Duration::ZERO, Duration::ZERO, Some(2), 1);
        assert!(backoff.next().is_some() && backoff.next().is_some());
        assert_eq!(backoff.next(), None);
    }
}
