//! A TURN client (RFC 8656, RFC 6062) that does one thing at a time and repeats nothing: on the
//! loopback interface a datagram that gets lost is a failure.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use stun_types::attribute::{AlternateServer, ErrorCode, Nonce, Realm, Username, XorMappedAddress};
use stun_types::message::{
    BINDING, IntegrityAlgorithm, LongTermKeyCredentials, Message, MessageClass,
    MessageIntegrityCredentials, MessageWriteVec, Method, TransactionId,
};
use stun_types::prelude::*;
use turn_types::AddressFamily;
use turn_types::attribute::{
    AdditionalAddressFamily, ChannelNumber, ConnectionId, Data, EvenPort, Lifetime,
    RequestedAddressFamily, RequestedTransport, ReservationToken, XorPeerAddress,
    XorRelayedAddress,
};
use turn_types::message::{
    ALLOCATE, CHANNEL_BIND, CONNECT, CONNECTION_ATTEMPT, CONNECTION_BIND, CREATE_PERMISSION, DATA,
    REFRESH, SEND,
};

use super::{BoxIo, Wire, within};

/// What a client signs with.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub(crate) username: String,
    pub(crate) password: String,
}

/// An error answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) code: u16,
    pub(crate) alternate: Option<SocketAddr>,
}

/// A payload from a peer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Relayed {
    Data { peer: SocketAddr, payload: Vec<u8> },
    Channel { number: u16, payload: Vec<u8> },
}

impl Relayed {
    pub(crate) fn payload(&self) -> &[u8] {
        match self {
            Self::Data { payload, .. } | Self::Channel { payload, .. } => payload,
        }
    }
}

/// What an allocation shall be like.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wish {
    pub(crate) tcp: bool,
    pub(crate) family: Option<AddressFamily>,
    pub(crate) both_families: bool,
    /// An even port, with the next one kept if `true`.
    pub(crate) even: Option<bool>,
    pub(crate) reserved: Option<u64>,
}

/// See the module documentation.
pub(crate) struct TurnClient {
    pub(crate) wire: Wire,
    login: Login,
    challenge: Option<Challenge>,
    relayed: VecDeque<Relayed>,
    attempts: VecDeque<(u32, SocketAddr)>,
}

/// What requests are signed with.
struct Challenge {
    realm: String,
    nonce: String,
    key: MessageIntegrityCredentials,
}

impl Login {
    /// A user of [`super::TurnServer`] whose credential never expires.
    pub(crate) fn joe() -> Self {
        Self { username: "joe".into(), password: "joes-password".into() }
    }

    /// Another one.
    pub(crate) fn sue() -> Self {
        Self { username: "sue".into(), password: "sues-password".into() }
    }
}

impl Refused {
    pub(crate) fn with(code: u16) -> Self {
        Self { code, alternate: None }
    }
}

impl TurnClient {
    pub(crate) fn over(wire: Wire, login: Login) -> Self {
        let (relayed, attempts) = (VecDeque::new(), VecDeque::new());
        Self { wire, login, challenge: None, relayed, attempts }
    }

    /// The address that the server sees.
    pub(crate) async fn binding(&mut self) -> SocketAddr {
        let request = Message::builder_request(BINDING, MessageWriteVec::new());
        let id = request.transaction_id();
        let answer = self.ask(id, &request.finish()).await;
        let answer = Message::from_bytes(&answer).unwrap();
        answer.attribute::<XorMappedAddress>().unwrap().addr(id)
    }

    /// An IPv4 relayed address, as browsers ask for it.
    pub(crate) async fn allocate(&mut self) -> SocketAddr {
        self.try_allocate(Wish::default()).await.expect("an allocation").relayed[0]
    }

    pub(crate) async fn try_allocate(&mut self, wish: Wish) -> Result<Allocated, Refused> {
        let fill = |request: &mut MessageWriteVec, _: TransactionId| {
            add(request, &RequestedTransport::new(if wish.tcp { TCP } else { UDP }));
            if let Some(family) = wish.family {
                add(request, &RequestedAddressFamily::new(family));
            }
            if wish.both_families {
                add(request, &AdditionalAddressFamily::new(AddressFamily::IPV6));
            }
            if let Some(reserve) = wish.even {
                add(request, &EvenPort::new(reserve));
            }
            if let Some(token) = wish.reserved {
                add(request, &ReservationToken::new(token));
            }
        };
        let bytes = self.request(ALLOCATE, fill).await?;
        let answer = Message::from_bytes(&bytes).unwrap();
        let relayed = |nth| answer.nth_attribute::<XorRelayedAddress>(nth).ok();
        let id = answer.transaction_id();
        Ok(Allocated {
            relayed: (0..).map_while(relayed).map(|it| it.addr(id)).collect(),
            lifetime: answer.attribute::<Lifetime>().unwrap().seconds(),
            token: answer.attribute::<ReservationToken>().ok().map(|it| it.token()),
        })
    }

