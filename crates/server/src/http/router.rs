//! All routes of the server.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::{Problem, assets, cors, ice, pages, rooms};
use crate::edge::Edge;
use crate::transport::{peerjs, skyway};

/// The address at the other end of the TCP connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct PeerAddress(pub(super) IpAddr);

/// The client's address: that of the connection, or what the proxy says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

/// All routes; those of `socketio` have deadlines of their own.
pub(crate) fn router(edge: Arc<Edge>, socketio: Router<Arc<Edge>>) -> Router {
    let base = edge.config.base_path();
    let body_limit = edge.config.limits.frame_size.0;
    let mut router = Router::new()
        .route("/healthz", get(pages::health))
        .route("/metrics", get(pages::metrics))
        .route("/v1/ice", get(ice::ice))
        .route("/v1/rooms", get(rooms::rooms))
        .route(&base, get(pages::root))
        .route(&format!("{base}status.json"), get(pages::status))
        .merge(assets::router(edge.config.status_page));
    router = match base.trim_end_matches('/') {
        "" => router.merge(peerjs::router()),
        prefix => {
            let below = peerjs::router().merge(assets::router(edge.config.status_page));
            router.route(prefix, get(pages::root)).merge(Router::new().nest(prefix, below))
        }
    };
    router
        .merge(skyway::router())
        .fallback(not_found)
        .layer(DefaultBodyLimit::max(body_limit))
        .layer(middleware::from_fn_with_state(edge.clone(), deadline))
        .merge(socketio)
        .layer(middleware::from_fn_with_state(edge.clone(), client_address))
        .layer(middleware::from_fn_with_state(edge.clone(), cors::cors))
        .with_state(edge)
}

async fn not_found(State(edge): State<Arc<Edge>>, request: Request) -> Problem {
    let base = edge.config.base_path();
    let path = request.uri().path().to_owned();
    tracing::debug!(path, "no such path");
    let message = format!(
        "no such path here: {path}. PeerJS clients need the option path: '{base}', which gives the \
         WebSocket endpoint {base}peerjs and {base}<key>/id"
    );
    Problem::new(StatusCode::NOT_FOUND, "not_found", message)
}

/// A request that does not come to its end in time, say because its body is never sent, is given
/// up. Streams are not meant: their answer begins at once.
async fn deadline(State(edge): State<Arc<Edge>>, request: Request, next: Next) -> Response {
    let limit = edge.config.limits.handshake_timeout.0;
    if let Ok(response) = tokio::time::timeout(limit, next.run(request)).await {
        return response;
    }
    edge.metrics.refused_for("request_timeout");
    let message = "the request was not complete in time".to_owned();
    Problem::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", message).into_response()
}

async fn client_address(
    State(edge): State<Arc<Edge>>,
    mut request: Request,
    next: Next,
) -> Response {
    let direct = request.extensions().get::<PeerAddress>().map(|it| it.0);
    let told = edge
        .config
        .proxied
        .then(|| forwarded_for(request.headers(), edge.config.proxy_hops))
        .flatten();
    let address = told.or(direct).unwrap_or(IpAddr::from([0, 0, 0, 0]));
    request.extensions_mut().insert(ClientAddress(address));
    next.run(request).await
}

/// The address that the outermost trusted proxy saw. Each proxy appends what it saw, so the entry
/// is counted from the end; what stands before it anybody could have written.
fn forwarded_for(headers: &HeaderMap, hops: usize) -> Option<IpAddr> {
    let entries: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    let index = entries.len().saturating_sub(hops.max(1));
    entries.get(index)?.trim().parse().ok()
}

/// The origin of the calling page: browsers leave `Origin` out of same-origin GETs, where
/// `Referer` still tells it.
pub(crate) fn origin_of(headers: &HeaderMap) -> Option<String> {
    let text = |name| headers.get(name)?.to_str().ok();
    if let Some(origin) = text(header::ORIGIN) {
        return Some(origin.to_owned());
    }
    let referer = text(header::REFERER)?;
    let (scheme, rest) = referer.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    Some(format!("{scheme}://{authority}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_entry_of_the_trusted_proxy_counts() {
        let spoofed =
            headers(&[("x-forwarded-for", "1.1.1.1, 2.2.2.2"), ("x-forwarded-for", "3.3.3.3")]);
        assert_eq!(forwarded_for(&spoofed, 1), "3.3.3.3".parse().ok());
        assert_eq!(forwarded_for(&spoofed, 2), "2.2.2.2".parse().ok());
        assert_eq!(forwarded_for(&spoofed, 9), "1.1.1.1".parse().ok());
        assert_eq!(forwarded_for(&HeaderMap::new(), 1), None);
    }

    #[test]
    fn the_origin_comes_from_origin_or_else_from_referer() {
        let both = headers(&[("origin", "https://a.example"), ("referer", "https://b.example/x")]);
        assert_eq!(origin_of(&both).as_deref(), Some("https://a.example"));
        let referer = headers(&[("referer", "https://b.example:8/x?y")]);
        assert_eq!(origin_of(&referer).as_deref(), Some("https://b.example:8"));
        assert_eq!(origin_of(&HeaderMap::new()), None);
    }
}
