//! Requests to the server: an id, the list of peers, ICE servers.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, HOST, LOCATION, ORIGIN};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use serde::Deserialize;

use super::failure::Problem;
use super::{Endpoint, Failure, dial};
use crate::transport::IceServer;

/// How long a request or handshake may take, from the name to the last byte.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// Longest answer: a list of 100 000 ids.
const LONGEST_BODY: usize = 4 * 1024 * 1024;
/// Longest id that a server may give.
const LONGEST_ID: usize = 256;

/// A fresh id of the server's choice.
pub(crate) async fn fresh_id(
    endpoint: &Endpoint,
    tls: &Arc<ClientConfig>,
    salt: &str,
) -> Result<String, Failure> {
    let body = get(endpoint, tls, &endpoint.id_target(salt)).await?;
    let id = std::str::from_utf8(&body).unwrap_or_default().trim();
    // A page where the id should be: somebody else's server.
    if id.is_empty() || id.len() > LONGEST_ID || id.contains(['<', '{', '\n']) {
        let cause = "it gives no id".to_owned();
        return Err(Failure::NotOurs { at: endpoint.url(), cause });
    }
    Ok(id.to_owned())
}

/// The ids of all peers of the app.
pub(crate) async fn peers(
    endpoint: &Endpoint,
    tls: &Arc<ClientConfig>,
    salt: &str,
) -> Result<Vec<String>, Failure> {
    let body = get(endpoint, tls, &endpoint.peers_target(salt)).await?;
    serde_json::from_slice(&body)
        .map_err(|error| Failure::NotOurs { at: endpoint.url(), cause: error.to_string() })
}

/// What a peerway server tells about STUN and TURN.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IceServers {
    pub(crate) ice_servers: Vec<IceServer>,
    /// Seconds that the credential is good for.
    pub(crate) ttl: Option<u64>,
}

/// STUN and TURN servers with a fresh credential; other servers than peerway have nothing to say.
pub(crate) async fn ice_servers(
    endpoint: &Endpoint,
    tls: &Arc<ClientConfig>,
    id: &str,
    token: &str,
) -> Result<IceServers, Failure> {
    let body = get(endpoint, tls, &endpoint.ice_target(id, token)).await?;
    serde_json::from_slice(&body)
        .map_err(|error| Failure::NotOurs { at: endpoint.url(), cause: error.to_string() })
}

async fn get(endpoint: &Endpoint, tls: &Arc<ClientConfig>, target: &str) -> Result<Bytes, Failure> {
    let answer = tokio::time::timeout(PATIENCE, exchange(endpoint, tls, target));
    answer.await.unwrap_or_else(|_| Err(Failure::NoAnswer { at: endpoint.url() }))
}

async fn exchange(
    endpoint: &Endpoint,
    tls: &Arc<ClientConfig>,
    target: &str,
) -> Result<Bytes, Failure> {
    let garbled = |error: &dyn std::fmt::Display| Failure::NotHttp {
        at: endpoint.url(),
        cause: error.to_string(),
        secure: endpoint.secure,
    };
    let mut request =
        Request::get(target).header(HOST, endpoint.authority()).header(CACHE_CONTROL, "no-cache");
    if let Some(origin) = &endpoint.origin {
        request = request.header(ORIGIN, origin);
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| garbled(&error))?;
    let io = dial::connect(endpoint, tls).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(io))
        .await
        .map_err(|error| garbled(&error))?;
    let answer = async {
        let response = sender.send_request(request).await?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, LONGEST_BODY).collect().await;
        Ok::<_, hyper::Error>((head, body))
    };
    // Side by side in this future, so that no task is left when it is dropped.
    let (mut answer, mut connection) = (pin!(answer), pin!(connection));
    let answer = tokio::select! {
        answer = &mut answer => answer,
        // What ends the connection also ends the request.
        _ = &mut connection => answer.await,
    };
    let (head, body) = answer.map_err(|error| garbled(&error))?;
    let body = body.map_err(|error| garbled(&error))?.to_bytes();
    if head.status == StatusCode::OK {
        return Ok(body);
    }
    let location = head.headers.get(LOCATION).and_then(|text| text.to_str().ok());
    Err(Failure::Status {
        at: endpoint.url(),
        status: head.status.as_u16(),
        problem: Problem::in_body(&body),
        location: location.map(str::to_owned),
    })
}
