//! The frames of rooms that concern media: `docs/reference/room-frames.md`.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

use super::rooms::{list, parse};
use super::server::FrameError;
use crate::object::push_string;
use crate::{
    MediaProfile, MediaRequest, MediaStream, PeerId, Reception, RoomRequest, StreamName, VideoWish,
};

#[derive(Deserialize)]
struct StreamPayload<'a> {
    #[serde(borrow, default)]
    stream: Option<Cow<'a, str>>,
}

#[derive(Deserialize, Default)]
struct OfferPayload {
    #[serde(default)]
    simulcast: bool,
    #[serde(default)]
    data: bool,
    #[serde(default)]
    restart: bool,
}

#[derive(Deserialize)]
struct AnswerPayload<'a> {
    #[serde(borrow)]
    sdp: Cow<'a, str>,
}

#[derive(Deserialize)]
struct CandidatePayload<'a> {
    #[serde(borrow)]
    candidate: Cow<'a, str>,
}

#[derive(Deserialize)]
struct ReceivePayload<'a> {
    #[serde(borrow)]
    peer: Cow<'a, str>,
    #[serde(default = "yes")]
    audio: bool,
    #[serde(default)]
    video: Video,
}

/// `true`, `false`, or `{"maxHeight": 360}`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Video {
    Whether(bool),
    #[serde(rename_all = "camelCase")]
    UpTo {
        max_height: u32,
    },
}

impl Default for Video {
    fn default() -> Self {
        Self::Whether(true)
    }
}

impl From<Video> for VideoWish {
    fn from(video: Video) -> Self {
        match video {
            Video::Whether(true) => Self::Any,
            Video::Whether(false) => Self::Off,
            Video::UpTo { max_height } => Self::UpTo(max_height),
        }
    }
}

fn yes() -> bool {
    true
}

/// Reads the payload of a frame of type `kind`.
pub(super) fn decode(kind: &str, payload: Option<&RawValue>) -> Result<RoomRequest, FrameError> {
    let text = payload.map(RawValue::get);
    let request = request(kind, text)?;
    let stream = match (&request, text) {
        (MediaRequest::Receive { .. }, _) | (_, None) => None,
        (_, Some(text)) => parse::<StreamPayload<'_>>(text)?.stream,
    };
    let named = |name: Cow<'_, str>| {
        StreamName::new(&name)
            .ok_or_else(|| FrameError::NotAMessage("'stream' must have 1 to 64 bytes".into()))
    };
    Ok(RoomRequest::Media { stream: stream.map(named).transpose()?, request })
}

fn request(kind: &str, text: Option<&str>) -> Result<MediaRequest, FrameError> {
    Ok(match (kind, text) {
        ("ROOM-GET-OFFER", text) => {
            let OfferPayload { simulcast, data, restart } = parse(text.unwrap_or("{}"))?;
            MediaRequest::Offer(MediaProfile { two_lines: false, simulcast, data, restart })
        }
        (_, None) => return Err(FrameError::NotAMessage("it has no 'payload'".into())),
        ("ROOM-ANSWER", Some(text)) => {
            MediaRequest::Answer(parse::<AnswerPayload<'_>>(text)?.sdp.into())
        }
        ("ROOM-CANDIDATE", Some(text)) => {
            MediaRequest::Candidate(parse::<CandidatePayload<'_>>(text)?.candidate.into())
        }
        (_, Some(text)) => {
            let ReceivePayload { peer, audio, video } = parse(text)?;
            let from = PeerId::new(&peer).map_err(FrameError::Receiver)?;
            MediaRequest::Receive { from, reception: Reception { audio, video: video.into() } }
        }
    })
}

/// Appends the payload of an offer.
pub(super) fn push_offer(
    stream: Option<&StreamName>,
    sdp: &str,
    streams: &[MediaStream],
    out: &mut String,
) {
    out.push_str(r#","payload":{"sdp":"#);
    push_string(sdp, out);
    push_stream(stream, out);
    out.push_str(r#","streams":{"#);
    list(streams, out, |MediaStream { id, peer, name }, out| {
        push_string(id, out);
        out.push(':');
        let Some(name) = name else { return push_string(peer.as_str(), out) };
        out.push_str(r#"{"peer":"#);
        push_string(peer.as_str(), out);
        out.push_str(r#","name":"#);
        push_string(name.as_str(), out);
        out.push('}');
    });
    out.push_str("}}");
}

/// Appends the member that tells which stream of the client's own a payload is about.
pub(super) fn push_stream(stream: Option<&StreamName>, out: &mut String) {
    if let Some(stream) = stream {
        out.push_str(r#","stream":"#);
        push_string(stream.as_str(), out);
    }
}
