//! The client's end of the dialect: what a server says becomes a [`ServerFrame`], and what a client
//! says to another becomes a frame.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use thiserror::Error;

use super::payload::{Answer, Candidate, Offer, PayloadError};
use super::rooms_client;
use crate::{InvalidId, PeerId, RoomEvent, RoomName};

pub use super::rooms_client::encode_room;

/// What a server says.
#[derive(Debug, Clone, PartialEq)]
pub enum ServerFrame {
    /// The id is ours.
    Open,
    /// The server will not serve us.
    Error {
        /// Its words.
        message: String,
    },
    /// The id is open in another session.
    IdTaken {
        /// Its words.
        message: String,
    },
    /// The key is unknown or revoked.
    InvalidKey {
        /// Its words.
        message: String,
    },
    /// A peer wants to connect.
    Offer {
        /// Who says it.
        from: PeerId,
        /// What is said.
        payload: Offer,
    },
    /// A peer accepts our offer.
    Answer {
        /// Who says it.
        from: PeerId,
        /// What is said.
        payload: Answer,
    },
    /// A peer names a way to reach it.
    Candidate {
        /// Who says it.
        from: PeerId,
        /// What is said.
        payload: Candidate,
    },
    /// A peer closes every connection to us.
    Leave {
        /// Who is gone.
        from: PeerId,
    },
    /// What we said to a peer did not reach it in time.
    Expire {
        /// Who did not come.
        from: PeerId,
    },
    /// A room tells something. Of [`RoomEvent::Joined`] the members are told to the newcomer only.
    Room {
        /// Which room.
        room: RoomName,
        /// What is told.
        event: RoomEvent,
    },
    /// What was asked of a room came to nothing.
    RoomRefused {
        /// Which room, if the text can name one.
        room: Option<RoomName>,
        /// One of the words of `docs/reference/room-frames.md`, "Errors".
        kind: String,
        /// The server's words.
        message: String,
    },
    /// Nothing for us: `PING` of the SkyWay fork, `HTTP-ERROR`, types that a newer server may have,
    /// offers of connections of an unknown kind.
    Ignored,
}

/// Why a server's frame is not one. `PeerJS` logs these and goes on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FrameError {
    /// Not a JSON object with a `type`.
    #[error("{0}")]
    NotAMessage(String),
    /// A sender that cannot be a peer.
    #[error("'src' {0}")]
    Sender(InvalidId),
    /// A payload without what it must have.
    #[error("{0}")]
    Payload(#[from] PayloadError),
    /// A room that cannot be one.
    #[error("'room' {0}")]
    Room(InvalidId),
}

/// Reads one frame of a server.
///
/// ```
/// use peerway_protocol::peerjs::client::{ServerFrame, decode_server};
///
/// assert_eq!(decode_server(r#"{"type":"OPEN"}"#), Ok(ServerFrame::Open));
/// ```
pub fn decode_server(frame: &str) -> Result<ServerFrame, FrameError> {
    // Through a map, so that repeated members do no harm: the last one counts, as in JavaScript.
    let whole: Json =
        serde_json::from_str(frame).map_err(|error| FrameError::NotAMessage(error.to_string()))?;
    let frame: Frame = serde_json::from_value(whole)
        .map_err(|error| FrameError::NotAMessage(error.to_string()))?;
    if frame.kind.starts_with("ROOM-") {
        return rooms_client::decode(frame);
    }
    let Frame { kind, src, payload, .. } = frame;
    let from = || PeerId::new(src.as_deref().unwrap_or_default()).map_err(FrameError::Sender);
    Ok(match kind.as_str() {
        "OPEN" => ServerFrame::Open,
        "ERROR" => ServerFrame::Error { message: words(&payload) },
        "ID-TAKEN" => ServerFrame::IdTaken { message: words(&payload) },
        "INVALID-KEY" => ServerFrame::InvalidKey { message: words(&payload) },
        "OFFER" => match Offer::from_json(payload) {
            Err(PayloadError::Kind(_)) => ServerFrame::Ignored,
            payload => ServerFrame::Offer { from: from()?, payload: payload? },
        },
        "ANSWER" => ServerFrame::Answer { from: from()?, payload: Answer::from_json(payload)? },
        "CANDIDATE" => {
            ServerFrame::Candidate { from: from()?, payload: Candidate::from_json(payload)? }
        }
        "LEAVE" => ServerFrame::Leave { from: from()? },
        "EXPIRE" => ServerFrame::Expire { from: from()? },
        _ => ServerFrame::Ignored,
    })
}

#[derive(Deserialize)]
pub(super) struct Frame {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) src: Option<String>,
    #[serde(default)]
    pub(super) payload: Json,
    #[serde(default)]
    pub(super) room: Json,
    #[serde(default)]
    pub(super) attachments: Json,
}

/// Why a server refuses, in its own words.
pub(super) fn words(payload: &Json) -> String {
    payload.get("msg").and_then(Json::as_str).unwrap_or("the server gave no reason").to_owned()
}

/// What a client says every 5 s while it is connected, so that `PeerServer` does not cut it.
pub const HEARTBEAT: &str = r#"{"type":"HEARTBEAT"}"#;

/// The frame that offers a connection to a peer.
pub fn encode_offer(to: &PeerId, offer: &Offer) -> String {
    envelope("OFFER", to, offer)
}

/// The frame that accepts a peer's offer.
pub fn encode_answer(to: &PeerId, answer: &Answer) -> String {
    envelope("ANSWER", to, answer)
}

/// The frame that tells a peer a way to reach us.
pub fn encode_candidate(to: &PeerId, candidate: &Candidate) -> String {
    envelope("CANDIDATE", to, candidate)
}

fn envelope<T: Serialize>(kind: &str, to: &PeerId, payload: &T) -> String {
    #[derive(Serialize)]
    struct Envelope<'a, T> {
        #[serde(rename = "type")]
        kind: &'a str,
        payload: &'a T,
        dst: &'a str,
    }

    let envelope = Envelope { kind, payload, dst: to.as_str() };
    serde_json::to_string(&envelope).expect("texts, numbers and JSON are always valid JSON")
}

/// The query of the handshake, URL-encoded: `{path}peerjs?{query}` is where the `WebSocket` opens.
/// `version` tells servers what the client can do; `PeerJS` sends it from 1.4.0 on.
///
/// ```
/// use peerway_protocol::peerjs::client::handshake_query;
///
/// assert_eq!(handshake_query("peerjs", "a b", "t", None), "key=peerjs&id=a+b&token=t");
/// ```
pub fn handshake_query(key: &str, id: &str, token: &str, version: Option<&str>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("key", key).append_pair("id", id).append_pair("token", token);
    if let Some(version) = version {
        query.append_pair("version", version);
    }
    query.finish()
}
