//! The server's end of the dialect: a client's frame becomes a request, an event becomes a frame.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use super::rooms;
use crate::object::push_string;
use crate::{
    Dialect, Event, InvalidId, Json, PeerId, Refusal, Request, Signal, SignalKind, interop,
};

/// What a client's frame means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientFrame {
    /// Something for the broker.
    Request(Request),
    /// `HEARTBEAT`, sent every 5 s by 1.0.0 and later: alive, no answer wanted.
    Heartbeat,
    /// `PONG`, the SkyWay fork's answer to `PING`.
    Pong,
    /// A type that this server does not know, or a message to nobody. `PeerServer` drops these
    /// without a word, and so must we: a newer client may send what an older server can live
    /// without, and `peer.connect(undefined)` must not cost a page its whole peer, as ERROR would.
    Ignored,
}

/// Why a frame is not one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FrameError {
    /// Not a JSON object with a `type` and sane members.
    #[error("{0}")]
    NotAMessage(String),
    /// A receiver that cannot be a peer id.
    #[error("'dst' {0}")]
    Receiver(InvalidId),
    /// A text that cannot name a room.
    #[error("'room' {0}")]
    Room(InvalidId),
}

impl From<FrameError> for Refusal {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Room(invalid) => Self::InvalidRoom(invalid),
            error => Self::Malformed(error.to_string()),
        }
    }
}

#[derive(Deserialize)]
struct RawFrame<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "text_or_number")]
    dst: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "present")]
    payload: Option<&'a RawValue>,
}

/// `null` is a payload, unlike an absent member: both are passed on as they are.
pub(super) fn present<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// `peer.connect(42)` sends a number where the id of that peer is the text "42".
pub(super) fn text_or_number<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Cow<'de, str>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Receiver<'a> {
        Text(#[serde(borrow)] Cow<'a, str>),
        Number(i64),
    }

    Ok(Option::<Receiver<'de>>::deserialize(deserializer)?.map(|receiver| match receiver {
        Receiver::Text(text) => text,
        Receiver::Number(number) => number.to_string().into(),
    }))
}

/// Reads one frame of a client, from a socket or the body of a POST.
pub fn decode(frame: &str) -> Result<ClientFrame, FrameError> {
    let raw: RawFrame<'_> =
        serde_json::from_str(frame).map_err(|error| FrameError::NotAMessage(error.to_string()))?;
    let kind = match raw.kind.as_ref() {
        "HEARTBEAT" => return Ok(ClientFrame::Heartbeat),
        "PONG" => return Ok(ClientFrame::Pong),
        "OFFER" => SignalKind::Offer,
        "ANSWER" => SignalKind::Answer,
        "CANDIDATE" => SignalKind::Candidate,
        "LEAVE" => SignalKind::Leave,
        "EXPIRE" => SignalKind::Expire,
        kind => {
            let request = rooms::decode(kind, frame)?;
            return Ok(request.map_or(ClientFrame::Ignored, ClientFrame::Request));
        }
    };
    let to = match raw.dst.as_deref() {
        Some(dst) if !dst.is_empty() => PeerId::new(dst).map_err(FrameError::Receiver)?,
        // 0.2.x leaves its server with a LEAVE to nobody.
        _ if kind == SignalKind::Leave => return Ok(ClientFrame::Request(Request::Depart)),
        _ => return Ok(ClientFrame::Ignored),
    };
    let payload = raw.payload.map(|value| Json::trusted(value.get()));
    Ok(ClientFrame::Request(Request::Send {
        to,
        signal: Signal { kind, payload, dialect: Dialect::PeerJs },
    }))
}

/// `None` for what the dialect has no word for.
fn wire_type(kind: SignalKind) -> Option<&'static str> {
    Some(match kind {
        SignalKind::Offer => "OFFER",
        SignalKind::Answer => "ANSWER",
        SignalKind::Candidate => "CANDIDATE",
        SignalKind::Leave => "LEAVE",
        SignalKind::Expire => "EXPIRE",
        SignalKind::Close | SignalKind::Reject => return None,
    })
}

/// The server's keepalive of the SkyWay fork; every other client ignores it.
pub const PING: &str = r#"{"type":"PING"}"#;

