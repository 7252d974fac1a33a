//! The requests at `/socket.io/`, and Engine.IO's own errors.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Extension, Json, Router};
use peerway_protocol::Refusal;
use peerway_protocol::engineio::{self, Kind, Packet, Query};
use peerway_protocol::socketio::Outgoing;
use serde_json::json;

use super::core::poll_packets;
use super::hub::{Hub, Sid};
use super::polling::{BodyForm, Polling, PostError, Unserved};
use super::{Application, Handshake, socket};
use crate::clock;
use crate::edge::Edge;
use crate::http::{ClientAddress, accept_web_socket, origin_of};
use crate::metrics::Transport;

/// Where clients of this transport look for it; they cannot be told another path.
const PATH: &str = "/socket.io/";

/// Whether a path is of this transport.
pub(crate) fn is_path(path: &str) -> bool {
    path.trim_end_matches('/') == PATH.trim_end_matches('/')
}

/// The routes, which must not be under a deadline: a poll waits as long as it takes. Must be called
/// inside a tokio runtime.
pub(crate) fn router<A: Application>(edge: Arc<Edge>, application: A) -> Router<Arc<Edge>> {
    let hub = Hub::new(edge, application);
    Router::new()
        .route(PATH, any(serve::<A>))
        .route(PATH.trim_end_matches('/'), any(serve::<A>))
        .with_state(hub)
}

/// An error as engine.io 3 answers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    UnknownTransport,
    UnknownSession,
    BadMethod,
    BadRequest,
    Version,
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let (code, message) = match self {
            Self::UnknownTransport => (0, "Transport unknown"),
            Self::UnknownSession => (1, "Session ID unknown"),
            Self::BadMethod => (2, "Bad handshake method"),
            Self::BadRequest => (3, "Bad request"),
            Self::Version => (5, "Unsupported protocol version"),
        };
        (StatusCode::BAD_REQUEST, Json(json!({ "code": code, "message": message }))).into_response()
    }
}

/// A bad request, in words that help.
fn bad_request(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "code": 3, "message": message }))).into_response()
}

async fn serve<A: Application>(
    State(hub): State<Arc<Hub<A>>>,
    Extension(client): Extension<ClientAddress>,
    RawQuery(raw): RawQuery,
    request: Request,
) -> Response {
    if request.method() == Method::OPTIONS {
        return StatusCode::NO_CONTENT.into_response();
    }
    let raw = raw.unwrap_or_default();
    let query = Query::parse(&raw);
    if query.script.is_some() {
        let message = "JSONP is not served: use polling by XMLHttpRequest, or a WebSocket";
        return bad_request(StatusCode::BAD_REQUEST, message);
    }
    if query.session.is_none() && query.version != engineio::PROTOCOL {
        return Fault::Version.into_response();
    }
    let result = match query.transport.as_str() {
        "polling" => poll(hub, client, raw, query, request).await,
        "websocket" => web_socket(hub, client, raw, &query, &request),
        _ => Err(Fault::UnknownTransport),
    };
    result.unwrap_or_else(IntoResponse::into_response)
}

fn handshake(client: ClientAddress, query: String, headers: &HeaderMap) -> Handshake {
    let text = |name: HeaderName| Some(headers.get(name)?.to_str().ok()?.to_owned());
    Handshake {
        query,
        origin: origin_of(headers),
        host: text(header::HOST),
        user_agent: text(header::USER_AGENT),
        address: client.0,
    }
}

/// Too many sessions of one address.
fn full(edge: &Edge, client: ClientAddress) -> Response {
    let refusal = Refusal::AddressFull(client.0.to_string());
    edge.metrics.refused(&refusal);
    bad_request(StatusCode::SERVICE_UNAVAILABLE, &refusal.to_string())
}

