//! What publishers are asked to send at most (REMB, draft-alvestrand-rmcat-remb-03, which browsers heed beside
//! transport-wide feedback): what the widest path to somebody who wants it carries. And what becomes of
//! those who send far more than they may.

use std::time::{Duration, Instant};

use super::MediaRouter;
use super::bandwidth::AUDIO;
use super::member::{Key, LAYERS, Publication};
use crate::Kind;

/// Between two requests. They are said again and again, for they may be lost.
const INTERVAL: Duration = Duration::from_secs(1);
/// Less makes no picture, in bits per second.
pub(super) const LEAST: u64 = 100_000;
/// Until a request shows in what comes: so many looks may find more.
const LOOKS: u32 = 3;
/// Who may send as much as it can, once it was asked for less.
const ANY: u64 = 100_000_000;
/// More than this part of what it may send, in per cent, for so long, and its pictures go nowhere.
const EXCESS: u64 = 150;
const PATIENCE: Duration = Duration::from_secs(3);

/// What one publisher's video is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Request {
    /// When it is to be said next.
    pub(super) due: Option<Instant>,
    /// What was said last, in bits per second without sound. It was asked for less than it can, at some time.
    asked: Option<u64>,
    /// Looks in a row that found it to send more.
    more: u32,
    /// It does not do as it is asked: what it sent then.
    defies: Option<u64>,
}

impl Request {
    /// Whether it can be expected to send what it is asked for.
    pub(super) fn is_heeded(&self) -> bool {
        self.defies.is_none()
    }

    /// A look at what comes, in bits per second.
    fn look(&mut self, rate: u64) {
        // It has become less for whatever reason, so it may become less again.
        self.defies = self.defies.filter(|then| rate > then / 10 * 8);
        let is_more = self.asked.is_some_and(|asked| rate > asked + asked / 5);
        self.more = if is_more { self.more + 1 } else { 0 };
        if self.more > LOOKS {
            self.defies.get_or_insert(rate);
        }
    }
}

/// Whether a publisher sends far more than it may.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Excess {
    since: Option<Instant>,
    /// Its pictures go nowhere.
    pub(super) stopped: bool,
}

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Stopped,
    Ended,
}

impl Excess {
    /// A look at what comes, in bits per second.
    fn look(&mut self, now: Instant, rate: u64, limit: u64) -> Option<Change> {
        if rate <= limit {
            self.since = None;
            return std::mem::take(&mut self.stopped).then_some(Change::Ended);
        }
        if rate <= limit.saturating_mul(EXCESS) / 100 {
            self.since = None;
            return None;
        }
        let since = *self.since.get_or_insert(now);
        if self.stopped || now < since + PATIENCE {
            return None;
        }
        self.stopped = true;
        Some(Change::Stopped)
    }
}

impl Publication {
    /// What comes of all its sizes, in bits per second.
    fn rate(&self, now: Instant) -> u64 {
        self.layers.iter().map(|layer| layer.meter.rate(now)).sum()
    }

    /// Whether it depends on one of its subscribers alone, or nearly so, what is sent.
    pub(super) fn follows(&self, index: usize, share: u64) -> bool {
        self.subscribers.len() == 1
            || self.widest(Some(index)).is_some_and(|most| most / 5 <= share / 4)
    }

    /// The most that there is for it on anybody's path but one's, in bits per second.
    fn widest(&self, but: Option<usize>) -> Option<u64> {
        let mut most = None;
        for (index, subscriber) in self.subscribers.iter().enumerate() {
            if Some(index) != but {
                most = most.max(Some(subscriber.share?));
            }
        }
        most
    }

