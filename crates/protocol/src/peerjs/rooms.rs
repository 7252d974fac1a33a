//! Frames for rooms, which our own SDKs speak and no stock client does: `docs/reference/room-frames.md`.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::media;
use super::server::{FrameError, present, text_or_number};
use crate::object::push_string;
use crate::{
    Json, LogAction, LogEntry, PeerId, Refusal, Request, RoomData, RoomEvent, RoomMode, RoomName,
    RoomRequest, base64,
};

#[derive(Deserialize)]
struct RawFrame<'a> {
    #[serde(borrow, default, deserialize_with = "text_or_number")]
    room: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "present")]
    payload: Option<&'a RawValue>,
    #[serde(borrow, default)]
    attachments: Vec<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct JoinPayload<'a> {
    #[serde(borrow, default)]
    mode: Option<Cow<'a, str>>,
}

/// The types that a client may send.
const KINDS: [&str; 9] = [
    "ROOM-JOIN",
    "ROOM-LEAVE",
    "ROOM-MEMBERS",
    "ROOM-LOG",
    "ROOM-DATA",
    "ROOM-GET-OFFER",
    "ROOM-ANSWER",
    "ROOM-CANDIDATE",
    "ROOM-RECEIVE",
];

/// Reads a frame of type `kind`; `None` if rooms have no such type.
pub(super) fn decode(kind: &str, frame: &str) -> Result<Option<Request>, FrameError> {
    if !KINDS.contains(&kind) {
        return Ok(None);
    }
    let raw: RawFrame<'_> = parse(frame)?;
    // Not ours, then: a stock page may send any type through its socket.
    let Some(room) = raw.room else { return Ok(None) };
    let room = RoomName::new(&room).map_err(FrameError::Room)?;
    let request = match kind {
        "ROOM-JOIN" => RoomRequest::Join(mode(raw.payload)?),
        "ROOM-LEAVE" => RoomRequest::Leave,
        "ROOM-MEMBERS" => RoomRequest::Members,
        "ROOM-LOG" => RoomRequest::Log,
        "ROOM-GET-OFFER" | "ROOM-ANSWER" | "ROOM-CANDIDATE" | "ROOM-RECEIVE" => {
            media::decode(kind, raw.payload)?
        }
        _ => RoomRequest::Send(RoomData {
            json: raw.payload.map_or_else(Json::null, |value| Json::trusted(value.get())),
            attachments: attachments(&raw.attachments)?,
        }),
    };
    Ok(Some(Request::Room { room, request }))
}

fn mode(payload: Option<&RawValue>) -> Result<RoomMode, FrameError> {
    let Some(payload) = payload else { return Ok(RoomMode::Mesh) };
    match parse::<JoinPayload<'_>>(payload.get())?.mode.as_deref() {
        None | Some("mesh") => Ok(RoomMode::Mesh),
        Some("sfu") => Ok(RoomMode::Sfu),
        Some(_) => Err(FrameError::NotAMessage("'mode' must be mesh or sfu".into())),
    }
}

fn attachments(texts: &[Cow<'_, str>]) -> Result<Arc<[Bytes]>, FrameError> {
    let decode = |text: &Cow<'_, str>| base64::decode(text).map(Bytes::from);
    let parts: Option<Arc<[Bytes]>> = texts.iter().map(decode).collect();
    parts.ok_or_else(|| FrameError::NotAMessage("an attachment is not Base64".into()))
}

pub(super) fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, FrameError> {
    serde_json::from_str(text).map_err(|error| FrameError::NotAMessage(error.to_string()))
}

/// Appends the frame that tells `event` of a room to the client known as `me`.
pub(super) fn encode(room: &RoomName, event: &RoomEvent, me: &PeerId, out: &mut String) {
    match event {
        RoomEvent::Joined { peer, members } => {
            open("ROOM-JOINED", room, Some(peer), out);
            // The others know who was there before.
            if peer == me {
                push_members(members, out);
            }
        }
        RoomEvent::Left { peer } => open("ROOM-LEFT", room, Some(peer), out),
        RoomEvent::Members(members) => {
            open("ROOM-MEMBERS", room, None, out);
            push_members(members, out);
        }
        RoomEvent::Data { from, data } => {
            out.reserve(data.weight());
            open("ROOM-DATA", room, Some(from), out);
            push_data(data, out);
        }
        RoomEvent::Log(entries) => {
            open("ROOM-LOG", room, None, out);
            out.push_str(r#","payload":["#);
            list(entries, out, push_entry);
            out.push(']');
        }
        RoomEvent::Offer { stream, sdp, streams } => {
            open("ROOM-OFFER", room, None, out);
            media::push_offer(stream.as_ref(), sdp, streams, out);
        }
        RoomEvent::MediaClosed { stream, reason } => {
            open("ROOM-MEDIA-CLOSED", room, None, out);
            out.push_str(r#","payload":{"msg":"#);
            push_string(reason, out);
            media::push_stream(stream.as_ref(), out);
            out.push('}');
        }
        RoomEvent::Speaker(speaker) => open("ROOM-SPEAKER", room, speaker.as_ref(), out),
    }
    out.push('}');
}

/// Appends the frame that tells that a room cannot do what was asked.
pub(super) fn encode_refusal(refusal: &Refusal, out: &mut String) {
    out.push_str(r#"{"type":"ROOM-ERROR""#);
    if let Some(room) = refusal.room() {
        out.push_str(r#","room":"#);
        push_string(room.as_str(), out);
    }
    out.push_str(r#","payload":{"type":"#);
    push_string(refusal.name(), out);
    out.push_str(r#","msg":"#);
    push_string(&refusal.to_string(), out);
    out.push_str("}}");
}

pub(super) fn open(kind: &str, room: &RoomName, src: Option<&PeerId>, out: &mut String) {
    out.push_str(r#"{"type":""#);
    out.push_str(kind);
    out.push_str(r#"","room":"#);
    push_string(room.as_str(), out);
    if let Some(src) = src {
        out.push_str(r#","src":"#);
        push_string(src.as_str(), out);
    }
}

fn push_members(members: &[PeerId], out: &mut String) {
    out.push_str(r#","payload":{"members":["#);
    list(members, out, |member, out| push_string(member.as_str(), out));
    out.push_str("]}");
}

pub(super) fn push_data(data: &RoomData, out: &mut String) {
    out.push_str(r#","payload":"#);
    out.push_str(data.json.as_str());
    if data.attachments.is_empty() {
        return;
    }
    out.push_str(r#","attachments":["#);
    list(&data.attachments, out, |part, out| {
        out.push('"');
        base64::encode(part, out);
        out.push('"');
    });
    out.push(']');
}

fn push_entry(entry: &LogEntry, out: &mut String) {
    let _ = write!(out, r#"{{"timestamp":{},"src":"#, entry.timestamp);
    push_string(entry.peer.as_str(), out);
    match &entry.action {
        LogAction::Joined(mode) => {
            out.push_str(r#","action":"joined","mode":"#);
            push_string(mode.name(), out);
        }
        LogAction::Left => out.push_str(r#","action":"left""#),
        LogAction::Data(data) => {
            out.push_str(r#","action":"data""#);
            push_data(data, out);
        }
    }
    out.push('}');
}

pub(super) fn list<T>(items: &[T], out: &mut String, push: impl Fn(&T, &mut String)) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        push(item, out);
    }
}
