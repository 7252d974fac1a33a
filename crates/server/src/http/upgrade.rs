//! From an HTTP request to a bare connection that speaks `WebSocket` (RFC 6455, section 4.2).

use std::future::Future;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper_util::rt::TokioIo;
use tungstenite::handshake::derive_accept_key;

use super::{ClientIo, Problem};

/// Whether a request wants to become a `WebSocket`.
pub(super) fn wants_web_socket(headers: &HeaderMap) -> bool {
    has_token(headers, &header::UPGRADE, "websocket")
}

/// A connection with the bytes that came behind its handshake.
pub(crate) type Upgraded = (ClientIo, Vec<u8>);

/// The answer to a handshake, and the connection once the answer is sent, or
/// `None` if it broke.
pub(crate) fn accept_web_socket(
    mut request: Request,
) -> Result<(Response, impl Future<Output = Option<Upgraded>>), Problem> {
    let headers = request.headers();
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

    let upgrade = hyper::upgrade::on(&mut request);
    let response = (
        StatusCode::SWITCHING_PROTOCOLS,
        [
            (header::CONNECTION, HeaderValue::from_static("Upgrade")),
            (header::UPGRADE, HeaderValue::from_static("websocket")),
            (header::SEC_WEBSOCKET_ACCEPT, accept),
        ],
        Body::empty(),
    )
        .into_response();
    let upgraded = async move {
        let parts = upgrade.await.ok()?.downcast::<TokioIo<ClientIo>>().ok()?;
        Some((parts.io.into_inner(), parts.read_buf.to_vec()))
    };
    Ok((response, upgraded))
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
