//! How rooms and legs are, for those who run them.

use std::time::{Duration, Instant};

use super::layer::Layer;
use super::member::LAYERS;
use super::{LegId, MediaRouter, RoomId};
use crate::{Codec, Kind};

/// What went through a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Packets of its own tracks that came.
    pub received: u64,
    /// Bytes of payload in them.
    pub received_bytes: u64,
    /// Packets of others that were sent to it, without repetitions.
    pub sent: u64,
    /// Bytes of payload in them.
    pub sent_bytes: u64,
    /// Key frames that it was asked for.
    pub key_frames_asked: u64,
    /// Key frames that it asked for, in packets.
    pub key_frames_wanted: u64,
    /// What it said on data channels, in messages.
    pub messages: u64,
    /// Messages of others that it did not get, because it is too slow.
    pub messages_lost: u64,
    /// Times that its pictures went to nobody, because it sent far more than it may.
    pub excesses: u64,
}

/// How one leg is. What is counted is counted since the leg began.
#[derive(Debug, Clone, PartialEq)]
pub struct LegReport {
    /// Whose.
    pub leg: LegId,
    /// Where.
    pub room: RoomId,
    /// ICE and DTLS are up.
    pub connected: bool,
    /// The time to the member and back.
    pub round_trip: Option<Duration>,
    /// What its path seems to carry, in bits per second, where that is estimated.
    pub bandwidth: Option<u64>,
    /// What went through it.
    pub traffic: Traffic,
    /// Of the member's own tracks, on their way to us.
    pub incoming: Quality,
    /// Of others' tracks, on their way to the member, as it reports.
    pub outgoing: Quality,
    /// What the member sends.
    pub publications: Vec<PublicationReport>,
    /// What it gets.
    pub subscriptions: Vec<SubscriptionReport>,
}

/// How a path treats packets.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Quality {
    /// The part that was lost lately and not repaired at once, from 0 to 1.
    pub loss: f32,
    /// Packets that were lost and not repaired.
    pub lost: u64,
    /// How unevenly they come (RFC 3550, section 6.4.1).
    pub jitter: Duration,
    /// Requests to repeat packets (NACK), in RTCP messages.
    pub repairs_wanted: u64,
}

/// One track of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicationReport {
    /// What it is.
    pub kind: Kind,
    /// How it is encoded.
    pub codec: Codec,
    /// Its sizes, the smallest first.
    pub layers: Vec<LayerReport>,
    /// Nothing comes, although somebody waits for it; or far more than may come, and is not forwarded.
    pub stalled: bool,
}

/// One size of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerReport {
    /// Something comes.
    pub active: bool,
    /// Width and height, if they are known.
    pub size: Option<(u16, u16)>,
    /// Packets that came.
    pub packets: u64,
    /// Bytes of payload in them.
    pub bytes: u64,
}

/// One track that a member gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubscriptionReport {
    /// Whose.
    pub publisher: LegId,
    /// What.
    pub kind: Kind,
    /// Which of its sizes flows.
    pub layer: Option<usize>,
    /// Nothing flows: the path does not carry it, or the publisher stalls.
    pub paused: bool,
    /// Times that pictures stood still for long, without a pause.
    pub freezes: u64,
    /// Packets that were sent.
    pub packets: u64,
    /// Bytes of payload in them.
    pub bytes: u64,
}

impl MediaRouter {
    /// How every leg is, ordered by their names.
    pub fn reports(&mut self, now: Instant) -> Vec<LegReport> {
        let now = self.at(now);
        self.keys.values().filter_map(|key| self.report(*key, now)).collect()
    }

    fn report(&self, key: super::Key, now: Instant) -> Option<LegReport> {
        let member = self.members.get(key)?;
        let publications = Kind::ALL.into_iter().filter_map(|kind| {
            let publication = member.publications[kind.index()].as_ref()?;
            let layers = (0..LAYERS).map(|layer| publication.layers[layer].report(now));
            let mut layers: Vec<LayerReport> = layers.collect();
            while layers.len() > 1 && layers.last().is_some_and(|layer| layer.packets == 0) {
                layers.pop();
            }
            Some(PublicationReport {
                kind,
                codec: publication.codec,
                layers,
                stalled: publication.stall.stalled || publication.excess.stopped,
            })
        });
        let subscriptions = member.subscriptions.iter().filter_map(|it| {
            let publisher = self.members.get(it.publisher)?;
            let publication = publisher.publications[it.kind.index()].as_ref()?;
            let subscriber = publication
                .subscribers
                .iter()
                .find(|subscriber| (subscriber.member, subscriber.slot) == (key, it.slot));
            Some(SubscriptionReport {
                publisher: publisher.id,
                kind: it.kind,
                layer: subscriber.and_then(|it| it.current),
                paused: publication.stall.stalled
                    || publication.excess.stopped
                    || subscriber.is_none_or(|it| it.wanted.is_none()),
                freezes: subscriber.map_or(0, |it| it.freezes),
                packets: subscriber.map_or(0, |it| it.packets),
                bytes: subscriber.map_or(0, |it| it.bytes),
            })
        });
        let (incoming, outgoing) = member.leg.qualities();
        let layers = member.publications.iter().flatten().flat_map(|it| &it.layers);
        let lost = layers.map(Layer::missing).sum();
        Some(LegReport {
            leg: member.id,
            room: member.room,
            connected: member.connected,
            round_trip: member.leg.round_trip(),
            bandwidth: member.bandwidth,
            traffic: member.traffic,
            incoming: Quality { lost, ..incoming },
            outgoing,
            publications: publications.collect(),
            subscriptions: subscriptions.collect(),
        })
    }
}