    /// Lets a peer send to us through the relay.
    pub(crate) async fn permit(&mut self, peer: IpAddr) -> Result<(), Refused> {
        let fill = |request: &mut MessageWriteVec, id| {
            add(request, &XorPeerAddress::new(SocketAddr::new(peer, 0), id));
        };
        self.request(CREATE_PERMISSION, fill).await.map(drop)
    }

    pub(crate) async fn bind_channel(
        &mut self,
        number: u16,
        peer: SocketAddr,
    ) -> Result<(), Refused> {
        let fill = |request: &mut MessageWriteVec, id| {
            add(request, &ChannelNumber::new(number));
            add(request, &XorPeerAddress::new(peer, id));
        };
        self.request(CHANNEL_BIND, fill).await.map(drop)
    }

    /// The lifetime that was granted; 0 ends the allocation.
    pub(crate) async fn refresh(&mut self, seconds: u32) -> Result<u32, Refused> {
        let fill = |request: &mut MessageWriteVec, _| add(request, &Lifetime::new(seconds));
        let bytes = self.request(REFRESH, fill).await?;
        let answer = Message::from_bytes(&bytes).unwrap();
        Ok(answer.attribute::<Lifetime>().unwrap().seconds())
    }

    /// Has the server connect to a peer; the id of the connection.
    pub(crate) async fn connect(&mut self, peer: SocketAddr) -> Result<u32, Refused> {
        let fill = |request: &mut MessageWriteVec, id| add(request, &XorPeerAddress::new(peer, id));
        let bytes = self.request(CONNECT, fill).await?;
        Ok(Message::from_bytes(&bytes).unwrap().attribute::<ConnectionId>().unwrap().id())
    }

    /// A peer that has connected to the relayed address, with the id of the connection.
    pub(crate) async fn connection_attempt(&mut self) -> (u32, SocketAddr) {
        loop {
            if let Some(attempt) = self.attempts.pop_front() {
                return attempt;
            }
            let message = within("a connection attempt", self.wire.receive()).await;
            self.keep(&message.expect("the server is there"));
        }
    }

    /// Makes this connection the one to a peer.
    pub(crate) async fn bind(&mut self, connection: u32) -> Result<(), Refused> {
        let fill = |request: &mut MessageWriteVec, _| add(request, &ConnectionId::new(connection));
        self.request(CONNECTION_BIND, fill).await.map(drop)
    }

    /// The request of [`TurnClient::bind`], for a client that has been challenged.
    pub(crate) fn bind_request(&self, connection: u32) -> Vec<u8> {
        let fill = |request: &mut MessageWriteVec, _| add(request, &ConnectionId::new(connection));
        self.signed(CONNECTION_BIND, fill).1
    }

    /// Learns how to sign.
    pub(crate) async fn challenge(&mut self) {
        let (id, request) = self.signed(REFRESH, |_, _| {});
        let bytes = self.ask(id, &request).await;
        self.take_challenge(&Message::from_bytes(&bytes).unwrap());
    }

    /// What carries a peer's bytes after [`TurnClient::bind`], and those that came already.
    pub(crate) fn into_io(self) -> (BoxIo, Vec<u8>) {
        match self.wire {
            Wire::Stream { io, received, .. } => (io, received),
            Wire::Datagrams { .. } => panic!("not a stream"),
        }
    }

    /// Sends to a peer by a Send indication.
    pub(crate) async fn send(&mut self, peer: SocketAddr, payload: &[u8]) {
        let mut message = Message::builder_indication(SEND, MessageWriteVec::new());
        let id = message.transaction_id();
        add(&mut message, &XorPeerAddress::new(peer, id));
        add(&mut message, &Data::new(payload));
        self.wire.send(&message.finish()).await;
    }

    /// Sends to the peer of a channel.
    pub(crate) async fn send_on(&mut self, number: u16, payload: &[u8]) {
        let mut frame = number.to_be_bytes().to_vec();
        frame.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
        frame.extend(payload);
        if self.wire.is_stream() {
            frame.resize(frame.len().next_multiple_of(4), 0);
        }
        self.wire.send(&frame).await;
    }

    /// The next payload from a peer.
    pub(crate) async fn receive(&mut self) -> Relayed {
        within("a payload", self.next_payload()).await.expect("the server is there")
    }

