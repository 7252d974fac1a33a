//! The server: who is a client, what is relayed where, what is to be done.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use slab::Slab;
use stun_types::message::{IntegrityKey, Message, MessageClass};

use crate::address::{Family, FiveTuple, Now, Transport};
use crate::allocation::{Client, ClientId, Connection, Relay, RelayId, User};
use crate::answer::{Answer, Request, code_of};
use crate::payload::{Envelope, Kind, LONGEST_PAYLOAD, classify, frame_length};
use crate::policy::Ports;
use crate::report::{CloseReason, Counts, Owner, Refusal, Report};
use crate::requests::{self, Refused, Verdict};
use crate::shared::Shared;

/// How often expired allocations are looked for; what has expired is not used in between.
const SWEEP: Duration = Duration::from_secs(1);

/// The longest request that is read: one for all permissions that a client may have. Whoever wants
/// a signature checked over more wants our time.
const LONGEST_REQUEST: usize = 8 * 1024;

/// What an allocation relays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Datagrams.
    Udp,
    /// TCP connections (RFC 6062).
    Tcp,
}

/// Which relay port an allocation wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// Any.
    Any,
    /// An even one.
    Even {
        /// With the next one kept for whoever shows the token.
        reserve: bool,
    },
    /// The one that was kept under this token.
    Reserved(u64),
}

/// What the driver is to do.
#[derive(Debug)]
pub enum Command {
    /// Send to a client.
    Reply {
        /// The client.
        to: FiveTuple,
        /// A STUN message.
        bytes: Vec<u8>,
    },
    /// Open sockets to relay from, then call [`Server::handle_opened`].
    Open {
        /// For whom.
        client: ClientId,
        /// The address that the client reached the server on.
        server: SocketAddr,
        /// One relayed address of each.
        families: Vec<Family>,
        /// For datagrams or connections.
        protocol: Protocol,
        /// On which port.
        port: Port,
    },
    /// Close the socket of a relayed address, and its connections.
    Close(RelayId),
    /// Connect to a peer from a relayed address, then call [`Server::handle_connected`].
    Connect {
        /// For whom.
        client: ClientId,
        /// From which relayed address.
        relay: RelayId,
        /// Where to.
        peer: SocketAddr,
    },
    /// Join the connection that this came on with the one to the peer, then call
    /// [`Server::handle_bound`].
    Bind(Bind),
    /// Tell the world.
    Report(Report),
}

/// A `ConnectionBind` request (RFC 6062 section 4.3) with a right credential.
#[derive(Debug)]
pub struct Bind {
    /// Which connection to a peer.
    pub connection: ConnectionId,
    /// Whose it must be.
    pub user: Arc<str>,
    /// The user's app, or `other`.
    pub app: Arc<str>,
    from: FiveTuple,
    request: Request,
    key: IntegrityKey,
    app_index: usize,
}

/// A TCP connection between the server and a peer (RFC 6062 section 6.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u32);

/// A payload on its way from a client to a peer.
#[derive(Debug, PartialEq, Eq)]
pub struct ToPeer<'a> {
    /// The relayed address to send from.
    pub relay: RelayId,
    /// Where to.
    pub peer: SocketAddr,
    /// A part of what the client sent.
    pub payload: &'a [u8],
}

/// What a payload from a peer needs on its way to the client.
#[derive(Debug, PartialEq, Eq)]
pub struct ToClient {
    /// The client.
    pub to: FiveTuple,
    /// What goes around the payload.
    pub envelope: Envelope,
}

/// The sockets of an allocation.
#[derive(Debug)]
pub struct Opened {
    /// The relayed addresses as clients and peers know them, in the order of the families asked for.
    pub relays: Vec<Result<SocketAddr, OpenError>>,
    /// Under which the next port is kept.
    pub token: Option<u64>,
}

/// Why there is no socket to relay from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenError {
    /// No address of this family (440).
    Family,
    /// No port is free, or the reservation is not (508).
    Capacity,
}

/// Why there is no connection to a peer (447).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectError;

/// See the module documentation.
#[derive(Debug)]
pub struct Server {
    pub(crate) shared: Arc<Shared>,
    pub(crate) by_address: HashMap<FiveTuple, ClientId>,
    pub(crate) clients: Slab<Client>,
    /// `None` is one that is closed and whose [`Command::Close`] the driver has not heard yet: its
    /// id must not be given to another meanwhile.
    pub(crate) relays: Slab<Option<Relay>>,
    pub(crate) commands: VecDeque<Command>,
    counts: Vec<Counts>,
    next_sweep: Option<Instant>,
    indications: u64,
}

