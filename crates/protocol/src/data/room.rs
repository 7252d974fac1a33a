//! Values as what members of a room say to each other, and back: JSON with the bytes beside it.

use bytes::Bytes;

use super::{Limits, json};
use crate::binarypack::MAX_DEPTH;
use crate::value::ValueError;
use crate::{Json, RoomData, Value};

/// Marks the place of a binary part, as in Socket.IO.
const PLACEHOLDER: &str = "_placeholder";

/// Which part belongs there.
const NUMBER: &str = "num";

impl RoomData {
    /// A value as it is said to a room: dates become text, numbers that are none become null.
    ///
    /// # Errors
    ///
    /// What is nested too deep.
    ///
    /// ```
    /// use peerway_protocol::{RoomData, Value};
    ///
    /// let data = RoomData::from_value(&Value::from(b"abc".as_slice())).unwrap();
    /// assert_eq!(data.json.as_str(), r#"{"_placeholder":true,"num":0}"#);
    /// assert_eq!(data.to_value().unwrap().as_bytes().unwrap(), "abc");
    /// ```
    pub fn from_value(value: &Value) -> Result<Self, ValueError> {
        let mut attachments = Vec::new();
        let shown = detach(value, 0, &mut attachments);
        let text = json::to_vec(&shown).map_err(|error| ValueError(error.to_string()))?;
        let text = String::from_utf8(text).map_err(|error| ValueError(error.to_string()))?;
        Ok(Self { json: Json::trusted(&text), attachments: attachments.into() })
    }

    /// The value that was said.
    ///
    /// # Errors
    ///
    /// Binary parts that are not there, JSON with too many values in it.
    pub fn to_value(&self) -> Result<Value, ValueError> {
        let text = self.json.as_str().as_bytes();
        let mut value = json::from_slice(text, Limits::default().max_values).map_err(ValueError)?;
        if !self.attachments.is_empty() {
            attach(&mut value, &self.attachments)?;
        }
        Ok(value)
    }
}

/// The value with placeholders where it has bytes. Where it is nested too deep there stands one array
/// more, which `json` refuses.
fn detach(value: &Value, depth: usize, parts: &mut Vec<Bytes>) -> Value {
    if depth > MAX_DEPTH {
        return Value::Array(Vec::new());
    }
    match value {
        Value::Bytes(bytes) => {
            let number = i64::try_from(parts.len()).unwrap_or(i64::MAX);
            parts.push(bytes.clone());
            Value::map([(PLACEHOLDER, Value::Bool(true)), (NUMBER, Value::Int(number))])
        }
        Value::Array(elements) => {
            elements.iter().map(|element| detach(element, depth + 1, parts)).collect()
        }
        Value::Map(members) => Value::map(
            members.iter().map(|(name, member)| (name.as_str(), detach(member, depth + 1, parts))),
        ),
        other => other.clone(),
    }
}

/// Puts the parts where their placeholders stand. Parsed JSON is not nested deep.
fn attach(value: &mut Value, parts: &[Bytes]) -> Result<(), ValueError> {
    if let Some(number) = placeholder(value) {
        let part = usize::try_from(number).ok().and_then(|number| parts.get(number));
        let part = part.ok_or_else(|| ValueError(format!("there is no binary part {number}")))?;
        *value = Value::Bytes(part.clone());
        return Ok(());
    }
    match value {
        Value::Array(elements) => elements.iter_mut().try_for_each(|it| attach(it, parts)),
        Value::Map(members) => members.iter_mut().try_for_each(|(_, it)| attach(it, parts)),
        _ => Ok(()),
    }
}

fn placeholder(value: &Value) -> Option<i64> {
    value.as_map()?;
    let marked = value.get(PLACEHOLDER)?.as_bool()?;
    value.get(NUMBER)?.as_i64().filter(|_| marked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_travel_beside_the_json_and_come_back_to_their_places() {
        let value = Value::map([
            ("name", Value::from("a.bin")),
            ("parts", [Value::from(vec![1_u8, 2]), Value::Null, Value::from(vec![3_u8])].into()),
        ]);
        let data = RoomData::from_value(&value).unwrap();
        assert_eq!(data.attachments.len(), 2);
        assert_eq!(data.to_value().unwrap(), value);
    }

    #[test]
    fn a_part_that_is_not_there_is_an_error() {
        let json = Json::trusted(r#"[{"_placeholder":true,"num":1}]"#);
        let data = RoomData { json, attachments: vec![Bytes::from_static(b"a")].into() };
        assert_eq!(data.to_value().unwrap_err().to_string(), "there is no binary part 1");
    }

    #[test]
    fn what_is_nested_too_deep_is_refused() {
        let mut value = Value::from(vec![1_u8]);
        for _ in 0..100_000 {
            value = Value::Array(vec![value]);
        }
        assert!(RoomData::from_value(&value).is_err());
        // Dropping it layer by layer: a recursive drop of so many overflows the stack.
        while let Value::Array(mut inner) = value {
            value = inner.pop().unwrap_or_default();
        }
    }
}
