//! The receiving side, free of IO: messages and the store's answers go in, commands come out.
//!
//! ```text
//!             offer          accepted        planned        begin, or the first chunk
//!   Waiting ----------> ask ----------> Planning ----> Wanted --------> Receiving
//!      ^                                    |             |                  | end, and nothing missing
//!      | connection lost                    | refused     | the same file    v
//!      +---- every file not settled         v             v   is here    Committing --> Settled
//! ```

use std::collections::{BTreeMap, VecDeque};

use peerway_protocol::value::Bytes;

use super::hash::Sha256;
use super::message::{Entry, Index, Message, Offer, Want};
use super::name::SafeName;
use super::progress::Progress;
use super::reason::{Reason, Refusal};

/// Files asked for ahead of what arrives, so that many small ones do not cost a round trip each.
const LOOKAHEAD: usize = 256;
/// Files that are being written at the same time; a sender sends one after the other, and an
/// unordered channel mixes neighbours.
const MOST_OPEN: usize = 8;
/// Bytes that arrived before what comes before them, on an unordered channel.
const MOST_HELD: usize = 64 << 20;

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

/// A chunk before its time.
type Place = (Index, u64);

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
    held: BTreeMap<Place, Bytes>,
    held_bytes: usize,
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
    Lost { accepted: bool },
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
            held: BTreeMap::new(),
            held_bytes: 0,
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

    /// How each file ended; none for those that did not.
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
        self.held.clear();
        self.held_bytes = 0;
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
        match self.stage {
            Stage::Lost { accepted } => {
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
            _ => {
                self.states = vec![State::Waiting; offer.entries.len()];
                self.offer = Some(offer);
                self.stage = Stage::Asking;
                self.commands.push_back(Command::Ask);
            }
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

    /// Asks the store about the next file. One at a time: it may have much to hash.
    fn plan(&mut self) {
        while self.stage == Stage::Accepted && self.planning == 0 && self.wanted < LOOKAHEAD {
            let Some(state) = self.states.get_mut(self.cursor) else { return };
            let index = number(self.cursor);
            self.cursor += 1;
            if *state != State::Waiting {
                continue;
            }
            *state = State::Planning;
            let Some(entry) = self.offer.as_ref().and_then(|it| it.entries.get(index as usize))
            else {
                return;
            };
            match SafeName::new(&entry.name) {
                Ok(name) => {
                    self.planning = 1;
                    let entry = entry.clone();
                    self.commands.push_back(Command::Plan { index, name, entry });
                }
                Err(error) => {
                    self.refuse(index, Refusal::new(Reason::Name, error.to_string()));
                }
            }
        }
    }

    pub(crate) fn handle_planned(&mut self, index: Index, planned: Planned) {
        if self.state(index) != Some(&State::Planning) || self.stage != Stage::Accepted {
            return;
        }
        self.planning = 0;
        let resume = self.offer.as_ref().is_some_and(|offer| offer.resume);
        let (offset, sha256, here) = match planned {
            Planned::Partial { length, sha256 } if resume && length > 0 => {
                (length, Some(sha256), Here::Part)
            }
            Planned::Fresh | Planned::Partial { .. } => (0, None, Here::Part),
            // Two empty files are the same.
            Planned::Whole { length: 0, sha256, .. } => {
                self.keep(index, sha256);
                return self.plan();
            }
            Planned::Whole { length, sha256, overwrite } if resume => {
                (length, Some(sha256), Here::Whole { sha256, overwrite })
            }
            Planned::Whole { overwrite: true, .. } => (0, None, Here::Part),
            Planned::Whole { overwrite: false, .. } => {
                self.refuse(index, Refusal::new(Reason::Exists, "a file with this name is here"));
                return self.plan();
            }
            Planned::Folder => {
                self.tell(Message::Done { index, sha256: None });
                self.settle(index, Settled::Done { sha256: None, verified: true, kept: false });
                return self.plan();
            }
            Planned::Refused(refusal) => {
                self.refuse(index, refusal);
                return self.plan();
            }
        };
        let restart = !matches!(here, Here::Whole { overwrite: false, .. });
        self.set(index, State::Wanted { offset, here });
        self.wanted += 1;
        self.tell(Message::Want(Want { index, offset, sha256, restart }));
        self.plan();
    }

    fn handle_begin(&mut self, index: Index, offset: u64) {
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

    /// The file is here already.
    fn keep(&mut self, index: Index, sha256: Sha256) {
        self.tell(Message::Done { index, sha256: Some(sha256) });
        self.settle(index, Settled::Done { sha256: Some(sha256), verified: true, kept: true });
    }

    fn begin(&mut self, index: Index, offset: u64) {
        self.open += 1;
        self.written += offset;
        self.set(index, State::Receiving { at: offset, acknowledged: offset });
    }

    fn handle_chunk(&mut self, index: Index, offset: u64, data: Bytes) {
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
        self.held_bytes += data.len();
        if let Some(twice) = self.held.insert((index, offset), data) {
            self.held_bytes -= twice.len();
        }
        self.advance(index);
        if self.held_bytes > MOST_HELD {
            self.cancel(Refusal::protocol("too much arrived out of order"));
        }
    }

    fn handle_end(&mut self, index: Index, end: End) {
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

    fn handle_skip(&mut self, index: Index, refusal: Refusal) {
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
        while let Some(data) = self.held.remove(&(index, at)) {
            self.held_bytes -= data.len();
            at += data.len() as u64;
            self.written += data.len() as u64;
            self.moved += data.len() as u64;
            if size.is_some_and(|size| at > size) {
                return self.cancel(Refusal::protocol(format!("file {index} is longer than told")));
            }
            self.commands.push_back(Command::Write { index, data });
        }
        self.set(index, State::Receiving { at, acknowledged });
        if self.held.range((index, 0)..(index, at)).next().is_some() {
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
        let Some(State::Receiving { at, acknowledged }) = self.states.get_mut(index as usize) else {
            return;
        };
        if offset <= *at && offset.saturating_sub(*acknowledged) >= window / 16 {
            *acknowledged = offset;
            self.tell(Message::Ack { index, offset });
        }
    }

    /// The store finished a file, or could not.
    pub(crate) fn handle_committed(&mut self, index: Index, result: Result<Sha256, Refusal>) {
        if self.state(index) != Some(&State::Committing) {
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
        match refusal.reason {
            // The next file would fail too.
            Reason::DiskFull | Reason::Io => self.cancel(refusal),
            _ => {
                self.refuse(index, refusal);
                self.plan();
            }
        }
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
        self.drop_held(index);
        self.set(index, State::Settled(settled.clone()));
        self.settled += 1;
        self.commands.push_back(Command::Report { index, settled });
        self.end_if_settled();
    }

    fn drop_held(&mut self, index: Index) {
        let mut later = self.held.split_off(&(index, 0));
        if let Some(next) = index.checked_add(1) {
            let rest = later.split_off(&(next, 0));
            self.held.extend(rest);
        }
        self.held_bytes -= later.values().map(Bytes::len).sum::<usize>();
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
        self.held.clear();
        self.held_bytes = 0;
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
