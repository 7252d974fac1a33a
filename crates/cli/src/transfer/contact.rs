//! The way to the other side of a transfer: one data connection after the other, called or waited for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use peerway::{
    ConnectOptions, ConnectionError, ConnectionErrorKind, DataConnection, DataEvent, Peer,
    PeerErrorKind, PeerEvent, Serialization, Value,
};
use peerway_server::clock;
use tokio::sync::Semaphore;

use super::line::{Line, turn_away};
use super::reason::{Reason, Refusal};
use crate::peering::{Exit, Failure};

/// Connections at a time that are told why they are not taken.
const CROWD: usize = 32;
/// Nobody waits longer, and clocks can count so far.
const LONGEST: Duration = Duration::from_hours(24 * 7);
/// Between two attempts to call.
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// One attempt to call may take so long: the server keeps an offer for an absent peer for 5 s.
const ATTEMPT: Duration = Duration::from_secs(15);
/// Who shows no sign of life for so long while another one knocks is taken for gone: ICE asks and
/// answers every three seconds.
const SILENCE: Duration = Duration::from_secs(5);
/// Without any sign of life for so long, while something is on its way, the other side is called
/// again: one that was killed and started anew answers long before the path counts as lost.
const STILLNESS: Duration = Duration::from_secs(8);
/// Between two looks for such signs.
const LOOK: Duration = Duration::from_secs(1);
/// Who knocks waits so long for the present one to end.
const HOLD: Duration = Duration::from_secs(10);

/// Who makes the connection.
#[derive(Debug, Clone)]
pub(crate) enum Way {
    /// We call this peer.
    Call(String),
    /// Whoever comes, or only this peer.
    Wait { from: Option<String> },
}

/// What happens on the way to the other side.
#[derive(Debug)]
pub(crate) enum ContactEvent {
    /// There is a connection, the first or another one.
    Open { peer: String },
    /// A value came.
    Value(Value),
    /// The connection is gone, by the other side or by the network; another one is tried or waited
    /// for.
    Lost,
    /// The other peer is not there yet; told once.
    Absent(String),
    /// The time to find it, or to find it again, is over.
    GaveUp(String),
}

/// At most one connection at a time.
pub(crate) struct Contact {
    peer: Peer,
    way: Way,
    /// After a loss.
    patience: Duration,
    /// When to give up; none while there is a connection, or no hurry.
    deadline: Option<Instant>,
    state: State,
    pulse: Pulse,
    /// Somebody who came while another one was here.
    knocking: Option<(DataConnection, Instant)>,
    /// Those who are told why not.
    courtesy: Arc<Semaphore>,
    told_absent: bool,
    pause: Duration,
    /// Why the last attempt failed.
    why: String,
}

/// Whether anything comes from the other side, if only confirmations of what we send.
struct Pulse {
    received: u64,
    since: Instant,
    look: Instant,
}

enum State {
    /// Nothing to do but wait.
    Idle,
    /// The next call comes then.
    Pause(Instant),
    /// A connection that is not open yet; it has time until then.
    Opening(DataConnection, Instant),
    Open(Line),
}

/// What one wait brought.
enum Step {
    Data(Option<DataEvent>),
    Peer(Option<PeerEvent>),
    Time,
}

impl Contact {
    /// `first`: how long to look for the other peer; none for ever. `patience`: how long to look
    /// for it again after a loss.
    pub(crate) fn new(peer: Peer, way: Way, first: Option<Duration>, patience: Duration) -> Self {
        let now = clock::now();
        let state = match way {
            Way::Call(_) => State::Pause(now),
            Way::Wait { .. } => State::Idle,
        };
        Self {
            peer,
            way,
            patience: patience.min(LONGEST),
            deadline: first.map(|first| now + first.min(LONGEST)),
            state,
            pulse: Pulse { received: 0, since: now, look: now },
            knocking: None,
            courtesy: Arc::new(Semaphore::new(CROWD)),
            told_absent: false,
            pause: PAUSE,
            why: String::new(),
        }
    }

    /// The open connection.
    pub(crate) fn line(&mut self) -> Option<&mut Line> {
        match &mut self.state {
            State::Open(line) => Some(line),
            _ => None,
        }
    }

    /// The next one may take its time.
    pub(crate) fn no_hurry(&mut self) {
        self.deadline = None;
    }

    /// Ends the present connection after everything was said, and is ready for another.
    pub(crate) async fn hang_up(&mut self) {
        let state = std::mem::replace(&mut self.state, State::Idle);
        if let State::Open(line) = state {
            line.finish().await;
        }
        self.welcome();
    }

