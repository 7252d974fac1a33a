//! What a path carries, from what its receiver tells anyway: reports (RFC 3550, section 6.4.2) with loss and the time
//! there and back, and packets that it asks for again. Slower to see than numbers on every packet
//! (transport-wide feedback), and nearly free: those cost as much again as forwarding itself.
//!
//! What is not sent is never reported on, so there are trains (`probe`): a second without trouble, and a path is asked
//! whether it carries the next picture. Where that cannot be, the picture itself is the question. Trouble ends it at
//! once, and the next attempt waits longer.

use std::time::{Duration, Instant};

use super::ceiling::{Attempt, Ceiling, SMALL};
use super::misses::Misses;
use super::probe::{Plan, Probe};
use super::queue::{Advice, Queue};
use crate::leg::{Arrived, Told, Trip};

/// More loss than this is taken for a path that is full; less than the other is nobody's fault.
const FULL: f32 = 0.10;
const CLEAR: f32 = 0.02;
/// Until less is sent indeed, and what waits has arrived.
const SETTLED: Duration = Duration::from_millis(600);
/// After that, until a queue is gone that does not grow any more.
const DRAINED: Duration = Duration::from_millis(2500);
/// Trouble so long after more was tried comes of it; and before this it cannot.
const FRESH: Duration = Duration::from_secs(3);
const EFFECT: Duration = Duration::from_millis(200);
/// Without trouble for so long, and more is tried.
const QUIET: Duration = Duration::from_millis(1100);
/// Where trains are no help: after one step, until the next.
const STEP: Duration = Duration::from_millis(2500);
/// Quarters of a second in a row in which many packets were missing, where there is no sign of a queue: weather is
/// over by then.
const WEATHER: u32 = 4;
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
/// Less is left to no path: a number of zero would never grow.
const LEAST: u64 = 50_000;

/// What there is to send, in bits per second.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wanted {
    /// More than this is of no use.
    pub(super) desired: u64,
    /// With this, one more picture or a larger one can be sent than now.
    pub(super) next: Option<u64>,
}

/// What was sent since the beginning.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sent {
    /// With all headers.
    pub(super) bytes: u64,
    /// Packets that would be asked for again.
    pub(super) repeatable: u64,
}

