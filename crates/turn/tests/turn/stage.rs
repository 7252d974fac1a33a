//! A server with a clock in the test's hand, and short words for what goes in and comes out.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use peerway_turn::{
    ClientId, Command, ConnectError, ConnectionId, Counts, Credentials, Family, FiveTuple, Form,
    Limits, Now, OpenError, Opened, PeerPolicy, Port, Protocol, Refusal, RelayId, Report, Server,
    Settings, Shared, ToPeer, Transport,
};
use stun_types::attribute::{
    AlternateServer, ErrorCode, Fingerprint, MessageIntegrity, Nonce, Realm, UnknownAttributes,
    XorMappedAddress,
};
use stun_types::message::{
    Message, MessageClass, MessageIntegrityCredentials, Method, TransactionId,
};
use stun_types::prelude::*;
use turn_types::attribute::{
    AddressErrorCode, ConnectionId as ConnectionIdAttribute, Data, Lifetime, ReservationToken,
    XorPeerAddress, XorRelayedAddress,
};

use crate::draft::{Draft, Login, allocate};

pub const REALM: &str = "peerway";
/// When the tests begin, in seconds since 1970: in the middle of a span of the `SkyWay` form.
pub const UNIX: u64 = 1_800_000_000 + 1800;
/// How long credentials live, in seconds.
pub const TTL: u64 = 3600 * 2;
/// How old an allocation may get whose credential is over, in seconds.
pub const SESSION: u64 = 3600 * 5;

/// A server, the time it is told, and what it reported last.
pub struct Stage {
    pub server: Server,
    pub shared: Arc<Shared>,
    pub reports: Vec<Report>,
    /// The relayed addresses that were opened last.
    pub relays: Vec<Option<RelayId>>,
    /// Connections to peers, and who may bind them.
    pub connections: Vec<(ConnectionId, Arc<str>)>,
    /// What the last [`Done::Bind`] was about.
    pub bind: Option<peerway_turn::Bind>,
    /// Seconds that the clock of the wall was put forward.
    pub put_forward: u64,
    start: Instant,
    elapsed: Duration,
    opening: Option<ClientId>,
    nonces: HashMap<FiveTuple, (String, Duration)>,
    keys: HashMap<FiveTuple, MessageIntegrityCredentials>,
    asked: HashSet<(FiveTuple, TransactionId)>,
    answered: Vec<TransactionId>,
}

/// A command, in a form that can be compared.
#[derive(Debug, PartialEq, Eq)]
pub enum Done {
    Reply {
        to: FiveTuple,
        method: Method,
        class: MessageClass,
        said: Vec<Said>,
    },
    Open {
        client: ClientId,
        server: SocketAddr,
        families: Vec<Family>,
        protocol: Protocol,
        port: Port,
    },
    Close(RelayId),
    Connect {
        client: ClientId,
        relay: RelayId,
        peer: SocketAddr,
    },
    Bind {
        connection: ConnectionId,
        user: String,
        app: String,
    },
}

/// An attribute of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    Error(u16),
    Realm(String),
    Nonce,
    Mapped(SocketAddr),
    Relayed(SocketAddr),
    Peer(SocketAddr),
    Lifetime(u32),
    Token(u64),
    Connection(u32),
    FamilyError(Family, u16),
    Unknown(Vec<u16>),
    Alternate(SocketAddr),
    /// MESSAGE-INTEGRITY, right for whoever asked.
    Signed,
    Fingerprint,
}

/// What the tests start from: limits on nothing, except in what they are about.
pub fn settings() -> Settings {
    let users = BTreeMap::from([("joe".into(), "pw".into()), ("ann".into(), "pw".into())]);
    Settings {
        realm: REALM.into(),
        credentials: Credentials::new(vec!["north".into()], users, Duration::from_secs(TTL)),
        policy: PeerPolicy::public_only(),
        limits: Limits { per_user: 0, per_app: 0, per_source: 0, total: 0 },
        bandwidth: None,
        answers_per_source: 0,
        session_length: Duration::from_secs(SESSION),
        apps: vec!["shop".into(), "chat".into()],
        alternates: Vec::new(),
    }
}

