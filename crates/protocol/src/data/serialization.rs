//! What an offer says about the channel: the serialization by its wire name, and the generation.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// How values become messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Serialization {
    /// `binary`: BinaryPack, in pieces where it is long. What `PeerJS` takes unless told otherwise.
    #[default]
    Binary,
    /// `binary-utf8`: the same bytes as `binary` since 0.3.7.
    BinaryUtf8,
    /// `json`: JSON, up to 16,299 bytes of UTF-8 from 1.5 on.
    Json,
    /// `raw`, called `none` up to 1.4.7: text and bytes as they are.
    Raw,
    /// `MsgPack`: one stream of `MessagePack`, from 1.5.0 on.
    MsgPack,
}

/// A name that is no serialization of any `PeerJS`: one of an application's own.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown serialization: {0}")]
pub struct UnknownSerialization(pub String);

impl Serialization {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Binary, Self::BinaryUtf8, Self::Json, Self::Raw, Self::MsgPack];

    /// The name on the wire. [`Raw`](Self::Raw) is `raw`: clients up to 1.4.7 pass values through as
    /// they are under any name that they do not know, while 1.5 refuses `none`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::BinaryUtf8 => "binary-utf8",
            Self::Json => "json",
            Self::Raw => "raw",
            Self::MsgPack => "MsgPack",
        }
    }

    /// What an offer announces; `None` is `binary`, as `PeerJS` has it.
    pub fn announced(name: Option<&str>) -> Result<Self, UnknownSerialization> {
        name.map_or(Ok(Self::default()), str::parse)
    }
}

impl fmt::Display for Serialization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Serialization {
    type Err = UnknownSerialization;

    fn from_str(name: &str) -> Result<Self, UnknownSerialization> {
        match name {
            "binary" => Ok(Self::Binary),
            "binary-utf8" => Ok(Self::BinaryUtf8),
            "json" => Ok(Self::Json),
            "none" | "raw" => Ok(Self::Raw),
            "MsgPack" => Ok(Self::MsgPack),
            unknown => Err(UnknownSerialization(unknown.to_owned())),
        }
    }
}

/// The generations of clients that differ in what they put into a data channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Generation {
    /// Up to 1.4.7 and 2.0 beta: sends `browser` in OFFER and ANSWER (but for 2.0 beta), JSON as text,
    /// and wrong lengths of emoji.
    Legacy,
    /// 1.5.0 and later, and ourselves.
    Modern,
}

impl Generation {
    /// What the member `browser` of an OFFER or ANSWER tells.
    pub fn of(browser: Option<&str>) -> Self {
        if browser.is_some() { Self::Legacy } else { Self::Modern }
    }
}
