//! What may come of rooms, from the members' point of view. Where a client was on two nodes at
//! once nobody outside can say what was first: then nothing is expected of it until it is told
//! anew that it is in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use peerway_protocol::{
    PeerAddress, PeerId, Refusal, RoomAddress, RoomEvent, RoomName, RoomRequest,
};

use super::model::{Number, number};

/// An id and the token that it was opened with.
pub type Life = (PeerAddress, [u8; 32]);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It has asked to be let in, so many times.
    Asked(usize),
    /// It was told that it is in, for the so-manieth time that anybody was.
    In(u64),
    Unsure,
    /// It asked to leave before it was told whether it is in: what it hears may be of either.
    Mixed,
}

#[derive(Default)]
pub struct RoomModel {
    /// Of those who have to do with a room.
    states: BTreeMap<(Life, RoomName), State>,
    /// Who is in, as members know it.
    views: BTreeMap<(Life, RoomName), Vec<PeerId>>,
    messages: BTreeMap<Number, Message>,
    /// Who heard what.
    heard: BTreeSet<(Number, Life)>,
    stays: u64,
    /// What kinds of things clients heard.
    pub turns: BTreeSet<&'static str>,
}

struct Message {
    room: RoomName,
    from: Life,
    /// All who were in, the sender too.
    members: Vec<(Life, u64)>,
}

impl RoomModel {
    /// Who has the id of its own token asks this.
    pub fn asked(&mut self, life: &Life, room: &RoomName, request: &RoomRequest) {
        let key = (life.clone(), room.clone());
        let state = self.states.get(&key).copied();
        match (request, state) {
            (RoomRequest::Join(_), None) => {
                self.states.insert(key, State::Asked(1));
            }
            (RoomRequest::Join(_), Some(State::Asked(times))) => {
                self.states.insert(key, State::Asked(times + 1));
            }
            (RoomRequest::Leave, Some(State::In(_))) => {
                self.states.remove(&key);
            }
            (RoomRequest::Leave, Some(State::Asked(_) | State::Unsure)) => {
                self.states.insert(key, State::Mixed);
            }
            (RoomRequest::Send(data), Some(State::In(_))) => {
                let members = self.states.iter().filter_map(|((life, in_room), state)| {
                    let State::In(stay) = state else { return None };
                    (in_room == room && life.0.app == key.0.0.app).then(|| (life.clone(), *stay))
                });
                let number = number(Some(&data.json)).expect("clients say numbers");
                let message =
                    Message { room: room.clone(), from: life.clone(), members: members.collect() };
                self.messages.insert(number, message);
            }
            _ => {}
        }
    }

    pub fn refused(&mut self, life: &Life, refusal: &Refusal) {
        let Some(room) = refusal.room() else { return };
        self.turns.insert(refusal.name());
        let key = (life.clone(), room.clone());
        let Some(State::Asked(times)) = self.states.get(&key).copied() else { return };
        match (refusal, times) {
            // May be about something that was asked before.
            (Refusal::NotInRoom(_), _) => drop(self.states.insert(key, State::Unsure)),
            (_, 1) => drop(self.states.remove(&key)),
            (_, times) => drop(self.states.insert(key, State::Asked(times - 1))),
        }
    }

