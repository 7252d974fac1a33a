//! `GET /v1/ice`: the `iceServers` for a page, with a fresh credential.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use peerway_protocol::{PeerId, Refusal};
use peerway_turn::Form;
use serde::Deserialize;

use super::{Problem, admit};
use crate::clock;
use crate::edge::{Edge, NoRelay};

/// What is asked for.
#[derive(Deserialize)]
pub(super) struct IceQuery {
    key: Option<String>,
    /// Only for apps that want signed ids.
    id: Option<String>,
    token: Option<String>,
    credential: Option<String>,
    /// `dot` for a user name without a colon.
    form: Option<String>,
}

/// The same keys, origins and signed ids as for signalling: who may not connect gets no relay.
pub(super) async fn ice(
    State(edge): State<Arc<Edge>>,
    Query(query): Query<IceQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Some(ice) = &edge.ice else {
        let message = "STUN and TURN are turned off (turn.enabled)".to_owned();
        return Err(Problem::new(StatusCode::NOT_FOUND, "turn_off", message));
    };
    let Some(key) = query.key else {
        let message = "give the app key: /v1/ice?key=peerjs".to_owned();
        return Err(Problem::new(StatusCode::BAD_REQUEST, "bad_request", message));
    };
    let app = admit(&edge, &key, &headers)?;
    edge.may_relay(&app).map_err(|why| no_relay(&edge, why))?;
    if app.wants_signed_ids() {
        let refuse = |refusal: Refusal| {
            edge.metrics.refused(&refusal);
            Problem::new(StatusCode::FORBIDDEN, refusal.name(), refusal.to_string())
        };
        let id = PeerId::new(query.id.as_deref().unwrap_or_default())
            .map_err(|error| refuse(Refusal::InvalidId(error)))?;
        let token = query.token.as_deref().unwrap_or_default();
        let credential = query.credential.as_deref();
        app.authenticate_with(&id, token, credential, clock::unix_now()).map_err(refuse)?;
    }
    let form = if query.form.as_deref() == Some("dot") { Form::Dot } else { Form::Colon };
    let servers = ice
        .servers(form, app.key.as_str(), &asked_host(&headers, edge.config.proxied))
        .ok_or_else(|| {
        let message = "there is no secret to sign with".to_owned();
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "no_secret", message)
    })?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(servers)).into_response())
}

fn no_relay(edge: &Edge, why: NoRelay) -> Problem {
    let (kind, message) = match why {
        NoRelay::Permission => ("turn_permission", "this key has no permission for TURN"),
        NoRelay::Quota => {
            ("turn_quota", "what TURN may relay for this key in this month is used up")
        }
    };
    edge.metrics.refused_for(kind);
    Problem::new(StatusCode::FORBIDDEN, kind, message.to_owned())
}

/// The host that the client asked, as it goes into URLs.
pub(crate) fn asked_host(headers: &HeaderMap, proxied: bool) -> String {
    let forwarded = headers.get("x-forwarded-host").filter(|_| proxied);
    let host = forwarded.or_else(|| headers.get(header::HOST));
    let authority = host.and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    authority.map_or_else(|| "localhost".to_owned(), |it| it.host().to_owned())
}
