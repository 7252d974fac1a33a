//! Wire types and dialect codecs: pure functions between frames on the wire and the small
//! vocabulary that the broker speaks. No IO, no clock, no randomness.
//!
//! A dialect module decodes a client's frame into a [`Request`] and encodes an [`Event`] into
//! the frames that dialect's clients expect. `ARCHITECTURE.md` has the table of words.

mod event;
mod id;
pub mod peerjs;
mod request;
mod signal;

pub use event::{Event, Refusal};
pub use id::{Address, AppKey, InvalidId, PeerId};
pub use request::Request;
pub use signal::{Envelope, Json, Signal, SignalKind};
