//! A stay in a room, as a value: it is told what the server says and what time it is, and says what
//! to do. It knows no socket and no media.
//!
//! ```text
//!              session open        own ROOM-JOINED
//!   Away ----------------> Asking ----------------> In
//!     ^                      | refused, no answer    | session lost
//!     |                      v                       |
//!     |                     Over                     |
//!     +----------------------------------------------+
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use peerway_protocol::{
    LogAction, LogEntry, MediaProfile, MediaRequest, PeerId, Reception, RoomEvent as Told,
    RoomMode, RoomRequest,
};

use super::{RoomError, RoomErrorKind, RoomEvent, RoomLogAction, RoomLogEntry};
use crate::connection::RoomOffer;

/// How long the server may take to let us in. Another node may hold the room.
const ANSWER: Duration = Duration::from_secs(15);

/// How long the first offer may take before it is asked for again.
const OFFER: Duration = Duration::from_secs(15);

/// Waiting times between attempts at a media connection.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// What to do.
#[derive(Debug)]
pub(super) enum Command {
    /// Say it to the server.
    Say(RoomRequest),
    /// Tell the application.
    Tell(RoomEvent),
    /// Answer this offer.
    Answer(RoomOffer),
    /// The media connection is over, the server says.
    EndMedia { reason: Arc<str> },
    /// What is published is not taken.
    Unpublish(RoomError),
    /// Whoever asked for the log is told.
    Log(Vec<RoomLogEntry>),
    /// Nothing will follow.
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The session with the server is not open.
    Away,
    Asking {
        until: Instant,
    },
    In,
    Over,
}

/// How far a media connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Media {
    /// Nobody wants one.
    Unwanted,
    /// It will be asked for.
    Waiting { until: Instant },
    /// Asked for.
    Asked { until: Instant },
    /// There is one.
    Going,
}

/// See the module documentation.
#[derive(Debug)]
pub(super) struct Stay {
    mode: RoomMode,
    state: State,
    /// It was in before.
    entered: bool,
    members: Vec<PeerId>,
    media: Media,
    wants_media: bool,
    retry: Duration,
    /// What is wanted of members, where it is not everything.
    receptions: BTreeMap<PeerId, Reception>,
    log_wanted: bool,
    commands: VecDeque<Command>,
}

impl Stay {
    pub(super) fn new(mode: RoomMode, wants_media: bool) -> Self {
        Self {
            mode,
            state: State::Away,
            entered: false,
            members: Vec::new(),
            media: Media::Unwanted,
            wants_media: wants_media && mode == RoomMode::Sfu,
            retry: FIRST_RETRY,
            receptions: BTreeMap::new(),
            log_wanted: false,
            commands: VecDeque::new(),
        }
    }

