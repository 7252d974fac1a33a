//! What is sent on one line: under which names, how much of it, and how it arrives as far as its receiver tells.

use std::time::{Duration, Instant};

use super::feedback::Reception;
use super::gaps::Gaps;
use super::history::History;
use crate::Clock;

/// Reports that are remembered until they are answered.
const REMEMBERED: usize = 4;

/// The numbers of the extensions that the member takes on a line.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Extensions {
    pub(super) mid: Option<u8>,
    pub(super) audio_level: Option<u8>,
    pub(super) orientation: Option<u8>,
}

/// See the module documentation.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) source: u32,
    /// As which repetitions go.
    pub(super) repairs: Option<u32>,
    /// The next one's sequence number, as if it never wrapped.
    pub(super) next_repair: u64,
    /// The same name in descriptions and reports (RFC 3550, section 6.5.1).
    pub(super) name: String,
    pub(super) extensions: Extensions,
    pub(super) history: History,
    /// What went out for the first time; bytes of payload.
    pub(super) packets: u64,
    pub(super) bytes: u64,
    /// Requests to repeat packets.
    pub(super) nacks: u64,
    /// The timestamp of the newest packet, and when it was captured.
    newest: Option<(u32, Instant)>,
    /// The member is to be told of the line's clock at once.
    pub(super) owes_report: bool,
    reports: [Option<(u32, Instant)>; REMEMBERED],
    next_report: usize,
    /// Packets that the last one told of.
    told: u64,
    reception: Option<Reception>,
    gaps: Gaps,
    loss: Loss,
    /// Up to this number more or less was sent than is now, and it was asked for up to that one.
    mark: Option<u64>,
    missed: Option<u64>,
}

/// Packets that were reported on, and how many of them were lost.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Loss {
    packets: f32,
    lost: f32,
}

impl Loss {
    pub(super) fn add(&mut self, other: Self) {
        self.packets += other.packets;
        self.lost += other.lost;
    }

    /// From 0 to 1.
    pub(super) fn peek(self) -> f32 {
        let Self { packets, lost } = self;
        if packets > 0.0 { lost / packets } else { 0.0 }
    }

    /// The same. It begins anew.
    pub(super) fn take(&mut self) -> f32 {
        std::mem::take(self).peek()
    }
}

/// How what was sent arrives.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Arrival {
    /// From 0 to 1, lately.
    pub(super) loss: f32,
    /// Since the beginning.
    pub(super) lost: u64,
    pub(super) jitter: u32,
}

impl Line {
    pub(super) fn new(source: u32, repairs: Option<u32>, first_repair: u16, name: &str) -> Self {
        Self {
            source,
            repairs,
            next_repair: first_repair.into(),
            name: name.to_owned(),
            extensions: Extensions::default(),
            history: History::default(),
            packets: 0,
            bytes: 0,
            nacks: 0,
            newest: None,
            owes_report: true,
            reports: [None; REMEMBERED],
            next_report: 0,
            told: 0,
            reception: None,
            gaps: Gaps::default(),
            loss: Loss::default(),
            mark: None,
            missed: None,
        }
    }

    /// From now on more or less is sent.
    pub(super) fn mark(&mut self) {
        self.mark = self.gaps.newest();
    }

    /// Its receiver misses a packet. Whether that tells something new about the path as it is now.
    pub(super) fn misses(&mut self, sequence: u16) -> bool {
        let Some(sequence) = self.gaps.unwrap(sequence.into()) else { return false };
        if Some(sequence) <= self.mark.max(self.missed) {
            return false;
        }
        // What has not come here yet is missed there too, and asked for again when it is on its way.
        self.missed = Some(sequence);
        self.history.has(sequence) && !self.gaps.covers(sequence)
    }

    /// Of the newest packet.
    pub(super) fn newest_timestamp(&self) -> Option<u32> {
        self.newest.map(|(timestamp, _)| timestamp)
    }

    /// A packet goes out for the first time.
    pub(super) fn count(
        &mut self,
        sequence: u64,
        timestamp: u32,
        captured: Instant,
        payload: usize,
    ) {
        self.gaps.sent(sequence);
        self.packets += 1;
        self.bytes += payload as u64;
        self.newest = Some((timestamp, captured));
    }

    /// Nothing goes out for a while.
    pub(super) fn pause(&mut self) {
        self.history.clear();
        self.owes_report = true;
    }

    /// What the line's clock shows now; nothing has gone out that would tell.
    pub(super) fn timestamp(&self, clock: Clock, now: Instant) -> Option<u32> {
        let (timestamp, captured) = self.newest?;
        let passed = clock.ticks(now.saturating_duration_since(captured));
        #[expect(clippy::cast_possible_truncation, reason = "RTP timestamps wrap")]
        Some(timestamp.wrapping_add(passed as u32))
    }

    /// The member was sent a report with this in the middle of its time.
    pub(super) fn reported(&mut self, now: Instant, name: u32) {
        self.reports[self.next_report % REMEMBERED] = Some((name, now));
        self.next_report = (self.next_report + 1) % REMEMBERED;
        self.owes_report = false;
        self.told = self.packets;
    }

