//! OFFER, ANSWER and CANDIDATE from one dialect into the other. What cannot be read is not brought
//! on: no client could do anything with it.

use serde::Serialize;
use serde_json::{Map, Value};

use super::parse;
use crate::data::{Generation, Serialization};
use crate::peerjs::payload::{self as peerjs, Kind};
use crate::skyway::payload as skyway;
use crate::{Signal, SignalKind};

/// The member by which our own SDKs say that a connection belongs to a mesh room, as `roomName` does
/// in the SkyWay dialect.
const ROOM: &str = "room";

/// What `PeerJS` up to 1.4.7 says. A client that hears it writes JSON as text, which is the form that
/// skyway-js reads, and 0.3 its chunks as always.
const LEGACY_BROWSER: &str = "Chrome";

/// A PeerJS signal's payload in the SkyWay dialect, without `src`.
pub fn to_skyway(signal: &Signal) -> Option<String> {
    let mut payload = parse(signal)?;
    let room_name = payload.get_mut(ROOM).map(Value::take);
    match signal.kind {
        SignalKind::Offer => {
            let offer = peerjs::Offer::from_json(payload).ok()?;
            let data = offer.kind == Kind::Data;
            write(&skyway::Offer {
                dc_init: dc_init(&offer).filter(|_| data),
                serialization: offer.serialization.as_deref().filter(|_| data).map(skyway_name),
                sdp: offer.sdp,
                kind: offer.kind,
                connection_id: offer.connection_id,
                metadata: offer.metadata,
                label: offer.label,
                room_name,
            })
        }
        SignalKind::Answer => {
            let answer = peerjs::Answer::from_json(payload).ok()?;
            write(&skyway::Answer {
                sdp: answer.sdp,
                kind: answer.kind,
                connection_id: answer.connection_id,
                room_name,
            })
        }
        SignalKind::Candidate => {
            let candidate = peerjs::Candidate::from_json(payload).ok()?;
            // The end of candidates: RTCIceCandidate throws where it has neither.
            if candidate.sdp_mid.is_none() && candidate.sdp_m_line_index.is_none() {
                return None;
            }
            write(&skyway::Candidate {
                candidate: candidate.candidate,
                sdp_mid: candidate.sdp_mid,
                sdp_m_line_index: candidate.sdp_m_line_index,
                username_fragment: candidate.username_fragment,
                kind: candidate.kind,
                connection_id: candidate.connection_id,
                room_name,
            })
        }
        SignalKind::Leave | SignalKind::Expire | SignalKind::Close | SignalKind::Reject => None,
    }
}

/// A SkyWay signal's payload in the PeerJS dialect.
pub fn to_peerjs(signal: &Signal) -> Option<String> {
    let payload = parse(signal)?;
    match signal.kind {
        SignalKind::Offer => {
            let offer = skyway::Offer::from_json(payload).ok()?;
            let data = offer.kind == Kind::Data;
            let reliable = data.then(|| offer.is_reliable());
            let serialization = offer.serialization.as_deref().filter(|_| data).map(peerjs_name);
            let translated = peerjs::Offer {
                sdp: offer.sdp,
                kind: offer.kind,
                connection_id: offer.connection_id,
                metadata: offer.metadata,
                label: offer.label,
                reliable,
                serialization,
                browser: Some(LEGACY_BROWSER.to_owned()),
                peerway: false,
                restart: false,
            };
            write_with_room(&translated, offer.room_name)
        }
        SignalKind::Answer => {
            let answer = skyway::Answer::from_json(payload).ok()?;
            let translated = peerjs::Answer {
                sdp: answer.sdp,
                kind: answer.kind,
                connection_id: answer.connection_id,
                browser: Some(LEGACY_BROWSER.to_owned()),
                peerway: false,
            };
            write_with_room(&translated, answer.room_name)
        }
        SignalKind::Candidate => {
            let candidate = skyway::Candidate::from_json(payload).ok()?;
            if candidate.sdp_mid.is_none() && candidate.sdp_m_line_index.is_none() {
                return None;
            }
            let translated = peerjs::Candidate {
                candidate: candidate.candidate,
                sdp_mid: candidate.sdp_mid,
                sdp_m_line_index: candidate.sdp_m_line_index,
                username_fragment: candidate.username_fragment,
                kind: candidate.kind,
                connection_id: candidate.connection_id,
            };
            write_with_room(&translated, candidate.room_name)
        }
        SignalKind::Leave | SignalKind::Expire | SignalKind::Close | SignalKind::Reject => None,
    }
}

/// skyway-js throws at names that it does not know, so `raw` must be `none`.
fn skyway_name(name: &str) -> String {
    match name.parse() {
        Ok(Serialization::Raw) => "none".to_owned(),
        _ => name.to_owned(),
    }
}

/// PeerJS 1.5 throws at `none`; clients before it pass everything through under names that they do
/// not know.
fn peerjs_name(name: &str) -> String {
    match name.parse() {
        Ok(Serialization::Raw) => Serialization::Raw.as_str().to_owned(),
        _ => name.to_owned(),
    }
}

/// What the channel is: for the callee's eyes, as the caller has made the channel. Up to 1.4.7 the
/// flag says nothing about it.
fn dc_init(offer: &peerjs::Offer) -> Option<Value> {
    let ordered = offer.reliable.filter(|_| offer.generation() == Generation::Modern)?;
    Some(Value::Object(Map::from_iter([("ordered".to_owned(), Value::Bool(ordered))])))
}

fn write(payload: &impl Serialize) -> Option<String> {
    serde_json::to_string(payload).ok()
}

fn write_with_room(payload: &impl Serialize, room: Option<Value>) -> Option<String> {
    let mut payload = serde_json::to_value(payload).ok()?;
    if let (Some(members), Some(room)) = (payload.as_object_mut(), room) {
        members.insert(ROOM.to_owned(), room);
    }
    write(&payload)
}
