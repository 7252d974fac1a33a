//! Tests with sockets, and what tests of the pure parts share.

mod cost;
mod coturn;
mod failures;
mod hosts;
mod reflexive;
mod relays;
mod support;

use std::time::Instant;

use stun_types::message::TransactionId;

use super::stun::Ids;
pub(super) use support::within;

/// A time to start from.
pub(super) fn start() -> Instant {
    crate::clock::now()
}

/// Transaction ids that are 1, 2, 3.
pub(super) fn counted() -> Ids {
    let mut last = 0_u128;
    Ids::new(move || {
        last += 1;
        TransactionId::from(last)
    })
}
