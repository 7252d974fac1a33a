//! Values as JSON: the way in says everything, the way out is a description that can be compared.

use aws_lc_rs::digest;
use peerway::Value;
use peerway_protocol::Date;
use serde_json::{Value as Json, json};

/// Reads a value. What JSON cannot say is an object of one member: `{"$hex": "00ff"}` are bytes,
/// `{"$noise": 1000}` as many generated ones, `{"$date": 0}` is a date in milliseconds.
pub fn revive(json: Json) -> Result<Value, String> {
    Ok(match json {
        Json::Array(elements) => {
            Value::Array(elements.into_iter().map(revive).collect::<Result<_, _>>()?)
        }
        Json::Object(members) => {
            let mut own = members.iter();
            match (own.next(), own.next()) {
                (Some((name, Json::String(digits))), None) if name == "$hex" => {
                    Value::from(bytes(digits)?)
                }
                (Some((name, length)), None) if name == "$noise" => {
                    let length = length.as_u64().ok_or("the length of noise is a number")?;
                    Value::from(noise(length))
                }
                (Some((name, millis)), None) if name == "$date" => {
                    let millis = millis.as_i64().ok_or("a date is a number")?;
                    Value::Date(Date::from_millis(millis))
                }
                _ => Value::Map(
                    members
                        .into_iter()
                        .map(|(name, value)| Ok((name, revive(value)?)))
                        .collect::<Result<_, String>>()?,
                ),
            }
        }
        plain => plain.into(),
    })
}

/// Describes a value as `describe` of `e2e/page/harness.js` does: bytes become their length and
/// digest, and whatever can be read as a date becomes its milliseconds.
pub fn describe(value: &Value) -> Json {
    if let Some(date) = value.as_date() {
        return json!({ "date": date.millis() });
    }
    match value {
        Value::Bool(truth) => json!(truth),
        Value::Int(number) => json!(number),
        Value::Float(number) => json!(number),
        Value::Text(text) => json!(text),
        Value::Bytes(bytes) => {
            let digest = digest::digest(&digest::SHA256, bytes);
            json!({ "bytes": bytes.len(), "sha256": hex(digest.as_ref()) })
        }
        Value::Array(elements) => elements.iter().map(describe).collect(),
        Value::Map(members) => Json::Object(
            members.iter().map(|(name, value)| (name.clone(), describe(value))).collect(),
        ),
        Value::Null | Value::Date(_) => Json::Null,
    }
}

/// The same bytes as those of `noise` of `e2e/page/samples.js`.
fn noise(length: u64) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state * 48_271 % 2_147_483_647;
        state.to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

fn bytes(digits: &str) -> Result<Vec<u8>, String> {
    let byte = |at: usize| {
        let pair = digits.get(at..at + 2).ok_or("half a byte")?;
        u8::from_str_radix(pair, 16).map_err(|error| error.to_string())
    };
    (0..digits.len()).step_by(2).map(byte).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"))
}
