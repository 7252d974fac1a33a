//! Which size of each video a member gets: by what comes in, and by what its path carries.

use std::time::{Duration, Instant};

use super::estimate::{Sent, Wanted};
use super::member::{Key, LAYERS, Turn};
use super::{MediaRouter, request};
use crate::{Demand, Kind, allocate, next_step, shares};

/// Between two looks without a reason.
pub(super) const INTERVAL: Duration = Duration::from_secs(1);
/// Not sooner, whatever the reason.
const SOON: Duration = Duration::from_millis(50);
/// What audio is counted as, with everything around it, in bits per second.
pub(super) const AUDIO: u64 = 60_000;
/// Headers and encryption around a payload, in bytes.
const OVERHEAD: u64 = 50;

/// The rate of one encoding.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Meter {
    bytes: u64,
    since: Option<Instant>,
    rate: u64,
    packets: u64,
    all_bytes: u64,
}

impl Meter {
    pub(super) fn count(&mut self, now: Instant, payload: usize) {
        let since = *self.since.get_or_insert(now);
        self.bytes += payload as u64 + OVERHEAD;
        self.packets += 1;
        self.all_bytes += payload as u64;
        let passed = now.saturating_duration_since(since);
        if passed >= INTERVAL {
            let rate = self.bytes * 8_000_000 / u64::try_from(passed.as_micros()).unwrap_or(1);
            *self = Self { bytes: 0, since: Some(now), rate, ..*self };
        }
    }

    /// Bits per second; 0 for what does not come any more.
    pub(super) fn rate(&self, now: Instant) -> u64 {
        match self.since {
            None => 0,
            Some(since) if now.saturating_duration_since(since) > INTERVAL * 3 => 0,
            // Its first second is not over.
            Some(_) if self.rate == 0 => 1,
            Some(_) => self.rate,
        }
    }

    /// The same, or what it was when it came last.
    pub(super) fn last(&self) -> u64 {
        self.rate
    }

    /// Packets since the beginning, and bytes of payload in them.
    pub(super) fn total(&self) -> (u64, u64) {
        (self.packets, self.all_bytes)
    }
}

impl MediaRouter {
    /// A receiver told of what it got.
    pub(super) fn reported(&mut self, key: Key) {
        let Some(now) = self.now else { return };
        let member = &mut self.members[key];
        let Some(estimate) = &mut member.estimate else { return };
        let told = member.leg.take_told();
        let bytes = member.traffic.sent_bytes + member.traffic.sent * OVERHEAD;
        let sent = Sent { bytes, repeatable: member.leg.repeatable() };
        estimate.handle_told(now, told, sent, member.wanted);
        let is_news = self.obey(key) || told.loss.is_some();
        if is_news && self.members[key].share.is_some() {
            self.allocate(key);
        }
    }

    /// The time has come to look at what a member gets, although nothing was reported.
    pub(super) fn share(&mut self, now: Instant, key: Key) {
        let member = &mut self.members[key];
        member.share = Some(now + INTERVAL);
        let wanted = member.wanted;
        if let Some(estimate) = &mut member.estimate {
            estimate.handle_timeout(now, wanted);
        }
        self.obey(key);
        self.allocate(key);
    }

    /// Does what the estimate says. Whether there is something else to share out, or to wait for.
    fn obey(&mut self, key: Key) -> bool {
        let member = &mut self.members[key];
        let Some(estimate) = &mut member.estimate else { return false };
        let before = member.bandwidth.replace(estimate.bandwidth());
        let (marks, plan) = (estimate.take_mark(), estimate.take_plan());
        if marks {
            member.leg.mark();
        }
        if let Some(plan) = plan
            && !member.leg.probe(plan.rate, plan.most)
        {
            estimate.handle_no_train();
        }
        let is_news = before != member.bandwidth || marks || plan.is_some();
        if member.leg.has_to_send() {
            self.enqueue(key, Turn::Send);
        }
        is_news
    }

    /// Shares a member's bandwidth among the videos that it gets.
    pub(super) fn allocate(&mut self, key: Key) {
        let Some(now) = self.now else { return };
        let member = &self.members[key];
        let Some(bandwidth) = member.bandwidth else {
            // Everything in full is what there is to choose, where anything is.
            return self.grant(key, u64::MAX, 0, now);
        };
        let audio = member.subscriptions.iter().filter(|it| it.kind == Kind::Audio).count();
        let audio = AUDIO * audio as u64;
        self.grant(key, bandwidth.saturating_sub(audio), audio, now);
        let member = &mut self.members[key];
        let due = member.estimate.as_ref().and_then(|it| it.poll_timeout(now, member.wanted));
        // It goes on with what is sent anyway, and in time where that is little.
        let due = if member.leg.is_probing() { Some(now) } else { due };
        if let (Some(due), Some(share)) = (due, member.share)
            && due < share
        {
            member.share = Some(due.max(now + SOON));
            self.schedule(key);
        }
    }

