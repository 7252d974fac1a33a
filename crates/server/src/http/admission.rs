//! Who may ask: the key and the origin of a request.

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode};
use peerway_protocol::Refusal;

use super::{Problem, origin_of};
use crate::auth::App;
use crate::edge::Edge;

/// The app of a key in a URL, if the caller's page may use it.
pub(crate) fn admit(edge: &Edge, key: &str, headers: &HeaderMap) -> Result<Arc<App>, Problem> {
    let refuse = |refusal: Refusal, status| {
        edge.metrics.refused(&refusal);
        Problem::new(status, refusal.name(), refusal.to_string())
    };
    let app =
        edge.apps.find(key).ok_or_else(|| refuse(Refusal::UnknownKey, StatusCode::UNAUTHORIZED))?;
    app.admits_origin(origin_of(headers).as_deref())
        .map_err(|refusal| refuse(refusal, StatusCode::FORBIDDEN))?;
    Ok(app)
}
