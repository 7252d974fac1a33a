//! From the types of Rust.

use std::time::SystemTime;

use bytes::Bytes;

use super::{Date, Value};

macro_rules! from {
    ($variant:ident: $($type:ty),+) => {
        $(impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$variant(value.into())
            }
        })+
    };
}

from!(Bool: bool);
from!(Int: i8, i16, i32, i64, u8, u16, u32);
from!(Float: f32, f64);
from!(Text: &str, String, char, Box<str>);
from!(Bytes: Bytes, Vec<u8>, &'static [u8]);
from!(Date: Date, SystemTime);
from!(Array: Vec<Value>);

impl From<()> for Value {
    fn from((): ()) -> Self {
        Self::Null
    }
}

/// Beyond [`i64::MAX`] the nearest double.
impl From<u64> for Value {
    #[expect(clippy::cast_precision_loss, reason = "JavaScript has no more digits either")]
    fn from(number: u64) -> Self {
        i64::try_from(number).map_or(Self::Float(number as f64), Self::Int)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T: Into<Value>, const N: usize> From<[T; N]> for Value {
    fn from(elements: [T; N]) -> Self {
        elements.into_iter().collect()
    }
}

impl<T: Into<Value>> FromIterator<T> for Value {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        Self::Array(elements.into_iter().map(Into::into).collect())
    }
}

impl From<serde_json::Value> for Value {
    fn from(json: serde_json::Value) -> Self {
        use serde_json::Value as Json;

        match json {
            Json::Null => Self::Null,
            Json::Bool(truth) => Self::Bool(truth),
            Json::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(number), _) => Self::Int(number),
                (None, number) => Self::Float(number.unwrap_or(f64::NAN)),
            },
            Json::String(text) => Self::Text(text),
            Json::Array(elements) => elements.into_iter().collect(),
            Json::Object(members) => {
                Self::map(members.into_iter().map(|(name, value)| (name, value.into())))
            }
        }
    }
}
