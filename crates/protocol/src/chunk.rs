//! Pieces of long packed values: the envelope `{__peerData, n, data, total}` that `binary` puts
//! around each, and putting them together again.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use thiserror::Error;

use crate::binarypack::layout;
use crate::data::{CONTROL, Limits, MTU};
use crate::{Packed, Value};

/// What an unfinished value and a piece that came early cost to keep, beside their bytes.
const VALUE_WEIGHT: usize = 1024;
const PIECE_WEIGHT: usize = 128;

/// How many finished values are remembered, for pieces that come twice.
const REMEMBERED: usize = 64;

/// Why a piece cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ChunkError {
    /// Not a piece: a member is missing or of a wrong type.
    #[error("a piece of a value has no usable '{0}'")]
    Malformed(&'static str),
    /// A place outside of the value, or another number of pieces than before.
    #[error("piece {n} of {total} contradicts what was said before")]
    Contradiction {
        /// Its place, from 0.
        n: u32,
        /// Of how many.
        total: u32,
    },
    /// The value is longer than [`Limits::max_message`], the field, in bytes.
    #[error("message too big: the limit is {0} bytes")]
    TooBig(usize),
    /// More waits for missing pieces than [`Limits::max_partial`], the field, in bytes.
    #[error("too many unfinished messages: the limit is {0} bytes")]
    TooManyUnfinished(usize),
}

/// Cuts a packed value into messages.
#[derive(Debug, Clone)]
pub(crate) struct Pieces {
    id: u32,
    packed: Packed,
    next: u32,
    total: u32,
}

impl Pieces {
    /// The piece's envelope takes less, in bytes.
    const ENVELOPE: usize = 64;

    /// `packed` is at most 4 GiB long.
    pub(crate) fn new(id: u32, packed: Packed) -> Self {
        let total = count(packed.len());
        Self { id, packed, next: 0, total }
    }

    pub(crate) fn next(&mut self) -> Option<Vec<u8>> {
        if self.packed.is_empty() {
            return None;
        }
        let length = self.packed.len().min(MTU);
        let mut message = Vec::with_capacity(length + Self::ENVELOPE);
        layout::map(&mut message, 4);
        name(&mut message, CONTROL);
        layout::integer(&mut message, self.id.into());
        name(&mut message, "n");
        layout::integer(&mut message, self.next.into());
        name(&mut message, "data");
        layout::bytes(&mut message, u32::try_from(length).expect("it is at most the MTU"));
        self.packed.take(length, &mut message);
        name(&mut message, "total");
        layout::integer(&mut message, self.total.into());
        self.next += 1;
        Some(message)
    }

    /// How many are left.
    pub(crate) fn len(&self) -> usize {
        self.packed.len().div_ceil(MTU)
    }
}

fn count(length: usize) -> u32 {
    length.div_ceil(MTU).try_into().expect("what is packed is at most 4 GiB long")
}

fn name(out: &mut Vec<u8>, name: &str) {
    layout::text(out, u32::try_from(name.len()).expect("it is a few letters"));
    out.extend_from_slice(name.as_bytes());
}

/// One piece as it came.
#[derive(Debug)]
pub(crate) struct Piece {
    id: i64,
    n: u32,
    total: u32,
    data: Bytes,
}

impl Piece {
    /// Takes an envelope apart.
    pub(crate) fn of(envelope: &Value) -> Result<Self, ChunkError> {
        let number = |name: &'static str| {
            let number = envelope.get(name).and_then(Value::as_i64);
            number.ok_or(ChunkError::Malformed(name))
        };
        let small = |name: &'static str| {
            u32::try_from(number(name)?).map_err(|_| ChunkError::Malformed(name))
        };
        let (id, n, total) = (number(CONTROL)?, small("n")?, small("total")?);
        let data = envelope.get("data").and_then(Value::as_bytes);
        let data = data.ok_or(ChunkError::Malformed("data"))?.clone();
        if n >= total {
            return Err(ChunkError::Contradiction { n, total });
        }
        Ok(Self { id, n, total, data })
    }
}

/// Puts pieces together that may come in any order, as up to 1.4.7 they do.
#[derive(Debug, Clone)]
pub(crate) struct Reassembly {
    max_message: usize,
    max_partial: usize,
    lossy: bool,
    /// By id; ids grow, so the first is the oldest.
    unfinished: BTreeMap<i64, Unfinished>,
    /// Ids of the last values that were finished.
    finished: VecDeque<i64>,
    /// The weight of everything unfinished.
    weight: usize,
}

#[derive(Debug, Clone, Default)]
struct Unfinished {
    total: u32,
    /// The pieces before `next`, one behind the other.
    front: Vec<u8>,
    next: u32,
    /// Pieces that came before their turn.
    early: BTreeMap<u32, Vec<u8>>,
    /// How many bytes those are.
    early_length: usize,
}

impl Unfinished {
    fn weight(&self) -> usize {
        VALUE_WEIGHT + self.front.len() + self.early_length + self.early.len() * PIECE_WEIGHT
    }

    fn add(&mut self, piece: &Piece) {
        if piece.n < self.next || self.early.contains_key(&piece.n) {
            return;
        }
        if piece.n > self.next {
            // Copied, lest a few bytes hold a whole message in memory.
            self.early.insert(piece.n, piece.data.to_vec());
            self.early_length += piece.data.len();
            return;
        }
        self.front.extend_from_slice(&piece.data);
        self.next += 1;
        while let Some(data) = self.early.remove(&self.next) {
            self.early_length -= data.len();
            self.front.extend_from_slice(&data);
            self.next += 1;
        }
    }
}

impl Reassembly {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            max_message: limits.max_message,
            max_partial: limits.max_partial,
            lossy: limits.lossy,
            unfinished: BTreeMap::new(),
            finished: VecDeque::new(),
            weight: 0,
        }
    }

    /// Takes a piece. If it was the last one missing, here is the whole.
    pub(crate) fn add(&mut self, piece: &Piece) -> Result<Option<Bytes>, ChunkError> {
        if self.finished.contains(&piece.id) {
            return Ok(None);
        }
        let (n, total) = (piece.n, piece.total);
        let mut value = match self.unfinished.remove(&piece.id) {
            Some(value) => {
                self.weight -= value.weight();
                value
            }
            None => Unfinished::default(),
        };
        // An error ends the value: what is left of it could never be finished.
        if value.total != 0 && value.total != total {
            return Err(ChunkError::Contradiction { n, total });
        }
        value.total = total;
        value.add(piece);
        if value.front.len() + value.early_length > self.max_message {
            return Err(ChunkError::TooBig(self.max_message));
        }
        if value.next == total {
            self.remember(piece.id);
            return Ok(Some(value.front.into()));
        }
        self.make_room(value.weight())?;
        self.weight += value.weight();
        self.unfinished.insert(piece.id, value);
        Ok(None)
    }

    fn make_room(&mut self, weight: usize) -> Result<(), ChunkError> {
        while self.weight + weight > self.max_partial {
            let oldest = if self.lossy { self.unfinished.pop_first() } else { None };
            let (_, oldest) = oldest.ok_or(ChunkError::TooManyUnfinished(self.max_partial))?;
            self.weight -= oldest.weight();
        }
        Ok(())
    }

    fn remember(&mut self, id: i64) {
        if self.finished.len() == REMEMBERED {
            self.finished.pop_front();
        }
        self.finished.push_back(id);
    }
}
