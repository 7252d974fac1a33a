//! What a router knows of one leg.

use std::collections::BTreeMap;
use std::time::Instant;

use super::estimate::{Estimate, Wanted};
use super::hold::Hold;
use super::layer::Layer;
use super::request::{Excess, Request};
use super::stall::Stall;
use super::{LegId, Reception, RoomId};
use crate::leg::{Leg, Packet, SlotId, Temporal};
use crate::{CaptureClock, Codec, Kind, SourceId};

/// Sizes that a video may come in.
pub(super) const LAYERS: usize = 3;

/// The place of a member in the router.
pub(super) type Key = usize;

#[derive(Debug)]
pub(super) struct Member {
    pub(super) id: LegId,
    pub(super) room: RoomId,
    pub(super) leg: Leg,
    /// It asked for its first offer.
    pub(super) asked: bool,
    pub(super) connected: bool,
    pub(super) publications: [Option<Publication>; 2],
    pub(super) subscriptions: Vec<Subscription>,
    pub(super) deadlines: Deadlines,
    /// When the engine wants to be called.
    pub(super) engine: Option<Instant>,
    /// What is in the router's list of timers.
    pub(super) timer: Option<Instant>,
    /// What is to be done with it before the outputs end.
    pub(super) turn: Turn,
    pub(super) traffic: super::Traffic,
    /// What its path seems to carry, in bits per second, where that is estimated.
    pub(super) bandwidth: Option<u64>,
    /// Where it is estimated by reports.
    pub(super) estimate: Option<Estimate>,
    /// What there is to send to it.
    pub(super) wanted: Wanted,
    /// When its bandwidth is shared out again, where there is something to choose.
    pub(super) share: Option<Instant>,
    /// What it wants of others, where that is not everything.
    pub(super) receptions: BTreeMap<Key, Reception>,
    pub(super) permission: Permission,
    pub(super) sends_only: bool,
    pub(super) owner: Option<u64>,
    /// What its video is asked for.
    pub(super) request: Request,
    pub(super) clock: CaptureClock,
    /// Whom it gets, if it has two lines only.
    pub(super) selected: Option<Key>,
}

/// What is to be done with a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Turn {
    /// It is not among those that are waiting for one.
    Nothing,
    /// What it has to send goes out.
    Send,
    /// Before that, the engine has something to do, or its time has come.
    Drive,
}

/// Whether a member may publish.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Permission {
    /// So many of its room may.
    pub(super) publishers: Option<usize>,
    /// It would, and is one too many.
    pub(super) refused: bool,
}

/// By when something must have happened, or the leg ends.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Deadlines {
    pub(super) answer: Option<Instant>,
    pub(super) connected: Option<Instant>,
    pub(super) reachable: Option<Instant>,
}

impl Deadlines {
    pub(super) fn first(&self) -> Option<Instant> {
        [self.answer, self.connected, self.reachable].into_iter().flatten().min()
    }
}

/// One track of a member.
#[derive(Debug)]
pub(super) struct Publication {
    pub(super) codec: Codec,
    /// Of its smallest size; the others have the next ones.
    pub(super) source: u32,
    pub(super) layers: [Layer; LAYERS],
    pub(super) stall: Stall,
    pub(super) excess: Excess,
    pub(super) hold: Hold,
    pub(super) subscribers: Vec<Subscriber>,
}

impl Member {
    /// Whether it may get what another one publishes at all.
    pub(super) fn may_get(&self, other: &Self) -> bool {
        self.id != other.id
            && !self.sends_only
            && (self.owner.is_none() || self.owner != other.owner)
    }
}

impl Publication {
    pub(super) fn source(&self, layer: usize) -> SourceId {
        SourceId(self.source + u32::try_from(layer).unwrap_or_default())
    }
}

/// Whom a publication flows to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subscriber {
    pub(super) member: Key,
    pub(super) slot: SlotId,
    /// The size that it should get; `None` is a pause.
    pub(super) wanted: Option<usize>,
    /// The size that flows; `None` waits for a picture that needs no other.
    pub(super) current: Option<usize>,
    /// The highest of its temporal layers that it should get, and that flows.
    pub(super) temporal_wanted: u8,
    pub(super) temporal: u8,
    /// Packets that were sent, and the bytes of payload in them.
    pub(super) packets: u64,
    pub(super) bytes: u64,
    /// Times that its pictures stood still.
    pub(super) freezes: u64,
    /// What of its path there is for this publication at most, in bits per second, where that is known.
    pub(super) share: Option<u64>,
}

impl Subscriber {
    pub(super) fn new(member: Key, slot: SlotId) -> Self {
        Self {
            member,
            slot,
            wanted: Some(0),
            current: None,
            temporal_wanted: u8::MAX,
            temporal: u8::MAX,
            packets: 0,
            bytes: 0,
            freezes: 0,
            share: None,
        }
    }

    /// Whether a packet of the size that flows is of a temporal layer that does. Layers begin and
    /// end with a picture.
    pub(super) fn takes(&mut self, packet: &Packet) -> bool {
        let Temporal { first, layer, sync } = packet.temporal;
        if packet.begins {
            self.temporal = self.temporal_wanted;
        } else if first {
            let highest = if sync { self.temporal.max(layer) } else { self.temporal };
            self.temporal = highest.min(self.temporal_wanted);
        }
        layer <= self.temporal
    }
}

/// The other end of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subscription {
    pub(super) publisher: Key,
    pub(super) kind: Kind,
    pub(super) slot: SlotId,
}

impl Member {
    pub(super) fn due(&self) -> Option<Instant> {
        let layers = self.publications.iter().flatten().flat_map(|it| &it.layers);
        let key_frames = layers.filter_map(|layer| layer.key_frames.poll_timeout()).min();
        let stall = self.publications.iter().flatten().filter_map(Publication::stalls_at).min();
        let request = self.request.due;
        let hold = self.publications.iter().flatten().filter_map(|it| it.hold.due).min();
        let own = [self.engine, self.deadlines.first(), self.share];
        let dues = own.into_iter().chain([key_frames, stall, request, hold]);
        dues.flatten().min()
    }
}
