//! Engine.IO protocol 3: packets, alone in `WebSocket` frames or several in the body of a poll. Pure
//! functions between bytes and packets.
//!
//! ```text
//! 4hello                            a WebSocket text frame: the message "hello"
//! 04 01 02                          a WebSocket binary frame: the message 01 02
//! 6:4hello3:b4AQI=2:2               a body as text: lengths count UTF-16 units
//! 00 06 ff 34 68 65 6c 6c 6f ..     a body as bytes (XHR2): 00 text or 01 binary, digits, ff
//! ```
//!
//! Facts: the README of `engine.io-protocol` (revision 3), and what the clients send.

mod frame;
mod payload;
mod query;

use std::borrow::Cow;

use bytes::Bytes;
use thiserror::Error;

pub use frame::{decode_binary, decode_text};
pub use payload::{Body, Charset, decode_body_bytes, decode_body_text, encode_body};
pub use query::Query;

/// The version that clients ask for by `EIO=3`.
pub const PROTOCOL: &str = "3";

/// What a packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The server's first words.
    Open,
    /// The sender goes.
    Close,
    /// Are you there? In this version of the protocol the client asks.
    Ping,
    /// I am, with the text of the ping.
    Pong,
    /// What the layer above says.
    Message,
    /// The client goes on by this transport.
    Upgrade,
    /// Nothing: it ends a poll.
    Noop,
}

impl Kind {
    const ALL: [Self; 7] =
        [Self::Open, Self::Close, Self::Ping, Self::Pong, Self::Message, Self::Upgrade, Self::Noop];

    fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The digit that stands for it in text.
    fn digit(self) -> char {
        char::from(b'0' + self.number())
    }

    fn number(self) -> u8 {
        self as u8
    }
}

/// What a packet carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data<'a> {
    /// Text.
    Text(Cow<'a, str>),
    /// Bytes.
    Binary(Bytes),
}

impl Data<'_> {
    /// Length in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet<'a> {
    /// What it is.
    pub kind: Kind,
    /// What it carries.
    pub data: Data<'a>,
}

impl<'a> Packet<'a> {
    /// A packet of text.
    pub fn text(kind: Kind, text: impl Into<Cow<'a, str>>) -> Self {
        Self { kind, data: Data::Text(text.into()) }
    }

    /// A message of bytes.
    pub fn binary(bytes: Bytes) -> Self {
        Self { kind: Kind::Message, data: Data::Binary(bytes) }
    }

    /// The text of it where it has one, as in [`Data::Text`].
    pub fn as_text(&self) -> Option<&str> {
        match &self.data {
            Data::Text(text) => Some(text),
            Data::Binary(_) => None,
        }
    }
}

/// Why bytes are not packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Malformed {
    /// A frame or packet without even a type.
    #[error("an empty packet")]
    Empty,
    /// A type that is none.
    #[error("an unknown packet type")]
    Type,
    /// A body whose lengths and contents do not fit.
    #[error("a wrong packet length")]
    Length,
    /// A packet in Base64 that is not.
    #[error("a packet that is not Base64")]
    Base64,
    /// A text body that is not UTF-8.
    #[error("a body that is not UTF-8")]
    NotUtf8,
    /// More packets than a body may have.
    #[error("too many packets at once")]
    TooMany,
}