/// The only instant that comes from outside; all others are reckoned from it.
#[expect(clippy::disallowed_methods, reason = "an Instant cannot be made in another way")]
pub fn any_instant() -> Instant {
    Instant::now()
}

impl Stage {
    pub fn new() -> Self {
        Self::with(|_| ())
    }

    pub fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = settings();
        change(&mut settings);
        let start = any_instant();
        let shared = Shared::new(settings, &[7; 32], start);
        Self {
            server: Server::new(shared.clone()),
            shared,
            reports: Vec::new(),
            relays: Vec::new(),
            connections: Vec::new(),
            bind: None,
            put_forward: 0,
            start,
            elapsed: Duration::ZERO,
            opening: None,
            nonces: HashMap::new(),
            keys: HashMap::new(),
            asked: HashSet::new(),
            answered: Vec::new(),
        }
    }

    pub fn now(&self) -> Now {
        Now {
            instant: self.start + self.elapsed,
            unix: UNIX + self.elapsed.as_secs() + self.put_forward,
        }
    }

    /// Sets the clock and does nothing else: a timer that is late.
    pub fn set_clock(&mut self, seconds: f64) {
        self.elapsed = Duration::from_secs_f64(seconds);
    }

    /// Sets the clock, in seconds from the start, and lets the server do what is due.
    pub fn wait_until(&mut self, seconds: f64) -> Vec<Done> {
        self.set_clock(seconds);
        self.server.handle_timeout(self.now());
        self.drain()
    }

    /// Keeps an allocation until this moment, and sets the clock to it.
    pub fn keep_until(&mut self, seconds: f64, from: FiveTuple, login: &Login) {
        while self.elapsed.as_secs_f64() < seconds {
            let next = (self.elapsed.as_secs_f64() + 500.0).min(seconds);
            assert_eq!(self.wait_until(next), []);
            if next < seconds {
                self.ask(from, login, &crate::draft::refresh().lifetime(600));
            }
        }
    }

    /// A credential of an app's user that is good from now on.
    pub fn login(&self, app: &str, tag: &str) -> Login {
        let credentials = &self.shared.settings().credentials;
        let credential = credentials.issue(Form::Colon, app, tag, self.now().unix);
        let credential = credential.expect("the tests have a secret");
        Login::new(&credential.username, &credential.password)
    }

    /// What a client sends that is not a payload.
    pub fn tell(&mut self, from: FiveTuple, bytes: &[u8]) -> Vec<Done> {
        let now = self.now();
        assert_eq!(self.server.handle_client(&from, bytes, now), None);
        self.drain()
    }

    /// A request without a credential.
    pub fn try_ask(&mut self, from: FiveTuple, draft: &Draft) -> Vec<Done> {
        self.try_tell(from, draft, &draft.plain())
    }

    /// A request in bytes that the test made of it.
    pub fn try_tell(&mut self, from: FiveTuple, draft: &Draft, bytes: &[u8]) -> Vec<Done> {
        self.asked.insert((from, draft.transaction));
        let done = self.tell(from, bytes);
        assert!(self.answered.iter().all(|answered| *answered == draft.transaction));
        done
    }

    /// A request with a credential and a fresh nonce.
    pub fn ask(&mut self, from: FiveTuple, login: &Login, draft: &Draft) -> Vec<Done> {
        let nonce = self.nonce(from);
        self.ask_with(from, login, draft, &nonce)
    }

    pub fn ask_with(
        &mut self,
        from: FiveTuple,
        login: &Login,
        draft: &Draft,
        nonce: &str,
    ) -> Vec<Done> {
        self.keys.insert(from, login.key());
        self.try_tell(from, draft, &draft.signed(login, nonce))
    }

    /// A nonce that this client was given and that is good for a while.
    pub fn nonce(&mut self, from: FiveTuple) -> String {
        if let Some((nonce, since)) = self.nonces.get(&from)
            && self.elapsed.saturating_sub(*since) < Duration::from_mins(55)
        {
            return nonce.clone();
        }
        self.try_ask(from, &allocate());
        let (nonce, _) = self.nonces.get(&from).expect("every client is challenged");
        nonce.clone()
    }

    /// The sockets of the last [`Done::Open`] are there, or not.
    pub fn opened(
        &mut self,
        relays: &[Result<SocketAddr, OpenError>],
        token: Option<u64>,
    ) -> Vec<Done> {
        let client = self.opening.take().expect("somebody wants sockets");
        let opened = Opened { relays: relays.to_vec(), token };
        self.relays = self.server.handle_opened(client, opened, self.now());
        self.drain()
    }

    /// A client with an allocation at [`relayed_v4`].
    pub fn allocated(&mut self, from: FiveTuple, login: &Login) -> RelayId {
        self.allocated_as(from, login, &allocate(), &[relayed_v4()])[0]
    }

    pub fn allocated_as(
        &mut self,
        from: FiveTuple,
        login: &Login,
        draft: &Draft,
        relays: &[SocketAddr],
    ) -> Vec<RelayId> {
        let done = self.ask(from, login, draft);
        assert!(matches!(done[..], [Done::Open { .. }]), "{done:?}");
        let relays: Vec<_> = relays.iter().copied().map(Ok).collect();
        self.opened(&relays, None);
        self.relays.iter().map(|relay| relay.expect("it was opened")).collect()
    }

    /// A client with an allocation and a permission for this peer.
    pub fn permitted(&mut self, from: FiveTuple, login: &Login, peer: SocketAddr) -> RelayId {
        let relay = self.allocated(from, login);
        assert_eq!(
            self.ask(from, login, &crate::draft::permit(&[peer])),
            [success(from, turn_types::message::CREATE_PERMISSION, &[Said::Signed])]
        );
        relay
    }

    /// What a client sends to a peer.
    pub fn send<'a>(&mut self, from: FiveTuple, bytes: &'a [u8]) -> Option<ToPeer<'a>> {
        let now = self.now();
        let sent = self.server.handle_client(&from, bytes, now);
        assert_eq!(self.drain(), []);
        sent
    }

    /// The packet that a client gets of what a peer sends.
    pub fn receive(
        &mut self,
        relay: RelayId,
        peer: SocketAddr,
        payload: &[u8],
    ) -> Option<(FiveTuple, Vec<u8>)> {
        let now = self.now();
        let told = self.server.handle_peer(relay, peer, payload.len(), now);
        assert_eq!(self.drain(), []);
        told.map(|told| {
            let padding = vec![0; told.envelope.padding];
            (told.to, [told.envelope.header(), payload, &padding].concat())
        })
    }

    pub fn connected(
        &mut self,
        client: ClientId,
        peer: SocketAddr,
        result: Result<(), ConnectError>,
    ) -> (Option<ConnectionId>, Vec<Done>) {
        let connection = self.server.handle_connected(client, peer, result);
        self.connections.extend(connection.clone());
        (connection.map(|(id, _)| id), self.drain())
    }

    pub fn incoming(
        &mut self,
        relay: RelayId,
        peer: SocketAddr,
    ) -> (Option<ConnectionId>, Vec<Done>) {
        let now = self.now();
        let connection = self.server.handle_incoming(relay, peer, now);
        self.connections.extend(connection.clone());
        (connection.map(|(id, _)| id), self.drain())
    }

    /// The connections of the last [`Done::Bind`] can be joined, or not.
    pub fn bound(&mut self, found: bool) -> Vec<Done> {
        let bind = self.bind.take().expect("somebody wants connections joined");
        self.server.handle_bound(bind, found);
        self.drain()
    }

    pub fn disconnect(&mut self, from: FiveTuple) -> Vec<Done> {
        let now = self.now();
        self.server.handle_disconnected(&from, now);
        self.drain()
    }

    pub fn stop(&mut self) -> Vec<Done> {
        let now = self.now();
        self.server.stop(now);
        self.drain()
    }

    /// How often each refusal was counted since the last call, and for which app.
    pub fn refusals(&mut self) -> Vec<(String, Refusal, u64)> {
        let of_app = |counts: Counts| {
            let app = counts.app.to_string();
            let refused = Refusal::ALL.iter().copied().zip(counts.refusals);
            refused
                .filter(|(_, count)| *count > 0)
                .map(move |(refusal, count)| (app.clone(), refusal, count))
                .collect::<Vec<_>>()
        };
        self.server.take_counts().into_iter().flat_map(of_app).collect()
    }

    /// All commands but reports, which are put aside.
    pub fn drain(&mut self) -> Vec<Done> {
        self.reports.clear();
        self.answered.clear();
        let mut done = Vec::new();
        while let Some(command) = self.server.next_command() {
            match command {
                Command::Report(report) => self.reports.push(report),
                Command::Reply { to, bytes } => done.push(self.read(to, &bytes)),
                Command::Open { client, server, families, protocol, port } => {
                    self.opening = Some(client);
                    done.push(Done::Open { client, server, families, protocol, port });
                }
                Command::Close(relay) => done.push(Done::Close(relay)),
                Command::Connect { client, relay, peer } => {
                    done.push(Done::Connect { client, relay, peer });
                }
                Command::Bind(bind) => {
                    done.push(Done::Bind {
                        connection: bind.connection,
                        user: bind.user.to_string(),
                        app: bind.app.to_string(),
                    });
                    self.bind = Some(bind);
                }
            }
        }
        done
    }

    /// Reads an answer, and checks what no test wants to see wrong.
    fn read(&mut self, to: FiveTuple, bytes: &[u8]) -> Done {
        let message = Message::from_bytes(bytes).expect("answers are STUN");
        if message.class() != MessageClass::Indication {
            self.answered.push(message.transaction_id());
            // Late answers, too, are to a request of this very client.
            let known = self.asked.contains(&(to, message.transaction_id()));
            assert!(known || self.asked.is_empty(), "an answer to nobody's request");
        }
        let said = attributes(&message, self.keys.get(&to));
        if said.contains(&Said::Nonce) {
            let nonce: Nonce = message.attribute().expect("it has a nonce");
            self.nonces.insert(to, (nonce.nonce().to_owned(), self.elapsed));
        }
        Done::Reply { to, method: message.method(), class: message.class(), said }
    }
}

