//! Requests as a client writes them, attribute by attribute.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use stun_types::attribute::{Nonce, RawAttribute, Realm, Username};
use stun_types::message::{
    BINDING, IntegrityAlgorithm, LongTermKeyCredentials, Message, MessageClass,
    MessageIntegrityCredentials, MessageType, MessageWriteVec, Method, TransactionId,
};
use stun_types::prelude::*;
use turn_types::AddressFamily;
use turn_types::attribute::{
    AdditionalAddressFamily, ChannelNumber, ConnectionId, Data, EvenPort, Lifetime,
    RequestedAddressFamily, RequestedTransport, ReservationToken, XorPeerAddress,
};
use turn_types::message::{
    ALLOCATE, CHANNEL_BIND, CONNECT, CONNECTION_BIND, CREATE_PERMISSION, REFRESH, SEND,
};

use crate::stage::REALM;

/// A message that is not sent yet.
#[derive(Clone)]
pub struct Draft {
    pub method: Method,
    pub transaction: TransactionId,
    class: MessageClass,
    attributes: Vec<(u16, Vec<u8>)>,
    fingerprint: bool,
}

/// What a client signs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    pub name: String,
    pub password: String,
    pub realm: String,
}

impl Login {
    pub fn new(name: &str, password: &str) -> Self {
        Self { name: name.into(), password: password.into(), realm: REALM.into() }
    }

    pub fn key(&self) -> MessageIntegrityCredentials {
        LongTermKeyCredentials::new(self.name.clone(), self.password.clone(), self.realm.clone())
            .into()
    }
}

impl Draft {
    pub fn new(method: Method) -> Self {
        // Counted, not drawn: a failing test fails with the same bytes again.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let transaction = u128::from(NEXT.fetch_add(1, Ordering::Relaxed)).into();
        let class = MessageClass::Request;
        Self { method, transaction, class, attributes: Vec::new(), fingerprint: false }
    }

    pub fn of_class(mut self, class: MessageClass) -> Self {
        self.class = class;
        self
    }

    /// The same wish as a new request.
    pub fn again(&self) -> Self {
        Self { transaction: Self::new(self.method).transaction, ..self.clone() }
    }

    pub fn raw(mut self, kind: u16, value: &[u8]) -> Self {
        self.attributes.push((kind, value.to_vec()));
        self
    }

    pub fn with(self, attribute: &dyn AttributeWrite) -> Self {
        let raw = attribute.to_raw();
        self.raw(raw.get_type().value(), &raw.value)
    }

    pub fn lifetime(self, seconds: u32) -> Self {
        self.with(&Lifetime::new(seconds))
    }

    pub fn family(self, family: AddressFamily) -> Self {
        self.with(&RequestedAddressFamily::new(family))
    }

    pub fn additional(self, family: AddressFamily) -> Self {
        self.with(&AdditionalAddressFamily::new(family))
    }

    pub fn even(self, reserve: bool) -> Self {
        self.with(&EvenPort::new(reserve))
    }

    pub fn token(self, token: u64) -> Self {
        self.with(&ReservationToken::new(token))
    }

    pub fn peer(self, peer: SocketAddr) -> Self {
        let attribute = XorPeerAddress::new(peer, self.transaction);
        self.with(&attribute)
    }

    pub fn fingerprinted(mut self) -> Self {
        self.fingerprint = true;
        self
    }

    /// Without a credential.
    pub fn plain(&self) -> Vec<u8> {
        self.finish(self.write())
    }

    /// Signed with a credential and a nonce, as all requests but the first are.
    pub fn signed(&self, login: &Login, nonce: &str) -> Vec<u8> {
        self.clone()
            .with(&Username::new(&login.name).expect("the tests' names are short"))
            .with(&Realm::new(&login.realm).expect("the tests' realms are short"))
            .with(&Nonce::new(nonce).expect("the tests' nonces are short"))
            .integral(login)
    }

    /// Signed, with no attributes but those that are there.
    pub fn integral(&self, login: &Login) -> Vec<u8> {
        let mut message = self.write();
        message
            .add_message_integrity(&login.key(), IntegrityAlgorithm::Sha1)
            .expect("it is signed once");
        self.finish(message)
    }

    fn write(&self) -> MessageWriteVec {
        let kind = MessageType::from_class_method(self.class, self.method);
        let mut message = Message::builder(kind, self.transaction, MessageWriteVec::new());
        for (kind, value) in &self.attributes {
            message.push_attribute_unchecked(&RawAttribute::new((*kind).into(), value));
        }
        message
    }

    fn finish(&self, mut message: MessageWriteVec) -> Vec<u8> {
        if self.fingerprint {
            message.add_fingerprint().expect("it is marked once");
        }
        message.finish()
    }
}

pub fn binding() -> Draft {
    Draft::new(BINDING)
}

pub fn allocate() -> Draft {
    Draft::new(ALLOCATE).with(&RequestedTransport::new(RequestedTransport::UDP))
}

pub fn allocate_tcp() -> Draft {
    Draft::new(ALLOCATE).with(&RequestedTransport::new(RequestedTransport::TCP))
}

pub fn refresh() -> Draft {
    Draft::new(REFRESH)
}

pub fn release() -> Draft {
    refresh().lifetime(0)
}

pub fn permit(peers: &[SocketAddr]) -> Draft {
    peers.iter().fold(Draft::new(CREATE_PERMISSION), |draft, peer| draft.peer(*peer))
}

pub fn bind(number: u16, peer: SocketAddr) -> Draft {
    Draft::new(CHANNEL_BIND).with(&ChannelNumber::new(number)).peer(peer)
}

pub fn connect(peer: SocketAddr) -> Draft {
    Draft::new(CONNECT).peer(peer)
}

pub fn connection_bind(id: u32) -> Draft {
    Draft::new(CONNECTION_BIND).with(&ConnectionId::new(id))
}

/// A Send indication.
pub fn send(peer: SocketAddr, payload: &[u8]) -> Vec<u8> {
    Draft::new(SEND).of_class(MessageClass::Indication).peer(peer).with(&Data::new(payload)).plain()
}

/// A `ChannelData` message without padding.
pub fn channel_data(number: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("the tests' payloads are short");
    [&number.to_be_bytes()[..], &length.to_be_bytes(), payload].concat()
}
