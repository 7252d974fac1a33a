//! What two clients say to each other: the payloads of OFFER, ANSWER and CANDIDATE.
//!
//! Reading is liberal, for JavaScript writes whatever an application passed: members of another
//! type than expected count as absent, unknown ones are ignored, and of repeated ones the last one
//! counts. Written is what 1.5 writes, in its order of members.

use serde::{Serialize, Serializer};
use serde_json::Value as Json;
use thiserror::Error;

use crate::data::Generation;
use crate::members::Members;

/// What a connection carries: `type` on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A `DataConnection`.
    Data,
    /// A `MediaConnection`.
    Media,
}

/// Why a payload cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PayloadError {
    /// A member without which there is nothing to do is not there, or of a wrong type.
    #[error("the payload has no usable '{0}'")]
    Missing(&'static str),
    /// A `type` that this version does not know. `PeerJS` ignores these.
    #[error("the payload's 'type' is unknown: {0}")]
    Kind(String),
}

/// The payload of OFFER: somebody wants to connect.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// The session description, as `RTCSessionDescription.sdp` has it.
    pub sdp: String,
    /// What to connect.
    pub kind: Kind,
    /// Names the connection in all messages about it, by convention `dc_…` or `mc_…`.
    pub connection_id: String,
    /// Whatever the caller gave as `metadata`. `Some(Json::Null)` is a `null` that was sent.
    pub metadata: Option<Json>,
    /// Name of the data connection; `PeerJS` takes the connection id if there is none.
    pub label: Option<String>,
    /// What the caller gave as `reliable`. Up to 1.4.7 it says nothing about the channel.
    pub reliable: Option<bool>,
    /// The wire name of the serialization; see [`crate::data::Serialization`].
    pub serialization: Option<String>,
    /// The caller's browser, sent up to 1.4.7.
    pub browser: Option<String>,
    /// The caller is one of our SDKs, which understand more than `PeerJS` (member `peerway`: 1).
    pub peerway: bool,
    /// An ICE restart of a connection that exists, between two of our SDKs: `PeerJS` would begin
    /// anew.
    pub restart: bool,
}

/// The payload of ANSWER: the callee accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The session description, as `RTCSessionDescription.sdp` has it.
    pub sdp: String,
    /// What is connected.
    pub kind: Kind,
    /// The connection id of the offer.
    pub connection_id: String,
    /// The callee's browser, sent up to 1.4.7.
    pub browser: Option<String>,
    /// The callee is one of our SDKs (member `peerway`: 1).
    pub peerway: bool,
}

/// The payload of CANDIDATE: a way to reach the sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// `candidate:…` (RFC 8839); empty where the sender has no more of them.
    pub candidate: String,
    /// The media section's `mid`. Absent up to 1.0.1.
    pub sdp_mid: Option<String>,
    /// The media section's index.
    pub sdp_m_line_index: Option<u16>,
    /// The ICE user fragment that it belongs to. Absent in old browsers.
    pub username_fragment: Option<String>,
    /// What is being connected.
    pub kind: Kind,
    /// The connection id of the offer.
    pub connection_id: String,
}

impl Offer {
    /// Reads a payload.
    pub fn from_json(payload: Json) -> Result<Self, PayloadError> {
        let mut payload = Members::of(payload);
        Ok(Self {
            sdp: payload.description("sdp")?,
            kind: payload.kind("type")?,
            connection_id: payload.connection_id()?,
            metadata: payload.take("metadata"),
            label: payload.text("label"),
            reliable: payload.take("reliable").and_then(|value| value.as_bool()),
            serialization: payload.text("serialization"),
            browser: payload.text("browser"),
            peerway: payload.flag("peerway"),
            restart: payload.flag("restart"),
        })
    }

    /// Which generation of clients the caller belongs to.
    pub fn generation(&self) -> Generation {
        // We say a browser for the sake of old readers.
        if self.peerway { Generation::Modern } else { Generation::of(self.browser.as_deref()) }
    }
}

impl Answer {
    /// Reads a payload.
    pub fn from_json(payload: Json) -> Result<Self, PayloadError> {
        let mut payload = Members::of(payload);
        Ok(Self {
            sdp: payload.description("sdp")?,
            kind: payload.kind("type")?,
            connection_id: payload.connection_id()?,
            browser: payload.text("browser"),
            peerway: payload.flag("peerway"),
        })
    }

    /// Which generation of clients the callee belongs to.
    pub fn generation(&self) -> Generation {
        // We say a browser for the sake of old readers.
        if self.peerway { Generation::Modern } else { Generation::of(self.browser.as_deref()) }
    }
}

impl Candidate {
    /// Reads a payload.
    pub fn from_json(payload: Json) -> Result<Self, PayloadError> {
        let mut payload = Members::of(payload);
        let (kind, connection_id) = (payload.kind("type")?, payload.connection_id()?);
        // G3 and G10 send any candidate object, and at the end of candidates null.
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
        })
    }
}

#[derive(Serialize)]
struct Description<'a> {
    sdp: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
}

impl Serialize for Offer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Wire<'a> {
            sdp: Description<'a>,
            #[serde(rename = "type")]
            kind: Kind,
            connection_id: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            metadata: Option<&'a Json>,
            #[serde(skip_serializing_if = "Option::is_none")]
            browser: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            label: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            reliable: Option<bool>,
            #[serde(skip_serializing_if = "Option::is_none")]
            serialization: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            peerway: Option<u8>,
            #[serde(skip_serializing_if = "Option::is_none")]
            restart: Option<bool>,
        }

        let wire = Wire {
            sdp: Description { sdp: &self.sdp, kind: "offer" },
            kind: self.kind,
            connection_id: &self.connection_id,
            metadata: self.metadata.as_ref(),
            browser: self.browser.as_deref(),
            label: self.label.as_deref(),
            reliable: self.reliable,
            serialization: self.serialization.as_deref(),
            peerway: self.peerway.then_some(1),
            restart: self.restart.then_some(true),
        };
        wire.serialize(serializer)
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Wire<'a> {
            sdp: Description<'a>,
            #[serde(rename = "type")]
            kind: Kind,
            connection_id: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            browser: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            peerway: Option<u8>,
        }

        let wire = Wire {
            sdp: Description { sdp: &self.sdp, kind: "answer" },
            kind: self.kind,
            connection_id: &self.connection_id,
            browser: self.browser.as_deref(),
            peerway: self.peerway.then_some(1),
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
            #[serde(rename = "type")]
            kind: Kind,
            connection_id: &'a str,
        }

        /// As browsers write an `RTCIceCandidate`, with nulls where nothing is known.
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
            kind: self.kind,
            connection_id: &self.connection_id,
        };
        wire.serialize(serializer)
    }
}
