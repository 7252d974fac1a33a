//! A packed value: bytes to send, in which big buffers are shared and not copied.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};

/// Buffers from this length on, in bytes, are shared; copying shorter ones costs less.
const SHARED: usize = 4096;

/// What a value looks like on the wire, and how much of it is left to send.
#[derive(Debug, Clone, Default)]
pub struct Packed {
    parts: VecDeque<Bytes>,
    left: usize,
}

impl Packed {
    /// How many bytes are left.
    pub fn len(&self) -> usize {
        self.left
    }

    /// Whether all of it was taken.
    pub fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// Moves the next bytes to `out`, at most `count`.
    pub fn take(&mut self, count: usize, out: &mut Vec<u8>) {
        let mut wanted = count.min(self.left);
        self.left -= wanted;
        out.reserve(wanted);
        while wanted > 0 {
            let part = self.parts.front_mut().expect("what is left is in the parts");
            let taken = part.len().min(wanted);
            out.extend_from_slice(&part[..taken]);
            part.advance(taken);
            wanted -= taken;
            if part.is_empty() {
                self.parts.pop_front();
            }
        }
    }

    /// All that is left, in one piece.
    pub fn to_vec(&self) -> Vec<u8> {
        self.parts.iter().fold(Vec::with_capacity(self.left), |mut whole, part| {
            whole.extend_from_slice(part);
            whole
        })
    }

    /// All that is left, in one piece.
    pub fn into_vec(mut self) -> Vec<u8> {
        match self.parts.pop_front() {
            Some(part) if self.parts.is_empty() => part.into(),
            Some(part) => {
                self.parts.push_front(part);
                self.to_vec()
            }
            None => Vec::new(),
        }
    }
}

/// Puts a [`Packed`] together.
#[derive(Debug, Default)]
pub(crate) struct Packer {
    parts: VecDeque<Bytes>,
    before: usize,
    /// What comes next is written here.
    pub(crate) tail: Vec<u8>,
}

impl Packer {
    /// A buffer comes next.
    pub(crate) fn buffer(&mut self, bytes: &Bytes) {
        if bytes.len() < SHARED {
            return self.tail.extend_from_slice(bytes);
        }
        self.end_tail();
        self.before += bytes.len();
        self.parts.push_back(bytes.clone());
    }

    pub(crate) fn finish(mut self) -> Packed {
        self.end_tail();
        Packed { parts: self.parts, left: self.before }
    }

    fn end_tail(&mut self) {
        if !self.tail.is_empty() {
            self.before += self.tail.len();
            self.parts.push_back(std::mem::take(&mut self.tail).into());
        }
    }
}