    pub fn told(&mut self, life: &Life, room: &RoomName, event: &RoomEvent) {
        let key = (life.clone(), room.clone());
        let state = self.states.get(&key).copied();
        assert!(state.is_some(), "{life:?} is told {event:?} of {room} and is not in");
        self.turns.insert(match event {
            RoomEvent::Joined { peer, .. } if *peer == life.0.peer => "joined",
            RoomEvent::Joined { .. } => "other joined",
            RoomEvent::Left { .. } => "left",
            RoomEvent::Data { .. } => "data",
            RoomEvent::Members(_) => "members",
            RoomEvent::Log(_) => "log",
            RoomEvent::Offer { .. } => "offer",
            RoomEvent::MediaClosed { .. } => "media closed",
            RoomEvent::Speaker(_) => "speaker",
        });
        match event {
            RoomEvent::Joined { peer, members } if *peer == life.0.peer => {
                let ids: BTreeSet<&PeerId> = members.iter().collect();
                assert!(ids.contains(peer) && ids.len() == members.len(), "{members:?}");
                self.views.insert(key.clone(), members.to_vec());
                if !matches!(state, Some(State::In(_) | State::Mixed)) {
                    self.stays += 1;
                    self.states.insert(key, State::In(self.stays));
                }
            }
            RoomEvent::Joined { peer, members } => {
                let Some(State::In(_)) = state else { return };
                let view = self.views.entry(key).or_default();
                assert!(!view.contains(peer), "{peer} comes twice");
                view.push(peer.clone());
                assert_eq!(view[..], members[..], "{life:?} in {room}");
            }
            RoomEvent::Left { peer } => {
                let Some(State::In(_)) = state else { return };
                let view = self.views.entry(key).or_default();
                let before = view.len();
                view.retain(|id| id != peer);
                assert_eq!(view.len() + 1, before, "{peer} goes who is not in {room}");
            }
            RoomEvent::Data { from, data } => {
                assert_ne!(*from, life.0.peer, "nobody hears itself");
                let number = number(Some(&data.json)).expect("clients say numbers");
                assert!(self.heard.insert((number, life.clone())), "{number} is heard twice");
                if let Some(message) = self.messages.get(&number) {
                    assert_eq!((&message.room, &message.from.0.peer), (room, from), "{number}");
                }
            }
            RoomEvent::Members(members) => {
                let Some(State::In(_)) = state else { return };
                assert_eq!(self.views[&key][..], members[..], "{life:?} in {room}");
            }
            RoomEvent::Log(entries) => assert!(entries.len() <= 3),
            RoomEvent::Offer { .. } | RoomEvent::MediaClosed { .. } | RoomEvent::Speaker(_) => {}
        }
    }

    /// The last session of a life has ended, or is about to be followed by one on another node.
    pub fn life_ended(&mut self, life: &Life, elsewhere: bool) {
        let of_life: Vec<_> = self.states.keys().filter(|key| key.0 == *life).cloned().collect();
        for key in of_life {
            // What its broker does not know yet it cannot end: a token that comes again may find
            // that it is still in.
            if elsewhere || matches!(self.states[&key], State::Unsure | State::Mixed) {
                self.states.insert(key, State::Unsure);
            } else {
                self.states.remove(&key);
            }
        }
    }

    /// Once nothing moves any more.
    pub fn assert_agree(
        &self,
        hosted: &BTreeMap<RoomAddress, Arc<[PeerId]>>,
        lives: &BTreeSet<Life>,
    ) {
        for ((life, room), state) in &self.states {
            let address = RoomAddress { app: life.0.app.clone(), room: room.clone() };
            let members = hosted.get(&address).map(|ids| ids.to_vec()).unwrap_or_default();
            match state {
                State::Asked(_) => {
                    unreachable!("{life:?} was never answered by {room}");
                }
                State::In(_) => {
                    assert_eq!(self.views[&(life.clone(), room.clone())], members, "{life:?}");
                    assert!(members.contains(&life.0.peer), "{life:?} is not in {room}");
                }
                State::Unsure | State::Mixed => {}
            }
        }
        for (address, members) in hosted {
            for peer in members.iter() {
                let known = self.states.iter().any(|((life, room), _)| {
                    life.0.peer == *peer && *room == address.room && lives.contains(life)
                });
                assert!(known, "{peer} is in {address} and did not ask for it");
            }
        }
        for (number, message) in &self.messages {
            let is_still = |(life, stay): &&(Life, u64)| {
                let state = self.states.get(&(life.clone(), message.room.clone()));
                state == Some(&State::In(*stay))
            };
            let from = message.members.iter().find(|(life, _)| *life == message.from);
            if from.as_ref().is_none_or(|from| !is_still(from)) {
                continue;
            }
            for (life, _) in message.members.iter().filter(is_still) {
                let heard = self.heard.contains(&(*number, life.clone()));
                assert!(heard || *life == message.from, "{number} did not reach {life:?}");
            }
        }
    }

    pub fn forget(&mut self) {
        self.messages.clear();
        self.heard.clear();
    }
}
