//! The sending side, free of IO: messages and what was read go in, commands come out.
//!
//! ```text
//!            want           its turn       begins          the file ends       done
//!   Offered ------> Queued ---------> Opening ----> Sending -----------> Ended ------> Settled
//!      ^                                 connection lost                                  ^
//!      +---------------- every file not settled     refuse, skip: from everywhere --------+
//! ```

use std::collections::VecDeque;

use peerway_protocol::value::Bytes;

use super::flow::Flow;
use super::hash::Sha256;
use super::message::{Index, Message, Offer, Want};
use super::progress::Progress;
use super::reason::{Reason, Refusal};

/// What the sender wants done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Command {
    /// Say it to the receiver.
    Tell(Message),
    /// Open a file and see whether its first `offset` bytes have this digest; answer with
    /// [`Sender::handle_opened`]. What was open before is not needed any more.
    Open { turn: Turn, index: Index, offset: u64, sha256: Option<Sha256> },
    /// Read on in the open file; answer with [`Sender::handle_read`].
    Read { turn: Turn },
    /// Tell the user that the receiver takes it.
    Accepted,
    /// Tell the user about a file.
    Report { index: Index, settled: Settled },
    /// It is over; the last command.
    Finish(Ending),
}

/// Tells answers apart: one that belongs to an earlier turn comes too late.
pub(crate) type Turn = u32;

/// How a file ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Settled {
    /// It is there.
    Done {
        sha256: Option<Sha256>,
        /// Nothing was sent: the receiver had it.
        kept: bool,
    },
    /// The receiver did not take it.
    Refused(Refusal),
    /// We could not give it.
    Skipped(Refusal),
}

/// How a transfer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Every file is settled.
    Complete,
    /// The other side ended it.
    Theirs(Refusal),
    /// We ended it, and said so.
    Ours(Refusal),
}

/// How opening ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Opened {
    /// It stands at the offset that was asked for.
    There,
    /// Its beginning is another; it stands at 0.
    Different,
    /// It cannot be sent.
    Failed(Refusal),
}

/// How reading ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Read {
    Data(Bytes),
    /// Nothing more; the size and the digest of the whole file.
    End {
        size: u64,
        sha256: Sha256,
    },
    /// It cannot be read any more, or is not what was offered.
    Failed(Refusal),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Offered,
    Queued,
    Opening { want: Want },
    Sending { at: u64 },
    Ended { size: u64, sha256: Sha256 },
    Settled(Settled),
}

/// One transfer, as its sender sees it; it may go over several connections.
#[derive(Debug)]
pub(crate) struct Sender {
    offer: Offer,
    states: Vec<State>,
    /// Which files were sent, or began to be, on this connection or one before.
    begun: Vec<bool>,
    queue: VecDeque<Want>,
    /// The file that is open.
    current: Option<Index>,
    turn: Turn,
    reading: bool,
    stage: Stage,
    flow: Flow,
    settled: usize,
    /// Bytes of settled files and those before the place where the open file stands.
    bytes: u64,
    commands: VecDeque<Command>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Without a connection.
    Away,
    /// The receiver has the offer.
    Offered,
    /// It said yes.
    Accepted,
    Over,
}

impl Sender {
    pub(crate) fn new(offer: Offer) -> Self {
        Self {
            states: vec![State::Offered; offer.entries.len()],
            begun: vec![false; offer.entries.len()],
            offer,
            queue: VecDeque::new(),
            current: None,
            turn: 0,
            reading: false,
            stage: Stage::Away,
            flow: Flow::default(),
            settled: 0,
            bytes: 0,
            commands: VecDeque::new(),
        }
    }

    pub(crate) fn next_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    pub(crate) fn offer(&self) -> &Offer {
        &self.offer
    }

    pub(crate) fn progress(&self) -> Progress {
        Progress {
            files: self.states.len(),
            settled: self.settled,
            bytes: self.bytes - self.flow.unconfirmed(),
            moved: self.flow.confirmed(),
            total: self.offer.size(),
        }
    }

    /// How many files are where they should be.
    pub(crate) fn done(&self) -> usize {
        let done = |it: &&State| matches!(it, State::Settled(Settled::Done { .. }));
        self.states.iter().filter(done).count()
    }

