//! From messages to events: binary parts come as messages of their own, behind the text that they
//! belong to.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::packet::{Kind, Malformed, Packet};
use super::{Event, placeholder};

/// What one event may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Binary parts.
    pub attachments: usize,
    /// Bytes, all parts together.
    pub bytes: usize,
}

/// What a client's messages amount to.
#[derive(Debug, Clone)]
pub enum Incoming {
    /// An event of the namespace `/`.
    Event(Event),
    /// The client goes out of the namespace `/`.
    Disconnect,
    /// The client wants into another namespace, or acts as if it were in.
    OtherNamespace(Box<str>),
    /// Nothing that would need an answer.
    Nothing,
}

/// Puts one client's messages together. Holds next to nothing between events.
#[derive(Debug)]
pub struct Assembler {
    limits: Limits,
    waiting: Option<Box<Waiting>>,
}

/// An event whose binary parts are not all there.
#[derive(Debug)]
struct Waiting {
    event: Option<Event>,
    missing: usize,
    bytes: usize,
    parts: Vec<Bytes>,
}

impl Assembler {
    /// For a client that has said nothing yet.
    pub fn new(limits: Limits) -> Self {
        Self { limits, waiting: None }
    }

    /// A text message.
    pub fn text(&mut self, text: &str) -> Result<Incoming, Malformed> {
        if self.waiting.is_some() {
            return Err(Malformed::Order);
        }
        if text.len() > self.limits.bytes {
            return Err(Malformed::TooBig);
        }
        let packet = Packet::decode(text)?;
        if packet.attachments > self.limits.attachments {
            return Err(Malformed::TooManyAttachments);
        }
        let root = packet.namespace == super::ROOT;
        match packet.kind {
            Kind::Event | Kind::BinaryEvent if root => self.event(&packet),
            Kind::BinaryEvent | Kind::BinaryAck if packet.attachments > 0 => {
                self.wait(None, packet.attachments, text.len());
                Ok(Incoming::Nothing)
            }
            Kind::Disconnect if root => Ok(Incoming::Disconnect),
            Kind::Connect | Kind::Event if !root => {
                Ok(Incoming::OtherNamespace(packet.namespace.into()))
            }
            _ => Ok(Incoming::Nothing),
        }
    }

    fn event(&mut self, packet: &Packet<'_>) -> Result<Incoming, Malformed> {
        let (name, arguments) = packet.event()?;
        if packet.kind == Kind::BinaryEvent {
            check_placeholders(&arguments, packet.attachments)?;
        }
        let event = Event { name, arguments, attachments: Vec::new(), id: packet.id };
        if packet.attachments == 0 {
            return Ok(Incoming::Event(event));
        }
        self.wait(Some(event), packet.attachments, packet.data.len());
        Ok(Incoming::Nothing)
    }

    fn wait(&mut self, event: Option<Event>, missing: usize, bytes: usize) {
        self.waiting = Some(Box::new(Waiting { event, missing, bytes, parts: Vec::new() }));
    }

    /// A binary message.
    pub fn binary(&mut self, part: Bytes) -> Result<Incoming, Malformed> {
        let mut waiting = self.waiting.take().ok_or(Malformed::Order)?;
        waiting.bytes = waiting.bytes.saturating_add(part.len());
        if waiting.bytes > self.limits.bytes {
            return Err(Malformed::TooBig);
        }
        if waiting.event.is_some() {
            waiting.parts.push(part);
        }
        waiting.missing -= 1;
        if waiting.missing > 0 {
            self.waiting = Some(waiting);
            return Ok(Incoming::Nothing);
        }
        let Waiting { event, parts, .. } = *waiting;
        Ok(event.map_or(Incoming::Nothing, |event| {
            Incoming::Event(Event { attachments: parts, ..event })
        }))
    }

    /// Bytes that wait for the rest of their event.
    pub fn waiting_bytes(&self) -> usize {
        self.waiting.as_ref().map_or(0, |waiting| waiting.bytes)
    }
}

/// A placeholder without its part makes socket.io-client 2.5.0 throw where the event is relayed to.
fn check_placeholders(arguments: &[Box<RawValue>], attachments: usize) -> Result<(), Malformed> {
    for argument in arguments {
        placeholder::check(argument.get(), attachments)?;
    }
    Ok(())
}
