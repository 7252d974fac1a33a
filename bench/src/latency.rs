//! Latencies and what is reported of them.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Nanoseconds to three digits; more than a minute counts as a minute.
pub(crate) struct Latencies(Histogram<u64>);

/// Microseconds.
#[derive(Serialize)]
pub(crate) struct Percentiles {
    p50: f64,
    p90: f64,
    p95: f64,
    p99: f64,
    max: f64,
}

impl Latencies {
    pub(crate) fn record(&mut self, latency: Duration) {
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.0.saturating_record(nanoseconds);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.0.add(&other.0).expect("both have the same bounds");
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    pub(crate) fn percentiles(&self) -> Percentiles {
        let microseconds = |nanoseconds| Duration::from_nanos(nanoseconds).as_secs_f64() * 1e6;
        let at = |quantile| microseconds(self.0.value_at_quantile(quantile));
        Percentiles {
            p50: at(0.5),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            max: microseconds(self.0.max()),
        }
    }
}

impl Default for Latencies {
    fn default() -> Self {
        const MINUTE: u64 = 60_000_000_000;
        Self(Histogram::new_with_max(MINUTE, 3).expect("valid bounds and precision"))
    }
}

impl FromIterator<Duration> for Latencies {
    fn from_iter<I: IntoIterator<Item = Duration>>(latencies: I) -> Self {
        let mut all = Self::default();
        latencies.into_iter().for_each(|latency| all.record(latency));
        all
    }
}

impl fmt::Display for Percentiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { p50, p90, p99, max, .. } = self;
        write!(f, "p50 {p50:.0} us, p90 {p90:.0} us, p99 {p99:.0} us, max {max:.0} us")
    }
}