    /// How each file ended; none for those that did not.
    #[cfg(test)]
    pub(crate) fn outcomes(&self) -> impl Iterator<Item = Option<&Settled>> {
        self.states.iter().map(|state| match state {
            State::Settled(settled) => Some(settled),
            _ => None,
        })
    }

    pub(crate) fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// Whether the receiver said yes, on this connection.
    pub(crate) fn is_accepted(&self) -> bool {
        self.stage == Stage::Accepted
    }

    /// There is a connection, the first or another one.
    pub(crate) fn handle_connected(&mut self) {
        if self.stage != Stage::Away {
            return;
        }
        self.stage = Stage::Offered;
        self.commands.push_back(Command::Tell(Message::Offer(self.offer.clone())));
    }

    /// The connection is gone.
    pub(crate) fn handle_lost(&mut self) {
        if matches!(self.stage, Stage::Away | Stage::Over) {
            return;
        }
        self.stage = Stage::Away;
        self.commands.retain(|command| {
            !matches!(command, Command::Tell(_) | Command::Open { .. } | Command::Read { .. })
        });
        self.leave_current();
        self.queue.clear();
        self.flow.break_off();
        for state in &mut self.states {
            match state {
                State::Settled(_) => continue,
                State::Sending { at } => self.bytes -= *at,
                State::Ended { size, .. } => self.bytes -= *size,
                State::Offered | State::Queued | State::Opening { .. } => {}
            }
            *state = State::Offered;
        }
    }

    pub(crate) fn handle_message(&mut self, message: Message) {
        if matches!(self.stage, Stage::Away | Stage::Over) {
            return;
        }
        match message {
            Message::Accept { window } => {
                // Less than a chunk would never let anything through.
                self.flow.open(window);
                self.accept();
            }
            Message::Want(want) => self.handle_want(want),
            Message::Ack { index, offset } => self.flow.confirm(index, offset),
            Message::Done { index, sha256 } => self.handle_done(index, sha256),
            Message::Refuse { index, refusal } => self.settle(index, Settled::Refused(refusal)),
            Message::Cancel(refusal) => return self.end(Ending::Theirs(refusal)),
            message => {
                let text = format!("a sender expects no '{}'", message.kind());
                return self.cancel(Refusal::protocol(text));
            }
        }
        self.go_on();
    }

    /// Ends the transfer and tells the receiver.
    pub(crate) fn cancel(&mut self, refusal: Refusal) {
        if self.stage == Stage::Over {
            return;
        }
        if self.stage != Stage::Away {
            self.commands.push_back(Command::Tell(Message::Cancel(refusal.clone())));
        }
        self.end(Ending::Ours(refusal));
    }

    fn accept(&mut self) {
        if self.stage == Stage::Offered {
            self.stage = Stage::Accepted;
            self.commands.push_back(Command::Accepted);
        }
    }

    fn handle_want(&mut self, want: Want) {
        let Some(state) = self.states.get_mut(want.index as usize) else {
            let text = format!("there is no file {}", want.index);
            return self.cancel(Refusal::protocol(text));
        };
        // A file is sent once; what is on its way is on its way.
        if *state == State::Offered {
            *state = State::Queued;
            self.queue.push_back(want);
            self.accept();
        }
    }

    fn handle_done(&mut self, index: Index, sha256: Option<Sha256>) {
        let folder = self.offer.entries.get(index as usize).is_some_and(|entry| entry.folder);
        let kept = !folder && self.begun.get(index as usize) == Some(&false);
        let settled = match self.states.get(index as usize) {
            None => return self.cancel(Refusal::protocol(format!("there is no file {index}"))),
            Some(State::Ended { sha256: sent, .. }) => match sha256 {
                Some(theirs) if theirs != *sent => Settled::Refused(Refusal::new(
                    Reason::Corrupt,
                    "the receiver has other bytes than were sent",
                )),
                _ => Settled::Done { sha256: Some(*sent), kept },
            },
            Some(_) => Settled::Done { sha256, kept },
        };
        self.settle(index, settled);
    }

