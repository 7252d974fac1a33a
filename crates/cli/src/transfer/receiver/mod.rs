//! The receiving side, free of IO: messages and the store's answers go in, commands come out.
//!
//! ```text
//!             offer          accepted        planned        begin, or the first chunk
//!   Waiting ----------> ask ----------> Planning ----> Wanted --------> Receiving
//!      ^                                    |             |                  | end, and nothing missing
//!      | connection lost                    | refused     | the same file    v
//!      +---- every file not settled         v             v   is here    Committing --> Settled
//! ```

mod planning;
mod taking;

use std::collections::{BTreeMap, VecDeque};

use peerway_protocol::value::Bytes;

use super::hash::Sha256;
use super::held::Held;
use super::message::{Entry, Index, Message, Offer};
use super::name::SafeName;
use super::progress::Progress;
use super::reason::Refusal;

/// What the receiver wants done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Command {
    /// Say it to the sender.
    Tell(Message),
    /// Ask the user; answer with [`Receiver::handle_decision`].
    Ask,
    /// See what is at this name; answer with [`Receiver::handle_planned`].
    Plan { index: Index, name: SafeName, entry: Entry },
    /// Be ready to write from `offset`, and forget what is behind. No answer.
    Open { index: Index, offset: u64 },
    /// Append; answer with [`Receiver::handle_written`].
    Write { index: Index, data: Bytes },
    /// Compare, and give the file its name; answer with [`Receiver::handle_committed`].
    Commit { index: Index, sha256: Option<Sha256> },
    /// Nothing more comes for now: what is there is kept for another time. No answer.
    Suspend { index: Index },
    /// Tell the user about a file.
    Report { index: Index, settled: Settled },
    /// It is over; the last command.
    Finish(Ending),
}

/// How a file ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Settled {
    /// It is here.
    Done {
        sha256: Option<Sha256>,
        /// The sender's digest was the same.
        verified: bool,
        /// It was here before.
        kept: bool,
    },
    /// We did not take it.
    Refused(Refusal),
    /// The sender did not give it.
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

/// What the store found at a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Planned {
    /// Nothing that matters.
    Fresh,
    /// The beginning of a file, from a transfer before.
    Partial { length: u64, sha256: Sha256 },
    /// A file of the offered size, perhaps the same. `overwrite`: it may be replaced.
    Whole { length: u64, sha256: Sha256, overwrite: bool },
    /// An empty folder, which is there now.
    Folder,
    /// It cannot be written.
    Refused(Refusal),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Waiting,
    Planning,
    Wanted { offset: u64, here: Here },
    Receiving { at: u64, acknowledged: u64 },
    Committing,
    Settled(Settled),
}

/// What is at the name of a wanted file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Here {
    Part,
    Whole { sha256: Sha256, overwrite: bool },
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct End {
    size: Option<u64>,
    sha256: Option<Sha256>,
}

/// One transfer, as its receiver sees it; it may go over several connections.
#[derive(Debug)]
pub(crate) struct Receiver {
    window: u64,
    stage: Stage,
    offer: Option<Offer>,
    states: Vec<State>,
    ends: BTreeMap<Index, End>,
    /// The first file that may be `Waiting`.
    cursor: usize,
    planning: usize,
    wanted: usize,
    open: usize,
    settled: usize,
    /// Bytes of files that are settled or written.
    written: u64,
    /// Bytes that came through a connection.
    moved: u64,
    held: Held,
    commands: VecDeque<Command>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing is offered yet.
    New,
    /// The user is asked.
    Asking,
    Accepted,
    /// Without a connection.
    Lost {
        accepted: bool,
    },
    Over,
}

impl Receiver {
    /// `window`: bytes that may be on the way.
    pub(crate) fn new(window: u64) -> Self {
        Self {
            window,
            stage: Stage::New,
            offer: None,
            states: Vec::new(),
            ends: BTreeMap::new(),
            cursor: 0,
            planning: 0,
            wanted: 0,
            open: 0,
            settled: 0,
            written: 0,
            moved: 0,
            held: Held::default(),
            commands: VecDeque::new(),
        }
    }

