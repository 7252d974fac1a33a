//! The server's own pages: information, status, health, metrics.

use std::sync::Arc;

use aws_lc_rs::constant_time;
use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde_json::{Value, json};

use super::upgrade::wants_web_socket;
use super::{ClientAddress, EXPRESS_JSON, Problem};
use crate::clock;
use crate::config::Secret;
use crate::edge::Edge;
use crate::transport::peerjs;

const STATUS_PAGE: &str = include_str!("status.html");

/// `GET {path}`: a `WebSocket`, the status page for browsers, `PeerServer`'s information for
/// everybody else.
pub(super) async fn root(
    State(edge): State<Arc<Edge>>,
    client: axum::Extension<ClientAddress>,
    query: axum::extract::RawQuery,
    request: Request,
) -> Result<Response, Problem> {
    if wants_web_socket(request.headers()) {
        return peerjs::web_socket(State(edge), client, query, request).await;
    }
    if edge.config.status_page && wants_html(request.headers()) {
        let security = [
            (
                header::CONTENT_SECURITY_POLICY,
                "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'",
            ),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        return Ok((security, Html(STATUS_PAGE)).into_response());
    }
    // To the letter what PeerServer answers: programs compare it.
    let information = Information {
        name: "PeerJS Server",
        description: "A server side element to broker connections between PeerJS clients.",
        website: "https://peerjs.com/",
    };
    Ok((EXPRESS_JSON, Json(information)).into_response())
}

#[derive(serde::Serialize)]
struct Information {
    name: &'static str,
    description: &'static str,
    website: &'static str,
}

fn wants_html(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

/// What the status page shows.
pub(super) async fn status(State(edge): State<Arc<Edge>>) -> Result<Json<Value>, Problem> {
    if !edge.config.status_page {
        return Err(Problem::plain(StatusCode::NOT_FOUND, "Not Found"));
    }
    Ok(Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": clock::now().duration_since(edge.started).as_secs(),
        "peers": edge.metrics.peers(),
        "sessions": edge.metrics.sessions(),
        "messages": edge.metrics.delivered(),
        "mail": edge.metrics.mail(),
        "allocations": edge.ice.as_ref().map(|_| edge.metrics.turn.allocations()),
        "path": edge.config.base_path(),
        "key": edge.apps.example_key(),
    })))
}

/// `GET /healthz`: 200 as long as the node answers.
pub(super) async fn health(State(edge): State<Arc<Edge>>) -> Result<&'static str, Problem> {
    edge.node.ping().await?;
    Ok("ok\n")
}

/// `GET /metrics`.
pub(super) async fn metrics(
    State(edge): State<Arc<Edge>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let config = &edge.config.metrics;
    if !config.enabled {
        return Err(Problem::plain(StatusCode::NOT_FOUND, "Not Found"));
    }
    if config.token.as_ref().is_some_and(|token| !bears(&headers, token)) {
        let message = "metrics want 'Authorization: Bearer <metrics.token>'".to_owned();
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "token", message));
    }
    let kind =
        HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind)], edge.metrics.render()).into_response())
}

pub(super) fn bears(headers: &HeaderMap, token: &Secret) -> bool {
    headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "))
        .is_some_and(|shown| {
            constant_time::verify_slices_are_equal(shown, token.expose().as_bytes()).is_ok()
        })
}
