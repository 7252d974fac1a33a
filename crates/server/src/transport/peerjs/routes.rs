//! The HTTP side of the `PeerJS` dialect: ids, lists, POSTs of 0.3, and the way into sessions.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use peerway_broker::{Channel, Open, PostRefused, Proof};
use peerway_protocol::peerjs::{self, ClientFrame, Handshake};
use peerway_protocol::{
    Dialect, Event, PeerAddress, PeerId, Refusal, Request as ClientRequest, SignalKind,
};
use peerway_turn::Form;
use serde_json::json;
use tokio::sync::Semaphore;

use super::socket::{Identity, SocketSession};
use super::stream::{LineBody, StreamSession, padding};
use crate::auth::App;
use crate::clock;
use crate::edge::{Edge, Place};
use crate::http::{
    ClientAddress, ClientIo, EXPRESS_JSON, Problem, accept_web_socket, admit, asked_host, origin_of,
};
use crate::metrics::Transport;
use crate::node::{NodeHandle, Post, Stopped};
use crate::outbox::{Ending, Outbox};

/// A POST may come a moment before the stream that was opened at the same time.
const POST_RETRY: Duration = Duration::from_millis(25);

/// How long a posted candidate waits. A browser sends its posts side by side, so candidates overtake the
/// description that they belong to; the 0.3 client that hears them first loses them ("No
/// remoteDescription"), and with all of them lost its connection never opens.
const CANDIDATE_WAIT: Duration = Duration::from_millis(300);

/// Candidates that may wait at a time, and how long they may be: 16 MiB in all. Others go at once.
const WAITING_CANDIDATES: usize = 4096;
const WAITING_LENGTH: usize = 4096;

static WAITING: Semaphore = Semaphore::const_new(WAITING_CANDIDATES);

/// The routes below the path prefix, but for the prefix itself.
pub(crate) fn router() -> Router<Arc<Edge>> {
    Router::new()
        .route("/peerjs", get(web_socket))
        .route("/{key}/id", get(new_id))
        .route("/{key}/peers", get(peers))
        .route("/active/list/{key}", get(active_list))
        .route("/active/count/{key}", get(active_count))
        .route("/{key}/{id}/{token}/id", post(stream))
        .route("/{key}/{id}/{token}/{kind}", post(message))
}

/// `GET {path}{key}/id`: a fresh id as bare text. The SkyWay fork asks with `id=`, even when its
/// user gave an id, and takes whatever comes back as its own.
async fn new_id(
    State(edge): State<Arc<Edge>>,
    Path(key): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let app = admit(&edge, &key, &headers)?;
    let fresh = || PeerId::from_random(clock::random());
    match peerjs::wanted_id(query.as_deref().unwrap_or_default()) {
        None => Ok(([(header::CONTENT_TYPE, "text/html; charset=utf-8")], fresh().to_string())
            .into_response()),
        Some(wanted) => {
            let id = if wanted.is_empty() { Ok(fresh()) } else { PeerId::new(&wanted) };
            let id = id.map_err(|error| {
                let refusal = Refusal::InvalidId(error);
                Problem::new(StatusCode::BAD_REQUEST, refusal.name(), refusal.to_string())
            })?;
            // Where ids must be signed, this question shows nothing that would earn a credential.
            let ice = edge
                .ice
                .as_ref()
                .filter(|_| !app.wants_signed_ids() && edge.may_relay(&app).is_ok());
            let credential = ice.and_then(|ice| ice.peer_password(app.key.as_str(), id.as_str()));
            let answer = peerjs::IdAnswer { id: id.to_string(), credential };
            Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response())
        }
    }
}

/// `GET {path}{key}/peers`, what `listAllPeers` of everybody but the SkyWay fork calls.
async fn peers(
    State(edge): State<Arc<Edge>>,
    Path(key): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let app = admit(&edge, &key, &headers)?;
    Ok((EXPRESS_JSON, Json(list_peers(&edge, &app).await?)).into_response())
}