    /// What there is for a publication on a subscriber's path. Whether it is clearly less than before.
    fn set_share(&mut self, publisher: Key, index: usize, share: Option<u64>) -> bool {
        let publication = self.members[publisher].publications[Kind::Video.index()].as_mut();
        let Some(publication) = publication else { return false };
        let before = std::mem::replace(&mut publication.subscribers[index].share, share);
        share.is_some_and(|share| before.is_none_or(|before| share < before / 20 * 17))
    }

    fn grant(&mut self, key: Key, available: u64, audio: u64, now: Instant) {
        let room = self.rooms.get(&self.members[key].room);
        // Whoever speaks is the last to vanish, and the first to be large.
        let speaker = room.and_then(|room| room.speakers.dominant().copied());
        let mut demands = Vec::new();
        let mut places = Vec::new();
        for subscription in &self.members[key].subscriptions {
            let publisher = &self.members[subscription.publisher];
            let publication = publisher.publications[subscription.kind.index()].as_ref();
            let Some(publication) = publication.filter(|_| subscription.kind == Kind::Video) else {
                continue;
            };
            let place = (key, subscription.slot);
            let found = publication.subscribers.iter().position(|it| (it.member, it.slot) == place);
            let Some(index) = found else { continue };
            let mut active: Vec<usize> = (0..LAYERS)
                .filter(|layer| publication.layers[*layer].meter.rate(now) > 0)
                .collect();
            let largest = self.largest_wanted(key, subscription.publisher);
            // Something is better than nothing, if the smallest that comes is too large.
            active.truncate(active.iter().filter(|layer| **layer <= largest).count().max(1));
            let subscriber = &publication.subscribers[index];
            // Fewer pictures are worse than smaller ones, and better than none.
            let steps: Vec<(usize, u8, u64)> = (0..)
                .zip(&active)
                .flat_map(|(place, layer)| {
                    let steps = publication.layers[*layer].steps(now);
                    let steps = steps.filter(move |step| place == 0 || step.0 == u8::MAX);
                    steps.map(|(temporal, rate)| (*layer, temporal, rate))
                })
                .collect();
            let now_wanted = (subscriber.wanted, subscriber.temporal_wanted);
            demands.push(Demand {
                layers: steps.iter().map(|(.., rate)| *rate).collect(),
                priority: u8::from(speaker == Some(publisher.id)),
                current: steps.iter().position(|it| (Some(it.0), it.1) == now_wanted),
            });
            places.push((subscription.publisher, index, steps));
        }
        let desired: u64 = demands.iter().filter_map(|demand| demand.layers.last()).sum();
        let is_estimated = self.members[key].bandwidth.is_some();
        let shares = shares(available, &demands);
        for ((demand, share), (publisher, index, _)) in demands.iter_mut().zip(&shares).zip(&places)
        {
            let publisher = &self.members[*publisher];
            let publication = publisher.publications[Kind::Video.index()].as_ref();
            let yields = publisher.request.is_heeded()
                && publication.is_some_and(|it| it.follows(*index, *share));
            // Where it is only a question of asking its publisher, a picture becomes smaller and does not stop.
            if let ([cost], true) = (&mut *demand.layers, yields) {
                *cost = (*cost).min((*share).max(request::LEAST));
            }
        }
        let granted = allocate(available, &demands);
        let next = next_step(&demands, &granted).map(|next| next + audio);
        self.members[key].wanted = Wanted { desired: desired + AUDIO * 4, next };
        for (((publisher, index, steps), granted), share) in
            places.into_iter().zip(granted).zip(shares)
        {
            let share = is_estimated.then_some(share);
            if self.set_share(publisher, index, share) {
                self.request_soon(now, publisher);
            }
            let publication = self.members[publisher].publications[Kind::Video.index()].as_mut();
            let Some(publication) = publication else { continue };
            let subscriber = &mut publication.subscribers[index];
            if steps.is_empty() {
                continue;
            }
            let wanted = granted.map(|step| steps[step].0);
            subscriber.temporal_wanted = granted.map_or(u8::MAX, |step| steps[step].1);
            if subscriber.wanted == wanted {
                continue;
            }
            subscriber.wanted = wanted;
            if let Some(layer) = wanted.filter(|_| subscriber.current != wanted) {
                publication.layers[layer].key_frames.want(now);
                self.ask_for_key_frames(publisher);
            }
        }
    }
}
