//! Socket.IO protocol 4, as socket.io-client 1.x and 2.x speak it on top of [`crate::engineio`]: named
//! events whose arguments are JSON with binary parts beside it.
//!
//! ```text
//! 2["ROOM_JOIN",{"roomName":"r"}]                     an event of the namespace /
//! 2/chat,7["hello"]                                   of another, with the id of an acknowledgement
//! 51-["file",{"_placeholder":true,"num":0}]           with one binary part, which follows
//! ```
//!
//! Facts: the README of `socket.io-protocol` (revision 4), and what the clients send.

mod assembler;
mod packet;
mod placeholder;

use std::borrow::Cow;
use std::fmt::Write;

use bytes::Bytes;
use serde_json::value::RawValue;

pub use assembler::{Assembler, Incoming, Limits};
pub use packet::{Kind, Malformed, Packet, ROOT};

/// What a client says. The arguments are the text that the client sent.
#[derive(Debug, Clone)]
pub struct Event {
    /// The event's name.
    pub name: Box<str>,
    /// What follows the name. `{"_placeholder":true,"num":0}` stands where attachment 0 belongs.
    pub arguments: Vec<Box<RawValue>>,
    /// The binary parts.
    pub attachments: Vec<Bytes>,
    /// The client waits for an acknowledgement with this id.
    pub id: Option<u64>,
}

/// What a client is told: a packet and its binary parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The packet, without the number that makes it an Engine.IO message.
    pub text: String,
    /// What follows it.
    pub attachments: Vec<Bytes>,
}

/// A packet's text in ASCII: what lies beyond is inside JSON texts, where it can be escaped. Clients
/// that decode UTF-8 in polling once or twice read it alike ([`crate::engineio::Charset`]).
pub fn to_ascii(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut ascii = String::with_capacity(text.len() * 2);
    for character in text.chars() {
        if character.is_ascii() {
            ascii.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Writing into a text cannot fail.
            let _ = write!(ascii, "\\u{unit:04x}");
        }
    }
    Cow::Owned(ascii)
}