/// `GET {path}active/list/{key}`, what the SkyWay fork calls for `listAllPeers`.
async fn active_list(
    state: State<Arc<Edge>>,
    key: Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    peers(state, key, headers).await
}

/// `GET {path}active/count/{key}`.
async fn active_count(
    State(edge): State<Arc<Edge>>,
    Path(key): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let app = admit(&edge, &key, &headers)?;
    let count = list_peers(&edge, &app).await?.len();
    let body = format!(
        r#"{{"name":"active_session","count":{count},"api_key":{}}}"#,
        json!(app.key.as_str())
    );
    Ok((EXPRESS_JSON, body).into_response())
}

/// The ids of an app's peers, if its clients may list them.
pub(crate) async fn list_peers(edge: &Edge, app: &App) -> Result<Vec<String>, Problem> {
    if !app.allow_discovery {
        edge.metrics.refused_for("discovery");
        return Err(Problem::plain(StatusCode::UNAUTHORIZED, "Unauthorized"));
    }
    let ids = edge.node.list(app.key.clone()).await?;
    Ok(ids.iter().map(PeerId::to_string).collect())
}

/// Who a POST speaks for.
fn caller(
    edge: &Edge,
    key: &str,
    id: &str,
    token: &str,
    headers: &HeaderMap,
) -> Result<(PeerAddress, Proof), Problem> {
    let app = admit(edge, key, headers)?;
    let denied = |refusal: Refusal| {
        edge.metrics.refused(&refusal);
        Problem::new(StatusCode::UNAUTHORIZED, refusal.name(), refusal.to_string())
    };
    let id = PeerId::new(id).map_err(|error| denied(Refusal::InvalidId(error)))?;
    let proof = app.authenticate(&id, token, clock::unix_now()).map_err(denied)?;
    Ok((app.address(id), proof))
}

/// `POST {path}{key}/{id}/{token}/{type}`: a message of a 0.3 client whose socket is not open.
async fn message(
    State(edge): State<Arc<Edge>>,
    Path((key, id, token, _kind)): Path<(String, String, String, String)>,
    headers: HeaderMap,
    body: String,
) -> Result<Response, Problem> {
    let received = clock::now();
    let (address, proof) = caller(&edge, &key, &id, &token, &headers)?;
    let request = match peerjs::decode(&body) {
        Ok(ClientFrame::Request(request)) => request,
        Ok(ClientFrame::Heartbeat | ClientFrame::Pong | ClientFrame::Ignored) => {
            return Ok("OK".into_response());
        }
        Err(error) => {
            let refusal = Refusal::from(error);
            edge.metrics.refused(&refusal);
            let text = refusal.to_string();
            return Err(Problem::new(StatusCode::BAD_REQUEST, refusal.name(), text));
        }
    };
    let post = || Post { address: address.clone(), proof, request: request.clone(), received };
    if is_candidate(&request)
        && body.len() <= WAITING_LENGTH
        && let Ok(place) = WAITING.try_acquire()
    {
        // The answer does not wait: a browser has six POSTs under way at most, and the description
        // may be the next. Nobody looks at it; the 0.3 client does not.
        let (node, mut post) = (edge.node.clone(), post());
        tokio::spawn(async move {
            tokio::time::sleep(CANDIDATE_WAIT).await;
            // The wait is no latency of the relay.
            post.received = clock::now();
            match node.post(post).await {
                Ok(Ok(())) => {}
                Ok(Err(refused)) => tracing::debug!(?refused, "a candidate that waited"),
                Err(_) => tracing::debug!("a candidate came as the server stopped"),
            }
            drop(place);
        });
        return Ok("OK".into_response());
    }
    let mut answer = edge.node.post(post()).await?;
    if answer == Err(PostRefused::UnknownPeer) {
        tokio::time::sleep(POST_RETRY).await;
        answer = edge.node.post(post()).await?;
    }
    match answer {
        Ok(()) => Ok("OK".into_response()),
        Err(PostRefused::UnknownPeer) => Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "unknown_peer",
            format!("no session of {} is open: open the stream first", address.peer),
        )),
        Err(PostRefused::WrongProof) => Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "token",
            "the token is not that of the open session".to_owned(),
        )),
    }
}

