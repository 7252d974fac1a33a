//! Values as JSON, in the forms of `JSON.stringify` and `JSON.parse`.

use serde::ser::{Error as _, Serialize, Serializer};

use crate::Value;
use crate::binarypack::{MAX_DEPTH, PackError};

/// Dates become text, numbers that are none become null. Bytes are refused: JavaScript would make an
/// empty object of them.
pub(super) fn to_vec(value: &Value) -> Result<Vec<u8>, PackError> {
    check(value, 0)?;
    serde_json::to_vec(&Json(value)).map_err(|_| PackError::TooLong)
}

fn check(value: &Value, depth: usize) -> Result<(), PackError> {
    match value {
        Value::Bytes(_) => Err(PackError::Bytes),
        Value::Array(_) | Value::Map(_) if depth >= MAX_DEPTH => Err(PackError::TooDeep),
        Value::Array(elements) => elements.iter().try_for_each(|value| check(value, depth + 1)),
        Value::Map(members) => members.iter().try_for_each(|(_, value)| check(value, depth + 1)),
        _ => Ok(()),
    }
}

struct Json<'a>(&'a Value);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Bytes(_) => Err(S::Error::custom("JSON has no bytes")),
            Value::Array(elements) => serializer.collect_seq(elements.iter().map(Json)),
            Value::Map(members) => {
                serializer.collect_map(members.iter().map(|(name, value)| (name, Json(value))))
            }
            other => other.serialize(serializer),
        }
    }
}

/// `max_values` bounds what a message takes in memory.
pub(super) fn from_slice(text: &[u8], max_values: usize) -> Result<Value, String> {
    // Each value but the first has a comma, colon or bracket before it.
    let bound = text.iter().filter(|byte| matches!(byte, b',' | b':' | b'[')).count();
    if bound > max_values {
        return Err("it holds too many values".to_owned());
    }
    serde_json::from_slice(text).or_else(|error| {
        let whole = whole_surrogates(text).ok_or_else(|| error.to_string())?;
        serde_json::from_slice(&whole).map_err(|error| error.to_string())
    })
}

/// The text with U+FFFD in place of each surrogate whose other half is missing: `JSON.stringify` makes
/// such an escape of a text that was cut inside of an emoji. `None` if there is none.
fn whole_surrogates(text: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::with_capacity(text.len());
    let mut rest = text;
    let mut found = false;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        whole.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let (kept, width): (&[u8], usize) = match (escaped(rest), rest.get(6..).and_then(escaped)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (&rest[..12], 12),
            (Some(0xd800..=0xdfff), _) => {
                found = true;
                (br"\ufffd", 6)
            }
            (Some(_), _) => (&rest[..6], 6),
            // Two, lest the second one of a pair of backslashes begin something.
            (None, _) => {
                let width = rest.len().min(2);
                (&rest[..width], width)
            }
        };
        whole.extend_from_slice(kept);
        rest = &rest[width..];
    }
    whole.extend_from_slice(rest);
    found.then_some(whole)
}

/// The UTF-16 unit of the escape that these bytes begin with.
fn escaped(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(br"\u")?.get(..4)?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
