//! The long-term credential mechanism (RFC 8489 section 9.2.4), with MESSAGE-INTEGRITY and the MD5
//! key that every browser uses; PASSWORD-ALGORITHMS is not offered.

use std::sync::Arc;

use stun_types::attribute::{MessageIntegrity, Nonce, Realm, Username};
use stun_types::message::{IntegrityAlgorithm, LongTermKeyCredentials, Message};
use stun_types::prelude::*;
use turn_types::message::ALLOCATE;

use crate::address::{FiveTuple, Now};
use crate::allocation::User;
use crate::report::Refusal;
use crate::server::Server;

/// The longest user name that anybody can have (RFC 8489 section 14.3).
const LONGEST_NAME: usize = 508;

pub(super) fn authenticate(
    server: &Server,
    from: &FiveTuple,
    message: &Message<'_>,
    now: Now,
) -> Result<User, Refusal> {
    if !message.has_attribute(MessageIntegrity::TYPE) {
        return Err(Refusal::Challenge);
    }
    let bad = |_| Refusal::BadRequest;
    let username: Username = message.attribute().map_err(bad)?;
    let realm: Realm = message.attribute().map_err(bad)?;
    let nonce: Nonce = message.attribute().map_err(bad)?;
    let name = username.username();
    if name.len() > LONGEST_NAME {
        return Err(Refusal::BadRequest);
    }
    if !server.shared.nonces.is_fresh(nonce.nonce(), from.client.ip(), now.unix) {
        return Err(Refusal::StaleNonce);
    }
    if realm.realm() != server.shared.settings.realm {
        return Err(Refusal::Credentials);
    }
    // The key of a known client spares the hashing of all passwords that might be right.
    let known = server.by_address.get(from).map(|id| &server.clients[id.0].user);
    if let Some(user) = known.filter(|user| *user.name == *name)
        && message.validate_integrity_with_key(&user.key).is_ok()
    {
        return enforce_expiry(user.clone(), message, now);
    }
    let settings = &server.shared.settings;
    let claim = settings.credentials.claim(name, now.unix).ok_or(Refusal::Credentials)?;
    let key = claim
        .passwords
        .into_iter()
        .map(|password| {
            LongTermKeyCredentials::new(name.to_owned(), password, settings.realm.clone())
                .make_key(IntegrityAlgorithm::Sha1)
        })
        .find(|key| message.validate_integrity_with_key(key).is_ok())
        .ok_or(Refusal::Credentials)?;
    let app = server.shared.app_index(name);
    enforce_expiry(User { name: Arc::from(name), key, expiry: claim.expiry, app }, message, now)
}

/// Nobody gets something new with a credential that is over. What exists already has an end of its
/// own: see `refresh.rs`.
fn enforce_expiry(user: User, message: &Message<'_>, now: Now) -> Result<User, Refusal> {
    let over = user.expiry.is_some_and(|expiry| expiry <= now.unix);
    if over && message.has_method(ALLOCATE) { Err(Refusal::Expired) } else { Ok(user) }
}
