//! How much may be on the way: the window of the receiver.

use std::collections::VecDeque;

use super::message::Index;

/// Counts what was sent and what was confirmed. Chunks of all files count as one stream.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    /// None: the receiver does not confirm.
    window: Option<u64>,
    /// Bytes that were sent.
    sent: u64,
    /// Bytes of them that the receiver has written, or does not want.
    confirmed: u64,
    /// The files that are on their way, in the order of the stream.
    files: VecDeque<Stretch>,
}

/// Where a file lies in the stream.
#[derive(Debug)]
struct Stretch {
    index: Index,
    /// Where it begins in the stream ..
    place: u64,
    /// .. with the byte that stands here in the file.
    offset: u64,
}

impl Flow {
    pub(crate) fn is_open(&self) -> bool {
        self.window.is_none_or(|window| self.sent - self.confirmed < window)
    }

    /// The receiver takes it, with a window or without.
    pub(crate) fn open(&mut self, window: Option<u64>) {
        // Less than a byte would never let anything through.
        self.window = window.map(|window| window.max(1));
    }

    /// So many more bytes are sent.
    pub(crate) fn send(&mut self, bytes: u64) {
        self.sent += bytes;
    }

    /// The connection is gone; what was on the way counts as sent, and confirms itself no more.
    pub(crate) fn break_off(&mut self) {
        *self = Self { sent: self.sent, confirmed: self.sent, ..Self::default() };
    }

    /// Bytes that the user may count as sent.
    pub(crate) fn confirmed(&self) -> u64 {
        self.sent - self.unconfirmed()
    }

    /// Bytes that the user may not count as sent yet.
    pub(crate) fn unconfirmed(&self) -> u64 {
        if self.window.is_some() { self.sent - self.confirmed } else { 0 }
    }

    pub(crate) fn begin(&mut self, index: Index, offset: u64) {
        self.files.push_back(Stretch { index, place: self.sent, offset });
    }

    /// Everything before `offset` in the file is written, and so is every file before it.
    pub(crate) fn confirm(&mut self, index: Index, offset: u64) {
        let Some(file) = self.files.iter().find(|it| it.index == index) else { return };
        let place = file.place.saturating_add(offset.saturating_sub(file.offset)).min(self.sent);
        self.confirmed = self.confirmed.max(place);
    }

    /// Nothing of the file is on its way any more.
    pub(crate) fn end(&mut self, index: Index) {
        self.files.retain(|it| it.index != index);
        let place = self.files.front().map_or(self.sent, |next| next.place);
        self.confirmed = self.confirmed.max(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confirmation_in_a_file_covers_the_files_before_it() {
        let mut flow = Flow::default();
        flow.open(Some(100));
        flow.begin(7, 0);
        flow.send(60);
        flow.begin(3, 1000);
        flow.send(40);
        assert!(!flow.is_open());
        flow.confirm(3, 1010);
        assert_eq!(flow.unconfirmed(), 30);
        flow.confirm(7, 5);
        assert_eq!(flow.unconfirmed(), 30, "it is older");
        flow.confirm(9, 5);
        flow.end(3);
        assert_eq!(flow.unconfirmed(), 30, "the first file is still on its way");
        flow.end(7);
        assert_eq!(flow.unconfirmed(), 0);
    }

    #[test]
    fn nobody_confirms_more_than_was_sent() {
        let mut flow = Flow::default();
        flow.open(Some(10));
        flow.begin(0, 5);
        flow.send(10);
        flow.confirm(0, u64::MAX);
        assert!(flow.is_open());
        flow.confirm(0, 0);
        assert_eq!(flow.unconfirmed(), 0);
    }

    #[test]
    fn without_a_window_everything_counts_as_sent() {
        let mut flow = Flow::default();
        flow.send(1 << 40);
        assert!(flow.is_open());
        assert_eq!(flow.confirmed(), 1 << 40);
    }
}
