//! When a link stops waiting.

use std::time::{Duration, Instant};

use crate::connection::{ConnectionError, ConnectionErrorKind, IceState};

/// How long the way to the other side may take to be found, once both descriptions are known;
/// for data connections also how long the answer may take.
const CONNECT: Duration = Duration::from_secs(30);

/// How long a path that is known to be lost may take to come back. It is known after about 11 s without
/// an answer (`engine::ANSWER`). Browsers give up after about 30 s without consent (RFC 7675); waiting longer only helps
/// between two of ours.
const LOST: Duration = Duration::from_secs(34);

/// When the caller first offers a restart of ICE on a lost path.
const FIRST_RESTART: Duration = Duration::from_secs(1);

/// How often again.
const RESTART: Duration = Duration::from_secs(5);

/// How long what was sent may take to arrive when the connection is closed.
const FLUSH: Duration = Duration::from_secs(5);

/// How long SCTP may take to shake hands before a connection that is closed already goes without a
/// goodbye.
const LINGER: Duration = Duration::from_secs(1);

/// What time asks for.
#[derive(Debug)]
pub(super) enum Due {
    Nothing,
    Restart,
    GiveUp(ConnectionError),
    Flushed,
}

/// The deadlines of a link.
#[derive(Debug)]
pub(super) struct Timers {
    connect_by: Option<Instant>,
    lost_by: Option<Instant>,
    restart_at: Option<Instant>,
    flush_by: Option<Instant>,
    connected: bool,
}

impl Timers {
    /// `answers`: whether the other side answers by itself, as it does for data. A call may ring
    /// as long as its user likes.
    pub(super) fn new(now: Instant, answers: bool) -> Self {
        Self {
            connect_by: answers.then(|| now + CONNECT),
            lost_by: None,
            restart_at: None,
            flush_by: None,
            connected: false,
        }
    }

    /// Both descriptions are known.
    pub(super) fn answered(&mut self, now: Instant) {
        if self.connected {
            // A restart is answered. If it helps, ICE will say so; if not, again.
            self.restart_at = self.lost_by.map(|_| now + RESTART);
        } else {
            self.connect_by = Some(now + CONNECT);
        }
    }

    /// ICE and DTLS are up.
    pub(super) fn connected(&mut self) {
        self.connected = true;
        self.connect_by = None;
    }

    /// Whether ICE and DTLS have been up.
    pub(super) fn has_connected(&self) -> bool {
        self.connected
    }

    /// The ICE state changed.
    pub(super) fn ice(&mut self, now: Instant, state: IceState) {
        match state {
            IceState::Disconnected if self.connected => {
                self.lost_by = Some(now + LOST);
                self.restart_at = Some(now + FIRST_RESTART);
            }
            IceState::Connected | IceState::Completed => {
                self.lost_by = None;
                self.restart_at = None;
            }
            _ => {}
        }
    }

    /// A restart is offered; the offer may be lost.
    pub(super) fn restarted(&mut self, now: Instant) {
        self.restart_at = Some(now + RESTART);
    }

    /// The connection closes as soon as what was sent has arrived.
    pub(super) fn flush(&mut self, now: Instant) {
        self.flush_by.get_or_insert(now + FLUSH);
    }

    /// The connection closes as soon as a goodbye can be said.
    pub(super) fn linger(&mut self, now: Instant) {
        self.flush_by.get_or_insert(now + LINGER);
    }

    /// Whether restarts of ICE are offered until one helps.
    pub(super) fn is_restarting(&self) -> bool {
        self.restart_at.is_some()
    }

    pub(super) fn is_flushing(&self) -> bool {
        self.flush_by.is_some()
    }

    /// What was sent has arrived, and the goodbye is on its way.
    pub(super) fn flushed(&mut self) {
        self.flush_by = None;
    }

    /// The connection is over: nothing is waited for.
    pub(super) fn stop(&mut self) {
        *self = Self {
            connect_by: None,
            lost_by: None,
            restart_at: None,
            flush_by: None,
            connected: true,
        };
    }

    /// The earlier of the engine's time and ours.
    pub(super) fn earliest(&self, engine: Instant) -> Instant {
        [self.connect_by, self.lost_by, self.restart_at, self.flush_by]
            .into_iter()
            .flatten()
            .fold(engine, Instant::min)
    }

    /// What is due.
    pub(super) fn due(&mut self, now: Instant) -> Due {
        let reached = |at: Option<Instant>| at.is_some_and(|at| now >= at);
        if reached(self.flush_by) {
            self.flush_by = None;
            return Due::Flushed;
        }
        if reached(self.connect_by) {
            self.connect_by = None;
            return Due::GiveUp(ConnectionError::new(
                ConnectionErrorKind::NegotiationFailed,
                "no way to the other peer was found within 30 s; is a TURN server configured?",
            ));
        }
        if reached(self.lost_by) {
            self.lost_by = None;
            return Due::GiveUp(ConnectionError::new(
                ConnectionErrorKind::ConnectionClosed,
                "the other peer has not answered for about 45 s",
            ));
        }
        if reached(self.restart_at) {
            self.restart_at = Some(now + RESTART);
            return Due::Restart;
        }
        Due::Nothing
    }
}
