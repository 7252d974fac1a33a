//! What two clients say to each other: OFFER, ANSWER and CANDIDATE, where they must be understood to
//! be translated. Between clients of this dialect they pass untouched.

use serde::{Serialize, Serializer};
use serde_json::Value as Json;

use crate::members::Members;
use crate::peerjs::payload::{Kind, PayloadError};

/// `SEND_OFFER`, and `OFFER` but for its `src`.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// The session description, as `RTCSessionDescription.sdp` has it.
    pub sdp: String,
    /// What to connect.
    pub kind: Kind,
    /// Names the connection in all messages about it, by convention `dc_…` or `mc_…`.
    pub connection_id: String,
    /// Whatever the caller gave as `metadata`.
    pub metadata: Option<Json>,
    /// Name of the data connection; the connection id if there is none.
    pub label: Option<String>,
    /// `binary` (also if absent), `binary-utf8`, `json` or `none`.
    pub serialization: Option<String>,
    /// The `RTCDataChannelInit` that the caller gave.
    pub dc_init: Option<Json>,
    /// The mesh room that the offer belongs to.
    pub room_name: Option<Json>,
}

/// `SEND_ANSWER`, and `ANSWER` but for its `src`.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The session description.
    pub sdp: String,
    /// What is connected.
    pub kind: Kind,
    /// The connection id of the offer.
    pub connection_id: String,
    /// The mesh room that the answer belongs to.
    pub room_name: Option<Json>,
}

/// `SEND_CANDIDATE`, and `CANDIDATE` but for its `src`.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// `candidate:…` (RFC 8839); empty where the sender has no more of them.
    pub candidate: String,
    /// The media section's `mid`.
    pub sdp_mid: Option<String>,
    /// The media section's index.
    pub sdp_m_line_index: Option<u16>,
    /// The ICE user fragment that it belongs to.
    pub username_fragment: Option<String>,
    /// What is being connected.
    pub kind: Kind,
    /// The connection id of the offer.
    pub connection_id: String,
    /// The mesh room that the connection belongs to.
    pub room_name: Option<Json>,
}

impl Offer {
    /// Reads a payload.
    pub fn from_json(payload: Json) -> Result<Self, PayloadError> {
        let mut payload = Members::of(payload);
        Ok(Self {
            sdp: payload.description("offer")?,
            kind: payload.kind("connectionType")?,
            connection_id: payload.connection_id()?,
            metadata: payload.take("metadata"),
            label: payload.text("label"),
            serialization: payload.text("serialization"),
            dc_init: payload.take("dcInit"),
            room_name: payload.take("roomName"),
        })
    }

    /// Whether the channel loses and mixes up nothing.
    pub fn is_reliable(&self) -> bool {
        let Some(Json::Object(init)) = &self.dc_init else { return true };
        init.get("ordered") != Some(&Json::Bool(false))
            && ["maxRetransmits", "maxPacketLifeTime"]
                .iter()
                .all(|name| init.get(*name).is_none_or(Json::is_null))
    }
}

impl Answer {
    /// Reads a payload.
    pub fn from_json(payload: Json) -> Result<Self, PayloadError> {
        let mut payload = Members::of(payload);
        Ok(Self {
            sdp: payload.description("answer")?,
            kind: payload.kind("connectionType")?,
            connection_id: payload.connection_id()?,
            room_name: payload.take("roomName"),
        })
    }
}

impl Candidate {
    /// Reads a payload.
    pub fn from_json(payload: Json) -> Result<Self, PayloadError> {
        let mut payload = Members::of(payload);
        let (kind, connection_id) = (payload.kind("connectionType")?, payload.connection_id()?);
        let inner = payload.take("candidate").ok_or(PayloadError::Missing("candidate"))?;
        let mut inner = Members::of(inner);
        let index = inner.take("sdpMLineIndex").and_then(|value| value.as_u64());
        Ok(Self {
            candidate: inner.text("candidate").unwrap_or_default(),
            sdp_mid: inner.text("sdpMid"),
            sdp_m_line_index: index.and_then(|index| index.try_into().ok()),
            username_fragment: inner.text("usernameFragment"),
            kind,
            connection_id,
            room_name: payload.take("roomName"),
        })
    }
}

#[derive(Serialize)]
struct Description<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    sdp: &'a str,
}

impl Serialize for Offer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Wire<'a> {
            offer: Description<'a>,
            connection_id: &'a str,
            connection_type: Kind,
            #[serde(skip_serializing_if = "Option::is_none")]
            metadata: Option<&'a Json>,
            #[serde(skip_serializing_if = "Option::is_none")]
            serialization: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            label: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            dc_init: Option<&'a Json>,
            #[serde(skip_serializing_if = "Option::is_none")]
            room_name: Option<&'a Json>,
        }

        let wire = Wire {
            offer: Description { kind: "offer", sdp: &self.sdp },
            connection_id: &self.connection_id,
            connection_type: self.kind,
            metadata: self.metadata.as_ref(),
            serialization: self.serialization.as_deref(),
            label: self.label.as_deref(),
            dc_init: self.dc_init.as_ref(),
            room_name: self.room_name.as_ref(),
        };
        wire.serialize(serializer)
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Wire<'a> {
            answer: Description<'a>,
            connection_id: &'a str,
            connection_type: Kind,
            #[serde(skip_serializing_if = "Option::is_none")]
            room_name: Option<&'a Json>,
        }

        let wire = Wire {
            answer: Description { kind: "answer", sdp: &self.sdp },
            connection_id: &self.connection_id,
            connection_type: self.kind,
            room_name: self.room_name.as_ref(),
        };
        wire.serialize(serializer)
    }
}

impl Serialize for Candidate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Wire<'a> {
            candidate: Inner<'a>,
            connection_id: &'a str,
            connection_type: Kind,
            #[serde(skip_serializing_if = "Option::is_none")]
            room_name: Option<&'a Json>,
        }

        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Inner<'a> {
            candidate: &'a str,
            sdp_mid: Option<&'a str>,
            #[serde(rename = "sdpMLineIndex")]
            sdp_m_line_index: Option<u16>,
            #[serde(skip_serializing_if = "Option::is_none")]
            username_fragment: Option<&'a str>,
        }

        let wire = Wire {
            candidate: Inner {
                candidate: &self.candidate,
                sdp_mid: self.sdp_mid.as_deref(),
                sdp_m_line_index: self.sdp_m_line_index,
                username_fragment: self.username_fragment.as_deref(),
            },
            connection_id: &self.connection_id,
            connection_type: self.kind,
            room_name: self.room_name.as_ref(),
        };
        wire.serialize(serializer)
    }
}
