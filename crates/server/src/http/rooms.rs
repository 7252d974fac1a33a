//! `GET /v1/rooms`: the rooms of this node, who is in them and how their media are.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use peerway_protocol::{PeerId, RoomAddress};
use serde::Serialize;

use super::Problem;
use super::pages::bears;
use crate::edge::Edge;
use crate::sfu::MemberReport;

#[derive(Serialize)]
struct Rooms {
    rooms: Vec<Room>,
}

#[derive(Serialize)]
struct Room {
    app: String,
    name: String,
    mode: &'static str,
    members: Vec<String>,
    /// Of those members whose media are forwarded.
    media: Vec<MemberReport>,
}

/// For operators: names of rooms and peers are nobody else's business, so there must be a token.
pub(super) async fn rooms(
    State(edge): State<Arc<Edge>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Some(token) = &edge.config.metrics.token else {
        let message =
            "rooms and peers are told only to those who bear metrics.token, which is not set";
        return Err(Problem::new(StatusCode::FORBIDDEN, "no_token", message.to_owned()));
    };
    if !bears(&headers, token) {
        let message = "rooms are told for 'Authorization: Bearer <metrics.token>'".to_owned();
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "token", message));
    }
    let hosted = edge.node.rooms().await?;
    let mut media: BTreeMap<RoomAddress, Vec<MemberReport>> = BTreeMap::new();
    if let Some(sfu) = &edge.sfu {
        for report in sfu.reports().await {
            media.entry(report.room.clone()).or_default().push(report);
        }
    }
    let rooms = hosted.into_iter().map(|room| Room {
        app: room.address.app.to_string(),
        name: room.address.room.to_string(),
        mode: room.mode.name(),
        members: room.members.iter().map(PeerId::to_string).collect(),
        media: media.remove(&room.address).unwrap_or_default(),
    });
    let body = Json(Rooms { rooms: rooms.collect() });
    Ok(([(header::CACHE_CONTROL, "no-store")], body).into_response())
}