    /// Whether something went out since the last report.
    pub(super) fn has_news(&self) -> bool {
        self.packets != self.told
    }

    /// The member told how it arrives: what was lost since it last did, if all of that was sent since the mark.
    pub(super) fn heard(&mut self, reception: Reception) -> Loss {
        let before = self.reception.replace(reception);
        let from = before.and_then(|before| self.gaps.unwrap(before.highest));
        let since = before.map_or(1, |before| reception.highest.wrapping_sub(before.highest));
        // More than went out cannot be what is meant.
        let since = if u64::from(since) <= self.packets { since } else { 0 };
        #[expect(clippy::cast_precision_loss, reason = "packets of some seconds")]
        let (packets, missing) = (since as f32, self.gaps.reported(reception.highest) as f32);
        let reported = packets * f32::from(reception.loss) / 256.0;
        let loss = Loss { packets, lost: (reported - missing).max(0.0) };
        self.loss.add(loss);
        if self.mark.is_none() || from >= self.mark { loss } else { Loss::default() }
    }

    /// The time there and back, and when it began, if a report can tell.
    pub(super) fn round_trip(
        &self,
        now: Instant,
        reception: Reception,
    ) -> Option<(Duration, Instant)> {
        // Receivers that keep times in other units round them (str0m 0.25.0).
        let is_it = |name: u32| name.wrapping_sub(reception.last_report).wrapping_add(1) <= 2;
        let found = self.reports.iter().flatten().find(|(name, _)| is_it(*name));
        let (_, sent) = found.filter(|_| reception.last_report != 0)?;
        let rest = Duration::from_micros(u64::from(reception.delay) * 1_000_000 / 65_536);
        Some((now.saturating_duration_since(*sent).checked_sub(rest)?, *sent))
    }

    /// How it arrived since this was last asked.
    pub(super) fn take_arrival(&mut self) -> Arrival {
        let reception = self.reception.unwrap_or_default();
        Arrival {
            loss: self.loss.take(),
            lost: u64::try_from(reception.lost).unwrap_or_default(),
            jitter: reception.jitter,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "any instant will do")]

    use super::*;

    fn line(packets: u64) -> Line {
        Line { packets, ..Line::new(1, None, 0, "name") }
    }

    #[test]
    fn loss_counts_for_as_many_packets_as_it_is_about() {
        let mut line = line(2000);
        let report = |highest, loss| Reception { loss, highest, ..Reception::default() };
        line.heard(report(1000, 0));
        line.take_arrival();
        line.heard(report(1300, 64));
        line.heard(report(1400, 0));
        assert!((line.take_arrival().loss - 0.1875).abs() < 0.001);
        assert!(line.take_arrival().loss < 0.001, "it is told once");
        line.heard(report(900_000, 255));
        assert!(line.take_arrival().loss < 0.001, "so much was never sent");
        let lost = Reception { lost: -3, ..Reception::default() };
        line.heard(lost);
        assert_eq!(line.take_arrival().lost, 0);
    }

    #[test]
    fn what_was_lost_before_it_came_here_is_no_loss_of_the_path() {
        let now = Instant::now();
        let mut line = line(0);
        // Each fourth does not come.
        for sequence in (0..400).filter(|number| number % 4 != 2) {
            line.count(sequence, 0, now, 100);
        }
        let report = |highest, loss| Reception { loss, highest, ..Reception::default() };
        line.heard(report(99, 64));
        line.take_arrival();
        line.heard(report(199, 64));
        assert!(line.take_arrival().loss < 0.001);
        line.heard(report(299, 128));
        assert!((line.take_arrival().loss - 0.25).abs() < 0.01, "the path lost as many again");
    }

    #[test]
    fn the_time_there_and_back_is_that_of_a_report_and_its_answer() {
        let start = Instant::now();
        let mut line = line(10);
        for name in 1..=5 {
            line.reported(start + Duration::from_secs(name.into()), name * 10);
        }
        let answer = |last_report| Reception { last_report, delay: 65_536, ..Reception::default() };
        let now = start + Duration::from_millis(5250);
        let heard = |reception| line.round_trip(now, reception).map(|it| it.0);
        for rounded in [39, 40, 41] {
            assert_eq!(heard(answer(rounded)), Some(Duration::from_millis(250)));
        }
        assert_eq!(heard(answer(42)), None, "no such report");
        assert_eq!(heard(answer(10)), None, "forgotten");
        assert_eq!(heard(answer(50)), None, "it cannot have waited that long");
        assert_eq!(heard(answer(0)), None);
    }

    #[test]
    fn the_clock_goes_on_after_the_newest_packet() {
        let now = Instant::now();
        let mut line = line(0);
        assert_eq!(line.timestamp(Clock::VIDEO, now), None);
        line.count(1, u32::MAX, now, 100);
        let later = now + Duration::from_millis(100);
        assert_eq!(line.timestamp(Clock::VIDEO, later), Some(8999));
        line.count(2, 7, later, 100);
        assert_eq!(line.timestamp(Clock::VIDEO, now), Some(7), "captured in the future");
    }
}
