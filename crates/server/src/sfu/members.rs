//! The legs of one worker, around their router.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use peerway_broker::{LegId, MediaCommand, MediaEvent};
use peerway_media::{
    CloseReason, Datagram, Event, LegReport, MediaRouter, Output, Reception, RoomId, RouterOptions,
    Transmit, VideoWish,
};
use peerway_protocol::{PeerAddress, RoomAddress};

use super::orders::Order;
use super::report::{MemberReport, Sample};
use super::stream::Incoming;
use super::tell::Teller;
use super::{Common, broker_id, media_id, paths};
use crate::clock;
use crate::metrics::SfuQuality;

/// See the module documentation.
#[derive(Debug)]
pub(super) struct Members {
    common: Arc<Common>,
    worker: usize,
    router: MediaRouter,
    legs: BTreeMap<LegId, Leg>,
    /// Who speaks in a room.
    speakers: BTreeMap<RoomId, LegId>,
    /// Taken, and not done yet.
    orders: VecDeque<Order>,
    /// What the router has counted before.
    strays: u64,
}

#[derive(Debug)]
struct Leg {
    id: RoomId,
    room: RoomAddress,
    peer: PeerAddress,
    publishers: Option<usize>,
    sample: Sample,
}

impl Members {
    pub(super) fn new(common: Arc<Common>, worker: usize) -> Self {
        Self {
            router: router(&common, worker),
            common,
            worker,
            legs: BTreeMap::new(),
            speakers: BTreeMap::new(),
            orders: VecDeque::new(),
            strays: 0,
        }
    }

    /// Orders, which [`Members::next_order`] does one after the other.
    pub(super) fn order(&mut self, orders: VecDeque<Order>) {
        self.orders.extend(orders);
    }

    /// Does what is ordered, up to a connection, which is the caller's.
    pub(super) fn next_order(&mut self, now: Instant, teller: &mut Teller) -> Option<Incoming> {
        while let Some(order) = self.orders.pop_front() {
            match order {
                Order::Stream(incoming) => return Some(incoming),
                Order::Refuse(leg, reason) => {
                    self.common.metrics.sfu.closed("full");
                    teller.tell(leg, MediaEvent::Closed(reason.into()));
                }
                Order::Open { leg, id, room, peer, options } => {
                    tracing::debug!(leg = leg.0, app = %peer.app, peer = %peer.peer, "leg opened");
                    self.common.metrics.sfu.opened();
                    let (publishers, sample) = (options.publishers, Sample::default());
                    self.legs.insert(leg, Leg { id, room, peer, publishers, sample });
                    self.router.handle_join(now, id, media_id(leg), options);
                }
                // Whoever asked may have gone away meanwhile.
                Order::Report(reply) => drop(reply.send(self.reports(now))),
                #[cfg(test)]
                Order::Fault => panic!("on purpose"),
                Order::Media(command) => self.obey(now, command),
            }
        }
        None
    }

    fn obey(&mut self, now: Instant, command: MediaCommand) {
        match command {
            // Comes as an order of its own.
            MediaCommand::Open { .. } => {}
            MediaCommand::Offer(leg) => self.router.handle_offer_wanted(now, media_id(leg)),
            MediaCommand::Answer(leg, sdp) => self.router.handle_answer(now, media_id(leg), &sdp),
            MediaCommand::Candidate(leg, candidate) => {
                self.router.handle_candidate(now, media_id(leg), &candidate);
            }
            MediaCommand::Receive { leg, from, reception } => {
                let video = match reception.video {
                    peerway_protocol::VideoWish::Off => VideoWish::Off,
                    peerway_protocol::VideoWish::UpTo(height) => VideoWish::UpTo(height),
                    peerway_protocol::VideoWish::Any => VideoWish::Any,
                };
                let reception = Reception { audio: reception.audio, video };
                self.router.handle_reception(now, media_id(leg), media_id(from), reception);
            }
            MediaCommand::Close(leg) => {
                self.router.handle_leave(now, media_id(leg));
                self.forget(leg, "left");
            }
        }
    }

