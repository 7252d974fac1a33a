//! What clients do: they open, close, come back and talk, and nobody can rely on them.

use peerway_broker::{Channel, Open, SessionId};
use peerway_protocol::{
    Dialect, Envelope, MediaProfile, MediaRequest, PeerAddress, Reception, Request, RoomMode,
    RoomRequest, StreamName, VideoWish,
};

use super::World;
use super::model::Seat;
use crate::support::hall::{data, name};
use crate::support::{address, candidate, leave, offer, peer, proof};

/// The last one never comes.
/// One more than a member may have.
const STREAMS: [&str; 4] = ["a", "b", "c", "d"];

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
            45..72 => self.say(session),
            72..85 => self.say_to_room(session),
            85..87 => self.lose(session),
            87..92 => self.disturb_media(),
            92..95 => self.post(),
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

    fn open(&mut self, node: usize, address: PeerAddress, token: &str) {
        let session = SessionId(self.next_session);
        self.next_session += 1;
        let channel = if self.random.percent(65) { Channel::Socket } else { Channel::Stream };
        let proof = proof(token);
        let opened = None;
        let seat = Seat { node, address: address.clone(), proof, channel, opened, lost: false };
        self.model.seats.insert(session, seat);
        self.log(|| format!("{session:?} opens {address} as {token}, {channel:?} on {node}"));
        let now = self.instant();
        let open = Open { session, address, proof, channel, dialect: Dialect::PeerJs };
        self.nodes[node].broker.handle_open(now, open);
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

    /// The transport of a session breaks; its client may come again.
    fn lose(&mut self, session: SessionId) {
        let Some(seat) = self.model.seats.get_mut(&session).filter(|seat| !seat.lost) else {
            return;
        };
        seat.lost = true;
        let node = seat.node;
        self.log(|| format!("{session:?} is lost"));
        let now = self.instant();
        self.nodes[node].broker.handle_lost(now, session);
        self.drain(node, None);
    }

    fn say_to_room(&mut self, session: SessionId) {
        let Some(seat) = self.model.seats.get(&session).filter(|seat| !seat.lost) else { return };
        let (key, is_open) = (seat.life(), seat.is_open());
        let Some(room) = self.random.pick(&["r", "s", "t"]) else { return };
        let room = name(room);
        let request = match self.random.below(20) {
            0..7 => {
                let unusual = self.random.percent(10);
                let is_sfu = (room.as_str() == "t") != unusual;
                RoomRequest::Join(if is_sfu { RoomMode::Sfu } else { RoomMode::Mesh })
            }
            8..17 if room.as_str() == "t" => self.media_request(),
            7..10 => RoomRequest::Leave,
            10 => RoomRequest::Members,
            11 => RoomRequest::Log,
            _ => {
                self.next_number += 1;
                RoomRequest::Send(data(self.next_number - 1))
            }
        };
        if is_open {
            self.model.rooms.asked(&key, &room, &request);
        }
        self.request(session, Request::Room { room, request });
    }

    fn media_request(&mut self) -> RoomRequest {
        let stream = if self.random.percent(70) { None } else { self.random.pick(&STREAMS) };
        let request = match self.random.below(8) {
            0..5 => {
                let restart = self.random.percent(20);
                MediaRequest::Offer(MediaProfile { restart, ..MediaProfile::default() })
            }
            5 => MediaRequest::Answer("v=0".into()),
            6 => MediaRequest::Candidate("candidate:1".into()),
            _ => {
                let from = peer(self.random.pick(&IDS).expect("there are some"));
                let video = if self.random.percent(50) { VideoWish::Off } else { VideoWish::Any };
                MediaRequest::Receive { from, reception: Reception { audio: true, video } }
            }
        };
        RoomRequest::Media { stream: stream.and_then(StreamName::new), request }
    }

    fn say(&mut self, session: SessionId) {
        let Some(seat) = self.model.seats.get(&session).filter(|seat| !seat.lost) else { return };
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
        let Some(seat) = self.model.seats.get(&session).filter(|seat| !seat.lost) else { return };
        let node = seat.node;
        self.log(|| format!("{session:?} asks {request:?}"));
        let now = self.instant();
        self.nodes[node].broker.handle_request(now, session, request);
        self.drain(node, None);
    }

    fn envelope(&mut self, from: PeerAddress) -> Envelope {
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
