//! What must hold for the TURN server, whatever clients and peers send: the input is a list of acts,
//! among them requests that are signed as a client signs them. The tests of the turn crate include
//! this file to replay the corpus, so it uses what they may use.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use peerway_turn::{
    Bind, ClientId, Command, ConnectError, ConnectionId, Credentials, FiveTuple, Form, Limits, Now,
    OpenError, Opened, PeerPolicy, RelayId, Server, Settings, Shared, Transport, frame_length,
};
use stun_types::attribute::{Nonce, RawAttribute};
use stun_types::message::{
    IntegrityAlgorithm, LongTermKeyCredentials, Message, MessageClass, MessageType,
    MessageWriteVec, Method, TransactionId,
};
use stun_types::prelude::*;
use turn_types::attribute::XorPeerAddress;

const REALM: &str = "peerway";
const UNIX: u64 = 1_800_000_000;
const RELAYED: [&str; 2] = ["9.9.9.9", "2620:fe::9"];
const CLIENTS: [(Transport, &str); 4] = [
    (Transport::Udp, "198.51.100.7:40000"),
    (Transport::Udp, "[2001:db8::7]:40000"),
    (Transport::Tcp, "198.51.100.7:40000"),
    (Transport::Tls, "198.51.100.8:40000"),
];
const PEERS: [&str; 8] = [
    "5.6.7.8:4000",
    "5.6.7.8:4001",
    "[2606:4700::7]:4000",
    "[::ffff:5.6.7.8]:4000",
    "127.0.0.1:80",
    "9.9.9.9:22",
    "9.9.9.9:50000",
    "5.6.7.8:0",
];

/// A server does what it is asked for and no more than that: it answers at most once and to whoever
/// asked, gives no more than a few bytes for one to strangers, reaches no peer that the policy
/// protects, closes each socket once, and forgets everything in the end.
pub fn turn_datagram(data: &[u8]) {
    let mut world = World::new();
    let mut input = Input(data);
    while let Some(act) = input.byte() {
        world.act(act, &mut input);
    }
    world.end();
}

/// The bytes of the fuzzer, which may end at any time.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> usize {
        self.byte().unwrap_or_default().into()
    }

    fn short(&mut self) -> u16 {
        u16::from_be_bytes([self.byte().unwrap_or_default(), self.byte().unwrap_or_default()])
    }

    fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (first, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        first
    }

    fn pick<T: Copy>(&mut self, things: &[T]) -> T {
        things[self.number() % things.len()]
    }
}

struct World {
    shared: Arc<Shared>,
    server: Server,
    start: Instant,
    elapsed: Duration,
    logins: Vec<(String, String)>,
    nonces: BTreeMap<String, String>,
    last: Option<(FiveTuple, Vec<u8>)>,
    sockets: BTreeSet<RelayId>,
    opening: Vec<(ClientId, usize)>,
    connecting: Vec<(ClientId, RelayId, SocketAddr)>,
    connections: Vec<(ClientId, ConnectionId)>,
    binds: Vec<Bind>,
}

impl World {
    fn new() -> Self {
        let users = BTreeMap::from([("joe".to_owned(), "pw".to_owned())]);
        let ttl = Duration::from_hours(2);
        let credentials = Credentials::new(vec!["north".into(), "old".into()], users, ttl);
        let issued = [
            credentials.issue(Form::Dot, "shop", "x", UNIX),
            credentials.issue_for_peer("shop", "alice", UNIX),
        ];
        let issued = issued.into_iter().flatten();
        let mut logins: Vec<_> = issued.map(|it| (it.username, it.password)).collect();
        logins.push(("joe".into(), "pw".into()));
        logins.push(("joe".into(), "forged".into()));
        let own = RELAYED.map(|address| address.parse().expect("it is an address")).to_vec();
        let settings = Settings {
            realm: REALM.into(),
            credentials,
            policy: PeerPolicy {
                own: own.clone(),
                relays: own,
                listeners: vec![address("9.9.9.9:50001")],
                ..PeerPolicy::public_only()
            },
            limits: Limits { per_user: 2, per_app: 3, per_source: 3, total: 3 },
            bandwidth: Some(100_000),
            answers_per_source: 100,
            session_length: Duration::from_hours(3),
            apps: vec!["shop".into()],
            alternates: vec![address("203.0.113.1:3478")],
        };
        let start = any_instant();
        let shared = Shared::new(settings, &[7; 32], start);
        Self {
            server: Server::new(shared.clone()),
            shared,
            start,
            elapsed: Duration::ZERO,
            logins,
            nonces: BTreeMap::new(),
            last: None,
            sockets: BTreeSet::new(),
            opening: Vec::new(),
            connecting: Vec::new(),
            connections: Vec::new(),
            binds: Vec::new(),
        }
    }

