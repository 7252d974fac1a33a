//! Puts the frames of several tracks into the order of their timestamps.
//!
//! A frame waits until every other track has come as far, but not for long: a track may be silent.

use std::collections::VecDeque;

/// How far, in milliseconds, one track may be ahead of another.
const PATIENCE: u64 = 300;
/// And in bytes that wait, whatever their timestamps.
const MAX_WAITING: usize = 4 << 20;
/// What a frame takes besides its bytes.
const OVERHEAD: usize = 1 << 10;

/// A frame as it will stand in the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// Place in the header.
    pub(super) track: usize,
    /// Milliseconds.
    pub(super) time: u64,
    pub(super) keyframe: bool,
    pub(super) data: Vec<u8>,
}

#[derive(Debug, Default)]
pub(super) struct Interleave {
    tracks: Vec<VecDeque<Block>>,
    newest: u64,
    waiting: usize,
}

impl Interleave {
    /// Frames of one track come in order.
    pub(super) fn push(&mut self, block: Block) {
        while self.tracks.len() <= block.track {
            self.tracks.push(VecDeque::new());
        }
        self.newest = self.newest.max(block.time);
        self.waiting += block.data.len() + OVERHEAD;
        self.tracks[block.track].push_back(block);
    }

    /// The next frame for the file, if nothing earlier is to be expected.
    pub(super) fn next(&mut self) -> Option<Block> {
        let due = self.newest.saturating_sub(PATIENCE);
        let all_here = self.tracks.iter().all(|track| !track.is_empty());
        let ready = all_here || self.waiting > MAX_WAITING || self.earliest()?.time <= due;
        if ready { self.next_of_rest() } else { None }
    }

    /// The next frame for the file, at its end.
    pub(super) fn next_of_rest(&mut self) -> Option<Block> {
        let track = self.earliest()?.track;
        let block = self.tracks[track].pop_front()?;
        self.waiting -= block.data.len() + OVERHEAD;
        Some(block)
    }

    fn earliest(&self) -> Option<&Block> {
        self.tracks.iter().filter_map(VecDeque::front).min_by_key(|block| block.time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(track: usize, time: u64) -> Block {
        Block { track, time, keyframe: false, data: Vec::new() }
    }

    fn times(interleave: &mut Interleave) -> Vec<(usize, u64)> {
        std::iter::from_fn(|| interleave.next()).map(|block| (block.track, block.time)).collect()
    }

    #[test]
    fn one_track_waits_for_nothing() {
        let mut interleave = Interleave::default();
        interleave.push(block(0, 5));
        assert_eq!(times(&mut interleave), [(0, 5)]);
    }

    #[test]
    fn tracks_are_put_in_order() {
        let mut interleave = Interleave::default();
        interleave.push(block(0, 0));
        interleave.push(block(1, 7));
        assert_eq!(times(&mut interleave), [(0, 0)]);
        interleave.push(block(1, 14));
        interleave.push(block(0, 10));
        assert_eq!(times(&mut interleave), [(1, 7), (0, 10)]);
    }

    #[test]
    fn a_silent_track_does_not_stop_the_others() {
        let mut interleave = Interleave::default();
        interleave.push(block(0, 0));
        interleave.push(block(1, 1));
        interleave.push(block(0, 100));
        assert_eq!(times(&mut interleave), [(0, 0), (1, 1)]);
        interleave.push(block(0, 401));
        assert_eq!(times(&mut interleave), [(0, 100)]);
        assert_eq!(interleave.next_of_rest(), Some(block(0, 401)));
    }

    #[test]
    fn frames_of_one_instant_do_not_pile_up() {
        let mut interleave = Interleave::default();
        interleave.push(block(1, 0));
        (0..10_000).for_each(|_| interleave.push(block(0, 0)));
        assert!(times(&mut interleave).len() > 5_000);
    }
}
