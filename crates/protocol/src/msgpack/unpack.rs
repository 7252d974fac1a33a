//! Bytes to values.

use bytes::Bytes;

use super::{StreamError, TIMESTAMP};
use crate::binarypack::{decode_text, layout};
use crate::input::{Budget, Input};
use crate::{Date, Value};

/// Unpacks what [`super::Stream`] found to be one whole value.
pub(super) fn unpack(data: Bytes, max_values: usize) -> Result<Value, StreamError> {
    Unpack { input: Input::new(data), budget: Budget::new(max_values) }.value(0)
}

struct Unpack {
    input: Input,
    budget: Budget,
}

impl Unpack {
    fn value(&mut self, depth: usize) -> Result<Value, StreamError> {
        let tag = self.input.byte()?;
        let input = &mut self.input;
        Ok(match tag {
            0x00..=0x7f => Value::Int(tag.into()),
            0x80..=0x8f => self.map((tag & 0x0f).into(), depth)?,
            0x90..=0x9f => self.array((tag & 0x0f).into(), depth)?,
            0xa0..=0xbf => self.text((tag & 0x1f).into())?,
            layout::NULL => Value::Null,
            layout::FALSE => Value::Bool(false),
            layout::TRUE => Value::Bool(true),
            layout::FLOAT => Value::Float(f32::from_be_bytes(input.array()?).into()),
            layout::DOUBLE => Value::Float(f64::from_be_bytes(input.array()?)),
            0xcc..=0xd3 => input.number(tag)?,
            0xc4..=0xc6 => {
                let length = self.length(tag - 0xc4)?;
                Value::Bytes(self.input.bytes(length)?)
            }
            0xc7..=0xc9 => {
                let length = self.length(tag - 0xc7)?;
                self.extension(length)?
            }
            0xd4..=0xd8 => self.extension(1 << (tag - 0xd4))?,
            0xd9..=0xdb => {
                let length = self.length(tag - 0xd9)?;
                self.text(length)?
            }
            0xdc..=0xdd => {
                let length = self.length(tag - 0xdc + 1)?;
                self.array(length, depth)?
            }
            0xde..=0xdf => {
                let length = self.length(tag - 0xde + 1)?;
                self.map(length, depth)?
            }
            0xe0..=0xff => Value::Int(tag.cast_signed().into()),
            layout::UNDEFINED => return Err(StreamError::UnknownTag(tag)),
        })
    }

    /// A length of 1, 2 or 4 bytes.
    fn length(&mut self, form: u8) -> Result<usize, StreamError> {
        Ok(match form {
            0 => self.input.length8(),
            1 => self.input.length16(),
            _ => self.input.length32(),
        }?)
    }

    /// JavaScript writes lone surrogates in any way and reads broken UTF-8 somehow.
    fn text(&mut self, length: usize) -> Result<Value, StreamError> {
        let bytes = self.input.bytes(length)?;
        let text = decode_text(&bytes);
        Ok(Value::Text(text.unwrap_or_else(|| String::from_utf8_lossy(&bytes).into_owned())))
    }

    /// A timestamp is a date; others become what `@msgpack/msgpack` makes of them, `{type, data}`.
    fn extension(&mut self, length: usize) -> Result<Value, StreamError> {
        let kind = self.input.byte()?.cast_signed();
        let data = self.input.bytes(length)?;
        if kind == TIMESTAMP
            && let Some(date) = timestamp(&data)
        {
            return Ok(Value::Date(date));
        }
        Ok(Value::map([("type", Value::from(kind)), ("data", Value::Bytes(data))]))
    }

    fn array(&mut self, length: usize, depth: usize) -> Result<Value, StreamError> {
        let depth = self.budget.enter(depth, length, self.input.left())?;
        let mut elements = Vec::with_capacity(length);
        for _ in 0..length {
            elements.push(self.value(depth)?);
        }
        Ok(Value::Array(elements))
    }

    fn map(&mut self, length: usize, depth: usize) -> Result<Value, StreamError> {
        let depth = self.budget.enter(depth, length.saturating_mul(2), self.input.left())?;
        let mut members = Vec::with_capacity(length);
        for _ in 0..length {
            let name = match self.value(depth)? {
                Value::Text(name) => name,
                Value::Int(number) => number.to_string(),
                _ => return Err(StreamError::Name),
            };
            members.push((name, self.value(depth)?));
        }
        Ok(Value::Map(members))
    }
}

/// Nanoseconds and seconds, in one of three lengths; what is finer than a millisecond is lost.
fn timestamp(data: &[u8]) -> Option<Date> {
    let (seconds, nanos) = match data.len() {
        4 => (u32::from_be_bytes(data.try_into().ok()?).into(), 0),
        8 => {
            let both = u64::from_be_bytes(data.try_into().ok()?);
            ((both & ((1 << 34) - 1)).cast_signed(), both >> 34)
        }
        12 => {
            let (nanos, seconds) = data.split_first_chunk()?;
            let seconds = i64::from_be_bytes(seconds.try_into().ok()?);
            (seconds, u32::from_be_bytes(*nanos).into())
        }
        _ => return None,
    };
    let millis = i64::try_from(nanos / 1_000_000).ok()?;
    Some(Date::from_millis(seconds.checked_mul(1000)?.checked_add(millis)?))
}
