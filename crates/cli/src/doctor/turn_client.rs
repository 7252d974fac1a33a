//! A TURN client (RFC 8656), as much as a self-test needs. Not `turn-client-proto`: it tells that an
//! allocation failed, but not the error code, which is what decides the remedy.

use std::net::{IpAddr, SocketAddr};

use stun_types::attribute::{ErrorCode, Nonce, Realm, Username};
use stun_types::message::{
    IntegrityAlgorithm, LongTermKeyCredentials, Message, MessageClass, MessageIntegrityCredentials,
    MessageWriteVec, Method, TransactionId,
};
use stun_types::prelude::*;
use turn_types::AddressFamily;
use turn_types::attribute::{
    Data, Lifetime, RequestedAddressFamily, RequestedTransport, XorPeerAddress, XorRelayedAddress,
};
use turn_types::message::{ALLOCATE, CREATE_PERMISSION, REFRESH, SEND};

use super::certificate::Trust;
use super::exchange::{Exchange, garbled, parse, succeeded};
use super::failure::Failure;
use super::fault::Fault;
use super::ice::Credentials;
use super::net::Deadline;
use super::wire::Endpoint;

const UDP: u8 = 17;

/// A client with at most one allocation.
pub(super) struct TurnClient {
    exchange: Exchange,
    credentials: Credentials,
    challenge: Option<Challenge>,
}

/// What the server wants requests to be signed with.
struct Challenge {
    realm: String,
    nonce: String,
    key: MessageIntegrityCredentials,
}

impl TurnClient {
    pub(super) async fn connect(
        endpoint: &Endpoint,
        credentials: &Credentials,
        trust: &Trust,
        deadline: Deadline,
    ) -> Result<Self, Fault> {
        let exchange = Exchange::open(endpoint, trust, deadline).await?;
        Ok(Self { exchange, credentials: credentials.clone(), challenge: None })
    }

    /// Asks for a relayed address; without a family as browsers do, which means IPv4.
    pub(super) async fn allocate(
        &mut self,
        family: Option<AddressFamily>,
    ) -> Result<SocketAddr, Failure> {
        let answer = self
            .request(ALLOCATE, |request, _| {
                add(request, &RequestedTransport::new(UDP))?;
                match family {
                    Some(family) => add(request, &RequestedAddressFamily::new(family)),
                    None => Ok(()),
                }
            })
            .await?;
        let answer = parse(&answer)?;
        let relayed = answer.attribute::<XorRelayedAddress>().map_err(garbled)?;
        Ok(relayed.addr(answer.transaction_id()))
    }

    /// Lets a peer send to us through the relay.
    pub(super) async fn permit(&mut self, peer: IpAddr) -> Result<(), Failure> {
        let fill = |request: &mut MessageWriteVec, id| {
            add(request, &XorPeerAddress::new(SocketAddr::new(peer, 0), id))
        };
        self.request(CREATE_PERMISSION, fill).await.map(drop)
    }

    pub(super) async fn send(&mut self, peer: SocketAddr, data: &[u8]) -> Result<(), Fault> {
        let mut message = Message::builder_indication(SEND, MessageWriteVec::new());
        let id = message.transaction_id();
        add(&mut message, &XorPeerAddress::new(peer, id))?;
        add(&mut message, &Data::new(data))?;
        self.exchange.tell(&message.finish()).await
    }

    /// The next data of a peer.
    pub(super) async fn receive(&mut self) -> Result<(SocketAddr, Vec<u8>), Fault> {
        self.exchange.data().await
    }

    /// Gives the allocation back, which would otherwise count for ten more minutes.
    pub(super) async fn release(mut self) {
        let end = |request: &mut MessageWriteVec, _| add(request, &Lifetime::new(0));
        // A server that does not answer ends it by itself.
        let _ = self.request(REFRESH, end).await;
    }

    async fn request(
        &mut self,
        method: Method,
        fill: impl Fn(&mut MessageWriteVec, TransactionId) -> Result<(), Fault>,
    ) -> Result<Vec<u8>, Failure> {
        // At most one answer with a challenge and one with a fresher nonce.
        for _ in 0..2 {
            let bytes = self.attempt(method, &fill).await?;
            let answer = parse(&bytes)?;
            if !self.take_challenge(&answer)? {
                self.check(&answer)?;
                return Ok(bytes);
            }
        }
        let bytes = self.attempt(method, &fill).await?;
        self.check(&parse(&bytes)?)?;
        Ok(bytes)
    }

    async fn attempt(
        &mut self,
        method: Method,
        fill: &impl Fn(&mut MessageWriteVec, TransactionId) -> Result<(), Fault>,
    ) -> Result<Vec<u8>, Fault> {
        let mut request = Message::builder_request(method, MessageWriteVec::new());
        let id = request.transaction_id();
        fill(&mut request, id)?;
        if let Some(challenge) = &self.challenge {
            add(&mut request, &Username::new(&self.credentials.username).map_err(garbled)?)?;
            add(&mut request, &Realm::new(&challenge.realm).map_err(garbled)?)?;
            add(&mut request, &Nonce::new(&challenge.nonce).map_err(garbled)?)?;
            request
                .add_message_integrity(&challenge.key, IntegrityAlgorithm::Sha1)
                .map_err(garbled)?;
        }
        self.exchange.ask(id, &request.finish()).await
    }

    /// Takes what a refused request must be repeated with. A second 401 is final: the server does
    /// not know these credentials.
    fn take_challenge(&mut self, answer: &Message<'_>) -> Result<bool, Fault> {
        let Ok(error) = answer.attribute::<ErrorCode>() else { return Ok(false) };
        let again = match error.code() {
            ErrorCode::UNAUTHORIZED => self.challenge.is_none(),
            ErrorCode::STALE_NONCE => true,
            _ => false,
        };
        if !again || !answer.has_class(MessageClass::Error) {
            return Ok(false);
        }
        let realm = answer.attribute::<Realm>().map_err(garbled)?.realm().to_owned();
        let nonce = answer.attribute::<Nonce>().map_err(garbled)?.nonce().to_owned();
        let Credentials { username, password } = self.credentials.clone();
        let key = LongTermKeyCredentials::new(username, password, realm.clone()).into();
        self.challenge = Some(Challenge { realm, nonce, key });
        Ok(true)
    }

    fn check(&self, answer: &Message<'_>) -> Result<(), Failure> {
        succeeded(answer)?;
        match &self.challenge {
            Some(challenge) if answer.validate_integrity(&challenge.key).is_err() => {
                Err(Failure::Unsigned)
            }
            _ => Ok(()),
        }
    }
}

fn add(message: &mut MessageWriteVec, attribute: &dyn AttributeWrite) -> Result<(), Fault> {
    message.add_attribute(attribute).map_err(garbled)
}
