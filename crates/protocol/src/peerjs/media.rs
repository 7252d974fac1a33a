//! The frames of rooms that concern media: `docs/reference/room-frames.md`.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::rooms::{list, parse};
use super::server::FrameError;
use crate::object::push_string;
use crate::{MediaProfile, MediaRequest, PeerId, Reception, VideoWish};

#[derive(Deserialize, Default)]
struct OfferPayload {
    #[serde(default)]
    simulcast: bool,
    #[serde(default)]
    data: bool,
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
pub(super) fn decode(kind: &str, payload: Option<&RawValue>) -> Result<MediaRequest, FrameError> {
    let text = payload.map(RawValue::get);
    Ok(match (kind, text) {
        ("ROOM-GET-OFFER", text) => {
            let OfferPayload { simulcast, data } = parse(text.unwrap_or("{}"))?;
            MediaRequest::Offer(MediaProfile { two_lines: false, simulcast, data })
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
pub(super) fn push_offer(sdp: &str, streams: &[(Arc<str>, PeerId)], out: &mut String) {
    out.push_str(r#","payload":{"sdp":"#);
    push_string(sdp, out);
    out.push_str(r#","streams":{"#);
    list(streams, out, |(stream, peer), out| {
        push_string(stream, out);
        out.push(':');
        push_string(peer.as_str(), out);
    });
    out.push_str("}}");
}