    fn now(&self) -> Now {
        Now { instant: self.start + self.elapsed, unix: UNIX + self.elapsed.as_secs() }
    }

    fn act(&mut self, act: u8, input: &mut Input<'_>) {
        match act % 14 {
            0 => {
                let from = client(input);
                let length = usize::from(input.short()) % 1500;
                self.datagram(from, input.bytes(length).to_vec(), false);
            }
            1 => {
                let from = client(input);
                let bytes = draft(input).finish();
                self.datagram(from, bytes, false);
            }
            2 => {
                let from = client(input);
                let draft = draft(input);
                self.signed(from, draft, input);
            }
            3 | 4 => {
                let from = client(input);
                let draft = request(input);
                self.signed(from, draft, input);
            }
            5 => {
                let from = client(input);
                let bytes = payload(input);
                self.datagram(from, bytes, false);
            }
            6 => self.peer_sends(input),
            7 => self.give_sockets(input),
            8 => self.finish_connections(input),
            9 => self.pass(Duration::from_secs(input.number().pow(2) as u64 / 8)),
            10 => {
                let from = client(input);
                self.server.handle_disconnected(&from, self.now());
                self.drain(None);
            }
            11 => {
                let Some((from, mut bytes)) = self.last.clone() else { return };
                if let (Some(place), flip) = (input.byte(), input.number()) {
                    let place = usize::from(place) % bytes.len().max(1);
                    if let (Some(byte), Ok(flip)) = (bytes.get_mut(place), u8::try_from(flip)) {
                        *byte ^= flip;
                    }
                }
                self.datagram(from, bytes, true);
            }
            12 => {
                let _ = self.server.take_counts();
            }
            _ => {
                if input.number() == 255 {
                    self.shared.drain();
                }
            }
        }
    }

    /// Signs as a client does: with a nonce that it asked for.
    fn signed(&mut self, from: FiveTuple, mut message: MessageWriteVec, input: &mut Input<'_>) {
        let flags = input.byte().unwrap_or_default();
        let (name, password) = self.logins[usize::from(flags) % self.logins.len()].clone();
        if !self.nonces.contains_key(&key(&from)) {
            let asked =
                Message::builder_request(turn_types::message::ALLOCATE, MessageWriteVec::new());
            self.datagram(from, asked.finish(), false);
        }
        let nonce = self.nonces.get(&key(&from)).cloned().unwrap_or_default();
        for (kind, value) in [(0x0006, &*name), (0x0014, REALM), (0x0015, &*nonce)] {
            push(&mut message, kind, value.as_bytes());
        }
        let login = LongTermKeyCredentials::new(name, password, REALM.into()).into();
        // It may have a signature already, and then it is a bad one.
        let _ = message.add_message_integrity(&login, IntegrityAlgorithm::Sha1);
        if flags & 0x80 != 0 {
            let _ = message.add_fingerprint();
        }
        self.datagram(from, message.finish(), true);
    }

    fn datagram(&mut self, from: FiveTuple, bytes: Vec<u8>, signed: bool) {
        if let Ok(Some(length)) = frame_length(&bytes) {
            assert!(length.is_multiple_of(4) && length <= 65_552);
        }
        let sent = self.server.handle_client(&from, &bytes, self.now());
        if let Some(sent) = &sent {
            assert!(self.sockets.contains(&sent.relay), "from a socket that is open");
            assert!(
                sent.payload.is_empty() || bytes.as_ptr_range().contains(&sent.payload.as_ptr())
            );
            assert_eq!(sent.peer.ip(), sent.peer.ip().to_canonical());
            let policy = &self.shared.settings().policy;
            assert_eq!(policy.judge(sent.peer, |_| true), Ok(()), "a protected peer");
        }
        let relayed = sent.is_some();
        let answered = self.drain(Some(from));
        assert!(answered == 0 || !relayed);
        assert!(signed || answered * 10 <= bytes.len() * 36, "{answered} of {}", bytes.len());
        self.last = Some((from, bytes));
    }

