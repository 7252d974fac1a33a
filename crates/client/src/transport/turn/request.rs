//! How requests to a TURN server are written and signed (RFC 8489 section 9.2, RFC 8656).

use std::net::{IpAddr, SocketAddr};

use stun_types::attribute::{Nonce, Realm, Username};
use stun_types::message::{
    IntegrityAlgorithm, IntegrityKey, LongTermKeyCredentials, Message, MessageClass, MessageType,
    MessageWriteVec, Method, TransactionId,
};
use stun_types::prelude::*;
use turn_types::AddressFamily;
use turn_types::attribute::{
    AdditionalAddressFamily, ChannelNumber, Data, Lifetime, RequestedAddressFamily,
    RequestedTransport, XorPeerAddress,
};
use turn_types::message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, REFRESH, SEND};

/// A user name and password.
#[derive(Clone, PartialEq, Eq)]
pub(in super::super) struct Login {
    pub(in super::super) username: String,
    pub(in super::super) password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Which relayed addresses are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Families {
    V4,
    V6,
    Both,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Allocate(Families),
    /// For this many seconds; 0 ends the allocation.
    Refresh(u32),
    Permit(IpAddr),
    Bind {
        peer: SocketAddr,
        channel: u16,
    },
}

impl Purpose {
    fn method(self) -> Method {
        match self {
            Self::Allocate(_) => ALLOCATE,
            Self::Refresh(_) => REFRESH,
            Self::Permit(_) => CREATE_PERMISSION,
            Self::Bind { .. } => CHANNEL_BIND,
        }
    }

    pub(super) fn is_of(self, answer: &Message<'_>) -> bool {
        answer.has_method(self.method())
    }
}

/// What the server wants requests to be signed with.
pub(super) struct Challenge {
    realm: String,
    nonce: String,
    key: IntegrityKey,
}

impl std::fmt::Debug for Challenge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Challenge").field("realm", &self.realm).finish_non_exhaustive()
    }
}

impl Challenge {
    /// Reads what a refusal says.
    pub(super) fn read(refusal: &Message<'_>, login: &Login) -> Option<Self> {
        let realm = refusal.attribute::<Realm>().ok()?.realm().to_owned();
        let nonce = refusal.attribute::<Nonce>().ok()?.nonce().to_owned();
        let Login { username, password } = login.clone();
        let key = LongTermKeyCredentials::new(username, password, realm.clone());
        let key = key.make_key(IntegrityAlgorithm::Sha1);
        Some(Self { realm, nonce, key })
    }

    pub(super) fn signed(&self, answer: &Message<'_>) -> bool {
        answer.validate_integrity_with_key(&self.key).is_ok()
    }
}

/// The bytes of a request. `None` if the user name cannot be written (longer than 513 bytes).
pub(super) fn write(
    purpose: Purpose,
    id: TransactionId,
    login: &Login,
    challenge: Option<&Challenge>,
) -> Option<Vec<u8>> {
    let kind = MessageType::from_class_method(MessageClass::Request, purpose.method());
    let mut request = Message::builder(kind, id, MessageWriteVec::with_capacity(192));
    let mut add = |attribute: &dyn AttributeWrite| request.add_attribute(attribute).ok();
    match purpose {
        Purpose::Allocate(families) => {
            add(&RequestedTransport::new(RequestedTransport::UDP))?;
            match families {
                // Not asked for: servers older than RFC 6156 do not know families.
                Families::V4 => {}
                Families::V6 => add(&RequestedAddressFamily::new(AddressFamily::IPV6))?,
                Families::Both => add(&AdditionalAddressFamily::new(AddressFamily::IPV6))?,
            }
        }
        Purpose::Refresh(seconds) => add(&Lifetime::new(seconds))?,
        Purpose::Permit(peer) => add(&XorPeerAddress::new(SocketAddr::new(peer, 0), id))?,
        Purpose::Bind { peer, channel } => {
            add(&ChannelNumber::new(channel))?;
            add(&XorPeerAddress::new(peer, id))?;
        }
    }
    if let Some(challenge) = challenge {
        add(&Username::new(&login.username).ok()?)?;
        add(&Realm::new(&challenge.realm).ok()?)?;
        add(&Nonce::new(&challenge.nonce).ok()?)?;
        request.add_message_integrity_with_key(&challenge.key, IntegrityAlgorithm::Sha1).ok()?;
    }
    Some(request.finish())
}

/// A Send indication, for peers that have no channel.
pub(super) fn indication(peer: SocketAddr, data: &[u8], id: TransactionId) -> Option<Vec<u8>> {
    let kind = MessageType::from_class_method(MessageClass::Indication, SEND);
    let mut message = Message::builder(kind, id, MessageWriteVec::with_capacity(52 + data.len()));
    message.add_attribute(&XorPeerAddress::new(peer, id)).ok()?;
    message.add_attribute(&Data::new(data)).ok()?;
    Some(message.finish())
}
