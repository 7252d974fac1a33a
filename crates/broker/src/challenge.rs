//! Somebody wants an id that is open under another token. Before the newcomer is refused, the
//! holder is asked to show that it is alive: the socket of a laptop that was closed or changed its
//! network is dead without anybody knowing, and its user, back with a fresh page, would find the
//! own id taken until the dead socket is noticed.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use peerway_protocol::{Event, PeerAddress, Refusal};

use crate::registry::State;
use crate::{Broker, Channel, HangupReason, Open, SessionId};

/// Sessions of one newcomer that wait at most: a `PeerJS` 0.3 client opens a stream and a socket.
const MAX_SESSIONS: usize = 4;

/// Newcomers that wait for what becomes of the holder, one per address.
#[derive(Debug, Default)]
pub(crate) struct Challenges {
    waiting: HashMap<PeerAddress, Newcomer>,
    due: BTreeMap<(Instant, SessionId), PeerAddress>,
}

#[derive(Debug)]
struct Newcomer {
    due: (Instant, SessionId),
    sessions: Vec<Open>,
}

impl Challenges {
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.due.first_key_value().map(|((due, _), _)| *due)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.due.is_empty()
    }

    /// Whether somebody waits for what becomes of the holder.
    pub(crate) fn holds(&self, address: &PeerAddress) -> bool {
        self.waiting.contains_key(address)
    }

    fn insert(&mut self, due: Instant, open: Open) {
        let due = (due, open.session);
        self.due.insert(due, open.address.clone());
        self.waiting.insert(open.address.clone(), Newcomer { due, sessions: vec![open] });
    }

    fn remove(&mut self, address: &PeerAddress) -> Vec<Open> {
        let Some(newcomer) = self.waiting.remove(address) else { return Vec::new() };
        self.due.remove(&newcomer.due);
        newcomer.sessions
    }

    fn next_due_by(&self, now: Instant) -> Option<PeerAddress> {
        let ((due, _), address) = self.due.first_key_value()?;
        (*due <= now).then(|| address.clone())
    }
}

impl Newcomer {
    fn admits(&self, open: &Open) -> bool {
        self.sessions.len() < MAX_SESSIONS
            && self.sessions.iter().all(|waiting| waiting.proof == open.proof)
    }
}

impl Broker {
    /// A session that was told `Probe` has shown that its client is there.
    pub fn handle_alive(&mut self, session: SessionId) {
        let Some(entry) = self.sessions.get(&session).filter(|entry| entry.is_attached()) else {
            return;
        };
        let address = entry.address.clone();
        self.refuse_challenger(&address);
    }

    /// A newcomer shows another proof than the holder's. A stream cannot be probed, and one
    /// newcomer at a time is enough.
    pub(crate) fn challenge(&mut self, now: Instant, holder: SessionId, open: Open) {
        if let Some(newcomer) = self.challenges.waiting.get_mut(&open.address) {
            if !newcomer.admits(&open) {
                return self.refuse(open.session, Refusal::IdTaken);
            }
            newcomer.sessions.push(open.clone());
            return self.add_session(now, &open, State::Challenging);
        }
        let patience = self.settings.probe_timeout;
        let can_answer =
            self.sessions.get(&holder).is_some_and(|entry| entry.channel == Channel::Socket);
        if patience.is_zero() || !can_answer {
            return self.refuse(open.session, Refusal::IdTaken);
        }
        self.add_session(now, &open, State::Challenging);
        self.challenges.insert(now + patience, open);
        self.tell(holder, Event::Probe);
    }

    /// The holder is alive.
    pub(crate) fn refuse_challenger(&mut self, address: &PeerAddress) {
        for open in self.challenges.remove(address) {
            self.sessions.remove(&open.session);
            self.refuse(open.session, Refusal::IdTaken);
        }
    }

    /// The holder is gone.
    pub(crate) fn admit_challenger(&mut self, now: Instant, address: &PeerAddress) {
        for open in self.challenges.remove(address) {
            self.sessions.remove(&open.session);
            self.handle_open(now, open);
        }
    }

    /// A session of a newcomer is gone.
    pub(crate) fn forget_challenger(&mut self, session: SessionId) {
        let Some(entry) = self.sessions.remove(&session) else { return };
        let Some(newcomer) = self.challenges.waiting.get_mut(&entry.address) else { return };
        newcomer.sessions.retain(|open| open.session != session);
        if newcomer.sessions.is_empty() {
            self.challenges.remove(&entry.address);
        }
    }

    /// Ends holders that have not answered in time.
    pub(crate) fn settle_challenges(&mut self, now: Instant) {
        while let Some(address) = self.challenges.next_due_by(now) {
            if let Some(holder) = self.peers.get(&address).map(|peer| peer.primary) {
                self.end(now, holder, HangupReason::Dead);
            }
            // Its departure has admitted the newcomer, unless a stream has taken over.
            self.refuse_challenger(&address);
        }
    }
}
