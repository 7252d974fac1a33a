//! Into a [`Value`] with serde, and a [`Value`] into other formats.

use std::fmt::Display;

use bytes::Bytes;
use serde::ser::{self, Error as _, Serialize, Serializer};

use super::{Value, ValueError, date};

/// Makes a [`Value`] of anything that serde can serialize, in the form that it would have in JSON, but for
/// bytes (`serde_bytes`, [`bytes::Bytes`]), which stay bytes, and [`Date`](super::Date), which stays a date.
/// A `Vec<u8>` by itself is a list of numbers to serde: `Value::from` makes a buffer of it.
///
/// Errors: integers beyond 64 bits with sign, and names of members that are neither text, number nor truth
/// value.
///
/// ```
/// use peerway_protocol::value::{Bytes, Value, to_value};
///
/// #[derive(serde::Serialize)]
/// struct Chunk { name: &'static str, data: Bytes }
///
/// let value = to_value(&Chunk { name: "a", data: Bytes::from_static(b"\x01") })?;
/// assert_eq!(value, Value::map([("name", Value::from("a")), ("data", Value::from(vec![1_u8]))]));
/// # Ok::<(), peerway_protocol::value::ValueError>(())
/// ```
pub fn to_value<T: Serialize + ?Sized>(thing: &T) -> Result<Value, ValueError> {
    thing.serialize(ToValue)
}

impl ser::Error for ValueError {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(truth) => serializer.serialize_bool(*truth),
            Self::Int(number) => serializer.serialize_i64(*number),
            Self::Float(number) => serializer.serialize_f64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Self::Date(date) => date.serialize(serializer),
            Self::Array(elements) => serializer.collect_seq(elements),
            Self::Map(members) => {
                serializer.collect_map(members.iter().map(|(name, value)| (name, value)))
            }
        }
    }
}

struct ToValue;

/// An array that is being filled, perhaps as what a variant of an enum holds.
struct Elements {
    variant: Option<&'static str>,
    elements: Vec<Value>,
}

/// An object that is being filled, perhaps as what a variant of an enum holds.
struct Members {
    variant: Option<&'static str>,
    named: Vec<(String, Value)>,
    name: Option<String>,
}

impl Elements {
    fn new(variant: Option<&'static str>, length: usize) -> Self {
        Self { variant, elements: Vec::with_capacity(length) }
    }

    fn push<T: Serialize + ?Sized>(&mut self, element: &T) -> Result<(), ValueError> {
        self.elements.push(to_value(element)?);
        Ok(())
    }

    fn finish(self) -> Value {
        of_variant(self.variant, Value::Array(self.elements))
    }
}

impl Members {
    fn new(variant: Option<&'static str>, length: usize) -> Self {
        Self { variant, named: Vec::with_capacity(length), name: None }
    }

    fn push<T: Serialize + ?Sized>(&mut self, name: String, value: &T) -> Result<(), ValueError> {
        self.named.push((name, to_value(value)?));
        Ok(())
    }

    fn finish(self) -> Value {
        of_variant(self.variant, Value::Map(self.named))
    }
}

fn of_variant(variant: Option<&'static str>, value: Value) -> Value {
    match variant {
        Some(variant) => Value::map([(variant, value)]),
        None => value,
    }
}

fn integer<T: TryInto<i64> + Display + Copy>(number: T) -> Result<Value, ValueError> {
    number
        .try_into()
        .map(Value::Int)
        .map_err(|_| ValueError::custom(format_args!("{number} is beyond 64 bits")))
}

impl Serializer for ToValue {
    type Ok = Value;
    type Error = ValueError;
    type SerializeSeq = Elements;
    type SerializeTuple = Elements;
    type SerializeTupleStruct = Elements;
    type SerializeTupleVariant = Elements;
    type SerializeMap = Members;
    type SerializeStruct = Members;
    type SerializeStructVariant = Members;

    fn serialize_bool(self, truth: bool) -> Result<Value, ValueError> {
        Ok(truth.into())
    }

    fn serialize_i8(self, number: i8) -> Result<Value, ValueError> {
        Ok(number.into())
    }

    fn serialize_i16(self, number: i16) -> Result<Value, ValueError> {
        Ok(number.into())
    }

    fn serialize_i32(self, number: i32) -> Result<Value, ValueError> {
        Ok(number.into())
    }

