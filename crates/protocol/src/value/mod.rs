//! What travels over a data connection: every type that the serializations of `PeerJS` know.

mod convert;
mod date;
mod de;
mod ser;

use std::fmt;

pub use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

pub use date::{Date, InvalidDate};
pub use ser::to_value;

/// One value of JavaScript, as far as a data connection can carry it.
///
/// ```
/// use peerway_protocol::Value;
///
/// let value = Value::map([("name", Value::from("Ada")), ("tags", Value::from(["a", "b"]))]);
/// assert_eq!(value.get("name").and_then(Value::as_str), Some("Ada"));
/// ```
///
/// What each serialization does with it:
///
/// | | `binary` | `json` | `MsgPack` | `none`, `raw` |
/// |---|---|---|---|---|
/// | `Bytes` | yes | refused | yes | yes |
/// | `Date` | arrives as text, see [`Date`] | arrives as text | yes | refused |
/// | `Float` | NaN arrives as about 1e-308 in a browser, -0 as 0 | NaN and infinities arrive as null | yes | refused |
/// | `Text` | yes | yes | yes | yes |
/// | all others | yes | yes | yes | refused |
///
/// Numbers beyond 2^53 lose digits in a browser. A bare `Null` is not a value for browsers: `PeerJS`
/// drops it on receipt (`binary`, `json`, `MsgPack`). JavaScript's `undefined` arrives as `Null`.
#[derive(Clone, Default, PartialEq)]
pub enum Value {
    /// `null`, and `undefined`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number without a fraction.
    Int(i64),
    /// Any other number, and integers beyond 64 bits.
    Float(f64),
    /// A string.
    Text(String),
    /// An `ArrayBuffer`, a typed array, a `Blob`. Cheap to clone.
    Bytes(Bytes),
    /// A moment.
    Date(Date),
    /// An array.
    Array(Vec<Value>),
    /// A plain object, in the order in which its members were set. Of repeated members the last one
    /// counts.
    Map(Vec<(String, Value)>),
}

/// Why something cannot be made into a [`Value`], or a [`Value`] into something.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct ValueError(pub(crate) String);

impl Value {
    /// A value of anything that serde can serialize; see [`to_value`].
    pub fn from_serialize<T: Serialize + ?Sized>(thing: &T) -> Result<Self, ValueError> {
        to_value(thing)
    }

    /// Makes it into anything that serde can deserialize.
    ///
    /// ```
    /// use peerway_protocol::Value;
    /// use serde::Deserialize;
    ///
    /// #[derive(Deserialize)]
    /// struct Greeting { text: String, data: Vec<u8> }
    ///
    /// let value = Value::map([("text", Value::from("hi")), ("data", Value::from(b"\x01".as_slice()))]);
    /// let greeting: Greeting = value.deserialize()?;
    /// assert_eq!((greeting.text.as_str(), greeting.data), ("hi", vec![1]));
    /// # Ok::<(), peerway_protocol::value::ValueError>(())
    /// ```
    pub fn deserialize<T: DeserializeOwned>(self) -> Result<T, ValueError> {
        T::deserialize(self)
    }

    /// An object with these members.
    pub fn map<K: Into<String>>(members: impl IntoIterator<Item = (K, Value)>) -> Self {
        Self::Map(members.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(truth) = self { Some(*truth) } else { None }
    }

    /// The integer, if it is one.
    pub fn as_i64(&self) -> Option<i64> {
        if let Self::Int(number) = self { Some(*number) } else { None }
    }

    /// The number, if it is one; integers beyond 2^53 are rounded.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "numbers of JavaScript are doubles")]
            Self::Int(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The bytes, if it is a buffer.
    pub fn as_bytes(&self) -> Option<&Bytes> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    /// The moment, in whatever form a serialization brought it: a date, or a text that is exactly
    /// what `toISOString`, `JSON.stringify` or `toString` make of a `Date` in JavaScript.
    pub fn as_date(&self) -> Option<Date> {
        match self {
            Self::Date(date) => Some(*date),
            Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// The elements, if it is an array.
    pub fn as_array(&self) -> Option<&[Value]> {
        if let Self::Array(elements) = self { Some(elements) } else { None }
    }

    /// The members, if it is an object.
    pub fn as_map(&self) -> Option<&[(String, Value)]> {
        if let Self::Map(members) = self { Some(members) } else { None }
    }

    /// A member of an object, or `None` if it is not there or this is no object.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.as_map()?.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Whether JavaScript takes it for true.
    pub(crate) fn is_truthy(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(truth) => *truth,
            Self::Int(number) => *number != 0,
            Self::Float(number) => *number != 0.0 && !number.is_nan(),
            Self::Text(text) => !text.is_empty(),
            Self::Bytes(_) | Self::Date(_) | Self::Array(_) | Self::Map(_) => true,
        }
    }
}

/// Close to JSON; of buffers it shows the size alone.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(truth) => truth.fmt(f),
            Self::Int(number) => number.fmt(f),
            Self::Float(number) => fmt::Debug::fmt(number, f),
            Self::Text(text) => text.fmt(f),
            Self::Bytes(bytes) => write!(f, "<{} bytes>", bytes.len()),
            Self::Date(date) => write!(f, "<{date}>"),
            Self::Array(elements) => f.debug_list().entries(elements).finish(),
            Self::Map(members) => {
                f.debug_map().entries(members.iter().map(|(name, value)| (name, value))).finish()
            }
        }
    }
}
