//! The members of payloads that JavaScript wrote, read as leniently as JavaScript reads them.

use serde_json::{Map, Value as Json};

use crate::peerjs::payload::{Kind, PayloadError};

/// The members of an object; anything else has none.
pub(crate) struct Members(Map<String, Json>);

impl Members {
    pub(crate) fn of(value: Json) -> Self {
        Self(if let Json::Object(members) = value { members } else { Map::new() })
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<Json> {
        self.0.get_mut(name).map(Json::take)
    }

    /// A text, or what a number looks like: `label: 5` is sent as it is.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        match self.take(name)? {
            Json::String(text) => Some(text),
            Json::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// A member of our own: there, and neither 0 nor false.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        self.take(name).is_some_and(|value| value == true || value.as_u64().is_some_and(|n| n > 0))
    }

    /// The SDP of a session description.
    pub(crate) fn description(&mut self, name: &'static str) -> Result<String, PayloadError> {
        let description = self.take(name).ok_or(PayloadError::Missing(name))?;
        Self::of(description).text("sdp").ok_or(PayloadError::Missing("sdp"))
    }

    /// What a connection carries.
    pub(crate) fn kind(&mut self, name: &'static str) -> Result<Kind, PayloadError> {
        match self.text(name).ok_or(PayloadError::Missing(name))?.as_str() {
            "data" => Ok(Kind::Data),
            "media" => Ok(Kind::Media),
            unknown => Err(PayloadError::Kind(unknown.chars().take(40).collect())),
        }
    }

    pub(crate) fn connection_id(&mut self) -> Result<String, PayloadError> {
        let id = self.text("connectionId").filter(|id| !id.is_empty());
        id.ok_or(PayloadError::Missing("connectionId"))
    }
}
