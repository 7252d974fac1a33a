//! Datagrams that wait to be sent by one socket: neighbours for one destination leave in one system
//! call.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::Range;

/// What may wait. More is lost, as in the queue of a router.
pub(super) const MOST: usize = 512 * 1024;
/// What one system call can carry.
const LONGEST_RUN: usize = 65_000;

/// See the module documentation.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    runs: VecDeque<Run>,
}

/// Datagrams of one length, of which the last may be shorter.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    destination: SocketAddr,
    range: Range<usize>,
    segment: usize,
    complete: bool,
}

/// What to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segments<'a> {
    pub(super) destination: SocketAddr,
    pub(super) bytes: &'a [u8],
    pub(super) segment: usize,
}

impl Outbox {
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Adds a datagram, which `write` appends; `most` segments go into one system call. Whether
    /// there was room.
    pub(super) fn push(
        &mut self,
        destination: SocketAddr,
        most: usize,
        write: impl FnOnce(&mut Vec<u8>) -> bool,
    ) -> bool {
        if self.bytes.len() >= MOST {
            return false;
        }
        if self.bytes.capacity() == 0 {
            self.bytes = spare();
        }
        let start = self.bytes.len();
        if !write(&mut self.bytes) {
            self.bytes.truncate(start);
            return false;
        }
        let length = self.bytes.len() - start;
        if let Some(run) = self.runs.back_mut()
            && run.takes(destination, length, most)
        {
            run.range.end += length;
            run.complete = length < run.segment;
            return true;
        }
        let range = start..start + length;
        self.runs.push_back(Run { destination, range, segment: length, complete: false });
        true
    }

    pub(super) fn first(&self) -> Option<Segments<'_>> {
        let run = self.runs.front()?;
        let bytes = &self.bytes[run.range.clone()];
        Some(Segments { destination: run.destination, bytes, segment: run.segment })
    }

    pub(super) fn remove_first(&mut self) {
        self.runs.pop_front();
        if self.runs.is_empty() {
            self.bytes.clear();
        }
    }

    /// Gives the memory of an empty box to others of this thread.
    pub(super) fn rest(&mut self) {
        if self.runs.is_empty() && self.bytes.capacity() > 0 {
            keep(std::mem::take(&mut self.bytes));
            self.runs = VecDeque::new();
        }
    }

    /// Moves what is left to the front.
    pub(super) fn compact(&mut self) {
        let Some(start) = self.runs.front().map(|run| run.range.start) else { return };
        if start > 0 {
            self.bytes.drain(..start);
            for run in &mut self.runs {
                run.range = run.range.start - start..run.range.end - start;
            }
        }
    }
}

impl Run {
    fn takes(&self, destination: SocketAddr, length: usize, most: usize) -> bool {
        !self.complete
            && self.destination == destination
            && length <= self.segment
            && self.range.len() + length <= LONGEST_RUN
            && self.range.len() < most * self.segment
    }
}

/// Buffers of a thread that nobody uses: connections that are idle own none.
const SPARE: usize = 4;

thread_local! {
    static BUFFERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer.
pub(super) fn spare() -> Vec<u8> {
    BUFFERS.with_borrow_mut(Vec::pop).unwrap_or_else(|| Vec::with_capacity(16 * 1024))
}

/// Takes a buffer back.
pub(super) fn keep(mut buffer: Vec<u8>) {
    if buffer.capacity() > 2 * MOST {
        return;
    }
    buffer.clear();
    // A thread that ends keeps nothing.
    let _ = BUFFERS.try_with(|buffers| {
        let mut buffers = buffers.borrow_mut();
        if buffers.len() < SPARE {
            buffers.push(buffer);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    fn push(outbox: &mut Outbox, port: u16, length: usize) -> bool {
        outbox.push(to(port), 64, |bytes| {
            bytes.resize(bytes.len() + length, 7);
            true
        })
    }

    /// Destination, length and segment of all runs.
    fn runs(outbox: &mut Outbox) -> Vec<(u16, usize, usize)> {
        let mut runs = Vec::new();
        while let Some(run) = outbox.first() {
            runs.push((run.destination.port(), run.bytes.len(), run.segment));
            outbox.remove_first();
        }
        runs
    }

    #[test]
    fn equal_datagrams_to_one_destination_leave_together() {
        let mut outbox = Outbox::default();
        for (port, length) in [(1, 100), (1, 100), (1, 40), (1, 40), (2, 40), (2, 50), (1, 50)] {
            assert!(push(&mut outbox, port, length));
        }

        let expected = [(1, 240, 100), (1, 40, 40), (2, 40, 40), (2, 50, 50), (1, 50, 50)];
        assert_eq!(runs(&mut outbox), expected);
        assert_eq!(outbox.len(), 0);
    }

    #[test]
    fn a_run_is_not_longer_than_a_system_call_takes() {
        let mut outbox = Outbox::default();
        for _ in 0..130 {
            push(&mut outbox, 1, 1200);
        }
        let lengths: Vec<_> = runs(&mut outbox).iter().map(|run| run.1 / 1200).collect();
        assert_eq!(lengths, [54, 54, 22]);

        for _ in 0..65 {
            push(&mut outbox, 1, 10);
        }
        let lengths: Vec<_> = runs(&mut outbox).iter().map(|run| run.1 / 10).collect();
        assert_eq!(lengths, [64, 1]);
    }

    #[test]
    fn what_has_no_room_is_lost() {
        let mut outbox = Outbox::default();
        let taken = (0..1000).filter(|_| push(&mut outbox, 1, 1000)).count();
        assert_eq!(taken, MOST.div_ceil(1000));
    }

    #[test]
    fn what_is_left_moves_to_the_front() {
        let mut outbox = Outbox::default();
        push(&mut outbox, 1, 100);
        push(&mut outbox, 2, 50);
        outbox.remove_first();

        outbox.compact();

        assert_eq!(outbox.len(), 50);
        assert_eq!(runs(&mut outbox), [(2, 50, 50)]);
    }

    #[test]
    fn a_datagram_that_is_not_written_leaves_nothing() {
        let mut outbox = Outbox::default();
        let written = outbox.push(to(1), 64, |bytes| {
            bytes.push(1);
            false
        });
        assert!(!written && outbox.first().is_none());
        assert_eq!(outbox.len(), 0);
    }
}
