//! What a path carries, from the reports that its receiver sends anyway (RFC 3550, section 6.4.2): loss and
//! the time there and back. Slower to see than numbers on every packet (transport-wide feedback),
//! and nearly free: those cost as much again as forwarding itself.
//!
//! What is not sent is never reported on, so a path is found out by trying: a second without trouble, and
//! the next picture is sent. Trouble ends it at once, and the next attempt waits twice as long.

use std::time::{Duration, Instant};

use super::queue::{Advice, Queue};

/// More loss than this is taken for a path that is full; less than the other is nobody's fault.
const FULL: f32 = 0.10;
const CLEAR: f32 = 0.02;
/// Reports are about what was sent a while ago: so long they may still be about what was too much.
const LAG: Duration = Duration::from_millis(2500);
/// The same of what was lost before more was tried, and is missed now.
const LATE: Duration = Duration::from_millis(2500);
/// Without trouble for so long, and more is tried. Reports come each second.
const QUIET: Duration = Duration::from_millis(1100);
/// After trouble, until the next attempt: at first, where it may have been a moment's weather and where
/// there was a queue. Each failure doubles it.
const PATIENCE: Duration = Duration::from_secs(1);
const PATIENCE_WITH_QUEUE: Duration = Duration::from_secs(4);
const MOST_PATIENCE: Duration = Duration::from_secs(15);
/// The same after attempts that more than double what is sent, once or at most twice that: while they last,
/// sound suffers most.
const PATIENCE_WITH_LEAPS: Duration = Duration::from_secs(30);
/// What is as small as this, in bits per second, is tried again soon: it is all that there is.
const SMALL: u64 = 400_000;
const SOON: Duration = Duration::from_secs(3);
/// Who gets no more than sound fills no path, in bits per second: what is lost of it is weather.
const SOUND: u64 = 100_000;
/// What was tried and went well for so long has not failed when there is trouble later.
const PROVEN: Duration = Duration::from_secs(20);
/// In per cent, for each second without a sign of trouble: where nothing is known to be too much, and
/// where something is.
const FAST_GROWTH: u64 = 20;
const GROWTH: u64 = 8;
/// Who sends more than before may be the cause of trouble for so long.
const CAUSE: Duration = Duration::from_secs(6);
/// Two reports of so much loss are no chance, in per cent.
const HEAVY: u64 = 40;
/// Less is left to no path: a number of zero would never grow.
const LEAST: u64 = 50_000;

/// What a receiver said lately.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reported {
    /// From 0 to 1.
    pub(super) loss: f32,
    pub(super) round_trip: Option<Duration>,
}

/// What there is to send, in bits per second.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wanted {
    /// More than this is of no use.
    pub(super) desired: u64,
    /// With this, one more picture or a larger one can be sent than now.
    pub(super) next: Option<u64>,
}

/// See the module documentation.
#[derive(Debug, Clone)]
pub(super) struct Estimate {
    /// A report came that was not looked at.
    pub(super) pending: bool,
    bandwidth: u64,
    /// When a report came, and what had been sent by then, in bytes.
    last: Option<(Instant, u64)>,
    /// In bits per second, and when it became clearly more.
    rate: u64,
    rose: Option<Instant>,
    queue: Queue,
    /// As reported last: there is not a new one in each report.
    round_trip: Option<Duration>,
    /// There was a little loss, and packets waited, when last reported.
    overflows: bool,
    /// Much was lost without a queue when last reported: it counts when it is so again.
    excused: bool,
    /// Of the last trouble, attempt, or, at first, report.
    quiet_since: Option<Instant>,
    /// When it shrank last, and when more was last tried.
    shrunk: Option<Instant>,
    tried: Option<Attempt>,
    ceiling: Option<Ceiling>,
}

/// More was tried.
#[derive(Debug, Clone, Copy)]
struct Attempt {
    at: Instant,
    /// It would more than double what is sent.
    leaps: bool,
}

/// What was too much.
#[derive(Debug, Clone, Copy)]
struct Ceiling {
    rate: u64,
    /// In per cent.
    lost: u64,
    at: Instant,
    /// It is not tried again before.
    until: Instant,
    patience: Duration,
    /// There was no queue, so it may have been a moment's weather: all that was sent before can be tried again.
    before: Option<u64>,
}

