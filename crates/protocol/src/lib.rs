//! Wire types and dialect codecs: pure functions between frames on the wire and the small
//! vocabulary that the broker and the SDK speak. No IO, no clock, no randomness.
//!
//! Signalling: a dialect module decodes a client's frame into a [`Request`] and encodes an
//! [`Event`] into the frames that dialect's clients expect. Data: [`data::DataCodec`] turns a
//! [`Value`] into the messages of a data channel and back. `ARCHITECTURE.md` has the table of words.

mod base64;
pub mod binarypack;
mod chunk;
pub mod data;
pub mod engineio;
mod event;
mod id;
mod input;
pub mod interop;
mod media;
mod members;
pub mod msgpack;
mod object;
mod packed;
pub mod peerjs;
mod request;
mod room;
mod signal;
pub mod skyway;
pub mod socketio;
pub mod value;

pub use event::{Event, Refusal};
pub use id::{Address, AppKey, InvalidId, PeerAddress, PeerId, RoomAddress};
pub use media::{MediaProfile, MediaRequest, MediaStream, Reception, StreamName, VideoWish};
pub use packed::Packed;
pub use request::Request;
pub use room::{LogAction, LogEntry, RoomData, RoomEvent, RoomMode, RoomName, RoomRequest};
pub use signal::{Dialect, Envelope, Json, Signal, SignalKind};
pub use value::{Date, Value};