    /// The same without an end to patience; `None` when the stream has ended.
    pub(crate) async fn next_payload(&mut self) -> Option<Relayed> {
        loop {
            if let Some(relayed) = self.relayed.pop_front() {
                return Some(relayed);
            }
            let message = self.wire.receive().await?;
            self.keep(&message);
        }
    }

    /// What came from peers before the last answer.
    pub(crate) fn take_relayed(&mut self) -> Vec<Relayed> {
        self.relayed.drain(..).collect()
    }

    /// Nothing from a peer has come until now.
    pub(crate) async fn assert_nothing_came(&mut self) {
        self.binding().await;
        assert_eq!(self.relayed, []);
    }

    async fn request(
        &mut self,
        method: Method,
        fill: impl Fn(&mut MessageWriteVec, TransactionId),
    ) -> Result<Vec<u8>, Refused> {
        loop {
            let (id, request) = self.signed(method, &fill);
            let bytes = self.ask(id, &request).await;
            let answer = Message::from_bytes(&bytes).unwrap();
            if answer.has_class(MessageClass::Success) {
                let key = &self.challenge.as_ref().expect("only signed requests succeed").key;
                answer.validate_integrity(key).expect("the answer is signed");
                return Ok(bytes);
            }
            let code = answer.attribute::<ErrorCode>().unwrap().code();
            if !(code == 438 || code == 401 && self.challenge.is_none()) {
                let alternate = answer.attribute::<AlternateServer>().ok().map(|it| it.server());
                return Err(Refused { code, alternate });
            }
            self.take_challenge(&answer);
        }
    }

    /// A request, signed if that is known how.
    fn signed(
        &self,
        method: Method,
        fill: impl Fn(&mut MessageWriteVec, TransactionId),
    ) -> (TransactionId, Vec<u8>) {
        let mut request = Message::builder_request(method, MessageWriteVec::new());
        let id = request.transaction_id();
        fill(&mut request, id);
        if let Some(challenge) = &self.challenge {
            add(&mut request, &Username::new(&self.login.username).unwrap());
            add(&mut request, &Realm::new(&challenge.realm).unwrap());
            add(&mut request, &Nonce::new(&challenge.nonce).unwrap());
            request.add_message_integrity(&challenge.key, IntegrityAlgorithm::Sha1).unwrap();
        }
        (id, request.finish())
    }

    fn take_challenge(&mut self, answer: &Message<'_>) {
        let realm = answer.attribute::<Realm>().unwrap().realm().to_owned();
        let nonce = answer.attribute::<Nonce>().unwrap().nonce().to_owned();
        let Login { username, password } = self.login.clone();
        let key = LongTermKeyCredentials::new(username, password, realm.clone()).into();
        self.challenge = Some(Challenge { realm, nonce, key });
    }

    /// The answer to a request; what comes before it is kept.
    async fn ask(&mut self, id: TransactionId, request: &[u8]) -> Vec<u8> {
        self.wire.send(request).await;
        loop {
            let bytes = within("an answer", self.wire.receive()).await;
            let bytes = bytes.expect("the server is there");
            match Message::from_bytes(&bytes) {
                Ok(message) if message.is_response() => {
                    assert_eq!(message.transaction_id(), id);
                    return bytes;
                }
                _ => self.keep(&bytes),
            }
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        if bytes[0] & 0xc0 == 0x40 {
            let number = u16::from_be_bytes([bytes[0], bytes[1]]);
            let length = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
            let payload = bytes[4..4 + length].to_vec();
            self.relayed.push_back(Relayed::Channel { number, payload });
            return;
        }
        let message = Message::from_bytes(bytes).unwrap();
        let id = message.transaction_id();
        let peer = message.attribute::<XorPeerAddress>().unwrap().addr(id);
        if message.has_method(DATA) {
            let payload = message.attribute::<Data<'_>>().unwrap().data().to_vec();
            self.relayed.push_back(Relayed::Data { peer, payload });
        } else {
            assert!(message.has_method(CONNECTION_ATTEMPT), "{message}");
            self.attempts.push_back((message.attribute::<ConnectionId>().unwrap().id(), peer));
        }
    }
}

/// The answer to an Allocate request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Allocated {
    pub(crate) relayed: Vec<SocketAddr>,
    pub(crate) lifetime: u32,
    pub(crate) token: Option<u64>,
}

const UDP: u8 = 17;
const TCP: u8 = 6;

fn add(message: &mut MessageWriteVec, attribute: &dyn AttributeWrite) {
    message.push_attribute_unchecked(attribute);
}