    pub(crate) fn next_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    pub(crate) fn offer(&self) -> Option<&Offer> {
        self.offer.as_ref()
    }

    pub(crate) fn progress(&self) -> Progress {
        Progress {
            files: self.states.len(),
            settled: self.settled,
            bytes: self.written,
            moved: self.moved,
            total: self.offer.as_ref().and_then(Offer::size),
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

    /// Whether it is going on.
    pub(crate) fn is_accepted(&self) -> bool {
        self.stage == Stage::Accepted
    }

    /// Whether it is without a connection.
    pub(crate) fn is_lost(&self) -> bool {
        matches!(self.stage, Stage::Lost { .. })
    }

    /// Whether this offer is the transfer that lost its connection.
    pub(crate) fn continues(&self, offer: &Offer) -> bool {
        !offer.transfer.is_empty() && self.offer.as_ref() == Some(offer)
    }

    pub(crate) fn handle_message(&mut self, message: Message) {
        match (self.stage, message) {
            (Stage::Over, _) => {}
            (_, Message::Cancel(refusal)) => self.end(Ending::Theirs(refusal)),
            (Stage::New | Stage::Lost { .. }, Message::Offer(offer)) => self.handle_offer(offer),
            (Stage::Accepted, Message::Begin { index, offset }) => self.handle_begin(index, offset),
            (Stage::Accepted, Message::Chunk { index, offset, data }) => {
                self.handle_chunk(index, offset, data);
            }
            (Stage::Accepted, Message::End { index, size, sha256 }) => {
                self.handle_end(index, End { size, sha256 });
            }
            (Stage::Accepted, Message::Skip { index, refusal }) => self.handle_skip(index, refusal),
            (Stage::Lost { .. }, _) => {}
            (_, message) => self.cancel(Refusal::protocol(format!(
                "a receiver expects no '{}' here",
                message.kind()
            ))),
        }
    }

    /// The user's answer to [`Command::Ask`].
    pub(crate) fn handle_decision(&mut self, decision: Result<(), Refusal>) {
        match (self.stage, decision) {
            (Stage::Asking, Ok(())) => self.accept(),
            (Stage::Asking, Err(refusal)) => self.cancel(refusal),
            (Stage::Lost { .. }, Ok(())) => self.stage = Stage::Lost { accepted: true },
            (Stage::Lost { .. }, Err(refusal)) => self.end(Ending::Ours(refusal)),
            _ => {}
        }
    }

    /// The connection is gone; another offer with the same content goes on.
    pub(crate) fn handle_lost(&mut self) {
        let accepted = match self.stage {
            Stage::Over | Stage::New | Stage::Lost { .. } => return,
            Stage::Asking => false,
            Stage::Accepted => true,
        };
        self.stage = Stage::Lost { accepted };
        self.commands.retain(|command| !matches!(command, Command::Tell(_)));
        for index in 0..self.states.len() {
            match self.states[index] {
                State::Settled(_) | State::Committing => continue,
                State::Receiving { at, .. } => {
                    self.written -= at;
                    self.commands.push_back(Command::Suspend { index: number(index) });
                }
                State::Waiting | State::Planning | State::Wanted { .. } => {}
            }
            self.states[index] = State::Waiting;
        }
        let committing = self.states.iter().filter(|it| **it == State::Committing).count();
        (self.cursor, self.planning, self.wanted, self.open) = (0, 0, committing, 0);
        self.held = Held::default();
        self.ends.retain(|index, _| self.states.get(*index as usize) == Some(&State::Committing));
    }

    /// Ends the transfer and tells the sender.
    pub(crate) fn cancel(&mut self, refusal: Refusal) {
        if self.stage == Stage::Over {
            return;
        }
        self.tell(Message::Cancel(refusal.clone()));
        self.end(Ending::Ours(refusal));
    }

    fn handle_offer(&mut self, offer: Offer) {
        let Stage::Lost { accepted } = self.stage else {
            self.states = vec![State::Waiting; offer.entries.len()];
            self.offer = Some(offer);
            self.stage = Stage::Asking;
            self.commands.push_back(Command::Ask);
            return;
        };
        if !self.continues(&offer) {
            return;
        }
        if accepted {
            self.accept();
        } else {
            // The question still stands on the screen.
            self.stage = Stage::Asking;
        }
    }

    fn accept(&mut self) {
        self.stage = Stage::Accepted;
        self.tell(Message::Accept { window: Some(self.window) });
        // After a loss: what the sender may not have heard.
        for index in 0..self.states.len() {
            match self.states[index].clone() {
                State::Settled(Settled::Done { sha256, .. }) => {
                    self.tell(Message::Done { index: number(index), sha256 });
                }
                State::Settled(Settled::Refused(refusal)) => {
                    self.tell(Message::Refuse { index: number(index), refusal });
                }
                _ => {}
            }
        }
        self.plan();
        self.end_if_settled();
    }

    /// The file is here already.
    fn keep(&mut self, index: Index, sha256: Sha256) {
        self.tell(Message::Done { index, sha256: Some(sha256) });
        self.settle(index, Settled::Done { sha256: Some(sha256), verified: true, kept: true });
    }

    fn refuse(&mut self, index: Index, refusal: Refusal) {
        if matches!(self.state(index), None | Some(State::Settled(_))) {
            return;
        }
        self.tell(Message::Refuse { index, refusal: refusal.clone() });
        self.settle(index, Settled::Refused(refusal));
    }

    fn settle(&mut self, index: Index, settled: Settled) {
        let size = self.offer.as_ref().and_then(|it| it.entries.get(index as usize)?.size);
        match self.state(index) {
            Some(State::Settled(_)) | None => return,
            Some(State::Wanted { .. }) => {
                self.wanted -= 1;
                self.written += size.unwrap_or(0);
            }
            Some(State::Receiving { at, .. }) => {
                let at = *at;
                self.commands.push_back(Command::Suspend { index });
                self.written += size.unwrap_or(at) - at;
                self.open -= 1;
                self.wanted -= 1;
            }
            Some(State::Committing) => self.wanted -= 1,
            Some(State::Waiting) => self.written += size.unwrap_or(0),
            Some(State::Planning) => {
                self.planning = 0;
                self.written += size.unwrap_or(0);
            }
        }
        self.ends.remove(&index);
        self.held.forget(index);
        self.set(index, State::Settled(settled.clone()));
        self.settled += 1;
        self.commands.push_back(Command::Report { index, settled });
        self.end_if_settled();
    }

    fn end_if_settled(&mut self) {
        if self.stage == Stage::Accepted && self.settled == self.states.len() {
            self.end(Ending::Complete);
        }
    }

    fn end(&mut self, ending: Ending) {
        for (index, state) in self.states.iter().enumerate() {
            if matches!(state, State::Receiving { .. }) {
                self.commands.push_back(Command::Suspend { index: number(index) });
            }
        }
        self.held = Held::default();
        self.stage = Stage::Over;
        self.commands.push_back(Command::Finish(ending));
    }

    fn tell(&mut self, message: Message) {
        if !matches!(self.stage, Stage::Lost { .. } | Stage::Over) {
            self.commands.push_back(Command::Tell(message));
        }
    }

    fn state(&self, index: Index) -> Option<&State> {
        self.states.get(index as usize)
    }

    fn set(&mut self, index: Index, state: State) {
        if let Some(place) = self.states.get_mut(index as usize) {
            *place = state;
        }
    }
}

fn number(index: usize) -> Index {
    Index::try_from(index).expect("an offer has at most 100 000 entries")
}
