//! What SkyWay clients ask by HTTP: where the server is, and who is there (sections 1.1 and 3 of the
//! dialect's page). These paths are fixed, whatever `path` says.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use peerway_protocol::PeerId;
use serde_json::json;

use crate::edge::Edge;
use crate::http::{Problem, admit, asked_host};
use crate::transport::peerjs::list_peers;

/// The routes.
pub(crate) fn router() -> Router<Arc<Edge>> {
    let turn = Arc::new(AtomicUsize::new(0));
    let signaling = move |State(edge): State<Arc<Edge>>, headers: HeaderMap| {
        let turn = turn.fetch_add(1, Ordering::Relaxed);
        async move { dispatch(&edge, &headers, turn) }
    };
    Router::new()
        .route("/signaling", get(signaling))
        .route("/api/apikeys/{key}/clients/", get(clients))
        .route("/api/apikeys/{key}/peers/{id}/exists", get(exists))
}

/// `GET /signaling`, where every client without the options `host` and `port` begins. One whose
/// connection was lost asks again, up to ten times at once, until it hears another name.
fn dispatch(edge: &Edge, headers: &HeaderMap, turn: usize) -> Response {
    let domains = &edge.config.skyway.domains;
    let domain = match domains.len() {
        0 => asked_host(headers, edge.config.proxied),
        count => domains[turn % count].clone(),
    };
    let headers = [(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"), (header::CACHE_CONTROL, "no-store")];
    (headers, Json(json!({ "domain": domain }))).into_response()
}

/// `listAllPeers`: 401 is told to the application as `list-error`.
async fn clients(
    State(edge): State<Arc<Edge>>,
    Path(key): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let app = admit(&edge, &key, &headers)?;
    Ok(Json(list_peers(&edge, &app).await?).into_response())
}

/// `fetchPeerExists` of 4.2 and later.
async fn exists(
    State(edge): State<Arc<Edge>>,
    Path((key, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let app = admit(&edge, &key, &headers)?;
    let ids = edge.node.list(app.key.clone()).await?;
    let exists = PeerId::new(&id).is_ok_and(|id| ids.contains(&id));
    Ok(Json(json!({ "exists": exists })).into_response())
}
