//! Finds the values in a stream that comes in pieces of any size.

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;

use super::unpack::unpack;
use crate::Value;
use crate::binarypack::MAX_DEPTH;
use crate::input::Lack;

/// Why a stream cannot be read any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum StreamError {
    /// A byte that begins nothing; the field is the byte.
    #[error("no value begins with the byte {0:#04x}")]
    UnknownTag(u8),
    /// The name of a member is neither text nor a number.
    #[error("the name of a member is not a text")]
    Name,
    /// Arrays and objects inside each other beyond [`MAX_DEPTH`].
    #[error("it is nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
    /// More values in one than the limit.
    #[error("it holds too many values")]
    TooManyValues,
    /// A value that is longer than the limit, the field, in bytes.
    #[error("message too big: the limit is {0} bytes")]
    TooBig(usize),
    /// Lengths inside of a value contradict each other.
    #[error("a length is wrong")]
    Length,
    /// An error came before; what follows has no beginning.
    #[error("the stream broke before")]
    Broken,
}

impl From<Lack> for StreamError {
    fn from(lack: Lack) -> Self {
        match lack {
            // The stream has counted before that they are there.
            Lack::Bytes => Self::Length,
            Lack::Budget => Self::TooManyValues,
            Lack::Depth => Self::TooDeep,
        }
    }
}

/// Reads a stream of values. It looks at each byte once, keeps at most the one value that has begun, and
/// refuses that one as soon as its lengths say that it breaks a limit.
///
/// ```
/// use peerway_protocol::{Value, msgpack::Stream};
///
/// let mut stream = Stream::new(1000, 100);
/// assert_eq!(stream.feed(b"\x01\xa2h".as_slice().into())?, [Value::from(1)]);
/// assert_eq!(stream.feed(b"i".as_slice().into())?, [Value::from("hi")]);
/// # Ok::<(), peerway_protocol::msgpack::StreamError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Stream {
    max_message: usize,
    max_values: usize,
    /// The value that has begun, as far as it came.
    begun: BytesMut,
    /// How far it was looked at.
    seen: usize,
    /// How many bytes behind `seen` need no look: they are inside of a text or buffer.
    payload: usize,
    /// How many values are still to begin, of the one that has begun and those inside of it.
    missing: usize,
    /// How many values were seen in it.
    values: usize,
    broken: bool,
}

/// What begins a value: tag and length.
struct Head {
    length: usize,
    payload: usize,
    inside: usize,
}

impl Stream {
    /// A stream at its beginning, of values with at most `max_message` bytes and `max_values` values,
    /// nested ones included.
    pub fn new(max_message: usize, max_values: usize) -> Self {
        Self {
            max_message,
            max_values,
            begun: BytesMut::new(),
            seen: 0,
            payload: 0,
            missing: 0,
            values: 0,
            broken: false,
        }
    }

    /// Takes what came next, and returns the values that it completes. After an error there is no going on.
    pub fn feed(&mut self, data: Bytes) -> Result<Vec<Value>, StreamError> {
        if self.broken {
            return Err(StreamError::Broken);
        }
        let read = self.read(data);
        if read.is_err() {
            self.broken = true;
            self.begun = BytesMut::new();
        }
        read
    }

    fn read(&mut self, mut data: Bytes) -> Result<Vec<Value>, StreamError> {
        let mut values = Vec::new();
        while !data.is_empty() {
            let before = self.begun.len();
            let whole = if before == 0 {
                // A value that is whole in this message is read where it is.
                self.look(&data)?.map(|end| data.split_to(end))
            } else {
                self.begun.extend_from_slice(&data);
                let begun = std::mem::take(&mut self.begun);
                let end = self.look(&begun);
                self.begun = begun;
                let end = end?;
                if let Some(end) = end {
                    data.advance(end - before);
                    self.begun.truncate(end);
                    Some(std::mem::take(&mut self.begun).freeze())
                } else {
                    return Ok(values);
                }
            };
            let Some(whole) = whole else {
                self.begun.extend_from_slice(&data);
                return Ok(values);
            };
            self.seen = 0;
            self.values = 0;
            values.push(unpack(whole, self.max_values)?);
        }
        Ok(values)
    }

    /// Goes on looking for the end of the value that `bytes` begins with.
    fn look(&mut self, bytes: &[u8]) -> Result<Option<usize>, StreamError> {
        if self.seen == 0 {
            self.missing = 1;
        }
        loop {
            let here = self.payload.min(bytes.len() - self.seen);
            self.seen += here;
            self.payload -= here;
            if self.payload > 0 {
                return Ok(None);
            }
            if self.missing == 0 {
                return Ok(Some(self.seen));
            }
            let Some(head) = head(&bytes[self.seen..])? else { return Ok(None) };
            self.seen += head.length;
            self.payload = head.payload;
            self.missing = (self.missing - 1).saturating_add(head.inside);
            self.values += 1;
            if self.values.saturating_add(self.missing) > self.max_values {
                return Err(StreamError::TooManyValues);
            }
            // Whatever is missing takes a byte at least.
            let least = self.seen.saturating_add(self.payload).saturating_add(self.missing);
            if least > self.max_message {
                return Err(StreamError::TooBig(self.max_message));
            }
        }
    }
}

/// Reads tag and length, or `None` if there is more to come of these.
fn head(bytes: &[u8]) -> Result<Option<Head>, StreamError> {
    let Some((&tag, rest)) = bytes.split_first() else { return Ok(None) };
    let (width, payload, inside) = match tag {
        0x80..=0x8f => (0, 0, usize::from(tag & 0x0f) * 2),
        0x90..=0x9f => (0, 0, (tag & 0x0f).into()),
        0xa0..=0xbf => (0, (tag & 0x1f).into(), 0),
        0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => (0, 0, 0),
        0xca => (0, 4, 0),
        0xcb => (0, 8, 0),
        0xcc..=0xcf => (0, 1 << (tag - 0xcc), 0),
        0xd0..=0xd3 => (0, 1 << (tag - 0xd0), 0),
        0xd4..=0xd8 => (0, 1 + (1 << (tag - 0xd4)), 0),
        0xc4 | 0xc7 | 0xd9 => (1, 0, 0),
        0xc5 | 0xc8 | 0xda | 0xdc | 0xde => (2, 0, 0),
        0xc6 | 0xc9 | 0xdb | 0xdd | 0xdf => (4, 0, 0),
        0xc1 => return Err(StreamError::UnknownTag(tag)),
    };
    let Some(length) = rest.get(..width) else { return Ok(None) };
    let length = length.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
    let (payload, inside) = match tag {
        0xdc | 0xdd => (0, length),
        0xde | 0xdf => (0, length.saturating_mul(2)),
        0xc7..=0xc9 => (length.saturating_add(1), 0),
        _ if width > 0 => (length, 0),
        _ => (payload, inside),
    };
    Ok(Some(Head { length: 1 + width, payload, inside }))
}
