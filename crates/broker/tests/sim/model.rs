//! What may come of what was done, without saying how. It is told everything that clients do and
//! hear, and panics at the first thing that cannot be.

#![expect(clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use peerway_broker::{Channel, HangupReason, Proof, SessionId};
use peerway_protocol::{Envelope, Event, Json, PeerAddress, PeerId};

use super::Millis;
use super::rooms::{Life, RoomModel};

/// Longer than mail takes to a peer that has come, however slow the backplane.
const LONG: Millis = 3000;

/// The number that a message carries as its payload.
pub type Number = u32;

#[derive(Debug, Clone)]
pub struct Seat {
    pub node: usize,
    pub address: PeerAddress,
    pub proof: Proof,
    pub channel: Channel,
    /// When it was told that it is its peer.
    pub opened: Option<Millis>,
    /// Its transport is gone; what it is told waits.
    pub lost: bool,
}

impl Seat {
    pub fn is_open(&self) -> bool {
        self.opened.is_some()
    }

    /// Whose session it is.
    pub fn life(&self) -> Life {
        (self.address.clone(), self.proof.0)
    }
}

#[derive(Debug)]
struct Message {
    from: PeerAddress,
    to: PeerAddress,
    /// Who sent it, if that session was its peer then.
    sender: Option<SessionId>,
    sent: Millis,
    fate: Option<Fate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    Delivered,
    /// Its sender was told EXPIRE for its pair.
    Expired,
    /// Not kept, for there was too much.
    Refused,
    /// Its receiver was cut, and its sender is told LEAVE.
    Overflowed,
}

#[derive(Default)]
pub struct Model {
    /// Sessions that have not ended.
    pub seats: BTreeMap<SessionId, Seat>,
    pub rooms: RoomModel,
    messages: BTreeMap<Number, Message>,
    /// When each pair was told EXPIRE.
    expiries: BTreeMap<(PeerAddress, PeerId), Vec<Millis>>,
}

impl Model {
    pub fn sent(&mut self, now: Millis, envelope: &Envelope, sender: SessionId) {
        let Some(number) = number(envelope.signal.payload.as_ref()) else { return };
        let sender = self.seats.get(&sender).is_some_and(Seat::is_open).then_some(sender);
        let (from, to) = (envelope.source(), envelope.destination());
        self.messages.insert(number, Message { from, to, sender, sent: now, fate: None });
    }

    pub fn ended(&mut self, session: SessionId) {
        self.end(session, false);
    }

    fn end(&mut self, session: SessionId, superseded: bool) {
        let Some(seat) = self.seats.remove(&session) else { return };
        let mut others = self.seats.values().filter(|other| other.life() == seat.life());
        if !seat.is_open() || others.clone().any(|it| it.is_open() && it.node == seat.node) {
            return;
        }
        let elsewhere = superseded || others.next().is_some();
        self.rooms.life_ended(&seat.life(), elsewhere);
    }

    pub fn hung_up(&mut self, session: SessionId, reason: HangupReason) {
        assert!(self.seats.contains_key(&session), "{session:?} is hung up but has ended");
        self.end(session, reason == HangupReason::Superseded);
    }

    pub fn handed_over(&self, to: SessionId) {
        assert!(self.seats.contains_key(&to), "{to:?} inherits but has ended");
    }

