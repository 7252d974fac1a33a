//! The file transfer between two peers (docs/reference/file-transfer.md).
//!
//! `sender` and `receiver` are state machines without IO; `sources` and `store` do the reading and writing they ask for;
//! `session` brings them together with a data connection.

#[cfg(test)]
mod conversation;
mod hash;
pub(crate) mod message;
mod name;
pub(crate) mod progress;
pub(crate) mod reason;
pub(crate) mod receiver;
pub(crate) mod sender;
pub(crate) mod sources;
pub(crate) mod store;
#[cfg(test)]
mod testing;

/// Bytes that a receiver lets be on the way before it has written some: enough for 100 MB/s over a
/// round trip of 150 ms.
pub(crate) const WINDOW: u64 = 16 << 20;
