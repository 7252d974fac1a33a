//! How far a transfer is, how fast, and how long it will take.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use bytesize::ByteSize;

/// How far a transfer is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) files: usize,
    pub(crate) settled: usize,
    /// Bytes that are done with, those that were there before included.
    pub(crate) bytes: u64,
    /// Bytes that went through a connection.
    pub(crate) moved: u64,
    /// None while it is not known.
    pub(crate) total: Option<u64>,
}

/// The rate is that of the last so many seconds.
const MEMORY: Duration = Duration::from_secs(10);
/// Samples closer together are one.
const STEP: Duration = Duration::from_millis(200);

/// Measures the rate of a transfer.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// (when, bytes moved), at most one per [`STEP`] but for the newest.
    samples: VecDeque<(Instant, u64)>,
}

impl Meter {
    /// Takes the count of bytes moved so far.
    pub(crate) fn measure(&mut self, moved: u64, now: Instant) {
        let close = self.samples.len() >= 2
            && self.samples.iter().rev().nth(1).is_some_and(|(time, _)| now - *time < STEP);
        if close {
            self.samples.pop_back();
        }
        self.samples.push_back((now, moved));
        while self.samples.len() > 2 && self.samples.get(1).is_some_and(|it| now - it.0 > MEMORY) {
            self.samples.pop_front();
        }
    }

    /// The connection broke; time without one does not count.
    pub(crate) fn pause(&mut self) {
        self.samples.clear();
    }

    /// Bytes per second; none while there is too little to tell.
    pub(crate) fn rate(&self) -> Option<f64> {
        let ((first, before), (last, after)) = (self.samples.front()?, self.samples.back()?);
        let time = last.duration_since(*first).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate is an estimate")]
        (time > 0.1).then(|| after.saturating_sub(*before) as f64 / time)
    }

    /// "12.3 MB/s", and how long the rest will take.
    pub(crate) fn tell(&self, progress: &Progress) -> String {
        let Some(rate) = self.rate() else { return String::new() };
        let speed = format!("{}/s", size(whole(rate)));
        let left = progress.total.map(|total| total.saturating_sub(progress.bytes));
        match left {
            Some(0) | None => speed,
            Some(_) if rate < 1.0 => format!("{speed}, stalled"),
            #[expect(clippy::cast_precision_loss, reason = "an estimate")]
            Some(left) => format!("{speed}, {} left", time(whole(left as f64 / rate))),
        }
    }
}

impl fmt::Display for Progress {
    /// "42 % of 1.2 GB", with the count of files when there are several.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.total {
            Some(0) => f.write_str("100 %")?,
            Some(total) => write!(f, "{} % of {}", percent(self.bytes, total), size(total))?,
            None => f.write_str(&size(self.bytes))?,
        }
        if self.files > 1 {
            write!(f, ", {} of {} files", self.settled, self.files)?;
        }
        Ok(())
    }
}

fn percent(bytes: u64, total: u64) -> u64 {
    u64::try_from(u128::from(bytes) * 100 / u128::from(total.max(1))).unwrap_or(100).min(100)
}

/// "12.3 MB": powers of ten, as disks and links are sold.
pub(crate) fn size(bytes: u64) -> String {
    ByteSize::b(bytes).display().si().to_string()
}

/// "5 s", "3 min 20 s", "2 h 5 min".
pub(crate) fn time(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..360_000 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => "days".to_owned(),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
fn whole(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    fn start() -> Instant {
        peerway_server::clock::now()
    }

    #[test]
    fn the_rate_is_that_of_the_last_ten_seconds() {
        let (start, mut meter) = (start(), Meter::default());
        meter.measure(0, start);
        assert_eq!(meter.rate(), None);
        for second in 1..=20 {
            // Slow at first.
            let moved = if second <= 5 { second } else { 5 + (second - 5) * 1000 };
            meter.measure(moved, at(start, second * 1000));
        }
        assert_eq!(meter.rate(), Some(1000.0));
    }

    #[test]
    fn many_measures_need_little_memory() {
        let (start, mut meter) = (start(), Meter::default());
        for milli in 0..100_000 {
            meter.measure(milli, at(start, milli));
        }
        assert!(meter.samples.len() < 60, "{}", meter.samples.len());
        let rate = meter.rate().unwrap();
        assert!((rate - 1000.0).abs() < 1.0, "{rate}");
    }

    #[test]
    fn the_time_left_is_the_rest_at_the_present_rate() {
        let (start, mut meter) = (start(), Meter::default());
        meter.measure(0, start);
        meter.measure(2_000_000, at(start, 1000));
        let progress = |bytes, total| Progress { bytes, total, ..Progress::default() };
        assert_eq!(meter.tell(&progress(0, Some(400_000_000))), "2.0 MB/s, 3 min 20 s left");
        assert_eq!(meter.tell(&progress(0, None)), "2.0 MB/s");
        assert_eq!(meter.tell(&progress(7, Some(7))), "2.0 MB/s");
        meter.measure(2_000_000, at(start, 30_000));
        meter.measure(2_000_000, at(start, 60_000));
        assert_eq!(meter.tell(&progress(0, Some(7))), "0 B/s, stalled");
        meter.pause();
        assert_eq!(meter.tell(&progress(0, Some(7))), "");
    }

    #[test]
    fn progress_is_told_in_percent_and_files() {
        let mut progress =
            Progress { total: Some(2_000_000), bytes: 500_000, ..Progress::default() };
        assert_eq!(progress.to_string(), "25 % of 2.0 MB");
        (progress.files, progress.settled) = (3, 1);
        assert_eq!(progress.to_string(), "25 % of 2.0 MB, 1 of 3 files");
        (progress.files, progress.total) = (1, None);
        assert_eq!(progress.to_string(), "500.0 kB");
        progress.total = Some(0);
        assert_eq!(progress.to_string(), "100 %");
    }
}
