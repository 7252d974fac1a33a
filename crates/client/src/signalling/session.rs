//! A peer's session with its server, as a value: it is told what happened, each time with `now`,
//! and says what to do. It knows no socket.
//!
//! ```text
//!              id            socket          OPEN
//!   AskingId ------> Dialling ------> Greeting ------> Open
//!      ^                ^ |               | failed      | lost
//!      |                | +------+--------+             |
//!      +----------------+        v                      |
//!        time, reconnect()    Waiting <-----------------+
//! ```
//!
//! From everywhere `disconnect` and giving up lead to *Disconnected*, `destroy` to *Destroyed*. A
//! session that was never open gives up by being destroyed, as a peer does in `PeerJS`.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use peerway_protocol::peerjs::client::{self, ServerFrame};

use super::Failure;
use super::backoff::Backoff;
use super::failure::Word;

/// What `PeerJS` clients have as `pingInterval`.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);
/// After so long a silence the server is asked for a sign of life, at the next heartbeat.
const PING_AFTER: Duration = Duration::from_secs(9);
/// After so long a silence the socket is dead.
const DEAD_AFTER: Duration = Duration::from_secs(20);
/// How long a socket may take to show that it has survived a change of addresses.
const MOVED: Duration = Duration::from_secs(2);
/// How long a server may take to say OPEN.
const GREETING: Duration = Duration::from_secs(10);
/// `PeerServer` takes a known id with the same token without a word. Longer than the two seconds in
/// which a peerway server finds out whether the one who has the id is alive.
const SILENT_GREETING: Duration = Duration::from_secs(3);
/// Who was open for so long starts anew with the shortest waiting time. Two programs with one id
/// and token, of which each takes over from the other, therefore do it ever more slowly.
const STEADY: Duration = Duration::from_secs(10);
/// Frames that wait for the session to open.
const LONGEST_QUEUE: usize = 256;

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Command {
    /// Ask the server for an id; the answer goes to [`Session::handle_id`].
    AskId,
    /// Open a socket under this id; the outcome goes to [`Session::handle_dialled`].
    Dial {
        id: String,
    },
    /// Send a text frame.
    Say(String),
    /// Send a `WebSocket` ping.
    Ping,
    /// Give up what was begun, close the socket.
    HangUp,
    Tell(Happening),
}

/// What others shall know.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Happening {
    Opened {
        id: String,
    },
    Reopened {
        id: String,
    },
    Disconnected {
        id: String,
    },
    Failed(Failure),
    /// A frame for the connections.
    Frame(ServerFrame),
    Destroyed,
}

/// How things stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Connecting,
    Open,
    Reconnecting,
    Disconnected,
    Destroyed,
}

#[derive(Debug)]
enum State {
    AskingId,
    Dialling,
    Greeting { until: Instant },
    Open { since: Instant, heard: Instant, heartbeat: Instant },
    Waiting { until: Instant },
    Disconnected,
    Destroyed,
}

/// What a session is made of.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The server's URL, for messages.
    pub(crate) at: String,
    /// Wanted id.
    pub(crate) id: Option<String>,
    /// The token was chosen by the user, so that the server may know id and token already.
    pub(crate) own_token: bool,
    pub(crate) keep_trying: bool,
    pub(crate) backoff: Backoff,
}

/// See the module documentation.
#[derive(Debug)]
pub(crate) struct Session {
    settings: Settings,
    state: State,
    /// It was open before.
    opened: bool,
    /// [`Happening::Disconnected`] was told since it was last open.
    parted: bool,
    /// Why the last attempt failed, as far as it was told.
    told: Option<Failure>,
    /// Whether the driver reads from the socket.
    reading: bool,
    queue: VecDeque<String>,
    commands: VecDeque<Command>,
}

impl Session {
    pub(crate) fn new(settings: Settings) -> Self {
        let mut session = Self {
            settings,
            state: State::Disconnected,
            opened: false,
            parted: false,
            told: None,
            reading: true,
            queue: VecDeque::new(),
            commands: VecDeque::new(),
        };
        session.attempt();
        session
    }

    /// What to do next; to be called until there is nothing, after each other call.
    pub(crate) fn next_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    pub(crate) fn status(&self) -> Status {
        match self.state {
            State::Open { .. } => Status::Open,
            State::Disconnected => Status::Disconnected,
            State::Destroyed => Status::Destroyed,
            _ if self.opened => Status::Reconnecting,
            _ => Status::Connecting,
        }
    }

    pub(crate) fn id(&self) -> Option<&str> {
        self.settings.id.as_deref()
    }