/// The attributes of an answer in their order.
pub fn attributes(message: &Message<'_>, key: Option<&MessageIntegrityCredentials>) -> Vec<Said> {
    let transaction = message.transaction_id();
    let family = |family| match family {
        turn_types::AddressFamily::IPV4 => Family::V4,
        turn_types::AddressFamily::IPV6 => Family::V6,
    };
    let mut said = Vec::new();
    for (_, raw) in message.iter_attributes() {
        let raw = &raw;
        said.push(match raw.get_type() {
            ErrorCode::TYPE => Said::Error(read::<ErrorCode>(raw).code()),
            Realm::TYPE => Said::Realm(read::<Realm>(raw).realm().to_owned()),
            Nonce::TYPE => Said::Nonce,
            XorMappedAddress::TYPE => Said::Mapped(read::<XorMappedAddress>(raw).addr(transaction)),
            XorRelayedAddress::TYPE => {
                Said::Relayed(read::<XorRelayedAddress>(raw).addr(transaction))
            }
            XorPeerAddress::TYPE => Said::Peer(read::<XorPeerAddress>(raw).addr(transaction)),
            Lifetime::TYPE => Said::Lifetime(read::<Lifetime>(raw).seconds()),
            ReservationToken::TYPE => Said::Token(read::<ReservationToken>(raw).token()),
            ConnectionIdAttribute::TYPE => {
                Said::Connection(read::<ConnectionIdAttribute>(raw).id())
            }
            AddressErrorCode::TYPE => {
                let error = read::<AddressErrorCode>(raw);
                Said::FamilyError(family(error.family()), error.error().code())
            }
            UnknownAttributes::TYPE => {
                let kinds = raw.value.chunks_exact(2);
                Said::Unknown(kinds.map(|kind| u16::from_be_bytes([kind[0], kind[1]])).collect())
            }
            AlternateServer::TYPE => Said::Alternate(read::<AlternateServer>(raw).server()),
            MessageIntegrity::TYPE => {
                let key = key.expect("only those who signed get signed answers");
                message.validate_integrity(key).expect("the answer is signed with their key");
                Said::Signed
            }
            // It was checked when the message was parsed.
            Fingerprint::TYPE => Said::Fingerprint,
            other => unreachable!("answers do not carry {other}"),
        });
    }
    said
}