/// See the module documentation.
#[derive(Debug, Clone)]
pub(super) struct Estimate {
    /// Something was told that was not looked at.
    pub(super) pending: bool,
    bandwidth: u64,
    /// When a second began, and what had been sent by then, in bytes.
    last: Option<(Instant, u64)>,
    /// In bits per second, and when it became clearly more.
    rate: u64,
    rose: Option<Instant>,
    queue: Queue,
    misses: Misses,
    probe: Probe,
    plan: Option<Plan>,
    /// There was a little loss, and packets waited, when last reported.
    overflows: bool,
    /// Of the last trouble, attempt, or, at first, report.
    quiet_since: Option<Instant>,
    /// When it shrank last, and when more was last tried.
    shrunk: Option<Instant>,
    tried: Option<Attempt>,
    ceiling: Option<Ceiling>,
    /// Since when what is told counts; and until when nothing does.
    changed: Option<Instant>,
    settles: Option<Instant>,
    marks: bool,
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
            misses: Misses::default(),
            probe: Probe::default(),
            plan: None,
            overflows: false,
            quiet_since: None,
            shrunk: None,
            tried: None,
            ceiling: None,
            changed: None,
            settles: None,
            marks: false,
        }
    }

    /// In bits per second.
    pub(super) fn bandwidth(&self) -> u64 {
        self.bandwidth
    }

    /// Whether more or less is sent from now on than was.
    pub(super) fn take_mark(&mut self) -> bool {
        std::mem::take(&mut self.marks)
    }

    /// A train that is to be sent.
    pub(super) fn take_plan(&mut self) -> Option<Plan> {
        self.plan.take()
    }

    /// There is nothing that a train could be sent on.
    pub(super) fn handle_no_train(&mut self) {
        self.probe.is_impossible();
    }

    /// The receiver told something.
    pub(super) fn handle_told(&mut self, now: Instant, told: Told, sent: Sent, wanted: Wanted) {
        self.pending = false;
        self.settle(now);
        if told.train_lost {
            self.probe.answered();
            if let Some(ceiling) = &mut self.ceiling {
                ceiling.before = None;
            }
        }
        if let Some(trip) = told.trip {
            self.came_back(now, trip, wanted);
        }
        if self.settles.is_none() {
            self.misses.note(now, told.missing, sent.repeatable);
            self.look_at_misses(now);
        }
        if let Some(loss) = told.loss {
            self.second(now, loss, sent.bytes, wanted);
        }
        self.heed_most(now, told.most);
    }

    /// When [`Estimate::handle_timeout`] wants to be called.
    pub(super) fn poll_timeout(&self, now: Instant, wanted: Wanted) -> Option<Instant> {
        if self.settles.is_some() {
            return self.settles;
        }
        self.probe.ends().or_else(|| self.next_attempt(now, wanted))
    }

    /// Tries more, if its time has come.
    pub(super) fn handle_timeout(&mut self, now: Instant, wanted: Wanted) {
        self.quiet_since.get_or_insert(now);
        self.settle(now);
        if self.probe.ends().is_some_and(|ends| ends <= now) {
            self.probe.unanswered();
        }
        if self.settles.is_some() || self.probe.since().is_some() {
            return;
        }
        let Some(next) = wanted.next else { return };
        if self.next_attempt(now, wanted).is_none_or(|due| now < due) {
            return;
        }
        if self.probe.due(now, self.rate).is_some() {
            let sent = self.rate.min(self.bandwidth);
            self.plan = Some(Plan::new(sent, next, wanted.desired));
            self.probe.begin(now);
            return;
        }
        let before = self.ceiling.as_mut().and_then(|ceiling| ceiling.before.take());
        self.attempt(now, before.map_or(next, |it| it.max(next)), false);
    }

    /// When more may be tried, or a train be sent.
    fn next_attempt(&self, now: Instant, wanted: Wanted) -> Option<Instant> {
        let next = wanted.next.filter(|next| *next > self.bandwidth)?;
        if self.queue.is_evident(now) {
            return None;
        }
        let quiet = self.quiet_since? + QUIET;
        let until = self.ceiling.and_then(|it| it.until(next));
        let is_weather = self.ceiling.is_some_and(|it| it.before.is_some());
        let due = match self.probe.due(now, self.rate) {
            Some(_) if is_weather => return Some(now),
            Some(due) => {
                let until = until.filter(|_| self.ceiling.is_some_and(|it| it.deceives));
                [Some(due), until]
            }
            None => {
                // One step after the other, where something was too much.
                let step = self.tried.filter(|_| self.ceiling.is_some()).map(|it| it.at + STEP);
                [until, step]
            }
        };
        due.into_iter().flatten().chain([quiet]).max()
    }

    fn attempt(&mut self, now: Instant, to: u64, is_shown: bool) {
        let from = std::mem::replace(&mut self.bandwidth, to);
        tracing::debug!(from, to, is_shown, "more is sent");
        let leaps = to > SMALL && to / 2 > self.rate;
        self.tried = Some(Attempt { at: now, from, leaps, is_shown });
        self.quiet_since = Some(now);
        self.shrunk = None;
        self.change(now);
    }

    /// What is told from now on is about what is sent from now on.
    fn change(&mut self, now: Instant) {
        self.changed = Some(now);
        self.marks = true;
        self.queue.reset();
        self.misses.reset();
    }

    fn settle(&mut self, now: Instant) {
        if self.settles.is_some_and(|at| at <= now) {
            self.settles = None;
            self.change(now);
        }
    }

    /// A report was answered.
    fn came_back(&mut self, now: Instant, trip: Trip, wanted: Wanted) {
        if let Some(arrived) = trip.train {
            return self.arrived(now, trip.took, arrived, wanted);
        }
        self.queue.note(now, trip.began, trip.took);
        if self.settles.is_some() || self.changed.is_some_and(|at| trip.began < at) {
            return self.queue.reset();
        }
        if !self.queue.is_evident(now) {
            return;
        }
        self.quiet_since = Some(now);
        let fresh = self.fresh_attempt(now).filter(|it| trip.began > it.at + EFFECT);
        if let Some(attempt) = fresh.filter(|_| self.queue.is_record()) {
            self.shrink(now, 0, attempt.from);
        } else if let Some(growth) = self.queue.growth() {
            self.shrink(now, 0, self.rate * 92 / (100 + growth));
        } else if self.queue.is_long(now) && self.shrunk.is_none_or(|at| now > at + DRAINED) {
            match self.queue.advice(now, self.is_cause(now), self.bandwidth) {
                Advice::Nothing => {}
                Advice::Shrink(percent) => self.shrink(now, 0, self.rate * percent / 100),
                Advice::Restore(before) => self.bandwidth = self.bandwidth.max(before),
            }
        }
    }

    /// A train came through.
    fn arrived(&mut self, now: Instant, took: Duration, arrived: Arrived, wanted: Wanted) {
        self.probe.answered();
        let before = self.ceiling.as_mut().and_then(|ceiling| ceiling.before.take());
        let wait = self.queue.wait(took);
        let passed = (arrived.lasted + wait).as_micros().max(1);
        let carries = u128::from(arrived.bytes) * 8_000_000 / passed;
        let carries = u64::try_from(carries).unwrap_or(u64::MAX);
        tracing::debug!(
            ?took,
            ?wait,
            ?arrived,
            carries,
            next = wanted.next,
            "a train came through"
        );
        let Some(next) = wanted.next.filter(|next| (self.bandwidth..=carries).contains(next))
        else {
            return;
        };
        if self.settles.is_some() {
            return;
        }
        self.probe.succeeded();
        self.ceiling = self.ceiling.filter(|it| it.deceives);
        let most = (carries / 10 * 9).min(wanted.desired);
        let before = before.filter(|_| wait == Duration::ZERO);
        self.attempt(now, most.max(next).max(before.unwrap_or_default()), true);
    }

    /// A second is over.
    fn second(&mut self, now: Instant, loss: f32, sent: u64, wanted: Wanted) {
        let Some((at, before)) = self.last.replace((now, sent)) else { return };
        let passed = now.saturating_duration_since(at);
        let micros = u64::try_from(passed.as_micros()).unwrap_or(u64::MAX).max(1);
        let previous = self.rate;
        self.rate = sent.saturating_sub(before).saturating_mul(8_000_000) / micros;
        if self.rate > previous + previous / 5 {
            self.rose = Some(now);
        }
        if self.settles.is_some() {
            return;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1")]
        let percent = (loss.clamp(0.0, 1.0) * 100.0) as u64;
        // A queue that overflows; without it, it would be weather.
        let overflows = loss > CLEAR && self.queue.is_long(now);
        let is_full = loss > FULL || (overflows && self.overflows);
        self.overflows = overflows;
        if is_full {
            self.lose(now, percent);
        } else if !self.queue.is_evident(now) {
            if loss < CLEAR {
                self.grow(now, micros, wanted);
            }
            self.handle_timeout(now, wanted);
        }
    }

    fn look_at_misses(&mut self, now: Instant) {
        let is_fresh = self.fresh_attempt(now).is_some();
        let most = if self.queue.is_evident(now) {
            1
        } else if is_fresh {
            WEATHER / 2
        } else {
            WEATHER
        };
        if self.misses.bad() >= most {
            self.lose(now, self.misses.lost());
        }
    }

    /// So much is lost, in per cent.
    fn lose(&mut self, now: Instant, lost: u64) {
        let to = self.rate * (100 - lost.min(100)) / 100 * 95 / 100;
        let from = self.fresh_attempt(now).map_or(to, |attempt| attempt.from);
        self.shrink(now, lost, from);
    }

    /// What was tried last, if it may still be the cause of trouble.
    fn fresh_attempt(&self, now: Instant) -> Option<Attempt> {
        self.tried.filter(|it| now < it.at + FRESH && self.shrunk.is_none())
    }

    fn is_cause(&self, now: Instant) -> bool {
        self.rose.is_some_and(|rose| now < rose + CAUSE)
    }

    /// To so many bits per second; so much of what was sent was lost, in per cent.
    fn shrink(&mut self, now: Instant, lost: u64, to: u64) {
        if self.settles.is_some() || self.rate < SOUND {
            return;
        }
        self.quiet_since = Some(now);
        let to = to.max(LEAST);
        if to >= self.bandwidth {
            return;
        }
        tracing::debug!(from = self.bandwidth, to, lost, rate = self.rate, "less is sent");
        let is_first = self.shrunk.replace(now).is_none();
        let attempt = self.tried.filter(|_| is_first);
        let known = self.ceiling.filter(|_| !self.is_proven(now));
        let is_queue = self.queue.is_evident(now);
        let mut ceiling = Ceiling::new(now, (self.rate, lost), attempt, known, is_queue);
        let is_weather = attempt.is_none() && ceiling.is_first() && !self.queue.is_suspected(now);
        ceiling.before = is_weather.then_some(self.bandwidth);
        self.ceiling = Some(ceiling);
        self.bandwidth = to;
        self.settles = Some(now + SETTLED);
    }

    /// Whether what was tried last went well.
    fn is_proven(&self, now: Instant) -> bool {
        self.tried.is_none_or(|tried| now >= tried.at + PROVEN)
    }

    fn grow(&mut self, now: Instant, micros: u64, wanted: Wanted) {
        let is_fresh = self.fresh_attempt(now).is_some();
        self.ceiling = self.ceiling.filter(|ceiling| is_fresh || self.rate <= ceiling.rate);
        // What was not sent has not shown that there is room for it.
        let mut most = (wanted.desired + wanted.desired / 2).min(self.rate + self.rate / 2);
        let mut growth = FAST_GROWTH;
        if let Some(ceiling) = self.ceiling {
            growth = if self.bandwidth < ceiling.rate / 4 { FAST_GROWTH } else { GROWTH };
            let arrived = ceiling.arrived();
            if now < ceiling.until {
                most = most.min(arrived / 10 * 9);
            } else if self.bandwidth > arrived / 10 * 9 && self.shrunk.take().is_some() {
                // As good as an attempt.
                let from = self.bandwidth;
                self.tried = Some(Attempt { at: now, from, leaps: false, is_shown: false });
            }
        }
        let more = self.bandwidth.saturating_mul(growth).saturating_mul(micros.min(2_000_000));
        let grown = self.bandwidth.saturating_add(more / 100_000_000);
        self.bandwidth = grown.min(most).max(self.bandwidth);
    }

    /// What the receiver wants at most, where packets do wait: Chromium 148 says so unasked, and tells less than comes
    /// wherever they come unevenly.
    fn heed_most(&mut self, now: Instant, most: Option<u64>) {
        if let Some(most) = most.filter(|most| *most < self.rate)
            && self.queue.is_long(now)
        {
            self.shrink(now, 0, most);
        }
    }
}