    /// Ends everything.
    pub(crate) async fn leave(mut self) {
        if let Some((connection, _)) = self.knocking.take() {
            self.turn_away(connection, busy());
        }
        self.hang_up().await;
        self.peer.destroy();
        self.peer.destroyed().await;
    }

    /// The next thing that happens. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<ContactEvent, Failure> {
        loop {
            let step = self.step().await;
            let event = match step {
                Step::Data(event) => self.handle_data(event),
                Step::Peer(event) => self.handle_peer(event)?,
                Step::Time => self.handle_time()?,
            };
            if let Some(event) = event {
                return Ok(event);
            }
        }
    }

    async fn step(&self) -> Step {
        let connection = match &self.state {
            State::Open(line) => Some(line.connection()),
            State::Opening(connection, _) => Some(connection),
            State::Idle | State::Pause(_) => None,
        };
        let data = async {
            match connection {
                Some(connection) => connection.next_event().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            event = data => Step::Data(event),
            event = self.peer.next_event() => Step::Peer(event),
            () = sleep_until(self.timeout()) => Step::Time,
        }
    }

    /// When to look at the clock.
    fn timeout(&self) -> Option<Instant> {
        let own = match &self.state {
            State::Pause(until) | State::Opening(_, until) => Some(*until),
            State::Idle | State::Open(_) => None,
        };
        let knocking = self.knocking.as_ref().map(|(_, since)| *since + HOLD);
        let look = matches!(self.state, State::Open(_)).then_some(self.pulse.look);
        [own, self.deadline, knocking, look].into_iter().flatten().min()
    }

    /// Whether the other side shows no sign of life, and that matters.
    fn is_gone(&mut self, now: Instant) -> bool {
        let State::Open(line) = &self.state else { return false };
        if now < self.pulse.look {
            return false;
        }
        self.pulse.look = now + LOOK;
        let connection = line.connection();
        let received = connection.stats().bytes_received;
        if received != self.pulse.received {
            self.pulse.received = received;
            self.pulse.since = now;
        }
        let silence = now.duration_since(self.pulse.since);
        match self.way {
            Way::Call(_) => connection.buffered() > 0 && silence >= STILLNESS,
            Way::Wait { .. } => self.knocking.is_some() && silence >= SILENCE,
        }
    }

    fn handle_time(&mut self) -> Result<Option<ContactEvent>, Failure> {
        let now = clock::now();
        if self.is_gone(now) {
            return Ok(Some(self.lose()));
        }
        let waited = |(_, since): &mut (DataConnection, Instant)| *since + HOLD <= now;
        if let Some((connection, _)) = self.knocking.take_if(waited) {
            self.turn_away(connection, busy());
        }
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.deadline = None;
            self.state = State::Idle;
            let mut why = std::mem::take(&mut self.why);
            if why.is_empty() {
                why = self.silence();
            }
            return Ok(Some(ContactEvent::GaveUp(why)));
        }
        match &self.state {
            State::Pause(until) if *until <= now => self.call(now)?,
            State::Opening(connection, until) if *until <= now => {
                connection.close();
                let slow = "the connection did not open in time".to_owned();
                return Ok(self.handle_failed_attempt(slow));
            }
            _ => {}
        }
        Ok(None)
    }

    fn call(&mut self, now: Instant) -> Result<(), Failure> {
        let Way::Call(to) = &self.way else {
            self.state = State::Idle;
            return Ok(());
        };
        let options = ConnectOptions::new()
            .label("peerway-transfer")
            .serialization(Serialization::Binary)
            .reliable(true);
        let connection = self.peer.connect(to.clone(), options)?;
        self.state = State::Opening(connection, now + ATTEMPT);
        Ok(())
    }

    fn handle_data(&mut self, event: Option<DataEvent>) -> Option<ContactEvent> {
        match event {
            Some(DataEvent::Open) => self.handle_open(),
            Some(DataEvent::Data(value)) => Some(ContactEvent::Value(value)),
            Some(DataEvent::Error(error)) => {
                self.why = reason(&error);
                None
            }
            Some(DataEvent::Close) | None => match self.state {
                State::Open(_) => Some(self.lose()),
                State::Opening(..) => {
                    let why = std::mem::take(&mut self.why);
                    self.handle_failed_attempt(why)
                }
                State::Idle | State::Pause(_) => None,
            },
            Some(_) => None,
        }
    }

    fn handle_open(&mut self) -> Option<ContactEvent> {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Opening(connection, _) => {
                let peer = connection.peer().to_owned();
                self.state = State::Open(Line::new(connection));
                self.deadline = None;
                let now = clock::now();
                self.pulse = Pulse { received: 0, since: now, look: now };
                self.pause = PAUSE;
                Some(ContactEvent::Open { peer })
            }
            state => {
                self.state = state;
                None
            }
        }
    }

    /// The open connection is over.
    fn lose(&mut self) -> ContactEvent {
        let now = clock::now();
        self.deadline = Some(now + self.patience);
        self.why = String::from("the connection was lost");
        self.state = match self.way {
            Way::Call(_) => State::Pause(now + self.pause),
            Way::Wait { .. } => State::Idle,
        };
        self.welcome();
        ContactEvent::Lost
    }

    fn handle_failed_attempt(&mut self, why: String) -> Option<ContactEvent> {
        self.state = State::Idle;
        if let Way::Wait { .. } = self.way {
            self.welcome();
            return None;
        }
        self.state = State::Pause(clock::now() + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        self.why = if why.is_empty() { self.silence() } else { why };
        let absent = !std::mem::replace(&mut self.told_absent, true);
        absent.then(|| ContactEvent::Absent(self.why.clone()))
    }

    /// Says why not; to a crowd, nothing.
    fn turn_away(&self, connection: DataConnection, refusal: Refusal) {
        if let Ok(place) = self.courtesy.clone().try_acquire_owned() {
            turn_away(connection, refusal, place);
        }
    }

    fn silence(&self) -> String {
        match &self.way {
            Way::Call(to) => format!("{to} did not answer"),
            Way::Wait { .. } => "nobody came".to_owned(),
        }
    }

    /// Who knocks may come in.
    fn welcome(&mut self) {
        if let (State::Idle, Some((connection, _))) = (&self.state, &self.knocking) {
            // If it opened meanwhile, the event still waits and tells.
            self.state = State::Opening(connection.clone(), clock::now() + ATTEMPT);
            self.knocking = None;
        }
    }

    fn handle_peer(&mut self, event: Option<PeerEvent>) -> Result<Option<ContactEvent>, Failure> {
        match event {
            Some(PeerEvent::Connection(connection)) => Ok(self.handle_visitor(connection)),
            Some(PeerEvent::Call(call)) => {
                call.close();
                Ok(None)
            }
            // The connection itself tells that nobody is there.
            Some(PeerEvent::Error(error)) => {
                if error.kind() != PeerErrorKind::PeerUnavailable {
                    self.why = error.to_string();
                }
                Ok(None)
            }
            Some(PeerEvent::Close) | None => {
                let why = if self.why.is_empty() { "the peer was closed" } else { &self.why };
                Err(Failure::new(Exit::Unreachable, why))
            }
            Some(_) => Ok(None),
        }
    }

    fn handle_visitor(&mut self, connection: DataConnection) -> Option<ContactEvent> {
        let Way::Wait { from } = &self.way else {
            self.turn_away(connection, Refusal::new(Reason::Declined, "nobody is expected here"));
            return None;
        };
        if from.as_ref().is_some_and(|from| from != connection.peer()) {
            self.turn_away(connection, Refusal::new(Reason::Declined, "somebody else is expected"));
            return None;
        }
        if !carries_bytes(connection.serialization()) {
            let text = "files need the serialization 'binary'";
            self.turn_away(connection, Refusal::protocol(text));
            return None;
        }
        if let State::Open(line) = &self.state
            && line.peer() == connection.peer()
        {
            // Nobody calls twice who has a connection.
            self.knocking = Some((connection, clock::now()));
            return Some(self.lose());
        }
        if self.knocking.is_some() {
            self.turn_away(connection, busy());
            return None;
        }
        self.knocking = Some((connection, clock::now()));
        self.welcome();
        None
    }
}

fn busy() -> Refusal {
    Refusal::new(Reason::Busy, "another transfer is on; try again later")
}

fn carries_bytes(serialization: Serialization) -> bool {
    !matches!(serialization, Serialization::Json | Serialization::Raw)
}

fn reason(error: &ConnectionError) -> String {
    match error.kind {
        ConnectionErrorKind::PeerUnavailable => "nobody is there under this id".to_owned(),
        _ => error.message.clone(),
    }
}

async fn sleep_until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant.into()).await,
        None => std::future::pending().await,
    }
}
