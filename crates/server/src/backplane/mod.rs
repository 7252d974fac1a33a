//! Who holds which address, and the way to them: the seam where nodes become a cluster.
//!
//! A backplane takes commands without waiting and answers with events. Its promises, which every
//! implementation must pass as one suite (`tests/backplane.rs`):
//!
//! - `claim` is granted if the address is free or the proof matches; the node that held it before
//!   hears `Gone`. A room has no proof: its claim is granted if it is free.
//! - `send` reaches the holder as `Arrived`, in order per pair; or comes back as `Undeliverable`.
//! - `watch` answers with one `Up` when somebody holds the address, also if somebody already does.
//! - A claimant hears `Claimed` before anything that arrives for the address, and `Claimed` and
//!   `Gone` of one address in the order in which they happened.

mod memory;

use std::future::Future;

use peerway_broker::{Claim, Claimant, Parcel};
use peerway_protocol::{Address, AppKey, PeerAddress, PeerId};
use tokio::sync::oneshot;

pub use memory::{MemoryBackplane, MemoryHub};

/// What a backplane tells its node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackplaneEvent {
    /// A claim is granted.
    Claimed(Claimant),
    /// A claim is refused: somebody else holds the address.
    Refused(Claimant),
    /// A parcel for an address of this node.
    Arrived(Parcel),
    /// A parcel of this node that nobody holds the destination of.
    Undeliverable(Parcel),
    /// Somebody holds a peer's address that this node watches.
    Up(PeerAddress),
    /// Another node has taken a peer's address of this one over.
    Gone(PeerAddress),
}

/// See the module documentation.
pub trait Backplane: Send + 'static {
    /// Asks for an address.
    fn claim(&mut self, claim: Claim);
    /// Gives an address back. Ignored unless this node holds it.
    fn release(&mut self, address: &Address);
    /// Brings a parcel to the holder of its destination.
    fn send(&mut self, parcel: Parcel);
    /// A parcel arrived here too late: its sender's node shall hear that it is undeliverable.
    fn give_back(&mut self, parcel: Parcel);
    /// Asks for one `Up` of a peer's address.
    fn watch(&mut self, address: PeerAddress);
    /// Takes the question back.
    fn unwatch(&mut self, address: &PeerAddress);
    /// Answers with the ids held in an app, in order; may be slightly stale.
    fn list(&mut self, app: &AppKey, reply: oneshot::Sender<Vec<PeerId>>);
    /// The next event that is already here.
    fn try_next(&mut self) -> Option<BackplaneEvent>;
    /// Waits until `try_next` has something.
    fn ready(&mut self) -> impl Future<Output = ()> + Send;
}
