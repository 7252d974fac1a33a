//! Chunks that came before their time, as they do on an unordered channel.

use std::collections::BTreeMap;

use peerway_protocol::value::Bytes;

use super::message::Index;

/// Bytes that may wait.
const MOST: usize = 64 << 20;

/// Chunks by file and offset.
#[derive(Debug, Default)]
pub(crate) struct Held {
    chunks: BTreeMap<(Index, u64), Bytes>,
    bytes: usize,
}

impl Held {
    pub(crate) fn insert(&mut self, index: Index, offset: u64, data: Bytes) {
        self.bytes += data.len();
        if let Some(twice) = self.chunks.insert((index, offset), data) {
            self.bytes -= twice.len();
        }
    }

    /// The chunk that begins exactly here.
    pub(crate) fn take(&mut self, index: Index, offset: u64) -> Option<Bytes> {
        let data = self.chunks.remove(&(index, offset))?;
        self.bytes -= data.len();
        Some(data)
    }

    /// Whether something waits whose time is over: chunks overlap.
    pub(crate) fn is_before(&self, index: Index, offset: u64) -> bool {
        self.chunks.range((index, 0)..(index, offset)).next().is_some()
    }

    pub(crate) fn is_too_much(&self) -> bool {
        self.bytes > MOST
    }

    /// The file is settled.
    pub(crate) fn forget(&mut self, index: Index) {
        let mut forgotten = self.chunks.split_off(&(index, 0));
        if let Some(next) = index.checked_add(1) {
            let mut rest = forgotten.split_off(&(next, 0));
            self.chunks.append(&mut rest);
        }
        self.bytes -= forgotten.values().map(Bytes::len).sum::<usize>();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(length: usize) -> Bytes {
        Bytes::from(vec![0; length])
    }

    #[test]
    fn chunks_are_found_where_they_begin() {
        let mut held = Held::default();
        held.insert(1, 10, bytes(5));
        held.insert(1, 10, bytes(7));
        assert_eq!(held.take(1, 11), None);
        assert!(held.is_before(1, 11) && !held.is_before(1, 10) && !held.is_before(2, 99));
        assert_eq!(held.take(1, 10), Some(bytes(7)));
        assert_eq!(held.bytes, 0);
    }

    #[test]
    fn a_settled_file_is_forgotten_and_the_others_are_not() {
        let mut held = Held::default();
        for index in [0, 1, 2, Index::MAX] {
            held.insert(index, 3, bytes(4));
            held.insert(index, 9, bytes(4));
        }
        held.forget(1);
        held.forget(Index::MAX);
        assert_eq!((held.chunks.len(), held.bytes), (4, 16));
        assert!(held.take(0, 3).is_some() && held.take(2, 9).is_some());
    }

    #[test]
    fn more_than_fits_is_noticed() {
        let mut held = Held::default();
        held.insert(0, 1, bytes(MOST));
        assert!(!held.is_too_much());
        held.insert(0, 0, bytes(1));
        assert!(held.is_too_much());
    }
}
