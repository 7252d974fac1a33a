//! Bytes to values.

use bytes::Bytes;
use thiserror::Error;

use super::{Dialect, MAX_DEPTH, layout, text};
use crate::Value;
use crate::input::{Budget, Input, Lack};

/// Why bytes are not a packed value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum UnpackError {
    /// They end inside of the value.
    #[error("it ends too early")]
    Truncated,
    /// A byte that begins nothing; the field is the byte.
    #[error("no value begins with the byte {0:#04x}")]
    UnknownTag(u8),
    /// Neither UTF-8 nor any of what older clients make of it.
    #[error("a text is not UTF-8")]
    Text,
    /// A member of an object whose name is neither text nor a number.
    #[error("the name of a member is not a text")]
    Name,
    /// Arrays and objects inside each other beyond [`MAX_DEPTH`].
    #[error("it is nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
    /// More values than [`crate::data::Limits::max_values`].
    #[error("it holds too many values")]
    TooManyValues,
}

impl From<Lack> for UnpackError {
    fn from(lack: Lack) -> Self {
        match lack {
            Lack::Bytes => Self::Truncated,
            Lack::Budget => Self::TooManyValues,
            Lack::Depth => Self::TooDeep,
        }
    }
}

/// Unpacks one value of up to `max_values` values, nested ones included, whichever dialect it was written in.
/// Buffers in it share the memory of `data` and are not copied, unless they are short.
///
/// ```
/// use peerway_protocol::Value;
/// use peerway_protocol::binarypack::unpack;
///
/// // An emoji of PeerJS 1.4: it declares six bytes.
/// let value = unpack(&b"\xb6\xf0\x9f\x98\x80".as_slice().into(), 10)?;
/// assert_eq!(value, Value::from("😀"));
/// # Ok::<(), peerway_protocol::binarypack::UnpackError>(())
/// ```
pub fn unpack(data: &Bytes, max_values: usize) -> Result<Value, UnpackError> {
    unpack_from(data, Dialect::Modern, max_values).map(|(value, _)| value)
}

/// Unpacks one value, and tells which dialect it turned out to be. `expected` is tried first; what
/// it reads to the last byte is taken.
pub(crate) fn unpack_from(
    data: &Bytes,
    expected: Dialect,
    max_values: usize,
) -> Result<(Value, Dialect), UnpackError> {
    let other = if expected == Dialect::Modern { Dialect::Legacy } else { Dialect::Modern };
    let first = whole(data, expected, max_values);
    if let Ok((value, 0)) = first {
        return Ok((value, expected));
    }
    // Only texts beyond ASCII differ.
    if data.iter().any(|byte| *byte >= 0x80) {
        for dialect in [other, Dialect::Oldest] {
            if let Ok((value, 0)) = whole(data, dialect, max_values) {
                return Ok((value, dialect));
            }
        }
    }
    // JavaScript ignores what comes behind a value.
    first.map(|(value, _)| (value, expected))
}

/// A value, and how many bytes come behind it.
fn whole(data: &Bytes, dialect: Dialect, max_values: usize) -> Result<(Value, usize), UnpackError> {
    let mut unpack =
        Unpack { input: Input::new(data.clone()), dialect, budget: Budget::new(max_values) };
    let value = unpack.value(0)?;
    Ok((value, unpack.input.left()))
}

struct Unpack {
    input: Input,
    dialect: Dialect,
    budget: Budget,
}

impl Unpack {
    fn value(&mut self, depth: usize) -> Result<Value, UnpackError> {
        let tag = self.input.byte()?;
        let short = usize::from(tag & 0x0f);
        Ok(match tag {
            0x00..=0x7f => Value::Int(tag.into()),
            0x80..=0x8f => self.map(short, depth)?,
            0x90..=0x9f => self.array(short, depth)?,
            0xa0..=0xaf => Value::Bytes(self.input.bytes(short)?),
            0xb0..=0xbf => self.text(short)?,
            layout::NULL | layout::UNDEFINED => Value::Null,
            layout::FALSE => Value::Bool(false),
            layout::TRUE => Value::Bool(true),
            layout::FLOAT => Value::Float(f32::from_be_bytes(self.input.array()?).into()),
            layout::DOUBLE => match f64::from_be_bytes(self.input.array()?) {
                // What JavaScript makes of NaN; zero is an integer there.
                number if number.to_bits() == 0 => Value::Float(f64::NAN),
                number => layout::misread_back(number).map_or(Value::Float(number), Value::Int),
            },
            0xcc..=0xd3 => self.input.number(tag)?,
            0xd8 => {
                let length = self.input.length16()?;
                self.text(length)?
            }
            0xd9 => {
                let length = self.input.length32()?;
                self.text(length)?
            }
            0xda => {
                let length = self.input.length16()?;
                Value::Bytes(self.input.bytes(length)?)
            }
            0xdb => {
                let length = self.input.length32()?;
                Value::Bytes(self.input.bytes(length)?)
            }
            0xdc => {
                let length = self.input.length16()?;
                self.array(length, depth)?
            }
            0xdd => {
                let length = self.input.length32()?;
                self.array(length, depth)?
            }
            0xde => {
                let length = self.input.length16()?;
                self.map(length, depth)?
            }
            0xdf => {
                let length = self.input.length32()?;
                self.map(length, depth)?
            }
            0xe0..=0xff => Value::Int(tag.cast_signed().into()),
            0xc4..=0xc9 | 0xd4..=0xd7 => return Err(UnpackError::UnknownTag(tag)),
        })
    }

    fn text(&mut self, declared: usize) -> Result<Value, UnpackError> {
        let rest = self.input.rest();
        let extent = text::extent(rest, declared, self.dialect).ok_or(UnpackError::Truncated)?;
        let text = text::decode(&rest[..extent]).ok_or(UnpackError::Text)?;
        self.input.skip(extent)?;
        Ok(Value::Text(text))
    }

    fn array(&mut self, length: usize, depth: usize) -> Result<Value, UnpackError> {
        let depth = self.budget.enter(depth, length, self.input.left())?;
        let mut elements = Vec::with_capacity(length);
        for _ in 0..length {
            elements.push(self.value(depth)?);
        }
        Ok(Value::Array(elements))
    }

    fn map(&mut self, length: usize, depth: usize) -> Result<Value, UnpackError> {
        let depth = self.budget.enter(depth, length.saturating_mul(2), self.input.left())?;
        let mut members = Vec::with_capacity(length);
        for _ in 0..length {
            let name = match self.value(depth)? {
                Value::Text(name) => name,
                Value::Int(number) => number.to_string(),
                _ => return Err(UnpackError::Name),
            };
            members.push((name, self.value(depth)?));
        }
        Ok(Value::Map(members))
    }
}
