//! A JSON object as its sender wrote it: members can be looked at without touching the others.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of an object in their order, each as it was written.
#[derive(Debug)]
pub(crate) struct RawObject<'a> {
    text: &'a str,
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
}

struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// `Cow` alone would always be owned.
#[derive(Deserialize, PartialEq, Eq)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Name(name), value)) = map.next_entry()? {
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

impl<'a> RawObject<'a> {
    /// Reads a text.
    pub(crate) fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        let Members(members) = serde_json::from_str(text)?;
        Ok(Self { text, members })
    }

    /// The member of a name; of several the last one, as in JavaScript.
    pub(crate) fn member(&self, name: &str) -> Option<&'a RawValue> {
        let found = self.members.iter().rev().find(|(own, _)| own == name);
        found.map(|(_, value)| *value)
    }

    /// A text, or what a number looks like; `None` for anything else.
    pub(crate) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        text_of(self.member(name)?)
    }

    /// The object without the members of a name.
    pub(crate) fn without(&self, name: &str) -> Cow<'a, str> {
        if self.members.iter().all(|(own, _)| own != name) {
            return self.text.into();
        }
        let mut text = String::from("{");
        for (own, value) in self.members.iter().filter(|(own, _)| own != name) {
            if text.len() > 1 {
                text.push(',');
            }
            push_string(own, &mut text);
            text.push(':');
            text.push_str(value.get());
        }
        text.push('}');
        text.into()
    }
}

/// A text, or what a number looks like: JavaScript applications take numbers for names.
pub(crate) fn text_of(value: &RawValue) -> Option<Cow<'_, str>> {
    let raw = value.get();
    match raw.as_bytes().first()? {
        b'"' => serde_json::from_str::<Name<'_>>(raw).ok().map(|Name(text)| text),
        b'-' | b'0'..=b'9' => Some(raw.into()),
        _ => None,
    }
}

/// Appends a JSON string.
pub(crate) fn push_string(text: &str, out: &mut String) {
    if text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        out.push('"');
        out.push_str(text);
        out.push('"');
        return;
    }
    out.push_str(&serde_json::to_string(text).expect("a string is always valid JSON"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_stay_as_they_were_written() {
        let text = r#"{ "a" : 1.50, "s\u0072c":"x", "b":{ "src" : 1 },"src":2 }"#;
        let object = RawObject::parse(text).unwrap();
        assert_eq!(object.member("a").unwrap().get(), "1.50");
        assert_eq!(object.member("src").unwrap().get(), "2");
        assert_eq!(object.without("src"), r#"{"a":1.50,"b":{ "src" : 1 }}"#);
        assert_eq!(object.without("c"), text);
        assert_eq!(RawObject::parse(r#"{"src":1}"#).unwrap().without("src"), "{}");
    }

    #[test]
    fn texts_and_numbers_are_texts() {
        let object = RawObject::parse(r#"{"t":"\u00e9","n":-1e3,"b":true,"z":null}"#).unwrap();
        assert_eq!(object.text("t").as_deref(), Some("é"));
        assert_eq!(object.text("n").as_deref(), Some("-1e3"));
        assert_eq!((object.text("b"), object.text("z"), object.text("?")), (None, None, None));
    }
}