/// The OPEN of a client that asked for the ICE servers: `payload` is JSON.
#[must_use]
pub fn open_with(payload: &str) -> String {
    format!(r#"{{"type":"OPEN","payload":{payload}}}"#)
}

/// Appends the frame that tells `event` to the client known as `me`, or nothing where the client
/// must not be told. Members come in the order
/// of `PeerServer`: type, src, dst, payload.
pub fn encode(event: &Event, me: &PeerId, out: &mut String) {
    match event {
        Event::Opened => out.push_str(r#"{"type":"OPEN"}"#),
        Event::Resumed | Event::Probe => {}
        Event::Room { room, event } => rooms::encode(room, event, me, out),
        Event::Signal { from, signal } if signal.kind == SignalKind::Reject => {
            rejected(from, me, signal.payload.as_ref(), out);
        }
        Event::Signal { from, signal } => {
            let Some(kind) = wire_type(signal.kind) else { return };
            let payload = signal.payload.as_ref().map(Json::as_str);
            if signal.dialect == Dialect::PeerJs || payload.is_none() {
                relayed(kind, from.as_str(), me, payload, out);
            } else if let Some(payload) = interop::to_peerjs(signal) {
                relayed(kind, from.as_str(), me, Some(&payload), out);
            }
        }
        Event::Expired { peer } => relayed("EXPIRE", peer.as_str(), me, None, out),
        Event::Refused(refusal) if refusal.is_about_rooms() => rooms::encode_refusal(refusal, out),
        Event::Refused(refusal) => {
            let kind = match refusal {
                Refusal::IdTaken => "ID-TAKEN",
                Refusal::UnknownKey | Refusal::OriginNotAllowed(_) => "INVALID-KEY",
                _ => "ERROR",
            };
            out.push_str(r#"{"type":""#);
            out.push_str(kind);
            out.push_str(r#"","payload":{"msg":"#);
            push_string(&refusal.to_string(), out);
            out.push_str("}}");
        }
    }
}

/// EXPIRE is the only error that a client of any generation reports without giving up its whole peer,
/// as "Could not connect to peer <src>". So `src` carries the words; whoever knows of it finds the
/// parts in the payload (`docs/reference/interop.md`).
fn rejected(from: &PeerId, me: &PeerId, reason: Option<&Json>, out: &mut String) {
    let reason = reason.and_then(|json| serde_json::from_str::<String>(json.as_str()).ok());
    let reason = reason.unwrap_or_default();
    let mut payload = String::from(r#"{"peer":"#);
    push_string(from.as_str(), &mut payload);
    payload.push_str(r#","msg":"#);
    push_string(&reason, &mut payload);
    payload.push('}');
    relayed("EXPIRE", &format!("{from}: {reason}"), me, Some(&payload), out);
}

fn relayed(kind: &str, src: &str, dst: &PeerId, payload: Option<&str>, out: &mut String) {
    out.reserve(64 + src.len() + dst.as_str().len() + payload.map_or(0, str::len));
    out.push_str(r#"{"type":""#);
    out.push_str(kind);
    out.push_str(r#"","src":"#);
    push_string(src, out);
    out.push_str(r#","dst":"#);
    push_string(dst.as_str(), out);
    if let Some(payload) = payload {
        out.push_str(r#","payload":"#);
        out.push_str(payload);
    }
    out.push('}');
}

/// The query of a `WebSocket` handshake, as far as it concerns the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handshake {
    /// App key.
    pub key: String,
    /// Wanted peer id.
    pub id: String,
    /// The client's secret for reconnecting under the same id.
    pub token: String,
    /// Client version, sent by 1.4.0 and later (not by 2.0 beta).
    pub version: Option<String>,
    /// The client wants the ICE servers with OPEN: our own SDK.
    pub ice: bool,
    /// The credential of SkyWay, as JSON, from a page that has no signed token: our own SDK.
    pub credential: Option<String>,
}

impl Handshake {
    /// Reads a query string. Of repeated members the last one counts: 1.0 and 1.1 append `id`
    /// and `token` once more at each start.
    #[must_use]
    pub fn from_query(query: &str) -> Self {
        let mut handshake = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "key" => handshake.key = value.into_owned(),
                "id" => handshake.id = value.into_owned(),
                "token" => handshake.token = value.into_owned(),
                "version" => handshake.version = Some(value.into_owned()),
                "ice" => handshake.ice = value == "1",
                "credential" => handshake.credential = Some(value.into_owned()),
                _ => {}
            }
        }
        handshake
    }

    /// Whether every member that the protocol demands is there.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        !(self.key.is_empty() || self.id.is_empty() || self.token.is_empty())
    }
}

/// The id that a client of the SkyWay fork asks for with `GET id?id=`, which no other client
/// sends. Empty if it leaves the choice to the server.
#[must_use]
pub fn wanted_id(query: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| name == "id")
        .last()
        .map(|(_, value)| value.into_owned())
}

/// The answer to `GET id?id=`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IdAnswer {
    /// The id the client shall have.
    pub id: String,
    /// Password for TURN, under the user name `{key}${id}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}
