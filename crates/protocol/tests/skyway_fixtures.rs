//! What unmodified `skyway-js` said in a browser (`fixtures/skyway/README.md`): all of it is understood,
//! and what its receivers were told by the relay that stood between is what we would have told them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use peerway_protocol::skyway::{Handshake, Message, Packet, Session};
use peerway_protocol::{Event, MediaProfile, PeerId, Request, RoomEvent, RoomName, RoomRequest};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// A line of a transcript, as far as it matters here.
#[derive(Deserialize)]
struct Line {
    who: Option<String>,
    to: Option<String>,
    ask: Option<String>,
    url: Option<String>,
    text: Option<String>,
}

/// What one transcript held.
#[derive(Default)]
struct Seen {
    handshakes: usize,
    signals: usize,
    rooms: usize,
}

#[derive(Default)]
struct World {
    sessions: BTreeMap<String, Session>,
    /// What each has been sent and not been told.
    under_way: BTreeMap<String, Vec<Packet>>,
    seen: Seen,
}

impl World {
    fn session(&mut self, who: &str) -> &mut Session {
        let id = || PeerId::new(who).unwrap();
        self.sessions
            .entry(who.to_owned())
            .or_insert_with(|| Session::new(id(), MediaProfile::default()))
    }

    fn said(&mut self, who: &str, name: &str, payload: &RawValue, parts: usize) {
        let attachments = vec![Bytes::from_static(b"part"); parts];
        let message = self.session(who).decode(name, Some(payload), attachments);
        let message = message.unwrap_or_else(|error| panic!("{who} said {name}: {error}"));
        assert_ne!(message, Message::Ignored, "{name}");
        match message {
            Message::Request(Request::Send { to, signal }) => {
                let event = Event::Signal { from: PeerId::new(who).unwrap(), signal };
                let told = self.session(to.as_str()).encode(&event).unwrap();
                self.under_way.entry(to.to_string()).or_default().push(told);
                self.seen.signals += 1;
            }
            Message::Request(Request::Room { request: RoomRequest::Send(data), .. }) => {
                assert_eq!(data.attachments.len(), parts);
                self.seen.rooms += 1;
            }
            Message::Request(_) => self.seen.rooms += 1,
            Message::Credential(credential) => assert_eq!(credential.unwrap().ttl, 600),
            Message::Ping | Message::Ignored => {}
        }
    }

    fn told(&mut self, who: &str, name: &str, payload: &RawValue) {
        let captured: Value = serde_json::from_str(payload.get()).unwrap();
        if let "OFFER" | "ANSWER" | "CANDIDATE" | "FORCE_CLOSE" = name {
            let under_way = self.under_way.entry(who.to_owned()).or_default();
            let same = |packet: &Packet| {
                packet.name == name
                    && serde_json::from_str::<Value>(&packet.json).unwrap() == captured
            };
            let found = under_way.iter().position(same);
            let found = found.unwrap_or_else(|| panic!("{who} was told {name} {captured}"));
            under_way.remove(found);
            return;
        }
        let Some(event) = room_event(name, &captured) else { return };
        let room = match &captured["roomName"] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let room = RoomName::new(&room).unwrap();
        let told = self.session(who).encode(&Event::Room { room, event }).unwrap();
        let ours: Value = serde_json::from_str(&told.json).unwrap();
        assert_eq!(told.name, name);
        assert_eq!(ours["roomName"], captured["roomName"]);
        assert_eq!(members(&ours), members(&captured), "{name}");
    }
}

fn members(value: &Value) -> Vec<&String> {
    let mut names: Vec<_> = value.as_object().unwrap().keys().collect();
    names.sort();
    names
}

fn room_event(name: &str, captured: &Value) -> Option<RoomEvent> {
    let id = |value: &Value| PeerId::new(value.as_str().unwrap()).unwrap();
    let ids =
        |value: &Value| -> Arc<[PeerId]> { value.as_array().unwrap().iter().map(id).collect() };
    let src = || id(&captured["src"]);
    Some(match name {
        "ROOM_USER_JOIN" => {
            RoomEvent::Joined { peer: src(), members: ids(&captured["roomMembers"]) }
        }
        "ROOM_USER_LEAVE" => RoomEvent::Left { peer: src() },
        "ROOM_USERS" => RoomEvent::Members(ids(&captured["userList"])),
        "ROOM_LOGS" => RoomEvent::Log(Arc::new([])),
        _ => return None,
    })
}

/// The event of a Socket.IO packet, and how many binary parts it has.
fn event(text: &str) -> Option<(String, Box<RawValue>, usize)> {
    let (parts, array) = if let Some(array) = text.strip_prefix("42") {
        (0, array)
    } else {
        let (count, array) = text.strip_prefix("45")?.split_once('-')?;
        (count.parse().unwrap(), array)
    };
    let (name, payload): (String, Box<RawValue>) =
        serde_json::from_str(array).unwrap_or_else(|error| panic!("{error}: {text}"));
    Some((name, payload, parts))
}

fn replay(path: &Path) -> Seen {
    let mut world = World::default();
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let line: Line = serde_json::from_str(line).unwrap();
        let Some(who) = line.who else { continue };
        if let Some(url) = &line.url
            && let Some(query) = url.strip_prefix("/socket.io/?")
        {
            let handshake = Handshake::from_query(query);
            assert_eq!(handshake.key.len(), 36, "{url}");
            assert!(handshake.token.is_some() && handshake.sdk_version.is_some(), "{url}");
            assert!(handshake.credential.is_none_or(|credential| credential.is_ok()), "{url}");
            world.seen.handshakes += 1;
        }
        let Some(text) = line.text else { continue };
        match (line.to.as_deref(), line.ask.as_deref()) {
            (Some("client"), _) => {
                if let Some((name, payload, _)) = event(&text) {
                    world.told(&who, &name, &payload);
                }
            }
            (Some("server"), _) => {
                if let Some((name, payload, parts)) = event(&text) {
                    world.said(&who, &name, &payload, parts);
                }
            }
            (_, Some("POST")) => {
                // The transport's own tests read payloads of several packets.
                let packet = text.split_once(':').map_or("", |(_, packet)| packet);
                if text.matches(":42[").count() == 1
                    && let Some((name, payload, parts)) = event(packet)
                {
                    world.said(&who, &name, &payload, parts);
                }
            }
            _ => {}
        }
    }
    world.seen
}

#[test]
fn all_that_skyway_js_says_is_understood() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/skyway");
    let mut all = Seen::default();
    let mut transcripts = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|it| it == "jsonl") {
            let Seen { handshakes, signals, rooms } = replay(&path);
            all.handshakes += handshakes;
            all.signals += signals;
            all.rooms += rooms;
            transcripts += 1;
        }
    }
    assert!(transcripts >= 10, "{transcripts}");
    assert!(all.handshakes > 50 && all.signals > 20 && all.rooms > 20);
}