fn read<'a, A: AttributeFromRaw<'a>>(raw: &'a stun_types::attribute::RawAttribute<'a>) -> A {
    A::from_raw_ref(raw).expect("our own attributes can be read")
}

/// A Data indication: from whom, and what.
pub fn data_indication(packet: &[u8]) -> (SocketAddr, Vec<u8>) {
    let message = Message::from_bytes(packet).expect("indications are STUN");
    assert!(message.has_method(turn_types::message::DATA));
    assert!(message.has_class(MessageClass::Indication));
    let peer: XorPeerAddress = message.attribute().expect("it names the peer");
    let data: Data<'_> = message.attribute().expect("it has data");
    (peer.addr(message.transaction_id()), data.data().to_vec())
}

pub fn success(to: FiveTuple, method: Method, said: &[Said]) -> Done {
    Done::Reply { to, method, class: MessageClass::Success, said: said.to_vec() }
}

pub fn failure(to: FiveTuple, method: Method, said: &[Said]) -> Done {
    Done::Reply { to, method, class: MessageClass::Error, said: said.to_vec() }
}

/// A refusal that is signed and says no more than its code.
pub fn refused(to: FiveTuple, method: Method, code: u16) -> Done {
    failure(to, method, &[Said::Error(code), Said::Signed])
}

