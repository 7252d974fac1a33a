//! Looks for `{"_placeholder":true,"num":N}` in JSON.

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::Malformed;

/// Whether every placeholder in a JSON text stands for one of so many parts.
pub(super) fn check(json: &str, parts: usize) -> Result<(), Malformed> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    Search { parts }.deserialize(&mut deserializer).map(drop).map_err(|_| Malformed::Placeholder)
}

/// A place in the text; it becomes what a placeholder is made of.
#[derive(Clone, Copy)]
struct Search {
    parts: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Found {
    True,
    Number(u64),
    Other,
}

impl<'de> DeserializeSeed<'de> for Search {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Search {
    type Value = Found;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON whose placeholders have their parts")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Found, E> {
        Ok(if value { Found::True } else { Found::Other })
    }

    fn visit_u64<E>(self, value: u64) -> Result<Found, E> {
        Ok(Found::Number(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Found, E> {
        Ok(Found::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Found, E> {
        Ok(Found::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<Found, E> {
        Ok(Found::Other)
    }

    fn visit_unit<E>(self) -> Result<Found, E> {
        Ok(Found::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Found, A::Error> {
        while array.next_element_seed(self)?.is_some() {}
        Ok(Found::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Found, A::Error> {
        let (mut placeholder, mut number) = (false, None);
        while let Some(name) = object.next_key::<Name>()? {
            let value = object.next_value_seed(self)?;
            match name {
                // The last of several counts, as in JavaScript.
                Name::Placeholder => placeholder = value == Found::True,
                Name::Number => number = Some(value),
                Name::Other => {}
            }
        }
        let whole = |value| matches!(value, Some(Found::Number(it)) if it < self.parts as u64);
        if placeholder && !whole(number) {
            return Err(serde::de::Error::custom("a placeholder without its part"));
        }
        Ok(Found::Other)
    }
}

enum Name {
    Placeholder,
    Number,
    Other,
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = Name;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a name")
            }

            fn visit_str<E>(self, name: &str) -> Result<Name, E> {
                Ok(match name {
                    "_placeholder" => Name::Placeholder,
                    "num" => Name::Number,
                    _ => Name::Other,
                })
            }
        }
        deserializer.deserialize_str(Read)
    }
}
