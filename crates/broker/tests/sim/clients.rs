//! What clients do: they open, close, come back and talk, and nobody can rely on them.

use peerway_broker::{Channel, Open, SessionId};
use peerway_protocol::{Address, Envelope, Request};

use super::World;
use super::model::Seat;
use crate::support::{address, candidate, leave, offer, peer, proof};

/// The last one never comes.
const IDS: [&str; 6] = ["alice", "bob", "carol", "dave", "erin", "nobody"];

impl World {
    /// Some client does something.
    pub fn act(&mut self) {
        let sessions: Vec<SessionId> = self.model.seats.keys().copied().collect();
        let Some(session) = self.random.pick(&sessions) else { return self.open_anyhow() };
        match self.random.below(100) {
            0..20 => self.open_anyhow(),
            20..30 => self.come_again(session),
            30..45 => self.close(session),
            45..88 => self.say(session),
            88..95 => self.post(),
            95..97 => self.request(session, Request::Depart),
            97..98 => (0..40).for_each(|_| self.say(session)),
            _ => {
                self.open_anyhow();
                self.close(SessionId(self.next_session - 1));
            }
        }
    }

    pub fn close_all(&mut self) {
        while let Some(session) = self.model.seats.keys().next().copied() {
            self.close(session);
        }
    }

    fn open_anyhow(&mut self) {
        let id = self.random.pick(&IDS[..5]).unwrap_or_default();
        let token = if self.random.percent(80) { id } else { "stranger" };
        let node = self.random.index(self.nodes.len());
        self.open(node, address(id), token);
    }

    /// The client of a session opens another one, perhaps on another node.
    fn come_again(&mut self, session: SessionId) {
        let Some(seat) = self.model.seats.get(&session) else { return };
        let (address, node) = (seat.address.clone(), seat.node);
        let own = seat.proof == proof(seat.address.peer.as_str());
        let token = if own { address.peer.as_str().to_owned() } else { "stranger".to_owned() };
        let elsewhere = self.random.percent(40);
        let node = if elsewhere { (node + 1) % self.nodes.len() } else { node };
        self.open(node, address, &token);
    }

    fn open(&mut self, node: usize, address: Address, token: &str) {
        let session = SessionId(self.next_session);
        self.next_session += 1;
        let channel = if self.random.percent(65) { Channel::Socket } else { Channel::Stream };
        let proof = proof(token);
        let seat = Seat { node, address: address.clone(), proof, channel, opened: None };
        self.model.seats.insert(session, seat);
        self.log(|| format!("{session:?} opens {address} as {token}, {channel:?} on {node}"));
        let now = self.instant();
        self.nodes[node].broker.handle_open(now, Open { session, address, proof, channel });
        self.drain(node, None);
    }

    fn close(&mut self, session: SessionId) {
        let Some(node) = self.model.seats.get(&session).map(|seat| seat.node) else { return };
        let resumable = self.random.percent(50);
        self.log(|| format!("{session:?} closes"));
        self.model.ended(session);
        let now = self.instant();
        self.nodes[node].broker.handle_closed(now, session, resumable);
        self.drain(node, None);
    }

    fn say(&mut self, session: SessionId) {
        let Some(seat) = self.model.seats.get(&session) else { return };
        let (node, from) = (seat.node, seat.address.clone());
        let envelope = self.envelope(from);
        self.model.sent(self.now, &envelope, session);
        self.log(|| format!("{session:?} says {} {:?}", envelope.to, envelope.signal));
        let payload = envelope.signal.payload.clone();
        let request = Request::Send { to: envelope.to, signal: envelope.signal };
        let now = self.instant();
        self.nodes[node].broker.handle_request(now, session, request);
        self.drain(node, payload.as_ref());
    }

    /// Somebody says something beside a session, perhaps with a false token.
    fn post(&mut self) {
        let id = self.random.pick(&IDS).unwrap_or_default();
        let token = if self.random.percent(80) { id } else { "stranger" };
        let (address, proof) = (address(id), proof(token));
        let node = self.random.index(self.nodes.len());
        let envelope = self.envelope(address.clone());
        let speaker = self.model.seats.iter().find(|(_, seat)| {
            seat.is_open() && seat.node == node && seat.address == address && seat.proof == proof
        });
        let speaker = speaker.map(|(session, _)| *session);
        // Of a session that is not there it is said by nobody.
        self.model.sent(self.now, &envelope, speaker.unwrap_or(SessionId(u64::MAX)));
        self.log(|| format!("{address} on {node} posts {} {:?}", envelope.to, envelope.signal));
        let payload = envelope.signal.payload.clone();
        let request = Request::Send { to: envelope.to, signal: envelope.signal };
        let now = self.instant();
        let answer = self.nodes[node].broker.handle_post(now, &address, proof, request);
        assert_eq!(answer.is_ok(), speaker.is_some(), "{address} on {node}");
        self.drain(node, payload.as_ref());
    }

    fn request(&mut self, session: SessionId, request: Request) {
        let Some(node) = self.model.seats.get(&session).map(|seat| seat.node) else { return };
        self.log(|| format!("{session:?} asks {request:?}"));
        let now = self.instant();
        self.nodes[node].broker.handle_request(now, session, request);
        self.drain(node, None);
    }

    fn envelope(&mut self, from: Address) -> Envelope {
        let number = self.next_number;
        self.next_number += 1;
        let signal = match self.random.below(10) {
            0 => leave(),
            1..5 => candidate(number),
            _ => offer(number),
        };
        let to = peer(self.random.pick(&IDS).unwrap_or_default());
        Envelope { app: from.app, from: from.peer, to, signal }
    }
}
