//! The client's end of the frames of rooms: `docs/reference/room-frames.md`.

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use super::client::{Frame, FrameError, ServerFrame, words};
use super::media::push_stream;
use super::rooms::{open, push_data};
use crate::object::push_string;
use crate::{
    Json, LogAction, LogEntry, MediaRequest, MediaStream, PeerId, RoomData, RoomEvent, RoomMode,
    RoomName, RoomRequest, StreamName, VideoWish, base64,
};

/// The frame that asks something of a room.
///
/// ```
/// use peerway_protocol::peerjs::client::encode_room;
/// use peerway_protocol::{RoomMode, RoomName, RoomRequest};
///
/// let room = RoomName::new("lobby").unwrap();
/// let frame = encode_room(&room, &RoomRequest::Join(RoomMode::Sfu));
/// assert_eq!(frame, r#"{"type":"ROOM-JOIN","room":"lobby","payload":{"mode":"sfu"}}"#);
/// ```
pub fn encode_room(room: &RoomName, request: &RoomRequest) -> String {
    let mut frame = String::with_capacity(64 + request.weight());
    let out = &mut frame;
    match request {
        RoomRequest::Join(mode) => {
            open("ROOM-JOIN", room, None, out);
            let _ = write!(out, r#","payload":{{"mode":"{}"}}"#, mode.name());
        }
        RoomRequest::Leave => open("ROOM-LEAVE", room, None, out),
        RoomRequest::Members => open("ROOM-MEMBERS", room, None, out),
        RoomRequest::Log => open("ROOM-LOG", room, None, out),
        RoomRequest::Send(data) => {
            open("ROOM-DATA", room, None, out);
            push_data(data, out);
        }
        RoomRequest::Media { stream, request } => {
            push_media(room, stream.as_ref(), request, out);
        }
    }
    out.push('}');
    frame
}

fn push_media(
    room: &RoomName,
    stream: Option<&StreamName>,
    request: &MediaRequest,
    out: &mut String,
) {
    match request {
        MediaRequest::Offer(profile) => {
            open("ROOM-GET-OFFER", room, None, out);
            let (simulcast, data) = (profile.simulcast, profile.data);
            let _ = write!(out, r#","payload":{{"simulcast":{simulcast},"data":{data}"#);
            if profile.restart {
                out.push_str(r#","restart":true"#);
            }
            push_stream(stream, out);
            out.push('}');
        }
        MediaRequest::Answer(sdp) => {
            open("ROOM-ANSWER", room, None, out);
            out.push_str(r#","payload":{"sdp":"#);
            push_string(sdp, out);
            push_stream(stream, out);
            out.push('}');
        }
        MediaRequest::Candidate(candidate) => {
            open("ROOM-CANDIDATE", room, None, out);
            out.push_str(r#","payload":{"candidate":"#);
            push_string(candidate, out);
            push_stream(stream, out);
            out.push('}');
        }
        MediaRequest::Receive { from, reception } => {
            open("ROOM-RECEIVE", room, None, out);
            out.push_str(r#","payload":{"peer":"#);
            push_string(from.as_str(), out);
            let _ = write!(out, r#","audio":{},"video":"#, reception.audio);
            let _ = match reception.video {
                VideoWish::Off => write!(out, "false"),
                VideoWish::Any => write!(out, "true"),
                VideoWish::UpTo(height) => write!(out, r#"{{"maxHeight":{height}}}"#),
            };
            out.push('}');
        }
    }
}

/// Reads a frame whose type begins with `ROOM-`.
pub(super) fn decode(frame: Frame) -> Result<ServerFrame, FrameError> {
    let Frame { kind, src, payload, room, attachments } = frame;
    let name = match room {
        Value::String(name) => name,
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    let room = RoomName::new(&name).map_err(FrameError::Room);
    let from = || peer(src.as_deref().unwrap_or_default());
    let event = match kind.as_str() {
        "ROOM-JOINED" => {
            let members = read::<Members>(payload).unwrap_or_default();
            RoomEvent::Joined { peer: from()?, members: peers(&members.members)? }
        }
        "ROOM-LEFT" => RoomEvent::Left { peer: from()? },
        "ROOM-MEMBERS" => RoomEvent::Members(peers(&read::<Members>(payload)?.members)?),
        "ROOM-DATA" => RoomEvent::Data { from: from()?, data: data(&payload, &attachments)? },
        "ROOM-LOG" => {
            let entries = read::<Vec<Entry>>(payload)?;
            RoomEvent::Log(entries.iter().map(entry).collect::<Result<_, _>>()?)
        }
        "ROOM-OFFER" => {
            let Offer { stream, sdp, streams } = read(payload)?;
            let streams = streams.into_iter().map(media_stream).collect::<Result<_, _>>()?;
            RoomEvent::Offer { stream: stream_name(stream.as_deref()), sdp: sdp.into(), streams }
        }
        "ROOM-MEDIA-CLOSED" => {
            let stream = stream_name(payload.get("stream").and_then(Value::as_str));
            RoomEvent::MediaClosed { stream, reason: words(&payload).into() }
        }
        "ROOM-SPEAKER" => RoomEvent::Speaker(src.as_deref().map(peer).transpose()?),
        "ROOM-ERROR" => {
            let kind = payload.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
            let message = words(&payload);
            return Ok(ServerFrame::RoomRefused { room: room.ok(), kind, message });
        }
        _ => return Ok(ServerFrame::Ignored),
    };
    Ok(ServerFrame::Room { room: room?, event })
}

#[derive(Deserialize, Default)]
struct Members {
    #[serde(default)]
    members: Vec<String>,
}

#[derive(Deserialize)]
struct Offer {
    stream: Option<String>,
    sdp: String,
    #[serde(default)]
    streams: std::collections::BTreeMap<String, Owner>,
}

/// Of a stream: only those with a name of their own say more than whose they are.
#[derive(Deserialize)]
#[serde(untagged)]
enum Owner {
    Peer(String),
    Named { peer: String, name: String },
}

#[derive(Deserialize)]
struct Entry {
    timestamp: u64,
    src: String,
    action: String,
    mode: Option<String>,
    #[serde(default)]
    payload: Value,
    #[serde(default)]
    attachments: Value,
}

fn read<T: for<'a> Deserialize<'a>>(payload: Value) -> Result<T, FrameError> {
    serde_json::from_value(payload).map_err(|error| FrameError::NotAMessage(error.to_string()))
}

fn peer(id: &str) -> Result<PeerId, FrameError> {
    PeerId::new(id).map_err(FrameError::Sender)
}

fn media_stream((id, owner): (String, Owner)) -> Result<MediaStream, FrameError> {
    let (owner, name) = match owner {
        Owner::Peer(owner) => (owner, None),
        Owner::Named { peer, name } => (peer, StreamName::new(&name)),
    };
    Ok(MediaStream { id: id.into(), peer: peer(&owner)?, name })
}

fn stream_name(name: Option<&str>) -> Option<StreamName> {
    name.and_then(StreamName::new)
}

fn peers(ids: &[String]) -> Result<Arc<[PeerId]>, FrameError> {
    ids.iter().map(|id| peer(id)).collect()
}

fn data(payload: &Value, attachments: &Value) -> Result<RoomData, FrameError> {
    let texts = attachments.as_array().map(Vec::as_slice).unwrap_or_default();
    let part = |text: &Value| Some(Bytes::from(base64::decode(text.as_str()?)?));
    let attachments: Option<Arc<[Bytes]>> = texts.iter().map(part).collect();
    let attachments = attachments
        .ok_or_else(|| FrameError::NotAMessage("an attachment is not Base64".to_owned()))?;
    Ok(RoomData { json: Json::trusted(&payload.to_string()), attachments })
}

fn entry(entry: &Entry) -> Result<LogEntry, FrameError> {
    let action = match entry.action.as_str() {
        "joined" if entry.mode.as_deref() == Some("sfu") => LogAction::Joined(RoomMode::Sfu),
        "joined" => LogAction::Joined(RoomMode::Mesh),
        "left" => LogAction::Left,
        _ => LogAction::Data(data(&entry.payload, &entry.attachments)?),
    };
    Ok(LogEntry { timestamp: entry.timestamp, peer: peer(&entry.src)?, action })
}