    fn peer_sends(&mut self, input: &mut Input<'_>) {
        let relay = RelayId(input.number() % 5);
        let peer = address(input.pick(&PEERS));
        let length = usize::from(input.short()) * 2;
        let now = self.now();
        if let Some(told) = self.server.handle_peer(relay, peer, length, now) {
            assert!(self.sockets.contains(&relay));
            let stream = told.to.transport != Transport::Udp;
            let whole = [told.envelope.header(), &vec![0; length + told.envelope.padding]].concat();
            let header = u8::from(whole[0] >= 0x40);
            let padded = header == 0 || stream;
            let expected = if padded { whole.len() } else { whole.len().next_multiple_of(4) };
            assert_eq!(frame_length(&whole), Ok(Some(expected)));
        }
        if input.number() > 127
            && self.sockets.contains(&relay)
            && let Some((connection, _)) = self.server.handle_incoming(relay, peer, now)
        {
            self.connections.push((ClientId(usize::MAX), connection));
        }
        self.drain(None);
    }

    fn give_sockets(&mut self, input: &mut Input<'_>) {
        let Some((client, families)) = self.opening.pop() else { return };
        let mut opened = Opened { relays: Vec::new(), token: None };
        for relayed in RELAYED.iter().take(families) {
            let port = 49152 + (input.short() >> 2);
            let relayed = SocketAddr::new(relayed.parse().expect("it is an address"), port);
            opened.relays.push(match input.byte().unwrap_or_default() {
                0..200 => Ok(relayed),
                200..230 => Err(OpenError::Family),
                _ => Err(OpenError::Capacity),
            });
        }
        opened.token = (input.number() > 200).then_some(7);
        let now = self.now();
        for relay in self.server.handle_opened(client, opened, now).into_iter().flatten() {
            assert!(self.sockets.insert(relay), "an id that is in use");
        }
        self.drain(None);
    }

    fn finish_connections(&mut self, input: &mut Input<'_>) {
        if let Some((client, _, peer)) = self.connecting.pop() {
            let result = if input.number() < 200 { Ok(()) } else { Err(ConnectError) };
            let connection = self.server.handle_connected(client, peer, result);
            assert_eq!(connection.is_some(), result.is_ok());
            self.connections.extend(connection.map(|(connection, _)| (client, connection)));
        } else if let Some(bind) = self.binds.pop() {
            let known = self.connections.iter().any(|(_, known)| *known == bind.connection);
            self.server.handle_bound(bind, known);
        } else if let Some((client, connection)) = self.connections.pop() {
            self.server.handle_disconnected_peer(client, connection);
        }
        self.drain(None);
    }

    fn pass(&mut self, duration: Duration) {
        self.elapsed += duration;
        self.server.handle_timeout(self.now());
        self.drain(None);
    }

    /// Does what is to be done. How many bytes whoever asked was answered.
    fn drain(&mut self, from: Option<FiveTuple>) -> usize {
        let (mut answers, mut answered) = (0, 0);
        while let Some(command) = self.server.next_command() {
            match command {
                Command::Reply { to, bytes } => {
                    let message = Message::from_bytes(&bytes).expect("answers are STUN");
                    assert_ne!(message.class(), MessageClass::Request);
                    if let Ok(nonce) = message.attribute::<Nonce>() {
                        self.nonces.insert(key(&to), nonce.nonce().to_owned());
                    }
                    if let Some(from) = from {
                        assert_eq!(to, from, "somebody else is answered");
                        answers += 1;
                        answered += bytes.len();
                    }
                }
                Command::Open { client, families, .. } => {
                    self.opening.push((client, families.len()));
                }
                Command::Close(relay) => {
                    assert!(self.sockets.remove(&relay), "it is closed twice or never was open");
                    self.connecting.retain(|(_, from, _)| *from != relay);
                }
                Command::Connect { client, relay, peer } => {
                    assert!(self.sockets.contains(&relay));
                    let policy = &self.shared.settings().policy;
                    assert_eq!(policy.judge_stream(peer), Ok(()), "a protected peer");
                    self.connecting.push((client, relay, peer));
                }
                Command::Bind(bind) => self.binds.push(bind),
                Command::Report(_) => {}
            }
        }
        assert!(answers <= 1, "one answer to one request");
        assert!(self.server.len() <= 3, "the limits hold");
        answered
    }

    /// Nobody refreshes, and nothing is left.
    fn end(mut self) {
        // Those that wait get their sockets, lest they wait for ever.
        while !self.opening.is_empty() {
            self.give_sockets(&mut Input(&[]));
        }
        for _ in 0..3 {
            self.pass(Duration::from_hours(1));
        }
        assert!(self.server.is_empty() && self.sockets.is_empty());
        assert_eq!(self.server.poll_timeout(), None);
    }
}