    /// When [`handle_time`](Self::handle_time) wants to be called.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Greeting { until } | State::Waiting { until } => Some(until),
            State::Open { heard, heartbeat, .. } if self.reading => {
                Some(heartbeat.min(heard + DEAD_AFTER))
            }
            State::Open { heartbeat, .. } => Some(heartbeat),
            _ => None,
        }
    }

    /// Whether [`say`](Self::say) finds room. It does when there is nobody to say it to, too.
    pub(crate) fn has_room(&self) -> bool {
        self.queue.len() < LONGEST_QUEUE
    }

    /// Sends a frame; while the session opens, it waits. Without a session it is lost.
    pub(crate) fn say(&mut self, frame: String) {
        match self.state {
            State::Open { .. } => self.commands.push_back(Command::Say(frame)),
            State::Disconnected | State::Destroyed => {}
            _ => self.queue.push_back(frame),
        }
    }

    /// The answer to [`Command::AskId`].
    pub(crate) fn handle_id(&mut self, answer: Result<String, Failure>, now: Instant) {
        let State::AskingId = self.state else { return };
        match answer {
            Ok(id) => {
                self.settings.id = Some(id);
                self.attempt();
            }
            Err(failure) => self.attempt_failed(failure, now),
        }
    }

    /// The outcome of [`Command::Dial`].
    pub(crate) fn handle_dialled(&mut self, outcome: Result<(), Failure>, now: Instant) {
        let State::Dialling = self.state else { return };
        match outcome {
            Ok(()) if self.may_be_known() => {
                self.state = State::Greeting { until: now + SILENT_GREETING };
            }
            Ok(()) => self.state = State::Greeting { until: now + GREETING },
            Err(failure) => self.attempt_failed(failure, now),
        }
    }

    /// Something came from the server: it is alive.
    pub(crate) fn handle_heard(&mut self, now: Instant) {
        if let State::Open { heard, .. } = &mut self.state {
            *heard = now;
        }
    }

    /// A text frame came.
    pub(crate) fn handle_frame(&mut self, frame: &str, now: Instant) {
        self.handle_heard(now);
        let frame = match client::decode_server(frame) {
            Ok(frame) => frame,
            Err(error) => {
                tracing::debug!(%error, "a frame that makes no sense");
                return;
            }
        };
        match frame {
            ServerFrame::Open => self.opened(now),
            ServerFrame::Error { message } => self.refused(Word::Error, message, now),
            ServerFrame::IdTaken { message } => self.refused(Word::IdTaken, message, now),
            ServerFrame::InvalidKey { message } => self.refused(Word::InvalidKey, message, now),
            ServerFrame::Ignored => {}
            frame => {
                if self.may_be_known() {
                    self.opened(now);
                }
                if let State::Open { .. } = self.state {
                    self.tell(Happening::Frame(frame));
                }
            }
        }
    }

    /// The socket is closed.
    pub(crate) fn handle_closed(&mut self, failure: Failure, now: Instant) {
        match self.state {
            State::Open { .. } => self.lost(failure, now),
            State::Greeting { .. } => self.attempt_failed(failure, now),
            _ => {}
        }
    }

    /// The driver stops reading, or reads again: until then silence means nothing.
    pub(crate) fn handle_reading(&mut self, reading: bool, now: Instant) {
        if reading && !self.reading {
            self.handle_heard(now);
        }
        self.reading = reading;
    }

    /// Time has passed.
    pub(crate) fn handle_time(&mut self, now: Instant) {
        match self.state {
            State::Waiting { until } if now >= until => self.attempt(),
            State::Greeting { until } if now >= until => {
                if self.may_be_known() {
                    return self.opened(now);
                }
                self.commands.push_back(Command::HangUp);
                let cause = "it opens a socket and says nothing".to_owned();
                let failure = Failure::NotOurs { at: self.settings.at.clone(), cause };
                self.attempt_failed(failure, now);
            }
            State::Open { heard, .. } if self.reading && now >= heard + DEAD_AFTER => {
                self.commands.push_back(Command::HangUp);
                let cause = format!("no sign of life for {} seconds", DEAD_AFTER.as_secs());
                self.lost(Failure::Lost { at: self.settings.at.clone(), cause }, now);
            }
            State::Open { heard, ref mut heartbeat, .. } if now >= *heartbeat => {
                *heartbeat = now + HEARTBEAT_INTERVAL;
                self.commands.push_back(Command::Say(client::HEARTBEAT.to_owned()));
                if now >= heard + PING_AFTER {
                    self.commands.push_back(Command::Ping);
                }
            }
            _ => {}
        }
    }

    /// This machine has got other addresses: the socket may be dead without knowing it. It has two
    /// seconds to show that it is not; an attempt that waits is made at once.
    pub(crate) fn handle_moved(&mut self, now: Instant) {
        match &mut self.state {
            State::Open { heard, .. } => {
                if let Some(then) = (now + MOVED).checked_sub(DEAD_AFTER) {
                    *heard = then.min(*heard);
                }
                self.commands.push_back(Command::Ping);
            }
            State::Waiting { .. } => {
                self.settings.backoff.reset();
                self.attempt();
            }
            _ => {}
        }
    }

    /// Leaves the server and stays away.
    pub(crate) fn disconnect(&mut self) {
        if matches!(self.state, State::Disconnected | State::Destroyed) {
            return;
        }
        self.commands.push_back(Command::HangUp);
        self.state = State::Disconnected;
        self.queue.clear();
        self.part();
    }

    /// Connects again, at once.
    pub(crate) fn reconnect(&mut self) {
        if let State::Disconnected | State::Waiting { .. } = self.state {
            self.settings.backoff.reset();
            self.attempt();
        }
    }

    /// Ends.
    pub(crate) fn destroy(&mut self) {
        self.disconnect();
        if !matches!(self.state, State::Destroyed) {
            self.state = State::Destroyed;
            self.tell(Happening::Destroyed);
        }
    }

    /// Whether the server may know our id and token, and take us without a word.
    fn may_be_known(&self) -> bool {
        self.opened || self.settings.own_token
    }

    fn tell(&mut self, happening: Happening) {
        self.commands.push_back(Command::Tell(happening));
    }

    fn attempt(&mut self) {
        if let Some(id) = self.settings.id.clone() {
            self.state = State::Dialling;
            self.commands.push_back(Command::Dial { id });
        } else {
            self.state = State::AskingId;
            self.commands.push_back(Command::AskId);
        }
    }

    fn opened(&mut self, now: Instant) {
        let (State::Greeting { .. }, Some(id)) = (&self.state, self.settings.id.clone()) else {
            return;
        };
        self.state = State::Open { since: now, heard: now, heartbeat: now + HEARTBEAT_INTERVAL };
        let again = std::mem::replace(&mut self.opened, true);
        self.parted = false;
        self.told = None;
        self.tell(if again { Happening::Reopened { id } } else { Happening::Opened { id } });
        self.commands.extend(self.queue.drain(..).map(Command::Say));
    }

    /// The server says no.
    fn refused(&mut self, kind: Word, message: String, now: Instant) {
        let failure = Failure::Said { kind, message };
        match self.state {
            State::Greeting { .. } => {
                self.commands.push_back(Command::HangUp);
                self.attempt_failed(failure, now);
            }
            State::Open { .. } if failure.is_final() => {
                self.commands.push_back(Command::HangUp);
                self.tell(Happening::Failed(failure));
                self.part();
                self.rest();
            }
            // Too many messages, say. If it is serious, the server closes the socket.
            State::Open { .. } => self.tell(Happening::Failed(failure)),
            _ => {}
        }
    }

    fn lost(&mut self, failure: Failure, now: Instant) {
        if let State::Open { since, .. } = self.state
            && now >= since + STEADY
        {
            self.settings.backoff.reset();
        }
        self.tell(Happening::Failed(failure.clone()));
        self.part();
        self.wait(failure, now);
    }

    fn attempt_failed(&mut self, failure: Failure, now: Instant) {
        tracing::debug!(%failure, "an attempt failed");
        let at_once = !self.opened && !self.settings.keep_trying;
        if at_once || failure.is_final() {
            return self.give_up(failure);
        }
        // The same again and again says nothing new.
        if self.told.as_ref().is_none_or(|told| told.kind() != failure.kind()) {
            self.tell(Happening::Failed(failure.clone()));
        }
        self.wait(failure, now);
    }

    /// Waits for the next attempt, if there is to be one. The failure has been told.
    fn wait(&mut self, failure: Failure, now: Instant) {
        self.told = Some(failure);
        match self.settings.backoff.next() {
            Some(delay) => self.state = State::Waiting { until: now + delay },
            None => self.rest(),
        }
    }

    fn give_up(&mut self, failure: Failure) {
        self.tell(Happening::Failed(failure));
        self.rest();
    }

    /// No more attempts: what was never open is over.
    fn rest(&mut self) {
        self.queue.clear();
        if self.opened {
            self.state = State::Disconnected;
        } else {
            self.state = State::Destroyed;
            self.tell(Happening::Destroyed);
        }
    }

    fn part(&mut self) {
        let already = std::mem::replace(&mut self.parted, true);
        if let (false, Some(id)) = (already, self.settings.id.clone()) {
            self.tell(Happening::Disconnected { id });
        }
    }
}

#[cfg(test)]
mod tests;