impl Estimate {
    pub(super) fn new(first: u64) -> Self {
        Self {
            pending: false,
            bandwidth: first,
            last: None,
            rate: 0,
            rose: None,
            queue: Queue::default(),
            round_trip: None,
            overflows: false,
            excused: false,
            quiet_since: None,
            shrunk: None,
            tried: None,
            ceiling: None,
        }
    }

    /// In bits per second.
    pub(super) fn bandwidth(&self) -> u64 {
        self.bandwidth
    }

    /// A report came. `sent`: bytes since the beginning, with all headers.
    pub(super) fn handle_report(
        &mut self,
        now: Instant,
        reported: Reported,
        sent: u64,
        wanted: Wanted,
    ) {
        self.pending = false;
        let waits = reported.round_trip.is_some_and(|it| self.queue.note(now, it));
        let Some((at, before)) = self.last.replace((now, sent)) else { return };
        let passed = now.saturating_duration_since(at);
        let micros = u64::try_from(passed.as_micros()).unwrap_or(u64::MAX).max(1);
        let previous = self.rate;
        self.rate = sent.saturating_sub(before).saturating_mul(8_000_000) / micros;
        if self.rate > previous + previous / 5 {
            self.rose = Some(now);
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1")]
        let lost = (reported.loss.clamp(0.0, 1.0) * 100.0) as u64;
        // A queue that overflows, unless it is the end of one; without it, it would be weather.
        let overflows = reported.loss > CLEAR && waits && !self.lags(now);
        let is_full = reported.loss > FULL || (overflows && self.overflows);
        self.overflows = overflows;
        if is_full {
            self.lose(now, lost);
        } else if self.fills(now, reported.round_trip) {
            self.excused = false;
            self.quiet_since = Some(now);
            self.shrink(now, 0, 80);
        } else if waits {
            self.excused = false;
            self.wait(now);
        } else {
            self.excused = false;
            if reported.loss < CLEAR {
                self.grow(now, micros, wanted);
            }
            self.handle_timeout(now, wanted);
        }
    }

    /// When [`Estimate::handle_timeout`] wants to be called, if there is more to send.
    pub(super) fn poll_timeout(&self, wanted: Wanted) -> Option<Instant> {
        let next = wanted.next.filter(|next| *next > self.bandwidth)?;
        if self.queue.is_evident() {
            return None;
        }
        let mut quiet = self.quiet_since? + QUIET;
        if let (Some(tried), Some(_)) = (self.tried, self.ceiling) {
            // One step after the other, where something was too much.
            quiet = quiet.max(tried.at + LAG);
        }
        let ceiling = self.ceiling.filter(|it| it.is_near(next));
        let until =
            ceiling.map(|it| if next <= SMALL { it.until.min(it.at + SOON) } else { it.until });
        Some(until.map_or(quiet, |until| until.max(quiet)))
    }

    /// Tries more, if its time has come.
    pub(super) fn handle_timeout(&mut self, now: Instant, wanted: Wanted) {
        self.quiet_since.get_or_insert(now);
        let Some(next) = wanted.next else { return };
        if self.poll_timeout(wanted).is_none_or(|due| now < due) {
            return;
        }
        let before = self.ceiling.as_mut().and_then(|ceiling| ceiling.before.take());
        self.bandwidth = before.map_or(next, |before| before.max(next));
        let leaps = self.bandwidth > SMALL && self.bandwidth / 2 > self.rate;
        self.tried = Some(Attempt { at: now, leaps });
        self.quiet_since = Some(now);
        self.shrunk = None;
    }

    /// So much is lost, in per cent.
    fn lose(&mut self, now: Instant, lost: u64) {
        let lags = self.lags(now);
        if let Some(ceiling) = self.ceiling.as_mut().filter(|_| lags) {
            ceiling.before = None;
            if std::mem::replace(&mut ceiling.lost, lost).min(lost) > HEAVY {
                // The same trouble, seen in full: the first report was about a better time too.
                let to = ceiling.rate * (100 - lost) / 100;
                self.bandwidth = self.bandwidth.min(to.max(LEAST));
            }
            self.quiet_since = Some(now);
            return;
        }
        // What was lost before a pause is missed when it is over.
        if self.is_fresh(now) && !self.excused && !self.queue.is_suspected() {
            self.excused = true;
            self.quiet_since = Some(now);
            return;
        }
        self.shrink(now, lost, 100_u64.saturating_sub(lost + lost / 4));
    }

    /// Whether what was tried last fills a queue.
    fn fills(&mut self, now: Instant, round_trip: Option<Duration>) -> bool {
        let is_new = std::mem::replace(&mut self.round_trip, round_trip) != round_trip;
        let is_fresh = self.tried.is_some_and(|tried| now > tried.at + QUIET) && self.is_fresh(now);
        is_new && is_fresh && self.ceiling.is_some() && self.queue.is_evident()
    }

    fn wait(&mut self, now: Instant) {
        if self.lags(now) {
            return;
        }
        self.quiet_since = Some(now);
        match self.queue.advice(now, self.is_cause(now), self.bandwidth) {
            Advice::Nothing => {}
            Advice::Shrink(percent) => self.shrink(now, 0, percent),
            Advice::Restore(before) => self.bandwidth = self.bandwidth.max(before),
        }
    }

    fn is_cause(&self, now: Instant) -> bool {
        self.rose.is_some_and(|rose| now < rose + CAUSE)
    }

    /// Whether reports may be about what was sent before it shrank.
    fn lags(&self, now: Instant) -> bool {
        self.shrunk.is_some_and(|at| now < at + LAG)
    }

    /// To this part of what is sent, in per cent; so much of it was lost.
    fn shrink(&mut self, now: Instant, lost: u64, percent: u64) {
        if self.lags(now) || self.rate < SOUND {
            return;
        }
        self.quiet_since = Some(now);
        let to = (self.rate * percent / 100).max(LEAST);
        if to >= self.bandwidth {
            return;
        }
        let before = self.shrunk.replace(now);
        let attempt = self.tried.filter(|it| before.is_none_or(|before| before < it.at));
        let known = self.ceiling.filter(|_| !self.is_proven(now));
        let patience = match known {
            // The first trouble since long.
            None if self.queue.is_evident() => PATIENCE_WITH_QUEUE,
            None => PATIENCE,
            Some(ceiling) => match attempt {
                None => ceiling.patience,
                Some(it) if it.leaps => {
                    (ceiling.patience * 2).clamp(PATIENCE_WITH_LEAPS, PATIENCE_WITH_LEAPS * 2)
                }
                Some(_) => (ceiling.patience * 2).min(MOST_PATIENCE),
            },
        };
        let is_weather = patience == PATIENCE && !self.queue.is_suspected();
        self.ceiling = Some(Ceiling {
            rate: known.map_or(self.rate, |known| known.rate.min(self.rate)),
            lost,
            at: now,
            until: now + patience,
            patience,
            before: is_weather.then_some(self.bandwidth),
        });
        self.bandwidth = to;
    }

    /// Whether reports may be about the time before more was tried.
    fn is_fresh(&self, now: Instant) -> bool {
        self.tried.is_some_and(|tried| now < tried.at + LATE)
    }

    /// Whether what was tried last went well.
    fn is_proven(&self, now: Instant) -> bool {
        self.tried.is_none_or(|tried| now >= tried.at + PROVEN)
    }

    fn grow(&mut self, now: Instant, micros: u64, wanted: Wanted) {
        let is_fresh = self.is_fresh(now);
        self.ceiling = self.ceiling.filter(|ceiling| is_fresh || self.rate <= ceiling.rate);
        // What was not sent has not shown that there is room for it.
        let mut most = (wanted.desired + wanted.desired / 2).min(self.rate + self.rate / 2);
        let mut growth = FAST_GROWTH;
        if let Some(ceiling) = self.ceiling {
            growth = if self.bandwidth < ceiling.rate / 4 { FAST_GROWTH } else { GROWTH };
            let arrived = ceiling.rate * (100 - ceiling.lost) / 100;
            if now < ceiling.until {
                most = most.min(arrived / 10 * 9);
            } else if self.bandwidth > arrived / 10 * 9 {
                // As good as an attempt.
                let attempt = Attempt { at: now, leaps: false };
                self.tried = self.tried.filter(|_| self.shrunk.is_none()).or(Some(attempt));
                self.shrunk = None;
            }
        }
        let more = self.bandwidth.saturating_mul(growth).saturating_mul(micros.min(2_000_000));
        let grown = self.bandwidth.saturating_add(more / 100_000_000);
        self.bandwidth = grown.min(most).max(self.bandwidth);
    }
}

impl Ceiling {
    fn is_near(&self, rate: u64) -> bool {
        rate > self.rate / 10 * 9
    }
}