    /// What to do next; to be called until there is nothing, after each other call.
    pub(super) fn next_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match (self.state, self.media) {
            (State::Asking { until }, _)
            | (State::In, Media::Waiting { until } | Media::Asked { until }) => Some(until),
            _ => None,
        }
    }

    /// All who are in, in the order in which they came.
    pub(super) fn members(&self) -> &[PeerId] {
        &self.members
    }

    /// Whether something can be said to the others.
    pub(super) fn is_in(&self) -> bool {
        self.state == State::In
    }

    pub(super) fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// The session with the server is open, for the first time or again.
    pub(super) fn handle_session(&mut self, now: Instant) {
        if self.state != State::Over {
            self.ask(now);
        }
    }

    /// The session is not open any more.
    pub(super) fn handle_session_lost(&mut self) {
        if self.state != State::Over {
            self.state = State::Away;
        }
    }

    fn ask(&mut self, now: Instant) {
        self.state = State::Asking { until: now + ANSWER };
        self.say(RoomRequest::Join(self.mode));
    }

    /// The room tells something.
    pub(super) fn handle_told(&mut self, told: Told, now: Instant) {
        if self.state == State::Over {
            return;
        }
        match told {
            Told::Joined { members, .. } if !members.is_empty() => self.entered(&members, now),
            Told::Joined { peer, .. } => self.joined(peer),
            Told::Left { peer } => self.left(&peer),
            Told::Members(members) => self.compare(&members),
            Told::Data { from, data } => match data.to_value() {
                Ok(value) => self.tell(RoomEvent::Data { from: from.as_str().to_owned(), value }),
                Err(error) => {
                    let text = format!("what {from} said cannot be read: {error}");
                    self.tell(RoomEvent::Error(RoomError::new(RoomErrorKind::Data, text)));
                }
            },
            Told::Log(entries) => {
                self.log_wanted = false;
                let entries = entries.iter().filter_map(entry).collect();
                self.commands.push_back(Command::Log(entries));
            }
            // Connections of single streams of ours are never asked for.
            Told::Offer { stream: Some(_), .. } | Told::MediaClosed { stream: Some(_), .. } => {}
            Told::Offer { sdp, streams, .. } => {
                self.media = Media::Going;
                self.commands.push_back(Command::Answer(RoomOffer { sdp, streams }));
            }
            Told::MediaClosed { reason, .. } => {
                self.commands.push_back(Command::EndMedia { reason });
                self.handle_media_ended(now);
            }
            Told::Speaker(speaker) => {
                self.tell(RoomEvent::Speaker(speaker.map(|peer| peer.as_str().to_owned())));
            }
        }
    }

    /// We are in, for the first time or again.
    fn entered(&mut self, members: &[PeerId], now: Instant) {
        self.state = State::In;
        if std::mem::replace(&mut self.entered, true) {
            self.compare(members);
        } else {
            self.members = members.to_vec();
            self.tell(RoomEvent::Open);
        }
        let receptions: Vec<_> =
            self.receptions.iter().map(|(who, it)| (who.clone(), *it)).collect();
        for (from, reception) in receptions {
            self.say(RoomRequest::media(MediaRequest::Receive { from, reception }));
        }
        if self.log_wanted {
            self.say(RoomRequest::Log);
        }
        if self.wants_media {
            self.ask_for_offer(now);
        }
    }

    fn compare(&mut self, members: &[PeerId]) {
        let before = std::mem::replace(&mut self.members, members.to_vec());
        for peer in before.iter().filter(|peer| !members.contains(peer)) {
            self.receptions.remove(peer);
            self.tell(RoomEvent::Left { peer: peer.as_str().to_owned() });
        }
        for peer in members.iter().filter(|peer| !before.contains(peer)) {
            self.tell(RoomEvent::Joined { peer: peer.as_str().to_owned() });
        }
    }

    fn joined(&mut self, peer: PeerId) {
        if !self.members.contains(&peer) {
            self.tell(RoomEvent::Joined { peer: peer.as_str().to_owned() });
            self.members.push(peer);
        }
    }

    fn left(&mut self, peer: &PeerId) {
        if self.members.contains(peer) {
            self.members.retain(|member| member != peer);
            self.receptions.remove(peer);
            self.tell(RoomEvent::Left { peer: peer.as_str().to_owned() });
        }
    }

    /// What was asked came to nothing.
    pub(super) fn handle_refused(&mut self, word: &str, message: String, now: Instant) {
        let error = RoomError::new(RoomErrorKind::of_word(word), message);
        match (error.kind, self.state) {
            (_, State::Over) => {}
            // The node that kept the room is gone, and with it what it knew of us.
            (RoomErrorKind::NotInRoom, State::In) => {
                self.tell(RoomEvent::Error(error));
                self.ask(now);
            }
            // Said before we were in (again).
            (RoomErrorKind::NotInRoom, _) => self.tell(RoomEvent::Error(error)),
            (_, State::Asking { .. } | State::Away) => self.fail(error),
            (RoomErrorKind::NoSfu | RoomErrorKind::PublishersFull, State::In) => {
                if error.kind == RoomErrorKind::NoSfu {
                    (self.media, self.wants_media) = (Media::Unwanted, false);
                }
                self.commands.push_back(Command::Unpublish(error.clone()));
                self.tell(RoomEvent::Error(error));
            }
            (_, State::In) => self.tell(RoomEvent::Error(error)),
        }
    }

    /// The application wants what is told in `log`.
    pub(super) fn ask_for_log(&mut self) {
        self.log_wanted = true;
        self.say(RoomRequest::Log);
    }

    /// The application wants this of another member.
    pub(super) fn receive(&mut self, from: PeerId, reception: Reception) {
        if reception == Reception::default() {
            self.receptions.remove(&from);
        } else if self.members.contains(&from) {
            self.receptions.insert(from.clone(), reception);
        }
        self.say(RoomRequest::media(MediaRequest::Receive { from, reception }));
    }

    /// Asks for an offer: there is something new to publish, or something less.
    pub(super) fn renegotiate(&mut self, now: Instant) {
        self.wants_media = true;
        match (self.state, self.media) {
            (State::In, Media::Going) => self.say(offer_wanted()),
            (State::In, Media::Unwanted) => self.ask_for_offer(now),
            // It is asked for anyway, or when we are in.
            _ => {}
        }
    }

    /// The media connection stands.
    pub(super) fn handle_media_open(&mut self) {
        self.retry = FIRST_RETRY;
    }

    /// The media connection is over; another one is to be made.
    pub(super) fn handle_media_ended(&mut self, now: Instant) {
        if self.wants_media && self.state != State::Over {
            self.media = Media::Waiting { until: now + self.retry };
            self.retry = (self.retry * 2).min(LONGEST_RETRY);
        }
    }

    fn ask_for_offer(&mut self, now: Instant) {
        self.media = Media::Asked { until: now + OFFER };
        self.say(offer_wanted());
    }

    /// Time has passed.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        match (self.state, self.media) {
            (State::Asking { until }, _) if now >= until => {
                let text = format!(
                    "the server did not let us into the room within {} s: does it have rooms?",
                    ANSWER.as_secs()
                );
                self.fail(RoomError::new(RoomErrorKind::NoAnswer, text));
            }
            (State::In, Media::Waiting { until } | Media::Asked { until }) if now >= until => {
                self.ask_for_offer(now);
            }
            _ => {}
        }
    }

    /// The application has had enough, or the peer ends.
    pub(super) fn leave(&mut self) {
        match self.state {
            State::Over => return,
            State::Away => {}
            State::Asking { .. } | State::In => self.say(RoomRequest::Leave),
        }
        self.end();
    }

    fn fail(&mut self, error: RoomError) {
        self.tell(RoomEvent::Error(error));
        self.end();
    }

    fn end(&mut self) {
        self.state = State::Over;
        self.members.clear();
        self.commands.push_back(Command::End);
    }

    fn say(&mut self, request: RoomRequest) {
        self.commands.push_back(Command::Say(request));
    }

    fn tell(&mut self, event: RoomEvent) {
        self.commands.push_back(Command::Tell(event));
    }
}

fn offer_wanted() -> RoomRequest {
    RoomRequest::media(MediaRequest::Offer(MediaProfile::default()))
}

/// `None` for what cannot be read.
fn entry(entry: &LogEntry) -> Option<RoomLogEntry> {
    let action = match &entry.action {
        LogAction::Joined(mode) => RoomLogAction::Joined(*mode),
        LogAction::Left => RoomLogAction::Left,
        LogAction::Data(data) => RoomLogAction::Data(data.to_value().ok()?),
    };
    let time = std::time::UNIX_EPOCH.checked_add(Duration::from_millis(entry.timestamp))?;
    Some(RoomLogEntry { time, peer: entry.peer.as_str().to_owned(), action })
}

#[cfg(test)]
mod tests;