    /// A session hears something.
    pub fn told(&mut self, now: Millis, session: SessionId, event: &Event) {
        let Some(seat) = self.seats.get_mut(&session) else {
            panic!("{session:?} is told {event:?} but has ended");
        };
        match event {
            Event::Opened | Event::Resumed => {
                assert!(!seat.is_open(), "{session:?} is opened twice");
                seat.opened = Some(now);
            }
            Event::Probe => assert!(seat.is_open(), "{session:?} is probed before it is open"),
            Event::Refused(refusal) => {
                let life = seat.life();
                self.rooms.refused(&life, refusal);
            }
            Event::Room { room, event } => {
                assert!(seat.is_open(), "{session:?} is told {event:?} before it is open");
                let life = seat.life();
                self.rooms.told(&life, room, event);
            }
            Event::Expired { peer } => {
                assert!(seat.is_open(), "{session:?} is told EXPIRE before it is open");
                let pair = (seat.address.clone(), peer.clone());
                self.assert_absent(now, &pair);
                self.expiries.entry(pair).or_default().push(now);
            }
            Event::Signal { from, signal } => {
                let seat = seat.clone();
                assert!(seat.is_open(), "{session:?} is told a signal before it is open");
                self.assert_preferred(session, &seat);
                let Some(number) = number(signal.payload.as_ref()) else { return };
                let message = self.settle(number, Fate::Delivered);
                assert_eq!(message.to, seat.address, "{number} goes astray");
                assert_eq!(&message.from.peer, from, "{number} has a false sender");
                assert!(message.sender.is_some(), "{number} is of nobody");
            }
        }
    }

    /// A message will not be delivered, and its sender knows.
    pub fn lost(&mut self, payload: Option<&Json>, fate: Fate) {
        if let Some(number) = number(payload) {
            self.settle(number, fate);
        }
    }

    /// Once nothing moves any more: every message of a peer that stayed has had its one fate.
    /// Answers with the fates there were.
    pub fn assert_settled(&self) -> BTreeSet<Fate> {
        let mut unheard: BTreeMap<(PeerAddress, PeerId), usize> = BTreeMap::new();
        for (number, message) in &self.messages {
            if message.fate.is_some() {
                continue;
            }
            let pair = (message.from.clone(), message.to.peer.clone());
            let expired = self.expiries.get(&pair).and_then(|times| times.last());
            let stayed = message.sender.is_some_and(|sender| self.seats.contains_key(&sender));
            assert!(
                !stayed || expired.is_some_and(|last| *last >= message.sent),
                "{number}, {message:?}, has come to nothing"
            );
            *unheard.entry(pair).or_default() += 1;
        }
        for (pair, times) in &self.expiries {
            let unheard = unheard.get(pair).copied().unwrap_or_default();
            assert!(
                times.len() <= unheard,
                "{pair:?} expired more often than it failed: {times:?}"
            );
        }
        let expired = (!self.expiries.is_empty()).then_some(Fate::Expired);
        self.messages.values().filter_map(|message| message.fate).chain(expired).collect()
    }

    /// A long run need not remember what is settled.
    pub fn forget_messages(&mut self) {
        self.rooms.forget();
        self.messages.clear();
        self.expiries.clear();
    }

    fn settle(&mut self, number: Number, fate: Fate) -> &Message {
        let Some(message) = self.messages.get_mut(&number) else {
            panic!("{number} was never sent");
        };
        assert_eq!(message.fate, None, "{number}, {message:?}, becomes {fate:?} too");
        message.fate = Some(fate);
        message
    }

    /// Nobody expires who has long been here.
    fn assert_absent(&self, now: Millis, (from, to): &(PeerAddress, PeerId)) {
        let present = self.seats.values().find(|seat| {
            (&seat.address.app, &seat.address.peer) == (&from.app, to)
                && seat.opened.is_some_and(|opened| opened + LONG < now)
        });
        assert!(present.is_none(), "{from} is told at {now} that {to} expired, but {present:?}");
    }

    /// Signals go to a peer's socket if it has one.
    fn assert_preferred(&self, session: SessionId, seat: &Seat) {
        let better = self.seats.iter().find(|(other, it)| {
            **other != session
                && it.is_open()
                && it.channel == Channel::Socket
                && (&it.address, it.node) == (&seat.address, seat.node)
        });
        assert!(better.is_none(), "{session:?} is told what {better:?} should be");
    }
}

pub fn number(payload: Option<&Json>) -> Option<Number> {
    payload?.as_str().parse().ok()
}
