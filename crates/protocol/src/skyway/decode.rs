//! A client's event becomes a message: all of section 1.4's table from client to server.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;
use thiserror::Error;

use super::{Credential, CredentialError, Session};
use crate::object::{RawObject, text_of};
use crate::{
    Dialect, InvalidId, Json, MediaRequest, PeerId, Request, RoomData, RoomMode, RoomName,
    RoomRequest, Signal, SignalKind,
};

/// What a client's event means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Something for the broker.
    Request(Request),
    /// `UPDATE_CREDENTIAL`: a new credential, or why it is none.
    Credential(Result<Credential, CredentialError>),
    /// `PING`, sent every 25 s beside the transport's own; no answer is wanted.
    Ping,
    /// A name that this server does not know; a newer client may send what an older server can live
    /// without.
    Ignored,
}

/// Why an event is not one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FrameError {
    /// Not an object with the members that are needed.
    #[error("{0}")]
    NotAMessage(String),
    /// A receiver that cannot be a peer id.
    #[error("the receiver's id {0}")]
    Receiver(InvalidId),
    /// What cannot name a room.
    #[error("the room's name {0}")]
    Room(InvalidId),
    /// Binary parts where only JSON can be brought on: metadata, for example.
    #[error("binary data can be sent to rooms only: connection metadata must be JSON")]
    Binary,
}

/// A room as a client named it.
struct Named {
    room: RoomName,
    /// The JSON that stood for it.
    spelling: Box<str>,
}

impl Session {
    /// Reads an event: its name, its argument if it has one, and the binary parts that came with it.
    pub fn decode(
        &mut self,
        name: &str,
        payload: Option<&RawValue>,
        attachments: Vec<Bytes>,
    ) -> Result<Message, FrameError> {
        if !attachments.is_empty() && name.starts_with("SEND_") {
            return Err(FrameError::Binary);
        }
        let object = || read(payload);
        Ok(match name {
            "SEND_OFFER" => self.offer(&object()?)?,
            "SEND_ANSWER" => signal(SignalKind::Answer, &object()?)?,
            "SEND_CANDIDATE" => signal(SignalKind::Candidate, &object()?)?,
            "SEND_FORCE_CLOSE" => signal(SignalKind::Close, &object()?)?,
            // Declared by every version and sent by none.
            "SEND_LEAVE" => match payload.and_then(text_of) {
                Some(dst) => send(&dst, Signal::bare(SignalKind::Leave))?,
                None => send(&receiver(&object()?)?, Signal::bare(SignalKind::Leave))?,
            },
            "ROOM_JOIN" => self.join(&object()?)?,
            "ROOM_LEAVE" => {
                let Named { room, .. } = named(&object()?)?;
                self.forget_room(&room);
                ask(room, RoomRequest::Leave)
            }
            "ROOM_GET_USERS" => {
                let object = object()?;
                let Named { room, .. } = named(&object)?;
                // The vendor's gateway calls it `roomType`.
                let kind = object.member("type").or_else(|| object.member("roomType"));
                self.expect_users(&room, kind.map(RawValue::get));
                ask(room, RoomRequest::Members)
            }
            "ROOM_GET_LOGS" => ask(named(&object()?)?.room, RoomRequest::Log),
            "ROOM_SEND_DATA" => {
                let object = object()?;
                let Named { room, .. } = named(&object)?;
                // `send(undefined)` leaves the member out.
                let json = Json::trusted(object.member("data").map_or("null", RawValue::get));
                let data = RoomData { json, attachments: attachments.into() };
                ask(room, RoomRequest::Send(data))
            }
            "SFU_GET_OFFER" => media(&object()?, |_| Ok(Some(MediaRequest::Offer(self.profile))))?,
            "SFU_ANSWER" => media(&object()?, |object| {
                text_within(object, "answer", "sdp").map(|sdp| Some(MediaRequest::Answer(sdp)))
            })?,
            "SFU_CANDIDATE" => media(&object()?, |object| {
                // `null` or an empty text says that there are no more.
                if object.member("candidate").is_some_and(|value| value.get() == "null") {
                    return Ok(None);
                }
                let text = text_within(object, "candidate", "candidate")?;
                Ok((!text.is_empty()).then_some(MediaRequest::Candidate(text)))
            })?,
            "UPDATE_CREDENTIAL" => Message::Credential(Credential::from_payload(payload)),
            "PING" => Message::Ping,
            _ => Message::Ignored,
        })
    }