fn client(input: &mut Input<'_>) -> FiveTuple {
    let (transport, client) = input.pick(&CLIENTS);
    let client = address(client);
    let server = if client.is_ipv4() { "192.0.2.1:3478" } else { "[2001:db8::1]:3478" };
    FiveTuple { transport, client, server: address(server) }
}

/// STUN of any kind.
fn draft(input: &mut Input<'_>) -> MessageWriteVec {
    let kind = input.short() & 0x3fff;
    let kind = MessageType::from_bytes(&kind.to_be_bytes()).expect("it begins with two zeros");
    let mut message = Message::builder(kind, transaction(input), MessageWriteVec::new());
    for _ in 0..input.number() % 6 {
        let kind = input.short();
        let length = input.number();
        let value = input.bytes(length);
        push(&mut message, kind, value);
    }
    if input.number() > 200 {
        let _ = message.add_fingerprint();
    }
    message
}

/// A request that makes sense, or nearly.
fn request(input: &mut Input<'_>) -> MessageWriteVec {
    const METHODS: [u16; 8] = [3, 4, 8, 9, 10, 11, 3, 1];
    let method = Method::new(input.pick(&METHODS));
    let kind = MessageType::from_class_method(MessageClass::Request, method);
    let transaction = transaction(input);
    let mut message = Message::builder(kind, transaction, MessageWriteVec::new());
    let wishes = input.byte().unwrap_or_default();
    let mut wish = |bit: u8, kind: u16, value: &[u8]| {
        if wishes & bit != 0 {
            push(&mut message, kind, value);
        }
    };
    if method == turn_types::message::ALLOCATE {
        let protocol = if input.number() < 128 { 17 } else { 6 };
        wish(0xff, 0x0019, &[protocol, 0, 0, 0]);
        let family = 1 + input.byte().unwrap_or_default() % 2;
        wish(0x01, 0x0017, &[family, 0, 0, 0]);
        wish(0x02, 0x8000, &[2, 0, 0, 0]);
        wish(0x04, 0x0018, &[0x80]);
        wish(0x08, 0x0022, &[0, 0, 0, 0, 0, 0, 0, 7]);
    }
    let lifetime = u32::from(input.short()) / 8;
    if [3, 4].contains(&method.value()) {
        wish(0x10, 0x000d, &lifetime.to_be_bytes());
    }
    wish(0x20, 0x000c, &[0x40, input.byte().unwrap_or_default() & 3, 0, 0]);
    wish(0x40, 0x002a, &[7, 7, 7, 7_u8.wrapping_add(input.byte().unwrap_or_default() & 7)]);
    if [8, 9, 10].contains(&method.value()) {
        for _ in 0..=input.number() % 3 {
            let peer = XorPeerAddress::new(address(input.pick(&PEERS)), transaction);
            message.push_attribute_unchecked(&peer);
        }
    }
    message
}

/// A Send indication or channel data.
fn payload(input: &mut Input<'_>) -> Vec<u8> {
    let (kind, length) = (input.number(), input.number());
    if kind < 128 {
        let value = input.bytes(length);
        let length = u8::try_from(value.len()).expect("it is a byte's worth");
        let number = u8::try_from(kind & 3).expect("two bits");
        return [&[0x40, number, 0, length], value].concat();
    }
    let method = turn_types::message::SEND;
    let kind = MessageType::from_class_method(MessageClass::Indication, method);
    let transaction = transaction(input);
    let mut message = Message::builder(kind, transaction, MessageWriteVec::new());
    let peer = XorPeerAddress::new(address(input.pick(&PEERS)), transaction);
    message.push_attribute_unchecked(&peer);
    push(&mut message, 0x0013, input.bytes(length));
    message.finish()
}

/// Few, so that requests come again.
fn transaction(input: &mut Input<'_>) -> TransactionId {
    u128::from(input.byte().unwrap_or_default() & 7).into()
}

fn push(message: &mut MessageWriteVec, kind: u16, value: &[u8]) {
    message.push_attribute_unchecked(&RawAttribute::new(kind.into(), value));
}

fn key(client: &FiveTuple) -> String {
    format!("{client:?}")
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("it is an address")
}

/// The only instant that comes from outside; all others are reckoned from it.
#[expect(clippy::disallowed_methods, reason = "an Instant cannot be made in another way")]
fn any_instant() -> Instant {
    Instant::now()
}
