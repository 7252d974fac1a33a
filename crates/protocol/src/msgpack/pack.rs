//! Values to bytes.

use super::TIMESTAMP;
use crate::binarypack::layout::{self, tagged};
use crate::binarypack::{MAX_DEPTH, PackError};
use crate::packed::Packer;
use crate::{Date, Packed, Value};

/// Packs a value in standard `MessagePack`.
///
/// ```
/// use peerway_protocol::{Value, msgpack};
///
/// let packed = msgpack::pack(&Value::map([("a", Value::from(5_000_000_000_i64))]))?;
/// assert_eq!(packed.to_vec(), b"\x81\xa1a\xcf\x00\x00\x00\x01\x2a\x05\xf2\x00");
/// # Ok::<(), peerway_protocol::binarypack::PackError>(())
/// ```
pub fn pack(value: &Value) -> Result<Packed, PackError> {
    let mut out = Packer::default();
    push(&mut out, value, 0)?;
    Ok(out.finish())
}

fn push(out: &mut Packer, value: &Value, depth: usize) -> Result<(), PackError> {
    let tail = &mut out.tail;
    match value {
        Value::Null => tail.push(layout::NULL),
        Value::Bool(false) => tail.push(layout::FALSE),
        Value::Bool(true) => tail.push(layout::TRUE),
        Value::Int(number) => integer(tail, *number),
        Value::Float(number) => tagged(tail, layout::DOUBLE, number.to_be_bytes()),
        Value::Text(text) => push_text(tail, text)?,
        Value::Bytes(bytes) => {
            match length(bytes.len())? {
                #[expect(clippy::cast_possible_truncation, reason = "it was just compared")]
                length @ 0..=0xff => tagged(tail, 0xc4, [length as u8]),
                length => sized(tail, length, 0xc5, 0xc6),
            }
            out.buffer(bytes);
        }
        Value::Date(date) => timestamp(tail, *date),
        Value::Array(elements) => {
            layout::array(tail, length(elements.len())?);
            let depth = deeper(depth)?;
            for element in elements {
                push(out, element, depth)?;
            }
        }
        Value::Map(members) => {
            layout::map(tail, length(members.len())?);
            let depth = deeper(depth)?;
            for (name, member) in members {
                push_text(&mut out.tail, name)?;
                push(out, member, depth)?;
            }
        }
    }
    Ok(())
}

/// Unsigned as far as it can be, signed below zero.
fn integer(out: &mut Vec<u8>, number: i64) {
    match u64::try_from(number) {
        Ok(number) if number > u32::MAX.into() => tagged(out, 0xcf, number.to_be_bytes()),
        _ => layout::integer(out, number),
    }
}

fn push_text(out: &mut Vec<u8>, text: &str) -> Result<(), PackError> {
    match length(text.len())? {
        #[expect(clippy::cast_possible_truncation, reason = "it was just compared")]
        length @ 0..=31 => out.push(0xa0 | length as u8),
        #[expect(clippy::cast_possible_truncation, reason = "it was just compared")]
        length @ 32..=0xff => tagged(out, 0xd9, [length as u8]),
        length => sized(out, length, 0xda, 0xdb),
    }
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

fn sized(out: &mut Vec<u8>, length: u32, tag16: u8, tag32: u8) {
    match u16::try_from(length) {
        Ok(length) => tagged(out, tag16, length.to_be_bytes()),
        Err(_) => tagged(out, tag32, length.to_be_bytes()),
    }
}

/// The shortest of the three forms that holds it.
fn timestamp(out: &mut Vec<u8>, date: Date) {
    let seconds = date.millis().div_euclid(1000);
    let millis = date.millis().rem_euclid(1000);
    let nanos = u32::try_from(millis).expect("it is below 1000") * 1_000_000;
    let [kind] = TIMESTAMP.to_be_bytes();
    match u64::try_from(seconds) {
        #[expect(clippy::cast_possible_truncation, reason = "it was just compared")]
        Ok(seconds) if nanos == 0 && seconds <= u32::MAX.into() => {
            tagged(out, 0xd6, [kind]);
            out.extend_from_slice(&(seconds as u32).to_be_bytes());
        }
        Ok(seconds) if seconds < 1 << 34 => {
            tagged(out, 0xd7, [kind]);
            out.extend_from_slice(&(u64::from(nanos) << 34 | seconds).to_be_bytes());
        }
        _ => {
            tagged(out, 0xc7, [12, kind]);
            out.extend_from_slice(&nanos.to_be_bytes());
            out.extend_from_slice(&seconds.to_be_bytes());
        }
    }
}

fn length(length: usize) -> Result<u32, PackError> {
    u32::try_from(length).map_err(|_| PackError::TooLong)
}

fn deeper(depth: usize) -> Result<usize, PackError> {
    if depth < MAX_DEPTH { Ok(depth + 1) } else { Err(PackError::TooDeep) }
}
