//! Limits on rates, in constant memory.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;

use crate::address::household;

/// Sources share a bucket by chance; with this many, two busy ones hardly ever do.
const BUCKETS: usize = 16 * 1024;
/// How many seconds' worth of answers a source that was silent may have at once.
const BURST_SECONDS: u64 = 5;

/// How many answers a source may get that has not shown a credential: an attacker who writes the
/// victim's address as the sender must not make the server flood the victim. The memory is an
/// array, whatever number of senders is invented (virtual scheduling, as in ITU-T I.371, one
/// theoretical arrival time for each bucket).
#[derive(Debug)]
pub(crate) struct AnswerLimit {
    /// Nanoseconds since `start` at which the bucket is empty again.
    buckets: Box<[AtomicU64]>,
    start: Instant,
    key: hmac::Key,
    /// Nanoseconds for one answer; 0 for no limit.
    interval: u64,
}

impl AnswerLimit {
    pub(crate) fn new(per_second: u32, key: &[u8; 32], start: Instant) -> Self {
        Self {
            buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
            start,
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
            interval: 1_000_000_000_u64.checked_div(per_second.into()).unwrap_or_default(),
        }
    }

    /// Whether the source may get an answer now; counts it.
    pub(crate) fn admit(&self, source: IpAddr, now: Instant) -> bool {
        if self.interval == 0 {
            return true;
        }
        let now = nanos(now.saturating_duration_since(self.start));
        let latest = now + BURST_SECONDS * 1_000_000_000;
        self.buckets[self.bucket(source)]
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |empty| {
                let next = empty.max(now) + self.interval;
                (next <= latest).then_some(next)
            })
            .is_ok()
    }

    /// Keyed, so that nobody can choose addresses that share a victim's bucket.
    fn bucket(&self, source: IpAddr) -> usize {
        let tag = match household(source) {
            IpAddr::V4(address) => hmac::sign(&self.key, &address.octets()),
            IpAddr::V6(address) => hmac::sign(&self.key, &address.octets()),
        };
        let bytes = tag.as_ref();
        usize::from(u16::from_be_bytes([bytes[0], bytes[1]])) % BUCKETS
    }
}

/// Bytes per second in one direction of an allocation, with a second's worth at once.
#[derive(Debug, Clone)]
pub(crate) struct Bandwidth {
    /// When everything that passed has passed at the allowed rate.
    busy_until: Instant,
}

impl Bandwidth {
    pub(crate) fn new(now: Instant) -> Self {
        Self { busy_until: now }
    }

    /// Whether this many bytes may pass now; counts them.
    pub(crate) fn admit(&mut self, limit: Option<u64>, bytes: usize, now: Instant) -> bool {
        let Some(limit) = limit else { return true };
        let cost = (bytes as u64).saturating_mul(1_000_000_000) / limit.max(1);
        let next = self.busy_until.max(now) + Duration::from_nanos(cost);
        let admitted = next <= now + Duration::from_secs(1);
        if admitted {
            self.busy_until = next;
        }
        admitted
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "any instant will do as the first one")]
mod tests {
    use super::*;

    #[test]
    fn a_source_gets_its_burst_then_its_rate() {
        let start = Instant::now();
        let limit = AnswerLimit::new(10, &[1; 32], start);
        let source = "192.0.2.1".parse().unwrap();
        let admitted = |now| (0..1000).filter(|_| limit.admit(source, now)).count();
        assert_eq!(admitted(start), 50);
        assert_eq!(admitted(start + Duration::from_secs(1)), 10);
        assert_eq!(admitted(start + Duration::from_secs(1)), 0);
        assert_eq!(admitted(start + Duration::from_secs(100)), 50);
        assert!(limit.admit("192.0.2.2".parse().unwrap(), start), "another one");
    }

    #[test]
    fn zero_is_no_limit() {
        let start = Instant::now();
        let limit = AnswerLimit::new(0, &[1; 32], start);
        assert!((0..10_000).all(|_| limit.admit("192.0.2.1".parse().unwrap(), start)));
    }

    #[test]
    fn bandwidth_is_bytes_per_second() {
        let start = Instant::now();
        let limit = Some(1000);
        let mut bandwidth = Bandwidth::new(start);
        assert!(bandwidth.admit(limit, 1000, start));
        assert!(!bandwidth.admit(limit, 1, start));
        let mut passed = 0;
        for step in 1..=4000 {
            let now = start + Duration::from_micros(step * 500);
            passed += usize::from(bandwidth.admit(limit, 1, now));
        }
        assert_eq!(passed, 2000);
        assert!(!Bandwidth::new(start).admit(limit, 1001, start), "more than a second's worth");
        assert!(Bandwidth::new(start).admit(None, usize::MAX, start));
    }
}
