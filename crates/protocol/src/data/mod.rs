//! The codec of one data channel: values to messages and back, in the serialization that the offer
//! announced and in the form that the generation at the other end reads.
//!
//! Facts and sources: `docs/reference/peerjs-data.md`.

mod json;
mod outgoing;
mod room;
mod serialization;

use bytes::Bytes;
use thiserror::Error;

use crate::binarypack::{self, Dialect, UnpackError};
use crate::chunk::{ChunkError, Piece, Reassembly};
use crate::msgpack::{self, StreamError};
use crate::{Packed, Value};

pub use outgoing::Outgoing;
pub use serialization::{Generation, Serialization, UnknownSerialization};

/// The member that marks what `PeerJS` says to itself inside of a data channel.
pub(crate) const CONTROL: &str = "__peerData";

/// Longest message that clients send in one piece, in bytes: `binary` cuts what is longer, and
/// `json` of 1.5 refuses it.
pub const MTU: usize = 16_300;

/// One message of a data channel.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Whether it goes out as binary; otherwise `data` is UTF-8 text.
    pub binary: bool,
    /// The bytes of it.
    pub data: Vec<u8>,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Message({}, {} bytes)",
            if self.binary { "binary" } else { "text" },
            self.data.len()
        )
    }
}

/// What a message brought.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming {
    /// A value for the application.
    Value(Value),
    /// The other end closes the connection (`close({flush: true})` of 1.5).
    Close,
}

/// How much one data channel may make us keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Longest packed value that is taken, in bytes. It also bounds what goes out.
    pub max_message: usize,
    /// How many bytes of values may wait for their missing pieces, all together.
    pub max_partial: usize,
    /// How many values one message may hold, nested ones included: small ones take more room in memory
    /// (about 64 bytes each) than on the wire (1 byte).
    pub max_values: usize,
    /// Whether the channel may lose messages (it has a lifetime or a limit of retransmissions). Then
    /// the oldest unfinished value gives way to new ones, where otherwise a full store is an error.
    pub lossy: bool,
}

impl Default for Limits {
    /// 256 MiB for one value, twice that for unfinished ones, 4 million values, nothing lost.
    fn default() -> Self {
        Self { max_message: 256 << 20, max_partial: 512 << 20, max_values: 4 << 20, lossy: false }
    }
}

/// Why a value cannot go out. The connection is as good as before.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// Longer than the other end takes. `PeerJS` calls it `message-too-big`.
    #[error("message too big: {size} bytes, and the limit of {serialization} is {limit}")]
    MessageTooBig {
        /// Its length in bytes.
        size: usize,
        /// The most that can go out, in bytes.
        limit: usize,
        /// What cannot take it.
        serialization: Serialization,
    },
    /// A value that the serialization has no form for.
    #[error("{serialization} cannot carry {what}")]
    Unsupported {
        /// What it is.
        what: &'static str,
        /// What cannot carry it.
        serialization: Serialization,
    },
    /// Arrays and objects inside each other beyond [`binarypack::MAX_DEPTH`].
    #[error("the value is nested more than {0} levels deep")]
    TooDeep(usize),
    /// An object that the other end would take for a message of `PeerJS` itself.
    #[error("an object with a member '{CONTROL}' means something else to PeerJS")]
    Reserved,
}

