//! Errors as HTTP answers: a JSON body that says what is wrong.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::node::Stopped;

/// `{"error":{"type":"unknown_key","message":"Invalid key provided"}}`, or the bare text where
/// `PeerServer` answers with one.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Json { kind: &'static str, message: String },
    Plain(&'static str),
}

#[derive(Serialize)]
struct Wrapped {
    error: Told,
}

#[derive(Serialize)]
struct Told {
    #[serde(rename = "type")]
    kind: &'static str,
    message: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, kind: &'static str, message: String) -> Self {
        Self { status, body: Body::Json { kind, message } }
    }

    pub(crate) fn plain(status: StatusCode, text: &'static str) -> Self {
        Self { status, body: Body::Plain(text) }
    }
}

impl From<Stopped> for Problem {
    fn from(stopped: Stopped) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", stopped.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        match self.body {
            Body::Json { kind, message } => {
                (self.status, Json(Wrapped { error: Told { kind, message } })).into_response()
            }
            Body::Plain(text) => (self.status, text).into_response(),
        }
    }
}