impl Server {
    /// A server without clients.
    pub fn new(shared: Arc<Shared>) -> Self {
        let counts = shared.apps.iter().cloned().map(Counts::new).collect();
        Self {
            shared,
            by_address: HashMap::new(),
            clients: Slab::new(),
            relays: Slab::new(),
            commands: VecDeque::new(),
            counts,
            next_sweep: None,
            indications: 0,
        }
    }

    /// What a client sent: one datagram, or one frame of a stream ([`crate::frame_length`]). A
    /// payload comes back at once, everything else as commands.
    pub fn handle_client<'a>(
        &mut self,
        from: &FiveTuple,
        data: &'a [u8],
        now: Now,
    ) -> Option<ToPeer<'a>> {
        match classify(data) {
            Kind::Channel { number, payload } => {
                let id = self.client_at(from)?;
                let Some((peer, ports)) = self.clients[id.0].peer_of(number, now.instant) else {
                    self.drop_payload(id, Refusal::NoPermission);
                    return None;
                };
                self.relay(id, peer, ports, payload, now)
            }
            Kind::Send { peer, payload } => {
                let id = self.client_at(from)?;
                let ports = self.clients[id.0].permitted(peer.ip().to_canonical(), now.instant);
                let Some(ports) = ports else {
                    self.drop_payload(id, Refusal::NoPermission);
                    return None;
                };
                self.relay(id, peer, ports, payload, now)
            }
            Kind::Stun => {
                self.handle_stun(from, data, now);
                None
            }
            Kind::Noise => {
                self.count(None, Refusal::Noise);
                None
            }
        }
    }

    /// The client of a payload; payloads of nobody are counted.
    fn client_at(&mut self, from: &FiveTuple) -> Option<ClientId> {
        let id = self.by_address.get(from).copied();
        if id.is_none() {
            self.count(None, Refusal::Noise);
        }
        id
    }

    fn relay<'a>(
        &mut self,
        id: ClientId,
        peer: SocketAddr,
        ports: Ports,
        payload: &'a [u8],
        now: Now,
    ) -> Option<ToPeer<'a>> {
        // A relay of ours that was there when the permission was given may be gone, and its port be
        // somebody else's.
        if peer.port() == 0 || (ports == Ports::Some && self.shared.judge(peer).is_err()) {
            self.drop_payload(id, Refusal::ForbiddenPeer);
            return None;
        }
        let client = &mut self.clients[id.0];
        let relay = client.relay(Family::of(peer.ip()))?;
        let at = self.relays.get(relay.0)?.as_ref()?;
        if at.expires <= now.instant || client.protocol == Protocol::Tcp {
            return None;
        }
        if !client.up.admit(self.shared.settings.bandwidth, payload.len(), now.instant) {
            self.drop_payload(id, Refusal::Bandwidth);
            return None;
        }
        client.traffic.to_peer.add(payload.len());
        self.counts[client.user.app].traffic.to_peer.add(payload.len());
        Some(ToPeer { relay, peer, payload })
    }

    /// A peer sent a datagram of this length to a relayed address.
    pub fn handle_peer(
        &mut self,
        relay: RelayId,
        peer: SocketAddr,
        length: usize,
        now: Now,
    ) -> Option<ToClient> {
        let at = self.relays.get(relay.0)?.as_ref()?;
        let id = at.client;
        let client = &mut self.clients[id.0];
        let permitted = client.permitted(peer.ip().to_canonical(), now.instant).is_some();
        if !permitted || at.expires <= now.instant || length > LONGEST_PAYLOAD {
            self.drop_payload(id, Refusal::NoPermission);
            return None;
        }
        if !client.down.admit(self.shared.settings.bandwidth, length, now.instant) {
            self.drop_payload(id, Refusal::Bandwidth);
            return None;
        }
        client.traffic.to_client.add(length);
        self.counts[client.user.app].traffic.to_client.add(length);
        let size = u16::try_from(length).ok()?;
        let envelope = if let Some(number) = client.channel_to(peer, now.instant) {
            Envelope::channel(number, size, client.address.transport != Transport::Udp)
        } else {
            self.indications += 1;
            let mut transaction = [0; 12];
            transaction[4..].copy_from_slice(&self.indications.to_be_bytes());
            Envelope::indication(peer, size, transaction)
        };
        Some(ToClient { to: client.address, envelope })
    }

    fn handle_stun(&mut self, from: &FiveTuple, data: &[u8], now: Now) {
        // The library reads attributes behind the end that the header tells, and panics in debug
        // builds when a signature is near the end of 64 KiB.
        let readable = data.len() <= LONGEST_REQUEST && frame_length(data) == Ok(Some(data.len()));
        let Some(message) = readable.then(|| Message::from_bytes(data).ok()).flatten() else {
            self.count(None, Refusal::Noise);
            return;
        };
        if message.class() != MessageClass::Request {
            self.count(None, Refusal::Noise);
            return;
        }
        if let Verdict::Refused(refused) = requests::handle(self, from, &message, now) {
            self.refuse(from, &message, &refused, now);
        }
    }

    fn refuse(&mut self, from: &FiveTuple, message: &Message<'_>, refused: &Refused, now: Now) {
        let Refused { refusal, code, by } = refused;
        let app = by.as_ref().map(|(_, app)| *app);
        self.count(app, *refusal);
        if by.is_none() && !self.may_answer(from, now) {
            return;
        }
        let mut answer = Answer::error(Request::of(message), code.unwrap_or(code_of(*refusal)));
        match refusal {
            Refusal::Challenge | Refusal::Credentials | Refusal::Expired | Refusal::StaleNonce => {
                let nonce = self.shared.nonces.issue(from.client.ip(), now.unix);
                answer = answer.challenge(&self.shared.settings.realm, &nonce);
            }
            Refusal::UnknownAttribute => {
                answer = answer.unknown(&requests::unknown_attributes(message));
            }
            Refusal::Draining => {
                if let Some(server) = self.shared.alternate(Family::of(from.server.ip())) {
                    answer = answer.alternate(server);
                }
            }
            _ => {}
        }
        let bytes = answer.finish(by.as_ref().map(|(key, _)| key));
        self.commands.push_back(Command::Reply { to: *from, bytes });
        // How every client begins is nothing to tell.
        if *refusal != Refusal::Challenge {
            let app = app.map(|app| self.shared.apps[app].clone());
            let report = Report::Refused { app, client: *from, reason: *refusal };
            self.commands.push_back(Command::Report(report));
        }
    }

    /// Whether an answer that needs no credential may be given; counts those that may not.
    pub(crate) fn may_answer(&mut self, from: &FiveTuple, now: Now) -> bool {
        let admitted = self.shared.answers.admit(from.client.ip(), now.instant);
        if !admitted {
            self.count(None, Refusal::AnswerRate);
        }
        admitted
    }

    /// What is to be done, oldest first; after every `handle_*` until it is `None`.
    pub fn next_command(&mut self) -> Option<Command> {
        let command = self.commands.pop_front();
        if let Some(Command::Close(relay)) = command {
            self.relays.remove(relay.0);
        }
        command
    }

    /// The sockets that [`Command::Open`] asked for are there, or not. The ids of those that are
    /// used, in the same order.
    pub fn handle_opened(
        &mut self,
        id: ClientId,
        opened: Opened,
        now: Now,
    ) -> Vec<Option<RelayId>> {
        requests::allocate::opened(self, id, opened, now)
    }

    /// The connection that [`Command::Connect`] asked for is there, or not. Its id, and the user
    /// that may bind it.
    pub fn handle_connected(
        &mut self,
        id: ClientId,
        peer: SocketAddr,
        result: Result<(), ConnectError>,
    ) -> Option<(ConnectionId, Arc<str>)> {
        requests::stream::connected(self, id, peer, result)
    }

    /// A peer has connected to a relayed address; `None` if it has no permission to.
    pub fn handle_incoming(
        &mut self,
        relay: RelayId,
        peer: SocketAddr,
        now: Now,
    ) -> Option<(ConnectionId, Arc<str>)> {
        requests::stream::incoming(self, relay, peer, now)
    }

    /// A connection to a peer has ended.
    pub fn handle_disconnected_peer(&mut self, id: ClientId, connection: ConnectionId) {
        let Some(client) = self.clients.get_mut(id.0) else { return };
        client
            .connections
            .retain(|_, known| !matches!(known, Connection::Open(it) if *it == connection));
    }

    /// The connections of [`Command::Bind`] can be joined, or not. Tells the client.
    pub fn handle_bound(&mut self, bind: Bind, found: bool) {
        requests::stream::bound(self, bind, found);
    }

    /// The stream to a client has ended.
    pub fn handle_disconnected(&mut self, from: &FiveTuple, now: Now) {
        if let Some(id) = self.by_address.get(from) {
            self.close(*id, CloseReason::Disconnected, now);
        }
    }

    /// Ends all allocations.
    pub fn stop(&mut self, now: Now) {
        for id in self.all_clients() {
            self.close(id, CloseReason::Stopped, now);
        }
    }

    /// When to call [`Server::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next_sweep
    }

    /// Ends what has expired.
    pub fn handle_timeout(&mut self, now: Now) {
        if self.next_sweep.is_none_or(|at| at > now.instant) {
            return;
        }
        for id in self.all_clients() {
            self.clients[id.0].forget_expired(now.instant);
            self.expire(id, now);
        }
        self.next_sweep = (!self.clients.is_empty()).then(|| now.instant + SWEEP);
    }

    /// Ends the relayed addresses of a client that have expired, and with the last one the
    /// allocation.
    pub(crate) fn expire(&mut self, id: ClientId, now: Now) {
        if self.clients[id.0].answer.is_none() {
            return;
        }
        for relay in self.clients[id.0].relays.into_iter().flatten() {
            if self.relay_at(relay).is_none_or(|at| at.expires <= now.instant) {
                self.close_relay(id, relay);
            }
        }
        if self.clients[id.0].relays.iter().all(Option::is_none) {
            self.close(id, CloseReason::Expired, now);
        }
    }

    /// What was relayed and refused since the last call, for each app that did something.
    pub fn take_counts(&mut self) -> Vec<Counts> {
        let fresh = |counts: &mut Counts| {
            let empty = Counts::new(counts.app.clone());
            (!counts.is_empty()).then(|| std::mem::replace(counts, empty))
        };
        self.counts.iter_mut().filter_map(fresh).collect()
    }

    /// How many clients have an allocation.
    pub fn len(&self) -> usize {
        self.clients.len()
    }

    /// Whether no client has an allocation.
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    pub(crate) fn add_client(&mut self, client: Client, now: Now) -> ClientId {
        let address = client.address;
        let id = ClientId(self.clients.insert(client));
        self.by_address.insert(address, id);
        self.next_sweep.get_or_insert(now.instant + SWEEP);
        id
    }

    /// Ends a client's allocation and tells about it, if it ever had one.
    pub(crate) fn close(&mut self, id: ClientId, reason: CloseReason, now: Now) {
        let Some(client) = self.clients.try_remove(id.0) else { return };
        self.by_address.remove(&client.address);
        for relay in client.relays.into_iter().flatten() {
            self.shut(relay);
        }
        if client.answer.is_some() {
            self.commands.push_back(Command::Report(Report::Closed {
                owner: self.owner(&client),
                reason,
                traffic: client.traffic,
                age: now.instant.saturating_duration_since(client.since.instant),
            }));
        }
    }

    pub(crate) fn relay_at(&self, relay: RelayId) -> Option<&Relay> {
        self.relays.get(relay.0)?.as_ref()
    }

    pub(crate) fn keep_relay(&mut self, relay: RelayId, expires: Instant) {
        if let Some(Some(relay)) = self.relays.get_mut(relay.0) {
            relay.expires = expires;
        }
    }

    pub(crate) fn close_relay(&mut self, id: ClientId, relay: RelayId) {
        for slot in &mut self.clients[id.0].relays {
            *slot = slot.filter(|it| *it != relay);
        }
        self.shut(relay);
    }

    fn shut(&mut self, relay: RelayId) {
        if let Some(closed) = self.relays.get_mut(relay.0).and_then(Option::take) {
            self.shared.relay_closed(closed.address);
        }
        self.commands.push_back(Command::Close(relay));
    }

    pub(crate) fn owner(&self, client: &Client) -> Owner {
        Owner {
            app: self.shared.apps[client.user.app].clone(),
            user: client.user.name.clone(),
            client: client.address,
        }
    }

    fn all_clients(&self) -> Vec<ClientId> {
        self.clients.iter().map(|(index, _)| ClientId(index)).collect()
    }

    fn drop_payload(&mut self, id: ClientId, refusal: Refusal) {
        self.count(Some(self.clients[id.0].user.app), refusal);
    }

    pub(crate) fn count(&mut self, app: Option<usize>, refusal: Refusal) {
        let other = self.counts.len() - 1;
        self.counts[app.unwrap_or(other)].refused(refusal);
    }
}

impl Bind {
    pub(crate) fn new(
        shared: &Shared,
        connection: ConnectionId,
        user: User,
        from: FiveTuple,
        request: Request,
    ) -> Self {
        let app = shared.apps[user.app].clone();
        let User { name, key, app: app_index, .. } = user;
        Self { connection, user: name, app, from, request, key, app_index }
    }

    pub(crate) fn into_parts(self) -> (FiveTuple, Request, IntegrityKey, usize) {
        (self.from, self.request, self.key, self.app_index)
    }
}
