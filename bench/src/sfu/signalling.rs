//! How a generator's peers reach a room of the server, whoever that is.

use std::os::fd::BorrowedFd;

use anyhow::Result;

/// What a peer is in the room for.
pub(super) enum Role {
    /// It sends and is sent all others' media, over one connection that the server offers.
    Member,
    /// It sends only, and offers that itself.
    Publisher(String),
    /// It is sent the media of these peers.
    Subscriber(Vec<usize>),
}

/// A description from the server.
pub(super) enum Told {
    Offer(String),
    Answer(String),
}

pub(super) trait Signalling {
    /// Whether one connection both sends and receives; otherwise a member needs two peers.
    fn has_members(&self) -> bool;
    /// What is done ahead of the first request. Peers come in the order of their numbers; the
    /// descriptor, if there is a new one, is watched for that number.
    fn prepare(&mut self, peer: usize) -> Result<Option<BorrowedFd<'_>>>;
    /// The first request.
    fn begin(&mut self, peer: usize, role: Role) -> Result<()>;
    fn answer(&mut self, peer: usize, sdp: &str) -> Result<()>;
    /// Reads what came on a descriptor, and writes what was left.
    fn handle_readable(&mut self, wire: usize, told: &mut Vec<(usize, Told)>) -> Result<()>;
}
