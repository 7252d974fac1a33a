//! What a client is told: all of section 1.4's table from server to client.

use std::sync::Arc;

use bytes::Bytes;

use super::session::UsersRequest;
use super::{ErrorType, Session, log};
use crate::object::{RawObject, push_string};
use crate::{
    Dialect, Event, Json, PeerId, Refusal, RoomEvent, RoomName, Signal, SignalKind, interop,
};

/// One event of Socket.IO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// Its name.
    pub name: &'static str,
    /// Its only argument, as JSON.
    pub json: String,
    /// Binary parts, for which placeholders stand in the JSON.
    pub attachments: Arc<[Bytes]>,
}

/// What the SDK gives to the TURN server whose name it knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnCredential {
    /// For `RTCIceServer.username`.
    pub username: String,
    /// For `RTCIceServer.credential`.
    pub credential: String,
}

impl Packet {
    fn new(name: &'static str, json: String) -> Self {
        Self { name, json, attachments: Arc::default() }
    }

    /// `ERROR`, which the SDK makes an `error` event of and nothing else.
    pub fn error(kind: ErrorType, message: &str) -> Self {
        let mut json = format!(r#"{{"type":"{}","message":"#, kind.as_str());
        push_string(message, &mut json);
        json.push('}');
        Self::new("ERROR", json)
    }

    /// `AUTH_EXPIRES_IN`: the credential is good for so many seconds.
    pub fn expires_in(seconds: u64) -> Self {
        Self::new("AUTH_EXPIRES_IN", seconds.to_string())
    }
}

impl Session {
    /// `OPEN`. Without a credential the SDK names no TURN server.
    pub fn opened(&self, turn: Option<&TurnCredential>) -> Packet {
        let mut json = String::from(r#"{"peerId":"#);
        push_string(self.me.as_str(), &mut json);
        if let Some(TurnCredential { username, credential }) = turn {
            json.push_str(r#","turnCredential":{"username":"#);
            push_string(username, &mut json);
            json.push_str(r#","credential":"#);
            push_string(credential, &mut json);
            json.push('}');
        }
        json.push('}');
        Packet::new("OPEN", json)
    }

    /// What an event is in this dialect; nothing where the client must not be told.
    pub fn encode(&mut self, event: &Event) -> Option<Packet> {
        match event {
            Event::Opened | Event::Resumed => Some(self.opened(None)),
            Event::Probe => None,
            Event::Signal { from, signal } => self.encode_signal(from, signal),
            Event::Room { room, event } => self.encode_room(room, event),
            Event::Expired { peer } => Some(unavailable(peer, "it is not connected")),
            Event::Refused(refusal) => {
                self.refused(refusal);
                Some(Packet::error(refusal.into(), &unquoted(&refusal.to_string())))
            }
        }
    }

    fn refused(&mut self, refusal: &Refusal) {
        // Whether it was the request to come in or another one, the client is not in.
        if let Refusal::RoomMode { room, .. }
        | Refusal::NotInRoom(room)
        | Refusal::RoomFull(room, _)
        | Refusal::TooManyRooms(room, _)
        | Refusal::AppRoomsFull(room, _)
        | Refusal::NoSfu(room) = refusal
        {
            self.forget_room(room);
        }
    }

    fn encode_signal(&mut self, from: &PeerId, signal: &Signal) -> Option<Packet> {
        let name = match signal.kind {
            SignalKind::Offer => "OFFER",
            SignalKind::Answer => "ANSWER",
            SignalKind::Candidate => "CANDIDATE",
            SignalKind::Close => "FORCE_CLOSE",
            SignalKind::Leave => {
                // A bare text, unlike every other message.
                let mut json = String::new();
                push_string(from.as_str(), &mut json);
                return Some(Packet::new("LEAVE", json));
            }
            SignalKind::Expire => return Some(unavailable(from, "it is not connected")),
            SignalKind::Reject => return Some(unavailable(from, &reason(signal))),
        };
        let payload = signal.payload.as_ref()?;
        if signal.dialect == Dialect::SkyWay {
            if signal.kind == SignalKind::Answer {
                self.forget_json_offer(payload);
            }
            return stamped(payload.as_str(), from).map(|json| Packet::new(name, json));
        }
        if let Some(connection) = interop::answer_that_reads_no_text(signal)
            && self.take_json_offer(&connection)
        {
            return Some(unavailable(from, interop::JSON_OF_1_5));
        }
        let translated = interop::to_skyway(signal)?;
        stamped(&translated, from).map(|json| Packet::new(name, json))
    }

    fn forget_json_offer(&mut self, answer: &Json) {
        if let Ok(object) = RawObject::parse(answer.as_str())
            && let Some(connection) = object.text("connectionId")
        {
            self.take_json_offer(&connection);
        }
    }

    fn encode_room(&mut self, room: &RoomName, event: &RoomEvent) -> Option<Packet> {
        let mut json = String::from(r#"{"roomName":"#);
        match self.spelling(room) {
            Some(spelling) => json.push_str(spelling),
            None => push_string(room.as_str(), &mut json),
        }
        let name = match event {
            RoomEvent::Joined { peer, members } => {
                if *peer == self.me {
                    self.entered(room);
                }
                push_source(peer, &mut json);
                json.push_str(r#","roomMembers":"#);
                push_ids(members, &mut json);
                "ROOM_USER_JOIN"
            }
            RoomEvent::Left { peer } => {
                push_source(peer, &mut json);
                "ROOM_USER_LEAVE"
            }
            RoomEvent::Members(members) => {
                let UsersRequest { kind, first } = self.answer_users(room);
                json.push_str(r#","type":"#);
                json.push_str(&kind);
                json.push_str(r#","userList":"#);
                push_ids(if first { self.before_me(members) } else { members }, &mut json);
                "ROOM_USERS"
            }
            RoomEvent::Data { from, data } => {
                push_source(from, &mut json);
                json.push_str(r#","data":"#);
                json.push_str(data.json.as_str());
                json.push('}');
                let attachments = data.attachments.clone();
                return Some(Packet { name: "ROOM_DATA", json, attachments });
            }
            RoomEvent::Log(entries) => {
                json.push_str(r#","log":["#);
                for (index, entry) in entries.iter().enumerate() {
                    if index > 0 {
                        json.push(',');
                    }
                    log::push_entry(room, entry, &mut json);
                }
                json.push(']');
                "ROOM_LOGS"
            }
            RoomEvent::Offer { sdp, streams, .. } => {
                json.push_str(r#","offer":{"type":"offer","sdp":"#);
                push_string(sdp, &mut json);
                json.push_str(r#"},"msids":{"#);
                for (index, stream) in streams.iter().enumerate() {
                    if index > 0 {
                        json.push(',');
                    }
                    push_string(&stream.id, &mut json);
                    json.push(':');
                    push_string(stream.peer.as_str(), &mut json);
                }
                json.push('}');
                "SFU_OFFER"
            }
            RoomEvent::MediaClosed { reason, .. } => {
                let message = format!("The media of the room {room} has ended: {reason}");
                return Some(Packet::error(ErrorType::RoomError, &unquoted(&message)));
            }
            // No SDK has such an event.
            RoomEvent::Speaker(_) => return None,
        };
        json.push('}');
        Some(Packet::new(name, json))
    }

    /// Who was there first. Two clients before 3.0 that come in together would otherwise call each
    /// other at once, and have each other's stream twice.
    fn before_me<'a>(&self, members: &'a [PeerId]) -> &'a [PeerId] {
        let mine = members.iter().position(|member| *member == self.me);
        &members[..mine.unwrap_or(members.len())]
    }
}

fn push_source(peer: &PeerId, json: &mut String) {
    json.push_str(r#","src":"#);
    push_string(peer.as_str(), json);
}

fn push_ids(ids: &[PeerId], json: &mut String) {
    json.push('[');
    for (index, id) in ids.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        push_string(id.as_str(), json);
    }
    json.push(']');
}

/// An object with its sender as the last member, so that no other one of that name counts. `None`
/// if it is no object.
fn stamped(object: &str, from: &PeerId) -> Option<String> {
    let inside = object.strip_suffix('}')?;
    let mut json = String::with_capacity(object.len() + from.as_str().len() + 16);
    json.push_str(inside);
    if !inside.strip_prefix('{')?.trim_ascii().is_empty() {
        json.push(',');
    }
    json.push_str(r#""src":"#);
    push_string(from.as_str(), &mut json);
    json.push('}');
    Some(json)
}

/// `ERROR peer-unavailable`. Udonarium finds the peer by the only quoted text of the message.
fn unavailable(peer: &PeerId, why: &str) -> Packet {
    let message = format!("Could not connect to peer \"{peer}\": {}", unquoted(why));
    Packet::error(ErrorType::PeerUnavailable, &message)
}

fn reason(signal: &Signal) -> String {
    let text = signal.payload.as_ref().and_then(|json| serde_json::from_str(json.as_str()).ok());
    text.unwrap_or_else(|| "it cannot be talked to".to_owned())
}

fn unquoted(text: &str) -> String {
    text.replace('"', "'")
}
