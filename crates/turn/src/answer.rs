//! Answers to requests: how they are written and signed.

use std::net::SocketAddr;

use stun_types::attribute::{
    AlternateServer, AttributeType, ErrorCode, Fingerprint, Nonce, Realm, UnknownAttributes,
    XorMappedAddress,
};
use stun_types::message::{
    IntegrityAlgorithm, IntegrityKey, Message, MessageClass, MessageType, MessageWriteVec, Method,
    TransactionId,
};
use stun_types::prelude::*;
use turn_types::attribute::{
    AddressErrorCode, ConnectionId as ConnectionIdAttribute, Lifetime, ReservationToken,
    XorPeerAddress, XorRelayedAddress,
};

use crate::report::Refusal;

/// Which request an answer belongs to, kept for answers that come later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) transaction: TransactionId,
    /// Whether it carried FINGERPRINT, so that its answer must, too (RFC 8489 section 7).
    pub(crate) fingerprint: bool,
}

impl Request {
    pub(crate) fn of(message: &Message<'_>) -> Self {
        Self {
            method: message.method(),
            transaction: message.transaction_id(),
            fingerprint: message.has_attribute(Fingerprint::TYPE),
        }
    }
}

/// One answer while it is written. The order of the calls is that of the attributes.
pub(crate) struct Answer {
    request: Request,
    message: MessageWriteVec,
}

impl Answer {
    pub(crate) fn success(request: Request) -> Self {
        Self::new(request, MessageClass::Success)
    }

    pub(crate) fn error(request: Request, code: u16) -> Self {
        let mut answer = Self::new(request, MessageClass::Error);
        let reason = ErrorCode::default_reason_for_code(code);
        if let Ok(error) = ErrorCode::new(code, reason) {
            answer.add(&error);
        }
        answer
    }

    pub(crate) fn indication(method: Method, transaction: TransactionId) -> Self {
        let request = Request { method, transaction, fingerprint: false };
        Self::new(request, MessageClass::Indication)
    }

    fn new(request: Request, class: MessageClass) -> Self {
        let kind = MessageType::from_class_method(class, request.method);
        let message =
            Message::builder(kind, request.transaction, MessageWriteVec::with_capacity(128));
        Self { request, message }
    }

    fn add(&mut self, attribute: &dyn AttributeWrite) {
        // Not `add_attribute`: that refuses the second XOR-RELAYED-ADDRESS of a dual allocation.
        self.message.push_attribute_unchecked(attribute);
    }

    /// Where the request came from.
    pub(crate) fn mapped(mut self, address: SocketAddr) -> Self {
        self.add(&XorMappedAddress::new(address, self.request.transaction));
        self
    }

    pub(crate) fn relayed(mut self, address: SocketAddr) -> Self {
        self.add(&XorRelayedAddress::new(address, self.request.transaction));
        self
    }

    pub(crate) fn peer(mut self, address: SocketAddr) -> Self {
        self.add(&XorPeerAddress::new(address, self.request.transaction));
        self
    }

    pub(crate) fn lifetime(mut self, seconds: u32) -> Self {
        self.add(&Lifetime::new(seconds));
        self
    }

    pub(crate) fn reservation(mut self, token: Option<u64>) -> Self {
        if let Some(token) = token {
            self.add(&ReservationToken::new(token));
        }
        self
    }

    pub(crate) fn connection(mut self, id: u32) -> Self {
        self.add(&ConnectionIdAttribute::new(id));
        self
    }

    /// One of two families could not be had.
    pub(crate) fn family_error(mut self, family: turn_types::AddressFamily, code: u16) -> Self {
        if let Ok(error) = ErrorCode::new(code, ErrorCode::default_reason_for_code(code)) {
            self.add(&AddressErrorCode::new(family, error));
        }
        self
    }

    /// What a client needs to ask again with a credential.
    pub(crate) fn challenge(mut self, realm: &str, nonce: &str) -> Self {
        if let (Ok(realm), Ok(nonce)) = (Realm::new(realm), Nonce::new(nonce)) {
            self.add(&realm);
            self.add(&nonce);
        }
        self
    }

    pub(crate) fn unknown(mut self, attributes: &[AttributeType]) -> Self {
        self.add(&UnknownAttributes::new(attributes));
        self
    }

    pub(crate) fn alternate(mut self, server: SocketAddr) -> Self {
        self.add(&AlternateServer::new(server));
        self
    }

    /// The bytes, with what shows that they are from us.
    pub(crate) fn finish(mut self, key: Option<&IntegrityKey>) -> Vec<u8> {
        // Both fail only on a message that already has the attribute.
        if let Some(key) = key {
            let signed = self.message.add_message_integrity_with_key(key, IntegrityAlgorithm::Sha1);
            debug_assert!(signed.is_ok());
        }
        if self.request.fingerprint {
            let marked = self.message.add_fingerprint();
            debug_assert!(marked.is_ok());
        }
        self.message.finish()
    }
}

/// The error code that tells a refusal (RFC 8656 section 19, RFC 6062 section 6).
pub(crate) fn code_of(refusal: Refusal) -> u16 {
    match refusal {
        Refusal::Draining => ErrorCode::TRY_ALTERNATE,
        Refusal::BadRequest => ErrorCode::BAD_REQUEST,
        Refusal::ForbiddenPeer => ErrorCode::FORBIDDEN,
        Refusal::UnknownAttribute => ErrorCode::UNKNOWN_ATTRIBUTE,
        Refusal::Mismatch => ErrorCode::ALLOCATION_MISMATCH,
        Refusal::StaleNonce => ErrorCode::STALE_NONCE,
        Refusal::WrongUser => ErrorCode::WRONG_CREDENTIALS,
        Refusal::UnsupportedTransport => ErrorCode::UNSUPPORTED_TRANSPORT_PROTOCOL,
        Refusal::AddressFamily => ErrorCode::PEER_ADDRESS_FAMILY_MISMATCH,
        Refusal::PeerConnection => ErrorCode::CONNECTION_TIMEOUT_OR_FAILURE,
        Refusal::QuotaUser | Refusal::QuotaApp | Refusal::QuotaSource | Refusal::QuotaTotal => {
            ErrorCode::ALLOCATION_QUOTA_REACHED
        }
        Refusal::Capacity => ErrorCode::INSUFFICIENT_CAPACITY,
        Refusal::Challenge
        | Refusal::Credentials
        | Refusal::Expired
        // Dropped, never told.
        | Refusal::AnswerRate
        | Refusal::Bandwidth
        | Refusal::NoPermission
        | Refusal::Noise => ErrorCode::UNAUTHORIZED,
    }
}
