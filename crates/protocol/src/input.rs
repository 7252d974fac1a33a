//! Reading packed bytes that may be cut or hostile.

use bytes::Bytes;

use crate::Value;
use crate::binarypack::MAX_DEPTH;

/// Buffers below this length, in bytes, are copied, lest they hold a whole message in memory.
const SHARED: usize = 4096;

/// What there is too little of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lack {
    /// Bytes to read.
    Bytes,
    /// Values that a message may hold.
    Budget,
    /// Levels to go down.
    Depth,
}

/// Bytes, read from the front. All numbers are big-endian.
#[derive(Debug)]
pub(crate) struct Input {
    data: Bytes,
    at: usize,
}

impl Input {
    pub(crate) fn new(data: Bytes) -> Self {
        Self { data, at: 0 }
    }

    pub(crate) fn left(&self) -> usize {
        self.data.len() - self.at
    }

    pub(crate) fn rest(&self) -> &[u8] {
        &self.data[self.at..]
    }

    /// Goes on behind the next bytes, and tells where they begin.
    pub(crate) fn skip(&mut self, count: usize) -> Result<usize, Lack> {
        if count > self.left() {
            return Err(Lack::Bytes);
        }
        let start = self.at;
        self.at += count;
        Ok(start)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Lack> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Lack> {
        let array = *self.rest().first_chunk().ok_or(Lack::Bytes)?;
        self.at += N;
        Ok(array)
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Result<Bytes, Lack> {
        let start = self.skip(length)?;
        let whole = start..self.at;
        if length < SHARED {
            return Ok(Bytes::copy_from_slice(&self.data[whole]));
        }
        Ok(self.data.slice(whole))
    }

    pub(crate) fn length8(&mut self) -> Result<usize, Lack> {
        self.byte().map(usize::from)
    }

    pub(crate) fn length16(&mut self) -> Result<usize, Lack> {
        self.array().map(u16::from_be_bytes).map(usize::from)
    }

    pub(crate) fn length32(&mut self) -> Result<usize, Lack> {
        // More than a `usize` can count is more than there is.
        let length = self.array().map(u32::from_be_bytes)?;
        length.try_into().map_err(|_| Lack::Bytes)
    }

    /// The number behind one of the tags cc to d3, which `BinaryPack` and `MessagePack` share. What
    /// does not fit into an `i64` becomes the nearest double, as in JavaScript.
    pub(crate) fn number(&mut self, tag: u8) -> Result<Value, Lack> {
        let number: i64 = match tag {
            0xcc => u8::from_be_bytes(self.array()?).into(),
            0xcd => u16::from_be_bytes(self.array()?).into(),
            0xce => u32::from_be_bytes(self.array()?).into(),
            0xcf => return Ok(Value::from(u64::from_be_bytes(self.array()?))),
            0xd0 => i8::from_be_bytes(self.array()?).into(),
            0xd1 => i16::from_be_bytes(self.array()?).into(),
            0xd2 => i32::from_be_bytes(self.array()?).into(),
            _ => i64::from_be_bytes(self.array()?),
        };
        Ok(Value::Int(number))
    }
}

/// How many values may still come.
#[derive(Debug)]
pub(crate) struct Budget(usize);

impl Budget {
    pub(crate) fn new(max_values: usize) -> Self {
        Self(max_values)
    }

    /// Goes one level down, where `count` values are. They are taken from the budget before memory is
    /// taken for them, and there must be a byte for each.
    pub(crate) fn enter(&mut self, depth: usize, count: usize, left: usize) -> Result<usize, Lack> {
        if depth >= MAX_DEPTH {
            return Err(Lack::Depth);
        }
        if count > left {
            return Err(Lack::Bytes);
        }
        self.0 = self.0.checked_sub(count).ok_or(Lack::Budget)?;
        Ok(depth + 1)
    }
}