fn is_candidate(request: &ClientRequest) -> bool {
    matches!(request, ClientRequest::Send { signal, .. } if signal.kind == SignalKind::Candidate)
}

/// `POST {path}{key}/{id}/{token}/id?i=N`: the stream of a 0.3 client.
async fn stream(
    State(edge): State<Arc<Edge>>,
    Extension(client): Extension<ClientAddress>,
    Path((key, id, token)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    // The refusals of the old server: the client ignores them and hears the reason on its socket.
    let refused = || line_response(Body::from(r#"{"type":"HTTP-ERROR"}"#));
    let Ok((address, proof)) = caller(&edge, &key, &id, &token, &headers) else {
        return Ok(refused());
    };
    let limit = edge.config.limits.sessions_per_address;
    let Some(place) = edge.sessions.enter(client.0, limit) else {
        edge.metrics.refused(&Refusal::AddressFull(client.0.to_string()));
        return Ok(refused());
    };
    let session = edge.node.next_session();
    let outbox = edge.outboxes.open();
    let me = address.peer.clone();
    let (channel, dialect) = (Channel::Stream, Dialect::PeerJs);
    let open = Open { session, address, proof, channel, dialect };
    let opening = Opening::new(edge.node.clone(), open, outbox.clone()).await?;

    let mut first = padding();
    match outbox.next().await {
        Ok(Event::Refused(Refusal::IdTaken)) => {
            first.push_str(r#"{"type":"HTTP-ERROR"}"#);
            return Ok(line_response(Body::from(first)));
        }
        Ok(event @ Event::Opened) => {
            peerjs::encode(&event, &me, &mut first);
            first.push('\n');
        }
        Ok(Event::Resumed) => {}
        Ok(_) | Err(_) => return Ok(refused()),
    }
    opening.succeeded();
    let (lines, body) = LineBody::new();
    let stream = StreamSession { edge: edge.clone(), session, me, outbox, lines };
    edge.tasks.clone().spawn(async move {
        let _place = place;
        edge.metrics.session_opened(Transport::Xhr);
        let peer = stream.me.clone();
        tracing::debug!(%peer, "stream opened");
        let reason = stream.run(first).await;
        edge.metrics.session_closed(Transport::Xhr, reason);
        tracing::debug!(%peer, reason, "stream closed");
    });
    Ok(line_response(Body::new(body)))
}

fn line_response(body: Body) -> Response {
    // nginx buffers answers unless told otherwise, and a buffered stream tells nobody anything.
    ([(header::CONTENT_TYPE, "application/octet-stream")], [("x-accel-buffering", "no")], body)
        .into_response()
}

/// A session that is being opened for an HTTP request, which may be dropped at any `await` when
/// its client goes away: then the session must not stay.
struct Opening {
    node: NodeHandle,
    session: Option<peerway_broker::SessionId>,
}

impl Opening {
    async fn new(node: NodeHandle, open: Open, outbox: Arc<Outbox>) -> Result<Self, Stopped> {
        let opening = Self { node: node.clone(), session: Some(open.session) };
        node.open(open, outbox).await?;
        Ok(opening)
    }

    fn succeeded(mut self) {
        self.session = None;
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            let node = self.node.clone();
            tokio::spawn(async move { node.closed(session, false).await });
        }
    }
}

/// The `WebSocket` endpoint, `{path}peerjs` and `{path}`.
pub(crate) async fn web_socket(
    State(edge): State<Arc<Edge>>,
    Extension(client): Extension<ClientAddress>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response, Problem> {
    if request.method() != Method::GET {
        return Err(Problem::plain(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed"));
    }
    let handshake = Handshake::from_query(query.as_deref().unwrap_or_default());
    // Boxed: what is needed once is not kept in the future of the session.
    let admitted = admit_socket(&edge, &handshake, origin_of(request.headers()).as_deref());
    let greeting = match &admitted {
        Ok(_) if handshake.ice => Some(greeting(&edge, &handshake.key, request.headers())),
        _ => None,
    };
    let versioned = handshake.version.is_some();
    let knock = Box::new(Knock { client, admitted, versioned, greeting });
    accept_web_socket(request.headers(), move |io, early| async move {
        let metrics = edge.metrics.clone();
        let (mut session, _place) = Box::pin(begin(edge, knock, io, early)).await;
        metrics.session_opened(Transport::WebSocket);
        let reason = session.run().await;
        metrics.session_closed(Transport::WebSocket, reason);
        tracing::debug!(reason, "socket closed");
    })
}

/// A handshake as far as it can be judged before it is answered.
struct Knock {
    client: ClientAddress,
    admitted: Result<(PeerAddress, Proof), Refusal>,
    versioned: bool,
    greeting: Option<Box<str>>,
}

/// OPEN with what `GET /v1/ice` would answer, or with no servers at all: who was let in has shown
/// all that it asks for.
fn greeting(edge: &Edge, key: &str, headers: &HeaderMap) -> Box<str> {
    let app = edge.apps.find(key).filter(|app| edge.may_relay(app).is_ok());
    let host = asked_host(headers, edge.config.proxied);
    let servers = app.zip(edge.ice.as_ref()).and_then(|(app, ice)| {
        let servers = ice.servers(Form::Colon, app.key.as_str(), &host)?;
        serde_json::to_string(&servers).ok()
    });
    peerjs::open_with(servers.as_deref().unwrap_or(r#"{"iceServers":[]}"#)).into_boxed_str()
}

/// A session whose peer is being opened, or that only tells why it is not.
async fn begin(
    edge: Arc<Edge>,
    knock: Box<Knock>,
    io: ClientIo,
    early: Vec<u8>,
) -> (SocketSession, Option<Place>) {
    let Knock { client, admitted, versioned, greeting } = *knock;
    let place = edge.sessions.enter(client.0, edge.config.limits.sessions_per_address);
    let admitted = match &place {
        Some(_) => admitted,
        None => Err(Refusal::AddressFull(client.0.to_string())),
    };
    let outbox = edge.outboxes.open();
    let session = edge.node.next_session();
    let me = match admitted {
        Ok((address, proof)) => {
            let me = address.peer.clone();
            tracing::debug!(%address, "socket opened");
            let (channel, dialect) = (Channel::Socket, Dialect::PeerJs);
            let open = Open { session, address, proof, channel, dialect };
            if edge.node.open(open, outbox.clone()).await.is_err() {
                outbox.end(Ending::Shutdown);
            }
            me
        }
        Err(refusal) => {
            edge.metrics.refused(&refusal);
            tracing::debug!(%refusal, "socket refused");
            outbox.refuse(refusal);
            PeerId::from_random([0; 16])
        }
    };
    let identity = Identity { session, me, versioned, greeting };
    (SocketSession::new(edge, identity, io, early, outbox), place)
}

fn admit_socket(
    edge: &Edge,
    handshake: &Handshake,
    origin: Option<&str>,
) -> Result<(PeerAddress, Proof), Refusal> {
    if !handshake.is_complete() {
        return Err(Refusal::Incomplete);
    }
    let app = edge.apps.find(&handshake.key).ok_or(Refusal::UnknownKey)?;
    app.admits_origin(origin)?;
    let id = PeerId::new(&handshake.id).map_err(Refusal::InvalidId)?;
    let unix = clock::unix_now();
    let credential = handshake.credential.as_deref();
    let proof = app.authenticate_with(&id, &handshake.token, credential, unix)?;
    app.count_session(unix)?;
    Ok((app.address(id), proof))
}
