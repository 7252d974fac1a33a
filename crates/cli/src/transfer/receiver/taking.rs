//! A wanted file, from its first byte to its name.

use peerway_protocol::value::Bytes;

use super::super::hash::Sha256;
use super::super::message::{Index, Message};
use super::super::reason::{Reason, Refusal};
use super::{Command, End, Here, Receiver, Settled, State};

/// Files that are being written at the same time; a sender sends one after the other, and an
/// unordered channel mixes neighbours.
const MOST_OPEN: usize = 8;

impl Receiver {
    pub(super) fn handle_begin(&mut self, index: Index, offset: u64) {
        match self.state(index).cloned() {
            Some(State::Wanted { offset: wanted, here }) => {
                if offset != 0 && offset != wanted {
                    return self.cancel(Refusal::protocol(format!(
                        "file {index} begins at {offset}, where nobody asked"
                    )));
                }
                match here {
                    Here::Whole { sha256, .. } if offset == wanted => {
                        self.keep(index, sha256);
                        return self.plan();
                    }
                    Here::Whole { overwrite: false, .. } => {
                        let why = "another file with this name is here";
                        self.refuse(index, Refusal::new(Reason::Exists, why));
                        return self.plan();
                    }
                    Here::Whole { overwrite: true, .. } | Here::Part => {
                        self.commands.push_back(Command::Open { index, offset });
                        self.begin(index, offset);
                    }
                }
                self.advance(index);
            }
            Some(State::Settled(_)) => {}
            _ => self.cancel(Refusal::protocol(format!("file {index} begins, but was not wanted"))),
        }
    }

    fn begin(&mut self, index: Index, offset: u64) {
        self.open += 1;
        self.written += offset;
        self.set(index, State::Receiving { at: offset, acknowledged: offset });
    }

    pub(super) fn handle_chunk(&mut self, index: Index, offset: u64, data: Bytes) {
        match self.state(index) {
            // What was on the way when we refused it.
            Some(State::Settled(_)) => return,
            Some(State::Wanted { .. } | State::Receiving { .. }) => {}
            _ => {
                return self.cancel(Refusal::protocol(format!(
                    "a chunk of file {index}, which was not wanted"
                )));
            }
        }
        if data.is_empty() {
            return;
        }
        self.held.insert(index, offset, data);
        self.advance(index);
        if self.held.is_too_much() {
            self.cancel(Refusal::protocol("too much arrived out of order"));
        }
    }

    pub(super) fn handle_end(&mut self, index: Index, end: End) {
        match self.state(index) {
            Some(State::Settled(_)) => return,
            Some(State::Wanted { .. } | State::Receiving { .. }) => {}
            _ => {
                return self.cancel(Refusal::protocol(format!(
                    "the end of file {index}, which was not wanted"
                )));
            }
        }
        self.ends.insert(index, end);
        self.advance(index);
    }

    pub(super) fn handle_skip(&mut self, index: Index, refusal: Refusal) {
        match self.state(index).cloned() {
            None => self.cancel(Refusal::protocol(format!("there is no file {index}"))),
            Some(State::Settled(_) | State::Committing) => {}
            Some(_) => {
                self.settle(index, Settled::Skipped(refusal));
                self.plan();
            }
        }
    }

    /// Takes what is held and comes next; commits when nothing is missing.
    fn advance(&mut self, index: Index) {
        if let Some(State::Wanted { offset: 0, here: Here::Part }) = self.state(index) {
            // From the beginning: no word was needed for that.
            self.commands.push_back(Command::Open { index, offset: 0 });
            self.begin(index, 0);
        }
        let Some(State::Receiving { mut at, acknowledged }) = self.state(index).cloned() else {
            return;
        };
        if self.open > MOST_OPEN {
            return self.cancel(Refusal::protocol("too many files at the same time"));
        }
        let size = self.offer.as_ref().and_then(|it| it.entries.get(index as usize)?.size);
        while let Some(data) = self.held.take(index, at) {
            at += data.len() as u64;
            self.written += data.len() as u64;
            self.moved += data.len() as u64;
            if size.is_some_and(|size| at > size) {
                return self.cancel(Refusal::protocol(format!("file {index} is longer than told")));
            }
            self.commands.push_back(Command::Write { index, data });
        }
        self.set(index, State::Receiving { at, acknowledged });
        if self.held.is_before(index, at) {
            return self.cancel(Refusal::protocol(format!("chunks of file {index} overlap")));
        }
        let Some(end) = self.ends.get(&index) else { return };
        let whole = end.size.or(size).unwrap_or(at);
        if size.is_some_and(|size| size != whole) || at > whole {
            return self.cancel(Refusal::protocol(format!("file {index} is not as long as told")));
        }
        if at == whole {
            self.commands.push_back(Command::Commit { index, sha256: end.sha256 });
            self.set(index, State::Committing);
            self.open -= 1;
        }
    }

    /// The store wrote everything before `offset`.
    pub(crate) fn handle_written(&mut self, index: Index, offset: u64) {
        let window = self.window;
        let Some(State::Receiving { at, acknowledged }) = self.states.get_mut(index as usize)
        else {
            return;
        };
        if offset <= *at && offset.saturating_sub(*acknowledged) >= window / 16 {
            *acknowledged = offset;
            self.tell(Message::Ack { index, offset });
        }
    }

    /// The store finished a file, or could not.
    pub(crate) fn handle_committed(&mut self, index: Index, result: Result<Sha256, Refusal>) {
        if self.state(index) != Some(&State::Committing) || self.is_over() {
            return;
        }
        match result {
            Ok(sha256) => {
                let end = self.ends.get(&index);
                let verified = end.is_some_and(|end| end.sha256 == Some(sha256));
                self.tell(Message::Done { index, sha256: Some(sha256) });
                self.settle(index, Settled::Done { sha256: Some(sha256), verified, kept: false });
            }
            Err(refusal) => self.refuse(index, refusal),
        }
        self.plan();
    }

    /// A file could not be opened or written.
    pub(crate) fn handle_failed(&mut self, index: Index, refusal: Refusal) {
        // Where opening failed, so does every write behind it.
        let waits = matches!(self.state(index), Some(State::Receiving { .. } | State::Committing));
        if !waits || self.is_over() {
            return;
        }
        match refusal.reason {
            // The next file would fail too.
            Reason::DiskFull | Reason::Io => self.cancel(refusal),
            _ => {
                self.refuse(index, refusal);
                self.plan();
            }
        }
    }
}