    /// Whether a datagram was for one of the legs.
    pub(super) fn handle_datagram(&mut self, now: Instant, datagram: Datagram<'_>) -> bool {
        let before = self.router.strays();
        self.router.handle_datagram(now, datagram);
        self.router.strays() == before
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.router.poll_timeout().is_some_and(|due| due <= now) {
            self.router.handle_timeout(now);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.router.poll_timeout()
    }

    /// What is to be sent next; what happened is told on the way.
    pub(super) fn next_transmit(&mut self, teller: &mut Teller) -> Option<Transmit> {
        loop {
            match self.router.next_output()? {
                Output::Transmit(transmit) => return Some(transmit),
                Output::Event(event) => self.tell(event, teller),
            }
        }
    }

    /// A datagram is sent: its buffer is for another one.
    pub(super) fn recycle(&mut self, buffer: Vec<u8>) {
        self.router.recycle(buffer);
    }

    fn tell(&mut self, event: Event, teller: &mut Teller) {
        match event {
            Event::Offer { leg, sdp, streams } => {
                let named = |(stream, leg): (String, _)| (stream.into(), broker_id(leg));
                let streams = streams.into_iter().map(named).collect();
                teller.tell(broker_id(leg), MediaEvent::Offer { sdp: sdp.into(), streams });
            }
            Event::PublishRefused { leg } => {
                let leg = broker_id(leg);
                let limit = self.legs.get(&leg).and_then(|it| it.publishers).unwrap_or_default();
                teller.tell(leg, MediaEvent::PublishRefused(limit));
            }
            Event::Closed { leg, reason } => {
                let leg = broker_id(leg);
                let event = match &reason {
                    CloseReason::HungUp => MediaEvent::HungUp,
                    other => MediaEvent::Closed(other.to_string().into()),
                };
                teller.tell(leg, event);
                self.common.rooms.close(leg);
                self.forget(leg, reason_name(&reason));
            }
            Event::ActiveSpeaker { room, leg: Some(leg) } => {
                self.speakers.insert(room, broker_id(leg));
                teller.tell(broker_id(leg), MediaEvent::Speaker { speaks: true });
            }
            Event::ActiveSpeaker { room, leg: None } => {
                if let Some(leg) = self.speakers.remove(&room) {
                    teller.tell(leg, MediaEvent::Speaker { speaks: false });
                }
            }
            Event::Connected { leg } => tracing::debug!(leg = leg.0, "leg connected"),
            Event::Published { leg, kind } => tracing::debug!(leg = leg.0, ?kind, "published"),
            Event::Unpublished { leg, kind } => tracing::debug!(leg = leg.0, ?kind, "unpublished"),
        }
    }

    fn forget(&mut self, leg: LegId, reason: &'static str) {
        let Some(Leg { id: room, peer, .. }) = self.legs.remove(&leg) else { return };
        tracing::debug!(leg = leg.0, app = %peer.app, peer = %peer.peer, reason, "leg closed");
        self.common.metrics.sfu.closed(reason);
        self.common.metrics.sfu.ended();
        if self.speakers.get(&room) == Some(&leg) {
            self.speakers.remove(&room);
        }
    }

    /// Says goodbye to all.
    pub(super) fn leave_all(&mut self, now: Instant) {
        for (leg, _) in std::mem::take(&mut self.legs) {
            self.router.handle_leave(now, media_id(leg));
            self.common.rooms.close(leg);
        }
    }

    /// Datagrams for nobody since the last time.
    pub(super) fn take_strays(&mut self) -> u64 {
        let new = self.router.strays() - self.strays;
        self.strays += new;
        new
    }

    /// Looks how all legs are; what has happened since the last time.
    pub(super) fn sample(&mut self, now: Instant) -> SfuQuality {
        let mut new = SfuQuality::default();
        if self.legs.is_empty() {
            return new;
        }
        for report in self.router.reports(now) {
            if let Some(leg) = self.legs.get_mut(&broker_id(report.leg)) {
                new.add(&leg.sample.update(now, &report));
            }
        }
        new
    }

    fn reports(&mut self, now: Instant) -> Vec<MemberReport> {
        let legs = &self.legs;
        let name =
            |leg| legs.get(&broker_id(leg)).map_or_else(String::new, |it| it.peer.peer.to_string());
        let report = |report: LegReport| {
            let Leg { room, sample, .. } = legs.get(&broker_id(report.leg))?;
            Some(MemberReport::new(room.clone(), &report, sample, name))
        };
        self.router.reports(now).into_iter().filter_map(report).collect()
    }

    /// After a fault: another router, without legs.
    pub(super) fn begin_again(&mut self, teller: &mut Teller) {
        for (leg, _) in std::mem::take(&mut self.legs) {
            self.common.rooms.close(leg);
            self.common.metrics.sfu.closed("fault");
            self.common.metrics.sfu.ended();
            teller.tell(leg, MediaEvent::Closed("an error inside the server".into()));
        }
        self.speakers.clear();
        self.strays = 0;
        let old = std::mem::replace(&mut self.router, router(&self.common, self.worker));
        // Whatever is wrong with it may show again when it is taken apart: rather lose the memory.
        std::mem::forget(old);
    }
}

fn router(common: &Common, worker: usize) -> MediaRouter {
    MediaRouter::new(RouterOptions {
        addresses: common.addresses.candidates().to_vec(),
        user_prefix: paths::prefix(worker),
        seed: u64::from_be_bytes(clock::random()),
        wall_clock: Some(clock::now_and_since_1970()),
        ..RouterOptions::default()
    })
}

/// As metrics name it.
fn reason_name(reason: &CloseReason) -> &'static str {
    use CloseReason as R;

    match reason {
        R::HungUp => "hung_up",
        R::NoAnswer => "no_answer",
        R::BadAnswer(_) => "bad_answer",
        R::NotConnected => "not_connected",
        R::Lost => "lost",
        R::Failed(_) => "failed",
        R::Panicked => "fault",
    }
}