/// Why a message cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// Not what `binary` sends.
    #[error("not BinaryPack: {0}")]
    BinaryPack(#[from] UnpackError),
    /// A piece that belongs to nothing, or too many of them.
    #[error("{0}")]
    Chunk(#[from] ChunkError),
    /// Not what `MsgPack` sends. Where one value ends and the next begins is lost: nothing that
    /// comes later can be read.
    #[error("not MessagePack: {0}")]
    MsgPack(#[from] StreamError),
    /// Not what `json` sends.
    #[error("not JSON: {0}")]
    Json(String),
    /// Text where the serialization knows binary messages only.
    #[error("a text message, where {0} has binary ones")]
    Text(Serialization),
    /// A text message that is not UTF-8.
    #[error("a text message that is not UTF-8")]
    NotUtf8,
    /// Longer than [`Limits::max_message`], the field, in bytes.
    #[error("message too big: the limit is {0} bytes")]
    TooBig(usize),
}

/// The codec of one data channel. It does no IO and has no clock: what it returns from
/// [`encode`](Self::encode) goes out in that order, and what comes in goes to [`decode`](Self::decode).
///
/// ```
/// use peerway_protocol::Value;
/// use peerway_protocol::data::{DataCodec, Generation, Incoming, Limits, Serialization};
///
/// let mut ours = DataCodec::new(Serialization::Binary, Generation::Modern, Limits::default());
/// let mut theirs = ours.clone();
/// let value = Value::from(vec![7_u8; 40_000]);
///
/// let mut arrived = Vec::new();
/// for message in ours.encode(&value)? {
///     arrived.extend(theirs.decode(message.binary, message.data)?);
/// }
///
/// assert_eq!(arrived, [Incoming::Value(value)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct DataCodec {
    serialization: Serialization,
    remote: Generation,
    limits: Limits,
    /// The id of the next value that goes out in pieces.
    next_id: u32,
    reassembly: Reassembly,
    stream: msgpack::Stream,
}

impl DataCodec {
    /// A codec for a channel that is new at both ends.
    pub fn new(serialization: Serialization, remote: Generation, limits: Limits) -> Self {
        Self {
            serialization,
            remote,
            next_id: 1,
            reassembly: Reassembly::new(&limits),
            stream: msgpack::Stream::new(limits.max_message, limits.max_values),
            limits,
        }
    }

    /// Tells which generation is at the other end: the caller learns it from the ANSWER. Besides, the
    /// codec learns from what it reads: 2.0 beta is of the legacy generation and does not say so.
    pub fn set_remote(&mut self, remote: Generation) {
        self.remote = remote;
    }

    /// Whom it writes for.
    pub fn remote(&self) -> Generation {
        self.remote
    }

    /// What it reads and writes.
    pub fn serialization(&self) -> Serialization {
        self.serialization
    }

    /// The messages that carry a value, made one by one as they are asked for: what waits is the
    /// packed value, in which big buffers are shared with `value` and not copied.
    pub fn encode(&mut self, value: &Value) -> Result<Outgoing, EncodeError> {
        self.refuse_reserved(value)?;
        match self.serialization {
            Serialization::Binary | Serialization::BinaryUtf8 => {
                let packed = binarypack::pack(value, self.dialect())
                    .map_err(|error| self.pack_error(error))?;
                self.check_size(packed.len(), self.limits.max_message)?;
                if packed.len() <= MTU {
                    return Ok(Outgoing::one(true, packed.into_vec()));
                }
                let id = self.next_id;
                self.next_id = self.next_id.wrapping_add(1).max(1);
                Ok(Outgoing::chunks(id, packed))
            }
            Serialization::Json => {
                let text = json::to_vec(value).map_err(|error| self.pack_error(error))?;
                let binary = self.remote == Generation::Modern;
                // 1.5 refuses to send these, and so its users do not expect them.
                let limit = if binary { MTU - 1 } else { self.limits.max_message };
                self.check_size(text.len(), limit)?;
                Ok(Outgoing::one(binary, text))
            }
            Serialization::Raw => match value {
                Value::Text(text) => Ok(Outgoing::one(false, text.clone().into_bytes())),
                Value::Bytes(bytes) => Ok(Outgoing::one(true, bytes.to_vec())),
                Value::Null => Err(self.unsupported("null")),
                Value::Bool(_) | Value::Int(_) | Value::Float(_) => {
                    Err(self.unsupported("a number or truth value"))
                }
                Value::Date(_) => Err(self.unsupported("a date")),
                Value::Array(_) | Value::Map(_) => Err(self.unsupported("an array or object")),
            },
            Serialization::MsgPack => {
                let packed = msgpack::pack(value).map_err(|error| self.pack_error(error))?;
                self.check_size(packed.len(), self.limits.max_message)?;
                Ok(Outgoing::cut(packed))
            }
        }
    }

    /// The message that says inside of the channel that it closes, to go behind all others. `None`
    /// where the other end would not understand it: clients up to 1.4.7, and `none` and `raw`.
    pub fn close_message(&self) -> Option<Message> {
        if self.remote == Generation::Legacy {
            return None;
        }
        let close = Value::map([(CONTROL, Value::map([("type", Value::from("close"))]))]);
        let data = match self.serialization {
            Serialization::Binary | Serialization::BinaryUtf8 => {
                binarypack::pack(&close, Dialect::Modern).map(Packed::into_vec)
            }
            Serialization::Json => json::to_vec(&close),
            Serialization::MsgPack => msgpack::pack(&close).map(Packed::into_vec),
            Serialization::Raw => return None,
        };
        Some(Message { binary: true, data: data.expect("two objects and a text can be packed") })
    }

    /// Reads one message of the channel: `binary` is what the channel says of it. A message may bring no
    /// value (a piece of one) or several (`MsgPack`). After an error the codec can go on with the
    /// next message, except in a `MsgPack` stream.
    pub fn decode(&mut self, binary: bool, data: Vec<u8>) -> Result<Vec<Incoming>, DecodeError> {
        if data.len() > self.limits.max_message {
            return Err(DecodeError::TooBig(self.limits.max_message));
        }
        match self.serialization {
            Serialization::Raw if binary => Ok(value(Value::Bytes(data.into()))),
            Serialization::Raw => {
                let text = String::from_utf8(data).map_err(|_| DecodeError::NotUtf8)?;
                Ok(value(Value::Text(text)))
            }
            Serialization::Json => {
                if !binary {
                    self.remote = Generation::Legacy;
                }
                let read = json::from_slice(&data, self.limits.max_values);
                Ok(incoming(read.map_err(DecodeError::Json)?))
            }
            serialization if !binary => Err(DecodeError::Text(serialization)),
            Serialization::Binary | Serialization::BinaryUtf8 => self.decode_packed(&data.into()),
            Serialization::MsgPack => {
                Ok(self.stream.feed(data.into())?.into_iter().flat_map(incoming).collect())
            }
        }
    }

    fn decode_packed(&mut self, data: &Bytes) -> Result<Vec<Incoming>, DecodeError> {
        let read = self.unpack(data)?;
        let Some(control) = read.get(CONTROL).filter(|control| control.is_truthy()) else {
            return Ok(value(read));
        };
        if is_close(control) {
            return Ok(vec![Incoming::Close]);
        }
        match self.reassembly.add(&Piece::of(&read)?)? {
            Some(whole) => Ok(value(self.unpack(&whole)?)),
            None => Ok(Vec::new()),
        }
    }

    fn unpack(&mut self, data: &Bytes) -> Result<Value, UnpackError> {
        let (value, dialect) =
            binarypack::unpack_from(data, self.dialect(), self.limits.max_values)?;
        if dialect != Dialect::Modern {
            self.remote = Generation::Legacy;
        }
        Ok(value)
    }

    fn dialect(&self) -> Dialect {
        match self.remote {
            Generation::Legacy => Dialect::Legacy,
            Generation::Modern => Dialect::Modern,
        }
    }

    fn refuse_reserved(&self, value: &Value) -> Result<(), EncodeError> {
        let Some(control) = value.get(CONTROL) else { return Ok(()) };
        let misread = match self.serialization {
            Serialization::Binary | Serialization::BinaryUtf8 => control.is_truthy(),
            Serialization::Json | Serialization::MsgPack => is_close(control),
            Serialization::Raw => false,
        };
        if misread { Err(EncodeError::Reserved) } else { Ok(()) }
    }

    fn check_size(&self, size: usize, limit: usize) -> Result<(), EncodeError> {
        let serialization = self.serialization;
        if size > limit {
            return Err(EncodeError::MessageTooBig { size, limit, serialization });
        }
        Ok(())
    }

    fn unsupported(&self, what: &'static str) -> EncodeError {
        EncodeError::Unsupported { what, serialization: self.serialization }
    }

    fn pack_error(&self, error: binarypack::PackError) -> EncodeError {
        match error {
            binarypack::PackError::TooDeep => EncodeError::TooDeep(binarypack::MAX_DEPTH),
            binarypack::PackError::TooLong => EncodeError::MessageTooBig {
                size: usize::MAX,
                limit: self.limits.max_message,
                serialization: self.serialization,
            },
            binarypack::PackError::Bytes => self.unsupported("bytes"),
        }
    }
}

/// What a whole value of `json` or `MsgPack` means.
fn incoming(read: Value) -> Vec<Incoming> {
    if read.get(CONTROL).is_some_and(is_close) { vec![Incoming::Close] } else { value(read) }
}

fn value(value: Value) -> Vec<Incoming> {
    vec![Incoming::Value(value)]
}

fn is_close(control: &Value) -> bool {
    control.get("type").and_then(Value::as_str) == Some("close")
}