/// A refusal of somebody who has not shown who it is.
pub fn challenged(to: FiveTuple, method: Method, code: u16) -> Done {
    failure(to, method, &[Said::Error(code), Said::Realm(REALM.into()), Said::Nonce])
}

pub fn at(address: &str) -> SocketAddr {
    address.parse().expect("the tests' addresses are addresses")
}

pub fn udp(client: &str) -> FiveTuple {
    tuple(Transport::Udp, client)
}

pub fn tcp(client: &str) -> FiveTuple {
    tuple(Transport::Tcp, client)
}

fn tuple(transport: Transport, client: &str) -> FiveTuple {
    let client = at(client);
    let server = if client.is_ipv4() { at("192.0.2.1:3478") } else { at("[2001:db8::1]:3478") };
    FiveTuple { transport, client, server }
}

/// A client over UDP.
pub fn alice() -> FiveTuple {
    udp("198.51.100.7:40000")
}

/// A client over TCP.
pub fn carol() -> FiveTuple {
    tcp("198.51.100.9:41000")
}

pub fn relayed_v4() -> SocketAddr {
    at("9.9.9.9:50000")
}

pub fn relayed_v6() -> SocketAddr {
    at("[2620:fe::9]:50000")
}

pub fn peer_v4() -> SocketAddr {
    at("5.6.7.8:4000")
}

pub fn peer_v6() -> SocketAddr {
    at("[2606:4700::7]:4000")
}
