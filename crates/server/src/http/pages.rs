//! The server's own pages: information, status, health, metrics.

use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::constant_time;
use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde_json::{Value, json};

use super::upgrade::wants_web_socket;
use super::{ClientAddress, EXPRESS_JSON, Problem, asked_host, assets};
use crate::clock;
use crate::config::Secret;
use crate::edge::Edge;
use crate::transport::peerjs;
use crate::udp::listen::local_addresses;

/// Nothing from elsewhere, nothing written into the page: what is not here does not run. Pictures of
/// `data:` are the QR code, those of `blob:` what came as a file.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

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
        let path = request.uri().path();
        if !path.ends_with('/') {
            // Else what the page names beside itself would be looked for above it.
            let last = path.rsplit('/').next().unwrap_or_default();
            return Ok(Redirect::temporary(&format!("{last}/")).into_response());
        }
        let security = [
            (header::CONTENT_SECURITY_POLICY, PAGE_POLICY),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "same-origin"),
            (header::CACHE_CONTROL, "no-cache"),
        ];
        return Ok((security, Html(assets::PAGE)).into_response());
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

/// What the page shows of the server.
pub(super) async fn status(
    State(edge): State<Arc<Edge>>,
    client: axum::Extension<ClientAddress>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
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
        "addresses": addresses_for(client.0, &edge, &headers),
    })))
}

/// Where a phone reaches this machine: told to its own user only, whose page is at an address that no
/// other device can open.
fn addresses_for(client: ClientAddress, edge: &Edge, headers: &HeaderMap) -> Vec<IpAddr> {
    let on_all = edge.config.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified());
    let host = asked_host(headers, edge.config.proxied);
    let asked_here = host == "localhost"
        || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if edge.config.proxied || !on_all || !asked_here || !client.0.to_canonical().is_loopback() {
        return Vec::new();
    }
    let mut addresses = local_addresses();
    addresses.retain(|ip| match ip {
        IpAddr::V4(ip) => !(ip.is_loopback() || ip.is_link_local() || ip.is_unspecified()),
        IpAddr::V6(_) => false,
    });
    addresses.truncate(4);
    addresses
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
