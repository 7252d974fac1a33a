//! The messages of one value, made as they are asked for.

use crate::Packed;
use crate::chunk::Pieces;
use crate::data::Message;

/// Longest message of a `MsgPack` stream, in bytes.
const STREAM_MESSAGE: usize = 32_768;

/// The messages that carry one value, in the order in which they go out. An iterator that knows its
/// length; each message is made when it is asked for, so that a value of 100 MB does not wait in
/// memory twice.
#[derive(Debug, Clone)]
pub struct Outgoing(Form);

#[derive(Debug, Clone)]
enum Form {
    One(Option<Message>),
    Chunks(Pieces),
    Cut(Packed),
}

impl Outgoing {
    pub(crate) fn one(binary: bool, data: Vec<u8>) -> Self {
        Self(Form::One(Some(Message { binary, data })))
    }

    pub(crate) fn chunks(id: u32, packed: Packed) -> Self {
        Self(Form::Chunks(Pieces::new(id, packed)))
    }

    pub(crate) fn cut(packed: Packed) -> Self {
        Self(Form::Cut(packed))
    }
}

impl Iterator for Outgoing {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        let data = match &mut self.0 {
            Form::One(message) => return message.take(),
            Form::Chunks(pieces) => pieces.next()?,
            Form::Cut(packed) if packed.is_empty() => return None,
            Form::Cut(packed) => {
                let mut data = Vec::new();
                packed.take(STREAM_MESSAGE, &mut data);
                data
            }
        };
        Some(Message { binary: true, data })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = match &self.0 {
            Form::One(message) => usize::from(message.is_some()),
            Form::Chunks(pieces) => pieces.len(),
            Form::Cut(packed) => packed.len().div_ceil(STREAM_MESSAGE),
        };
        (left, Some(left))
    }
}

impl ExactSizeIterator for Outgoing {}
impl std::iter::FusedIterator for Outgoing {}
