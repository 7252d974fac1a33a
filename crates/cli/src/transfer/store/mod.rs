//! Where received files go. Blocking: it runs on a thread of its own.

mod folder;
mod stdout;

use super::hash::Sha256;
use super::message::{Entry, Index};
use super::name::SafeName;
use super::reason::Refusal;
use super::receiver::Planned;

pub(crate) use folder::{Folder, hash};
pub(crate) use stdout::Stdout;

/// The ending of a file that is not complete.
pub(crate) const PARTIAL: &str = ".peerway-part";

/// Does what a [`Receiver`](super::receiver::Receiver) commands.
pub(crate) trait Store: Send {
    /// Sees what is at this name.
    fn plan(&mut self, index: Index, name: &SafeName, entry: &Entry) -> Planned;
    /// Is ready to write from `offset`: 0, or the length of the partial file that was planned.
    fn open(&mut self, index: Index, offset: u64) -> Result<(), Refusal>;
    /// Appends; answers how long the file is now.
    fn write(&mut self, index: Index, data: &[u8]) -> Result<u64, Refusal>;
    /// Compares with the digest of the sender, if there is one, and gives the file its name.
    fn commit(&mut self, index: Index, sha256: Option<Sha256>) -> Result<Sha256, Refusal>;
    /// Keeps what is there for another time.
    fn suspend(&mut self, index: Index);
}
