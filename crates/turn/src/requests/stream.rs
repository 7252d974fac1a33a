//! TCP connections to peers (RFC 6062).
//!
//! ```text
//!  client                        server                        peer
//!    | Connect ------------------> |  (Command::Connect) ------> |
//!    | <--- CONNECTION-ID 7 ------ |  <--- connected ----------- |
//!    |                             |                             |
//!    | a second connection: ConnectionBind 7 (Command::Bind)     |
//!    | <========================= bytes =======================> |
//! ```
//! A peer that connects by itself is told to the client by `ConnectionAttempt` with the id.

use std::net::SocketAddr;
use std::sync::Arc;

use stun_types::attribute::ErrorCode;
use stun_types::message::TransactionId;
use turn_types::attribute::ConnectionId as ConnectionIdAttribute;
use turn_types::message::CONNECTION_ATTEMPT;

use super::permission::peer;
use super::{Authenticated, Refused};
use crate::address::{Now, Transport};
use crate::allocation::{ClientId, Connection, RelayId};
use crate::answer::Answer;
use crate::report::{Refusal, Report};
use crate::server::{Bind, Command, ConnectError, ConnectionId, Protocol, Server};

pub(super) fn connect(server: &mut Server, asked: &Authenticated<'_>) -> Result<(), Refused> {
    let id = asked.client(server)?;
    if server.clients[id.0].protocol != Protocol::Tcp {
        return Err(Refusal::BadRequest.into());
    }
    let peer = peer(server, id, asked)?;
    if server.shared.settings.policy.judge_stream(peer).is_err() {
        return Err(Refusal::ForbiddenPeer.into());
    }
    let client = &mut server.clients[id.0];
    match client.connections.get(&peer) {
        // The request again: the answer is on its way.
        Some(Connection::Pending(request)) if *request == asked.request => return Ok(()),
        Some(_) => {
            let code = ErrorCode::CONNECTION_ALREADY_EXISTS;
            return Err(Refused::with_code(Refusal::PeerConnection, code));
        }
        None => {}
    }
    let relay = client.relay(crate::Family::of(peer.ip())).ok_or(Refusal::AddressFamily)?;
    client.connect(peer, Connection::Pending(asked.request)).map_err(|_| Refusal::Capacity)?;
    server.commands.push_back(Command::Connect { client: id, relay, peer });
    Ok(())
}

pub(crate) fn connected(
    server: &mut Server,
    id: ClientId,
    peer: SocketAddr,
    result: Result<(), ConnectError>,
) -> Option<(ConnectionId, Arc<str>)> {
    let client = server.clients.get_mut(id.0)?;
    let Some(Connection::Pending(request)) = client.connections.get(&peer) else { return None };
    let request = *request;
    client.connections.remove(&peer);
    let (to, app) = (client.address, client.user.app);
    let key = client.user.key.clone();
    if result.is_ok() {
        let connection = server.shared.connection_id();
        client.connections.insert(peer, Connection::Open(connection));
        let bytes = Answer::success(request).connection(connection.0).finish(Some(&key));
        server.commands.push_back(Command::Reply { to, bytes });
        return Some((connection, client.user.name.clone()));
    }
    let code = ErrorCode::CONNECTION_TIMEOUT_OR_FAILURE;
    let bytes = Answer::error(request, code).finish(Some(&key));
    let reason = Refusal::PeerConnection;
    server.count(Some(app), reason);
    let app = Some(server.shared.apps[app].clone());
    server.commands.push_back(Command::Reply { to, bytes });
    server.commands.push_back(Command::Report(Report::Refused { app, client: to, reason }));
    None
}

pub(crate) fn incoming(
    server: &mut Server,
    relay: RelayId,
    peer: SocketAddr,
    now: Now,
) -> Option<(ConnectionId, Arc<str>)> {
    let at = server.relay_at(relay).filter(|relay| relay.expires > now.instant)?;
    let id = at.client;
    let client = &mut server.clients[id.0];
    let app = client.user.app;
    // Whoever waits for that very connection is answered by `connected`.
    if client.connections.contains_key(&peer) {
        server.count(Some(app), Refusal::PeerConnection);
        return None;
    }
    if client.permitted(peer.ip().to_canonical(), now.instant).is_none() {
        server.count(Some(app), Refusal::NoPermission);
        return None;
    }
    let connection = server.shared.connection_id();
    if client.connect(peer, Connection::Open(connection)).is_err() {
        server.count(Some(app), Refusal::Capacity);
        return None;
    }
    // Indications are not answered, so their ids need only differ.
    let transaction = TransactionId::from(u128::from(connection.0));
    let bytes = Answer::indication(CONNECTION_ATTEMPT, transaction)
        .connection(connection.0)
        .peer(peer)
        .finish(None);
    server.commands.push_back(Command::Reply { to: client.address, bytes });
    Some((connection, client.user.name.clone()))
}

pub(super) fn bind(server: &mut Server, asked: Authenticated<'_>) -> Result<(), Refused> {
    let attribute = asked.attribute::<ConnectionIdAttribute>()?.ok_or(Refusal::BadRequest)?;
    if asked.from.transport == Transport::Udp || server.by_address.contains_key(&asked.from) {
        return Err(Refusal::BadRequest.into());
    }
    let connection = ConnectionId(attribute.id());
    let Authenticated { from, request, user, .. } = asked;
    let bind = Bind::new(&server.shared, connection, user, from, request);
    server.commands.push_back(Command::Bind(bind));
    Ok(())
}

pub(crate) fn bound(server: &mut Server, bind: Bind, found: bool) {
    let (to, request, key, app) = bind.into_parts();
    let answer = if found {
        Answer::success(request)
    } else {
        server.count(Some(app), Refusal::BadRequest);
        Answer::error(request, ErrorCode::BAD_REQUEST)
    };
    let bytes = answer.finish(Some(&key));
    server.commands.push_back(Command::Reply { to, bytes });
}