    fn offer(&mut self, object: &RawObject<'_>) -> Result<Message, FrameError> {
        if object.text("serialization").as_deref() == Some("json")
            && let Some(connection) = object.text("connectionId")
        {
            self.note_json_offer(&connection);
        }
        signal(SignalKind::Offer, object)
    }

    fn join(&mut self, object: &RawObject<'_>) -> Result<Message, FrameError> {
        let Named { room, spelling } = named(object)?;
        // The SDK's default is mesh.
        let mode = match object.text("roomType").as_deref() {
            None | Some("mesh") => RoomMode::Mesh,
            Some("sfu") => RoomMode::Sfu,
            Some(_) => {
                return Err(FrameError::NotAMessage("roomType must be mesh or sfu".to_owned()));
            }
        };
        self.expect_room(&room, &spelling);
        Ok(ask(room, RoomRequest::Join(mode)))
    }
}

fn read(payload: Option<&RawValue>) -> Result<RawObject<'_>, FrameError> {
    let text = payload.map_or("null", RawValue::get);
    RawObject::parse(text).map_err(|error| FrameError::NotAMessage(error.to_string()))
}

fn receiver(object: &RawObject<'_>) -> Result<String, FrameError> {
    Ok(object.text("dst").ok_or(FrameError::Receiver(InvalidId::Empty))?.into_owned())
}

fn send(dst: &str, signal: Signal) -> Result<Message, FrameError> {
    let to = PeerId::new(dst).map_err(FrameError::Receiver)?;
    Ok(Message::Request(Request::Send { to, signal }))
}

/// The whole object goes on, without what it says about its sender: the vendor's gateway gives a
/// `src` of its own, and anybody could give a wrong one.
fn signal(kind: SignalKind, object: &RawObject<'_>) -> Result<Message, FrameError> {
    let dst = receiver(object)?;
    let payload = Some(Json::trusted(&object.without("src")));
    send(&dst, Signal { kind, payload, dialect: Dialect::SkyWay })
}

fn ask(room: RoomName, request: RoomRequest) -> Message {
    Message::Request(Request::Room { room, request })
}

/// Applications call `joinRoom(Date.now())`: a number names the same room as its text.
fn named(object: &RawObject<'_>) -> Result<Named, FrameError> {
    let name = object.member("roomName").ok_or(FrameError::Room(InvalidId::Empty))?;
    let text = text_of(name)
        .ok_or_else(|| FrameError::NotAMessage("roomName must be a text or a number".to_owned()))?;
    let room = RoomName::new(&text).map_err(FrameError::Room)?;
    Ok(Named { room, spelling: name.get().into() })
}

fn media(
    object: &RawObject<'_>,
    request: impl FnOnce(&RawObject<'_>) -> Result<Option<MediaRequest>, FrameError>,
) -> Result<Message, FrameError> {
    let Named { room, .. } = named(object)?;
    let request = request(object)?;
    Ok(request.map_or(Message::Ignored, |request| ask(room, RoomRequest::media(request))))
}

/// The text `inner` in the object `outer`.
fn text_within(object: &RawObject<'_>, outer: &str, inner: &str) -> Result<Arc<str>, FrameError> {
    let value = object.member(outer);
    let value = value.ok_or_else(|| FrameError::NotAMessage(format!("no member {outer}")))?;
    let text = read(Some(value))?.text(inner).map(Arc::from);
    text.ok_or_else(|| FrameError::NotAMessage(format!("{outer} has no text {inner}")))
}