async fn poll<A: Application>(
    hub: Arc<Hub<A>>,
    client: ClientAddress,
    raw: String,
    query: Query,
    request: Request,
) -> Result<Response, Fault> {
    let Some(sid) = &query.session else {
        if request.method() != Method::GET {
            return Err(Fault::BadMethod);
        }
        let Some(place) = hub.enter(client.0) else { return Ok(full(&hub.edge, client)) };
        let handshake = handshake(client, raw, request.headers());
        // The application is not to be dropped half-way, should the client hang up.
        let open = tokio::spawn(async move {
            let core = hub.open(handshake, place, Transport::Polling).await;
            let sid = Sid::from_random(clock::random());
            let text = hub.open_text(sid, &["websocket"]);
            hub.insert(Polling::new(sid, core, !query.base64, clock::now()));
            let mut packets = vec![Packet::text(Kind::Open, text)];
            poll_packets(Outgoing::connect(), &mut packets);
            engineio::encode_body(&packets, false)
        });
        let Ok(engineio::Body::Text(body)) = open.await else { return Err(Fault::BadRequest) };
        return Ok(answer(BodyForm::Text, body.into()));
    };
    let session = Sid::parse(sid).and_then(|sid| hub.find(sid)).ok_or(Fault::UnknownSession)?;
    match *request.method() {
        Method::GET => match session.poll().await {
            Ok(packets) => {
                let (form, body) = packets.encode();
                Ok(answer(form, Body::new(body)))
            }
            Err(unserved) => unserved_answer(unserved),
        },
        Method::POST => {
            let form = body_form(request.headers());
            let limit = match form {
                BodyForm::Bytes => hub.payload_size(),
                // Base64 has four characters for three bytes.
                BodyForm::Text => hub.payload_size().div_ceil(3).saturating_mul(4),
            };
            let pause = hub.edge.config.limits.handshake_timeout.0;
            let body = request.into_body();
            match session.post(body, form, &hub.budget, limit, pause).await {
                // What engine.io says.
                Ok(()) => Ok(([(header::CONTENT_TYPE, "text/html")], "ok").into_response()),
                Err(PostError::Unserved(unserved)) => unserved_answer(unserved),
                Err(PostError::Lost) => {
                    Ok(bad_request(StatusCode::REQUEST_TIMEOUT, "the body did not come whole"))
                }
                Err(PostError::Refused(refusal)) => {
                    let status = match refusal {
                        Refusal::FrameTooBig(_) => StatusCode::PAYLOAD_TOO_LARGE,
                        Refusal::TooManyMessages(_) => StatusCode::TOO_MANY_REQUESTS,
                        _ => StatusCode::BAD_REQUEST,
                    };
                    Ok(bad_request(status, &refusal.to_string()))
                }
            }
        }
        _ => Err(Fault::BadRequest),
    }
}

fn unserved_answer(unserved: Unserved) -> Result<Response, Fault> {
    match unserved {
        Unserved::Gone => Err(Fault::UnknownSession),
        Unserved::Doubled => {
            let message = "another request of this session is under way: the session ends";
            Ok(bad_request(StatusCode::INTERNAL_SERVER_ERROR, message))
        }
    }
}

fn body_form(headers: &HeaderMap) -> BodyForm {
    let binary = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|it| it.as_bytes().starts_with(b"application/octet-stream"));
    if binary { BodyForm::Bytes } else { BodyForm::Text }
}

fn answer(form: BodyForm, body: Body) -> Response {
    let kind = match form {
        BodyForm::Text => "text/plain; charset=UTF-8",
        BodyForm::Bytes => "application/octet-stream",
    };
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")];
    (headers, body).into_response()
}

fn web_socket<A: Application>(
    hub: Arc<Hub<A>>,
    client: ClientAddress,
    raw: String,
    query: &Query,
    request: &Request,
) -> Result<Response, Fault> {
    let (method, headers) = (request.method(), request.headers());
    if method != Method::GET {
        return Err(if query.session.is_none() { Fault::BadMethod } else { Fault::BadRequest });
    }
    let takes_binary = !query.base64;
    let response = if let Some(sid) = &query.session {
        let polling = Sid::parse(sid).and_then(|sid| hub.find(sid)).ok_or(Fault::UnknownSession)?;
        accept_web_socket(headers, move |io, early| {
            socket::serve_upgrade(hub, polling, takes_binary, io, early)
        })
    } else {
        let Some(place) = hub.enter(client.0) else { return Ok(full(&hub.edge, client)) };
        let handshake = Box::new(handshake(client, raw, headers));
        accept_web_socket(headers, move |io, early| {
            socket::serve_new(hub, handshake, place, takes_binary, io, early)
        })
    };
    Ok(response.unwrap_or_else(IntoResponse::into_response))
}
