//! What the UDP threads of TURN and of the forwarding unit have in common: sockets for each address
//! and thread, many datagrams per system call, and waking one thread from another.

pub(crate) mod listen;
mod parcel;
mod sending;
mod slots;
mod wake;

pub(crate) use listen::Bound;
pub(crate) use parcel::{Inboxes, Parcel};
pub(crate) use sending::{Outgoing, Sending};
pub(crate) use slots::{BATCH, Slots};
pub(crate) use wake::{StopOnDrop, Waker, watch};
