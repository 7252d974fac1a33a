//! Reads the members of a map that came from the other side.

use peerway_protocol::Value;
use peerway_protocol::value::Bytes;

use super::hash::Sha256;
use super::message::{Index, InvalidMessage};
use super::reason::{Reason, Refusal};
use crate::peering::printable;

/// Of a text for people, in characters.
const LONGEST_TEXT: usize = 500;
/// 2^53: up to here every whole number has a floating one.
const MOST_EXACT: f64 = 9_007_199_254_740_992.0;

/// The members of a map, taken out one by one.
pub(super) struct Members(Vec<(String, Value)>);

impl Members {
    pub(super) fn new(value: Value) -> Option<Self> {
        match value {
            Value::Map(members) => Some(Self(members)),
            _ => None,
        }
    }

    /// `null` is as good as nothing.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        let place = self.0.iter().rposition(|(it, _)| it == name)?;
        let (_, value) = self.0.swap_remove(place);
        (!matches!(value, Value::Null)).then_some(value)
    }

    pub(super) fn optional_number(
        &mut self,
        name: &'static str,
    ) -> Result<Option<u64>, InvalidMessage> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Int(number)) => {
                number.try_into().map(Some).map_err(|_| InvalidMessage::Member(name))
            }
            // Beyond 32 bits some serializations write a number as floating.
            Some(Value::Float(number)) if (0.0..=MOST_EXACT).contains(&number) => {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "checked"
                )]
                let whole = number as u64;
                Ok(Some(whole))
            }
            Some(_) => Err(InvalidMessage::Member(name)),
        }
    }

    pub(super) fn number(&mut self, name: &'static str) -> Result<u64, InvalidMessage> {
        self.optional_number(name)?.ok_or(InvalidMessage::Member(name))
    }

    /// A page with one file need not number it.
    pub(super) fn index(&mut self) -> Result<Index, InvalidMessage> {
        let index = self.optional_number("index")?.unwrap_or(0);
        index.try_into().map_err(|_| InvalidMessage::Member("index"))
    }

    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<String>, InvalidMessage> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(_) => Err(InvalidMessage::Member(name)),
        }
    }

    pub(super) fn flag(&mut self, name: &'static str) -> Result<Option<bool>, InvalidMessage> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(InvalidMessage::Member(name)),
        }
    }

    pub(super) fn bytes(&mut self, name: &'static str) -> Result<Bytes, InvalidMessage> {
        match self.take(name) {
            Some(Value::Bytes(bytes)) => Ok(bytes),
            _ => Err(InvalidMessage::Member(name)),
        }
    }

    pub(super) fn digest(&mut self) -> Result<Option<Sha256>, InvalidMessage> {
        let text = self.text("sha256")?;
        text.map(|text| text.parse().map_err(|_| InvalidMessage::Member("sha256"))).transpose()
    }

    /// A refusal stands, however badly it is told.
    pub(super) fn refusal(&mut self) -> Refusal {
        let mut text = |name| self.text(name).ok().flatten().unwrap_or_default();
        let reason = Reason::parse(&text("reason"));
        let message = text("message");
        Refusal { reason, message: printable(&message, LONGEST_TEXT) }
    }
}