    fn serialize_i64(self, number: i64) -> Result<Value, ValueError> {
        Ok(number.into())
    }

    fn serialize_i128(self, number: i128) -> Result<Value, ValueError> {
        integer(number)
    }

    fn serialize_u8(self, number: u8) -> Result<Value, ValueError> {
        Ok(number.into())
    }

    fn serialize_u16(self, number: u16) -> Result<Value, ValueError> {
        Ok(number.into())
    }

    fn serialize_u32(self, number: u32) -> Result<Value, ValueError> {
        Ok(number.into())
    }

    fn serialize_u64(self, number: u64) -> Result<Value, ValueError> {
        integer(number)
    }

    fn serialize_u128(self, number: u128) -> Result<Value, ValueError> {
        integer(number)
    }

    fn serialize_f32(self, number: f32) -> Result<Value, ValueError> {
        Ok(number.into())
    }

    fn serialize_f64(self, number: f64) -> Result<Value, ValueError> {
        Ok(number.into())
    }

    fn serialize_char(self, char: char) -> Result<Value, ValueError> {
        Ok(char.into())
    }

    fn serialize_str(self, text: &str) -> Result<Value, ValueError> {
        Ok(text.into())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<Value, ValueError> {
        Ok(Value::Bytes(Bytes::copy_from_slice(bytes)))
    }

    fn serialize_none(self) -> Result<Value, ValueError> {
        Ok(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, thing: &T) -> Result<Value, ValueError> {
        to_value(thing)
    }

    fn serialize_unit(self) -> Result<Value, ValueError> {
        Ok(Value::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Value, ValueError> {
        Ok(Value::Null)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Value, ValueError> {
        Ok(variant.into())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        inner: &T,
    ) -> Result<Value, ValueError> {
        let value = to_value(inner)?;
        let date = if name == date::NAME { value.as_date() } else { None };
        Ok(date.map_or(value, Value::Date))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        inner: &T,
    ) -> Result<Value, ValueError> {
        Ok(of_variant(Some(variant), to_value(inner)?))
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Elements, ValueError> {
        Ok(Elements::new(None, length.unwrap_or_default()))
    }

    fn serialize_tuple(self, length: usize) -> Result<Elements, ValueError> {
        Ok(Elements::new(None, length))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        length: usize,
    ) -> Result<Elements, ValueError> {
        Ok(Elements::new(None, length))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Elements, ValueError> {
        Ok(Elements::new(Some(variant), length))
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Members, ValueError> {
        Ok(Members::new(None, length.unwrap_or_default()))
    }

    fn serialize_struct(self, _: &'static str, length: usize) -> Result<Members, ValueError> {
        Ok(Members::new(None, length))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Members, ValueError> {
        Ok(Members::new(Some(variant), length))
    }
}

macro_rules! elements {
    ($trait:ident, $push:ident) => {
        impl ser::$trait for Elements {
            type Ok = Value;
            type Error = ValueError;

            fn $push<T: Serialize + ?Sized>(&mut self, element: &T) -> Result<(), ValueError> {
                self.push(element)
            }

            fn end(self) -> Result<Value, ValueError> {
                Ok(self.finish())
            }
        }
    };
}

elements!(SerializeSeq, serialize_element);
elements!(SerializeTuple, serialize_element);
elements!(SerializeTupleStruct, serialize_field);
elements!(SerializeTupleVariant, serialize_field);

macro_rules! members {
    ($trait:ident) => {
        impl ser::$trait for Members {
            type Ok = Value;
            type Error = ValueError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), ValueError> {
                self.push(name.to_owned(), value)
            }

            fn end(self) -> Result<Value, ValueError> {
                Ok(self.finish())
            }
        }
    };
}

members!(SerializeStruct);
members!(SerializeStructVariant);

impl ser::SerializeMap for Members {
    type Ok = Value;
    type Error = ValueError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), ValueError> {
        self.name = Some(match to_value(key)? {
            Value::Text(name) => name,
            Value::Int(number) => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
            _ => return Err(ValueError::custom("the name of a member must be a text")),
        });
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        let name = self.name.take();
        self.push(name.ok_or_else(|| ValueError::custom("a value came before its name"))?, value)
    }

    fn end(self) -> Result<Value, ValueError> {
        Ok(self.finish())
    }
}
