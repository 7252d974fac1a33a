//! STUN as a client (RFC 8489): what STUN and TURN servers are asked with. Pure: time and
//! transaction ids are arguments.

mod binding;
mod schedule;

use std::fmt;

use stun_types::message::TransactionId;

use crate::clock;

pub(super) use binding::{Bindings, Learned};
pub(super) use schedule::{Schedule, Step};

/// Where transaction ids come from. They must be hard to guess: they are what tells an answer from
/// a forgery before there is a key.
pub(super) struct Ids(Box<dyn FnMut() -> TransactionId + Send>);

impl Ids {
    pub(super) fn new(draw: impl FnMut() -> TransactionId + Send + 'static) -> Self {
        Self(Box::new(draw))
    }

    pub(super) fn random() -> Self {
        Self::new(|| {
            let mut bytes = [0; 16];
            clock::fill_random(&mut bytes);
            // The upper bits are cut off.
            u128::from_be_bytes(bytes).into()
        })
    }

    pub(super) fn draw(&mut self) -> TransactionId {
        (self.0)()
    }
}

impl fmt::Debug for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ids")
    }
}
