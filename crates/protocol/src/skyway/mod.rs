//! The dialect of `skyway-js` 1.0 to 4.4.5 (`ECLWebRTC`): events of Socket.IO, each a name with one
//! JSON argument. Facts and sources: `docs/reference/skyway-dialect.md`.
//!
//! A [`Session`] turns a client's events into [`Message`]s and the broker's
//! [`Event`](crate::Event)s into [`Packet`]s. It keeps what the wire cannot say: whether a room was
//! named by a number, and who asked for what.

mod credential;
mod decode;
mod encode;
mod error;
mod handshake;
mod log;
pub mod payload;
mod session;

pub use credential::{Credential, CredentialError};
pub use decode::{FrameError, Message};
pub use encode::{Packet, TurnCredential};
pub use error::ErrorType;
pub use handshake::{Handshake, random_id};
pub use session::Session;
