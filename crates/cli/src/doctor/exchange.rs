//! A STUN request and its answer.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use stun_types::attribute::{AlternateServer, ErrorCode, XorMappedAddress};
use stun_types::message::{BINDING, Message, MessageClass, MessageWriteVec, TransactionId};
use stun_types::prelude::*;
use turn_types::attribute::{Data, XorPeerAddress};
use turn_types::message::DATA;

use super::certificate::Trust;
use super::failure::Failure;
use super::fault::Fault;
use super::net::Deadline;
use super::wire::{Endpoint, Wire};

/// RFC 8489, section 6.2.1.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Requests over one wire; what comes in between is kept.
pub(super) struct Exchange {
    wire: Wire,
    deadline: Deadline,
    /// Data of peers that has not been taken yet.
    inbox: VecDeque<(SocketAddr, Vec<u8>)>,
}

impl Exchange {
    pub(super) async fn open(
        endpoint: &Endpoint,
        trust: &Trust,
        deadline: Deadline,
    ) -> Result<Self, Fault> {
        let wire = Wire::open(endpoint, trust, deadline).await?;
        Ok(Self { wire, deadline, inbox: VecDeque::new() })
    }

    /// The address from which we send.
    pub(super) fn local_addr(&self) -> Result<SocketAddr, Fault> {
        self.wire.local_addr()
    }

    /// The address from which the server sees us.
    pub(super) async fn binding(&mut self) -> Result<SocketAddr, Failure> {
        let mut request = Message::builder_request(BINDING, MessageWriteVec::new());
        let id = request.transaction_id();
        request.add_fingerprint().expect("a new message has room for it");
        let answer = self.ask(id, &request.finish()).await?;
        let answer = parse(&answer)?;
        succeeded(&answer)?;
        let mapped = answer.attribute::<XorMappedAddress>().map_err(garbled)?;
        Ok(mapped.addr(id))
    }

    /// Sends until the answer comes.
    pub(super) async fn ask(
        &mut self,
        id: TransactionId,
        request: &[u8],
    ) -> Result<Vec<u8>, Fault> {
        let late = if self.wire.may_lose() { Fault::NoAnswer } else { Fault::Silent };
        let mut pause = if self.wire.may_lose() { FIRST_PAUSE } else { Duration::MAX };
        let deadline = self.deadline;
        let asked = async {
            loop {
                self.wire.send(request).await?;
                match tokio::time::timeout(pause, self.until_answer(id)).await {
                    Ok(answer) => return answer,
                    Err(_) => pause *= 2,
                }
            }
        };
        deadline.limit(late, asked).await
    }

    /// Sends something that has no answer.
    pub(super) async fn tell(&mut self, message: &[u8]) -> Result<(), Fault> {
        self.wire.send(message).await
    }

    /// The next data of a peer.
    pub(super) async fn data(&mut self) -> Result<(SocketAddr, Vec<u8>), Fault> {
        loop {
            if let Some(data) = self.inbox.pop_front() {
                return Ok(data);
            }
            let message = self.wire.receive().await?;
            self.keep(&message);
        }
    }

    async fn until_answer(&mut self, id: TransactionId) -> Result<Vec<u8>, Fault> {
        loop {
            let bytes = self.wire.receive().await?;
            match Message::from_bytes(&bytes) {
                Ok(message) if message.is_response() && message.transaction_id() == id => {
                    return Ok(bytes);
                }
                Ok(_) => self.keep(&bytes),
                // On a stream there is no way on; a datagram may come from anybody.
                Err(_) if self.wire.may_lose() => {}
                Err(error) => return Err(Fault::Garbled(error.to_string())),
            }
        }
    }

    /// Keeps a message if it is a Data indication.
    fn keep(&mut self, bytes: &[u8]) {
        let Ok(message) = Message::from_bytes(bytes) else { return };
        if !message.has_class(MessageClass::Indication) || !message.has_method(DATA) {
            return;
        }
        let (peer, data) = (message.attribute::<XorPeerAddress>(), message.attribute::<Data<'_>>());
        if let (Ok(peer), Ok(data)) = (peer, data) {
            self.inbox.push_back((peer.addr(message.transaction_id()), data.data().to_vec()));
        }
    }
}

pub(super) fn parse(bytes: &[u8]) -> Result<Message<'_>, Fault> {
    Message::from_bytes(bytes).map_err(garbled)
}

/// Whether an answer says yes.
pub(super) fn succeeded(answer: &Message<'_>) -> Result<(), Failure> {
    if answer.has_class(MessageClass::Success) {
        return Ok(());
    }
    let error = answer.attribute::<ErrorCode>().map_err(garbled)?;
    if error.code() == ErrorCode::TRY_ALTERNATE
        && let Ok(alternate) = answer.attribute::<AlternateServer>()
    {
        return Err(Failure::Alternate(alternate.server()));
    }
    Err(Failure::Refused { code: error.code(), reason: error.reason().to_owned() })
}

pub(super) fn garbled(error: impl std::fmt::Display) -> Fault {
    Fault::Garbled(error.to_string())
}