    pub(crate) fn handle_opened(&mut self, turn: Turn, opened: Opened) {
        let Some(index) = self.current.filter(|_| turn == self.turn && self.stage != Stage::Over)
        else {
            return;
        };
        let Some(State::Opening { want }) = self.states.get(index as usize).cloned() else {
            return;
        };
        let at = match opened {
            Opened::Failed(refusal) => return self.skip(index, refusal),
            Opened::Different if !want.restart => {
                let text = "the receiver has another file with this name";
                return self.skip(index, Refusal::new(Reason::Exists, text));
            }
            Opened::Different => 0,
            Opened::There => want.offset,
        };
        if want.offset > 0 {
            self.commands.push_back(Command::Tell(Message::Begin { index, offset: at }));
        }
        self.flow.begin(index, at);
        self.begun[index as usize] |= at == 0;
        self.bytes += at;
        self.states[index as usize] = State::Sending { at };
        self.go_on();
    }

    pub(crate) fn handle_read(&mut self, turn: Turn, read: Read) {
        let Some(index) = self.current.filter(|_| turn == self.turn && self.stage != Stage::Over)
        else {
            return;
        };
        let Some(State::Sending { at }) = self.states.get(index as usize).cloned() else { return };
        self.reading = false;
        match read {
            Read::Data(data) => {
                let length = data.len() as u64;
                self.flow.send(length);
                self.bytes += length;
                self.states[index as usize] = State::Sending { at: at + length };
                self.begun[index as usize] = true;
                let chunk = Message::Chunk { index, offset: at, data };
                self.commands.push_back(Command::Tell(chunk));
            }
            Read::End { size, sha256 } => {
                let end = Message::End { index, size: Some(size), sha256: Some(sha256) };
                self.commands.push_back(Command::Tell(end));
                self.states[index as usize] = State::Ended { size: at, sha256 };
                self.leave_current();
            }
            Read::Failed(refusal) => return self.skip(index, refusal),
        }
        self.go_on();
    }

    fn skip(&mut self, index: Index, refusal: Refusal) {
        let skip = Message::Skip { index, refusal: refusal.clone() };
        self.commands.push_back(Command::Tell(skip));
        self.settle(index, Settled::Skipped(refusal));
        self.go_on();
    }

    /// Opens what comes next and reads while the window is open.
    fn go_on(&mut self) {
        if self.stage == Stage::Over {
            return;
        }
        while self.current.is_none() {
            let Some(want) = self.queue.pop_front() else { return };
            let (index, offset, sha256) = (want.index, want.offset, want.sha256);
            let state = &mut self.states[index as usize];
            if *state == State::Queued {
                *state = State::Opening { want };
                self.current = Some(index);
                let turn = self.turn;
                self.commands.push_back(Command::Open { turn, index, offset, sha256 });
            }
        }
        let sending = self.current.and_then(|index| self.states.get(index as usize));
        if matches!(sending, Some(State::Sending { .. })) && !self.reading && self.flow.is_open() {
            self.reading = true;
            self.commands.push_back(Command::Read { turn: self.turn });
        }
    }

    fn settle(&mut self, index: Index, settled: Settled) {
        let Some(state) = self.states.get_mut(index as usize) else {
            return self.cancel(Refusal::protocol(format!("there is no file {index}")));
        };
        let size = self.offer.entries[index as usize].size;
        self.bytes += match state {
            State::Settled(_) => return,
            State::Sending { at } => size.unwrap_or(*at).saturating_sub(*at),
            State::Ended { .. } => 0,
            State::Offered | State::Queued | State::Opening { .. } => size.unwrap_or(0),
        };
        *state = State::Settled(settled.clone());
        self.settled += 1;
        self.flow.end(index);
        self.commands.push_back(Command::Report { index, settled });
        if self.current == Some(index) {
            self.leave_current();
        }
        if self.settled == self.states.len() {
            self.end(Ending::Complete);
        }
    }

    fn leave_current(&mut self) {
        self.current = None;
        self.reading = false;
        self.turn = self.turn.wrapping_add(1);
    }

    fn end(&mut self, ending: Ending) {
        self.stage = Stage::Over;
        self.commands.retain(|it| !matches!(it, Command::Open { .. } | Command::Read { .. }));
        self.commands.push_back(Command::Finish(ending));
    }
}
