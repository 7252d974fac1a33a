//! Names of things: newtypes that can only be built valid.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::RoomName;

/// Why a text cannot be an id or a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidId {
    /// The text has no characters.
    #[error("must not be empty")]
    Empty,
    /// The text is longer than allowed; the field is the limit in bytes.
    #[error("must not be longer than {0} bytes")]
    TooLong(usize),
    /// A control character, which would corrupt logs and pages that show the id.
    #[error("must not contain control characters")]
    Control,
    /// A character that cannot stand in one segment of a URL path.
    #[error("must not contain '/', '?' or '#'")]
    NotASegment,
    /// A word that peerway's own routes use.
    #[error("is a word that the server uses for itself")]
    Reserved,
}

/// Key words of routes below the path prefix (`{path}active/list/{key}`), so never an app key.
const RESERVED_KEYS: [&str; 1] = ["active"];

fn check(text: &str, max: usize) -> Result<(), InvalidId> {
    if text.is_empty() {
        return Err(InvalidId::Empty);
    }
    if text.len() > max {
        return Err(InvalidId::TooLong(max));
    }
    if text.chars().any(char::is_control) {
        return Err(InvalidId::Control);
    }
    Ok(())
}

macro_rules! text_id {
    ($name:ident) => {
        impl $name {
            /// The text of it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }
    };
}

/// The key of an app: what a client gives as `key`. Case matters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppKey(Arc<str>);

text_id!(AppKey);

impl AppKey {
    /// Longest key, in bytes.
    pub const MAX_LEN: usize = 128;

    /// Takes a text as an app key.
    pub fn new(text: &str) -> Result<Self, InvalidId> {
        check(text, Self::MAX_LEN)?;
        if text.contains(['/', '?', '#']) {
            return Err(InvalidId::NotASegment);
        }
        if RESERVED_KEYS.contains(&text) {
            return Err(InvalidId::Reserved);
        }
        Ok(Self(text.into()))
    }
}

/// The id of a peer inside its app. `PeerServer` checks no characters, so neither do we beyond
/// what would harm others: `PeerJS` clients check their own ids (`[A-Za-z0-9]` with inner space, dash and underscore).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(Arc<str>);

text_id!(PeerId);

impl PeerId {
    /// Longest id, in bytes.
    pub const MAX_LEN: usize = 256;

    /// Takes a text as a peer id.
    pub fn new(text: &str) -> Result<Self, InvalidId> {
        check(text, Self::MAX_LEN)?;
        Ok(Self(text.into()))
    }

    /// A version 4 UUID (RFC 9562, section 5.4) made of the given random bytes, the form in which
    /// `PeerServer` gives ids since 0.3.
    #[must_use]
    pub fn from_random(mut bytes: [u8; 16]) -> Self {
        use fmt::Write as _;

        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        let mut text = String::with_capacity(36);
        for (index, byte) in bytes.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                text.push('-');
            }
            write!(text, "{byte:02x}").expect("writing to a String cannot fail");
        }
        Self(text.into())
    }
}

/// A peer of an app.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerAddress {
    /// The app.
    pub app: AppKey,
    /// The peer inside the app.
    pub peer: PeerId,
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.app, self.peer)
    }
}

/// A room of an app.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomAddress {
    /// The app.
    pub app: AppKey,
    /// The room inside the app.
    pub room: RoomName,
}

impl fmt::Display for RoomAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.app, self.room)
    }
}

/// What can be written to, and is held by one node: a peer or a room. A room and a peer may have
/// the same name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// A peer.
    Peer(PeerAddress),
    /// A room.
    Room(RoomAddress),
}

impl Address {
    /// The app that it is in.
    pub fn app(&self) -> &AppKey {
        match self {
            Self::Peer(address) => &address.app,
            Self::Room(address) => &address.app,
        }
    }
}

impl From<PeerAddress> for Address {
    fn from(address: PeerAddress) -> Self {
        Self::Peer(address)
    }
}

impl From<RoomAddress> for Address {
    fn from(address: RoomAddress) -> Self {
        Self::Room(address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(address) => address.fmt(f),
            Self::Room(address) => write!(f, "room {address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_id_is_a_version_4_uuid() {
        assert_eq!(PeerId::from_random([0; 16]).as_str(), "00000000-0000-4000-8000-000000000000");
        assert_eq!(PeerId::from_random([255; 16]).as_str(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }

    #[test]
    fn ids_refuse_what_would_harm_others() {
        assert_eq!(PeerId::new(""), Err(InvalidId::Empty));
        assert_eq!(PeerId::new("a\nb"), Err(InvalidId::Control));
        assert_eq!(PeerId::new(&"x".repeat(257)), Err(InvalidId::TooLong(256)));
        assert!(PeerId::new("日本 語_-1").is_ok());
    }

    #[test]
    fn keys_must_fit_into_a_path() {
        assert_eq!(AppKey::new("a/b"), Err(InvalidId::NotASegment));
        assert_eq!(AppKey::new("active"), Err(InvalidId::Reserved));
        assert!(AppKey::new("peerjs").is_ok());
    }
}
