//! One packet as text, and back.

use bytes::Bytes;
use serde_json::value::RawValue;
use thiserror::Error;

use super::Outgoing;

/// Longest namespace, in bytes.
const MAX_NAMESPACE: usize = 256;
/// Digits that a number may have and surely fits.
const MAX_DIGITS: usize = 15;

/// The namespace that a client is in without asking.
pub const ROOT: &str = "/";

/// What a packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Into a namespace.
    Connect,
    /// Out of it.
    Disconnect,
    /// An event.
    Event,
    /// An answer to an event.
    Ack,
    /// The server refuses a namespace.
    Error,
    /// An event with binary parts.
    BinaryEvent,
    /// An answer with binary parts.
    BinaryAck,
}

/// A packet as its text tells it; binary parts come behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet<'a> {
    /// What it is.
    pub kind: Kind,
    /// Binary parts that follow.
    pub attachments: usize,
    /// Of which namespace, `/` unless told; a query behind it is cut off.
    pub namespace: &'a str,
    /// The number of an acknowledgement.
    pub id: Option<u64>,
    /// JSON, not looked into yet.
    pub data: &'a str,
}

/// Why a message is not a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Malformed {
    /// A type that is none, or none at all.
    #[error("an unknown Socket.IO packet type")]
    Type,
    /// A namespace that is too long.
    #[error("a namespace that is too long")]
    Namespace,
    /// A number that cannot be one.
    #[error("a wrong number in a Socket.IO packet")]
    Number,
    /// Something else than a JSON array that begins with a name.
    #[error("an event that is not a JSON array with a name")]
    Event,
    /// Text where binary parts are due, or the other way round.
    #[error("a binary part that does not belong to an event, or a missing one")]
    Order,
    /// A placeholder for a binary part that is not there.
    #[error("a placeholder without its binary part")]
    Placeholder,
    /// More binary parts than allowed.
    #[error("too many binary parts")]
    TooManyAttachments,
    /// Longer than allowed, with its binary parts.
    #[error("an event that is too big")]
    TooBig,
}

impl<'a> Packet<'a> {
    /// Reads a packet's text.
    pub fn decode(text: &'a str) -> Result<Self, Malformed> {
        let kind = match text.as_bytes().first() {
            Some(b'0') => Kind::Connect,
            Some(b'1') => Kind::Disconnect,
            Some(b'2') => Kind::Event,
            Some(b'3') => Kind::Ack,
            Some(b'4') => Kind::Error,
            Some(b'5') => Kind::BinaryEvent,
            Some(b'6') => Kind::BinaryAck,
            _ => return Err(Malformed::Type),
        };
        let mut rest = &text[1..];
        let mut attachments = 0;
        if matches!(kind, Kind::BinaryEvent | Kind::BinaryAck) {
            let (number, behind) = take_number(rest)?;
            let number = number.ok_or(Malformed::Number)?;
            attachments = usize::try_from(number).map_err(|_| Malformed::Number)?;
            rest = behind.strip_prefix('-').ok_or(Malformed::Number)?;
        }
        let mut namespace = ROOT;
        if rest.starts_with('/') {
            let (whole, behind) = rest.split_once(',').unwrap_or((rest, ""));
            // socket.io-client 2.x puts the query of a connection behind its namespace.
            namespace = whole.split('?').next().unwrap_or(whole);
            rest = behind;
        }
        if namespace.len() > MAX_NAMESPACE {
            return Err(Malformed::Namespace);
        }
        let (id, data) = take_number(rest)?;
        Ok(Self { kind, attachments, namespace, id, data })
    }

    /// The name and the arguments of an event.
    pub fn event(&self) -> Result<(Box<str>, Vec<Box<RawValue>>), Malformed> {
        let values: Vec<&RawValue> =
            serde_json::from_str(self.data).map_err(|_| Malformed::Event)?;
        let (name, arguments) = values.split_first().ok_or(Malformed::Event)?;
        let name = serde_json::from_str(name.get()).map_err(|_| Malformed::Event)?;
        Ok((name, arguments.iter().map(|value| (*value).to_owned()).collect()))
    }
}

fn take_number(text: &str) -> Result<(Option<u64>, &str), Malformed> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return Ok((None, text));
    }
    if digits > MAX_DIGITS {
        return Err(Malformed::Number);
    }
    let number = text[..digits].parse().map_err(|_| Malformed::Number)?;
    Ok((Some(number), &text[digits..]))
}

impl Outgoing {
    /// The client is in the namespace `/`.
    pub fn connect() -> Self {
        Self::bare("0")
    }

    /// The client is out of the namespace `/`, and does not come back by itself.
    pub fn disconnect() -> Self {
        Self::bare("1")
    }

    /// An event. The arguments are JSON texts in which `{"_placeholder":true,"num":0}` stands for the
    /// first of the attachments.
    pub fn event(name: &str, arguments: &[&str], attachments: Vec<Bytes>) -> Self {
        let mut text = begin('2', '5', attachments.len());
        text.push('[');
        push_json(&mut text, name);
        for argument in arguments {
            text.push(',');
            text.push_str(argument);
        }
        text.push(']');
        Self { text, attachments }
    }

    /// The answer to an event that came with an id.
    pub fn ack(id: u64, arguments: &[&str], attachments: Vec<Bytes>) -> Self {
        let mut text = begin('3', '6', attachments.len());
        text.push_str(&id.to_string());
        text.push('[');
        text.push_str(&arguments.join(","));
        text.push(']');
        Self { text, attachments }
    }

    /// The client does not get into a namespace.
    pub fn error(namespace: &str, message: &str) -> Self {
        let mut text = String::from("4");
        if namespace != ROOT {
            text.push_str(namespace);
            text.push(',');
        }
        push_json(&mut text, message);
        Self { text, attachments: Vec::new() }
    }

    fn bare(text: &str) -> Self {
        Self { text: text.to_owned(), attachments: Vec::new() }
    }

    /// Its weight in bytes, for limits.
    pub fn weight(&self) -> usize {
        self.text.len() + self.attachments.iter().map(Bytes::len).sum::<usize>()
    }
}

fn begin(plain: char, binary: char, attachments: usize) -> String {
    if attachments == 0 { String::from(plain) } else { format!("{binary}{attachments}-") }
}

fn push_json(text: &mut String, value: &str) {
    text.push_str(&serde_json::to_string(value).expect("a text is always JSON"));
}
