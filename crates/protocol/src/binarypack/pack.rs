//! Values to bytes.

use thiserror::Error;

use super::{Dialect, MAX_DEPTH, layout, text};
use crate::packed::Packer;
use crate::{Packed, Value};

/// Why a value cannot be packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PackError {
    /// Arrays and objects inside each other beyond [`MAX_DEPTH`].
    #[error("the value is nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
    /// A text, buffer, array, object, or the whole of them from 4 GiB on.
    #[error("the value is longer than 4 GiB")]
    TooLong,
    /// Bytes where the format knows none.
    #[error("the format has no bytes")]
    Bytes,
}

/// Packs a value as the clients of a dialect read it. Dates become text in the form of `toISOString`,
/// which `new Date(text)` reads: the clients' own `toString` form loses the milliseconds.
///
/// ```
/// use peerway_protocol::Value;
/// use peerway_protocol::binarypack::{Dialect, pack};
///
/// let packed = pack(&Value::from(vec![Value::from(1), Value::from("hé")]), Dialect::Modern)?;
/// assert_eq!(packed.to_vec(), b"\x92\x01\xb3h\xc3\xa9");
/// # Ok::<(), peerway_protocol::binarypack::PackError>(())
/// ```
pub fn pack(value: &Value, dialect: Dialect) -> Result<Packed, PackError> {
    let mut pack = Pack { out: Packer::default(), dialect };
    pack.value(value, 0)?;
    let packed = pack.out.finish();
    length(packed.len())?;
    Ok(packed)
}

struct Pack {
    out: Packer,
    dialect: Dialect,
}

impl Pack {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), PackError> {
        let tail = &mut self.out.tail;
        match value {
            Value::Null => tail.push(layout::NULL),
            Value::Bool(false) => tail.push(layout::FALSE),
            Value::Bool(true) => tail.push(layout::TRUE),
            Value::Int(number) => match layout::misread(*number) {
                Some(double) => float(tail, double),
                None => layout::integer(tail, *number),
            },
            Value::Float(number) => float(tail, *number),
            Value::Text(text) => self.text(text)?,
            Value::Bytes(bytes) => {
                layout::bytes(tail, length(bytes.len())?);
                self.out.buffer(bytes);
            }
            Value::Date(date) => match date.to_iso() {
                Some(text) => self.text(&text)?,
                None => tail.push(layout::NULL),
            },
            Value::Array(elements) => {
                layout::array(tail, length(elements.len())?);
                let depth = deeper(depth)?;
                for element in elements {
                    self.value(element, depth)?;
                }
            }
            Value::Map(members) => {
                layout::map(tail, length(members.len())?);
                let depth = deeper(depth)?;
                for (name, member) in members {
                    self.text(name)?;
                    self.value(member, depth)?;
                }
            }
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), PackError> {
        let tail = &mut self.out.tail;
        let astral =
            if self.dialect == Dialect::Modern { 0 } else { text::astral(text.as_bytes()) };
        layout::text(tail, length(text.len() + 2 * astral)?);
        if astral == 0 {
            tail.extend_from_slice(text.as_bytes());
        } else {
            text::push_surrogates(tail, text);
        }
        Ok(())
    }
}

/// JavaScript writes and reads doubles without regard to their special cases. Zero is always an
/// integer there, and eight zero bytes are what it writes for NaN.
fn float(out: &mut Vec<u8>, number: f64) {
    if number == 0.0 {
        return layout::integer(out, 0);
    }
    let bits = if number.is_nan() { 0 } else { number.to_bits() };
    layout::tagged(out, layout::DOUBLE, bits.to_be_bytes());
}

fn length(length: usize) -> Result<u32, PackError> {
    u32::try_from(length).map_err(|_| PackError::TooLong)
}

fn deeper(depth: usize) -> Result<usize, PackError> {
    if depth < MAX_DEPTH { Ok(depth + 1) } else { Err(PackError::TooDeep) }
}