    /// The most that is of use to anybody, in bits per second. `None`: as much as there is.
    fn of_use(&self) -> Option<u64> {
        let most = self.widest(None)?;
        let rates: [u64; LAYERS] = std::array::from_fn(|layer| self.layers[layer].meter.last());
        let Some(top) = (0..LAYERS).rev().find(|layer| (1..=most).contains(&rates[*layer])) else {
            return Some(most);
        };
        // Smaller sizes are sent beside the one that fits; and the next larger one, or nobody would
        // ever find out that there is room for it.
        let lower: u64 = rates[..top].iter().sum();
        Some(most.saturating_add(lower + rates.get(top + 1).copied().unwrap_or(0)))
    }
}

impl MediaRouter {
    /// A video began: what it may send is told soon.
    pub(super) fn begin_requests(&mut self, now: Instant, key: Key) {
        self.members[key].request.due.get_or_insert(now + INTERVAL);
        self.schedule(key);
    }

    /// Somebody can take less of a publisher's video than before.
    pub(super) fn request_soon(&mut self, now: Instant, key: Key) {
        if let Some(due) = &mut self.members[key].request.due {
            *due = now.min(*due);
            self.schedule(key);
        }
    }

    /// The time has come to look at a publisher's video.
    pub(super) fn request(&mut self, now: Instant, key: Key) {
        let member = &mut self.members[key];
        member.request.due = None;
        let sound = if member.publications[Kind::Audio.index()].is_some() { AUDIO } else { 0 };
        let Some(publication) = &mut member.publications[Kind::Video.index()] else { return };
        member.request.due = Some(now + INTERVAL);
        let limit = member.leg.bitrate_limit();
        let of_use = publication.of_use();
        let rate = publication.rate(now);
        let most = of_use.into_iter().chain(limit).min().map(|most| most.max(LEAST));
        let change = limit.and_then(|limit| publication.excess.look(now, rate, limit));
        if change == Some(Change::Stopped) {
            member.traffic.excesses += 1;
        }
        member.request.look(rate);
        let asked = most.or(member.request.asked.map(|_| ANY));
        member.request.asked = asked;
        if let Some(asked) = asked {
            let told = self.guard(key, |member| Ok(member.leg.request_bitrate(asked + sound)));
            if told == Some(true) {
                self.mark(key);
            }
        }
        match change {
            Some(Change::Stopped) => self.stop(key),
            Some(Change::Ended) => self.resume(now, key, Kind::Video),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "any instant will do")]

    use super::*;

    const LIMIT: u64 = 1_000_000;

    #[test]
    fn far_more_than_allowed_is_stopped_after_a_while_and_goes_on_when_it_is_allowed() {
        let start = Instant::now();
        let mut excess = Excess::default();
        let mut changes = Vec::new();
        let rates = [2_000_000; 6].into_iter().chain([1_200_000; 3]).chain([900_000; 2]);
        for (second, rate) in (0..).zip(rates) {
            let change = excess.look(start + Duration::from_secs(second), rate, LIMIT);
            changes.extend(change.map(|change| (second, change)));
        }
        assert_eq!(changes, [(3, Change::Stopped), (9, Change::Ended)]);
    }

    #[test]
    fn who_does_not_do_as_it_is_asked_is_not_expected_to() {
        let mut request = Request { asked: Some(LIMIT), ..Request::default() };
        let rates = [3, 3, 3, 1, 3, 3, 3, 3, 3, 3].map(|rate| rate * LIMIT);
        let heeded = rates.map(|rate| {
            request.look(rate);
            request.is_heeded()
        });
        assert_eq!(heeded, [true, true, true, true, true, true, true, false, false, false]);
        request.asked = Some(ANY);
        request.look(3 * LIMIT);
        assert!(!request.is_heeded(), "that was no feat");
        request.look(2 * LIMIT);
        assert!(request.is_heeded());
    }

    #[test]
    fn a_moment_or_a_little_more_is_no_excess() {
        let start = Instant::now();
        let mut excess = Excess::default();
        let rates = [2_000_000, 2_000_000, 1_400_000].into_iter().cycle().take(60);
        for (second, rate) in (0..).zip(rates) {
            assert_eq!(excess.look(start + Duration::from_secs(second), rate, LIMIT), None);
        }
    }
}
