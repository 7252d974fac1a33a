//! The file transfer between two peers (docs/reference/file-transfer.md).
//!
//! ```text
//!   send.rs                                                   receive.rs
//!      |                                                          |
//!   outbound: sources <-> sender  <--- contact, line --->  receiver <-> store :inbound
//!             (thread)   (no IO)     (data connection)      (no IO)   (thread)
//! ```

mod consent;
mod contact;
#[cfg(test)]
mod conversation;
mod display;
mod flow;
mod hash;
mod held;
mod inbound;
mod line;
mod members;
mod message;
mod name;
#[cfg(test)]
mod nonsense;
mod outbound;
mod progress;
mod reason;
mod receiver;
mod sender;
mod sources;
mod store;
#[cfg(test)]
mod testing;

use std::time::Duration;

pub(crate) use consent::Consent;
pub(crate) use contact::{Contact, Way};
pub(crate) use inbound::{Reception, receive};
pub(crate) use message::Offer;
pub(crate) use outbound::send;
pub(crate) use sources::{STDIN, Sources, gather};
pub(crate) use store::{Folder, Stdout, Store};

use tokio::sync::mpsc;

use self::reason::{Reason, Refusal};
use crate::peering::{Exit, Failure};

/// Bytes that a receiver lets be on the way before it has written some: enough for 100 MB/s over a
/// round trip of 150 ms.
const WINDOW: u64 = 16 << 20;
/// Messages that wait for the connection, before nothing more is read or listened to.
const OUTBOX: usize = 8;
/// Between two looks at the progress.
const TICK: Duration = Duration::from_millis(200);

/// Room for one more in a queue; waits for ever where there is none.
async fn room<T>(queue: Option<mpsc::Sender<T>>) -> Option<mpsc::OwnedPermit<T>> {
    match queue {
        Some(queue) => queue.reserve_owned().await.ok(),
        None => std::future::pending().await,
    }
}

/// The other side ended a transfer.
fn ended_by(who: &str, refusal: &Refusal) -> Failure {
    let message = match refusal.reason {
        Reason::Declined => format!("{who} declined"),
        _ => format!("{who} ended the transfer: {refusal}"),
    };
    Failure::new(Exit::Refused, message)
}
