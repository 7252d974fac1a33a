//! From an HTTP request to a bare connection that speaks `WebSocket` (RFC 6455, section 4.2).

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tungstenite::handshake::derive_accept_key;

use super::{ClientIo, Problem};

/// What goes on with a connection once the answer to its handshake is sent: it is given the
/// connection and the bytes that came behind the request.
type Session =
    Box<dyn FnOnce(ClientIo, Vec<u8>) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// The way of a session from its handler to the task of its connection, as an extension of the
/// response. The same task goes on with it, which saves a client one task and one wake-up.
#[derive(Clone)]
pub(super) struct Upgrade(Arc<Mutex<Option<Session>>>);

impl Upgrade {
    pub(super) fn take(&self) -> Option<Session> {
        self.0.lock().ok()?.take()
    }
}

/// Whether a request wants to become a `WebSocket`.
pub(super) fn wants_web_socket(headers: &HeaderMap) -> bool {
    has_token(headers, &header::UPGRADE, "websocket")
}

/// The answer to a handshake, after which `session` has the connection.
pub(crate) fn accept_web_socket<F>(
    headers: &HeaderMap,
    session: impl FnOnce(ClientIo, Vec<u8>) -> F + Send + 'static,
) -> Result<Response, Problem>
where
    F: Future<Output = ()> + Send + 'static,
{
    if !wants_web_socket(headers) || !has_token(headers, &header::CONNECTION, "upgrade") {
        let message = "this is a WebSocket endpoint; for server information ask without /peerjs";
        return Err(bad_handshake(StatusCode::UPGRADE_REQUIRED, message));
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(bad_handshake(StatusCode::BAD_REQUEST, "Sec-WebSocket-Version must be 13"));
    }
    let Some(key) = headers.get(header::SEC_WEBSOCKET_KEY) else {
        return Err(bad_handshake(StatusCode::BAD_REQUEST, "Sec-WebSocket-Key is missing"));
    };
    let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes()))
        .map_err(|_| bad_handshake(StatusCode::BAD_REQUEST, "Sec-WebSocket-Key is malformed"))?;
    let headers = [
        (header::CONNECTION, HeaderValue::from_static("Upgrade")),
        (header::UPGRADE, HeaderValue::from_static("websocket")),
        (header::SEC_WEBSOCKET_ACCEPT, accept),
    ];
    let session: Session = Box::new(|io, early| Box::pin(session(io, early)));
    let upgrade = Upgrade(Arc::new(Mutex::new(Some(session))));
    let response = (StatusCode::SWITCHING_PROTOCOLS, headers, Body::empty());
    Ok((axum::Extension(upgrade), response).into_response())
}

fn bad_handshake(status: StatusCode, message: &str) -> Problem {
    Problem::new(status, "websocket_handshake", message.to_owned())
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().eq_ignore_ascii_case(token))
}
