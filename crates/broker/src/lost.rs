//! Sessions whose transport broke without a goodbye. `skyway-js` comes back with the same id and
//! the same token and expects that nothing happened: it joins no room again and tells its
//! application nothing. So session, rooms and outbox stay for a while.

use std::collections::BTreeSet;
use std::time::Instant;

use peerway_protocol::PeerAddress;

use crate::registry::Session;
use crate::{Broker, Command, HangupReason, Happening, SessionId};

/// When lost sessions are given up.
#[derive(Debug, Default)]
pub(crate) struct LostSessions {
    due: BTreeSet<(Instant, SessionId)>,
}

impl LostSessions {
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.due.is_empty()
    }
}

impl Broker {
    /// A session's transport is gone without a goodbye, and its client may come back: the session
    /// stays, and its outbox with it, until [`Settings::session_grace`](crate::Settings) is over.
    /// It is hung up at once if nobody can come back to it.
    pub fn handle_lost(&mut self, now: Instant, session: SessionId) {
        let grace = self.settings.session_grace;
        let Some(entry) = self.sessions.get(&session) else { return };
        if entry.lost_until.is_some() {
            return;
        }
        let address = entry.address.clone();
        let alone = entry.is_attached()
            && self.peers.get(&address).is_some_and(|peer| peer.is_only(session));
        if !alone || grace.is_zero() || self.challenges.holds(&address) {
            self.handle_closed(now, session, false);
            return self.commands.push_back(Command::Hangup(session, HangupReason::Dead));
        }
        let until = now + grace;
        if let Some(entry) = self.sessions.get_mut(&session) {
            entry.lost_until = Some(until);
        }
        self.lost.due.insert((until, session));
        self.report(Happening::SessionLost(address.app));
    }

    /// Whether the session that speaks for a peer has no transport.
    pub(crate) fn is_lost(&self, address: &PeerAddress) -> bool {
        let primary = self.peers.get(address).and_then(|peer| self.sessions.get(&peer.primary));
        primary.is_some_and(|session| session.lost_until.is_some())
    }

    /// Ends the sessions that nobody came back to.
    pub(crate) fn settle_lost(&mut self, now: Instant) {
        while let Some((due, session)) = self.lost.due.first().copied()
            && due <= now
        {
            self.end(now, session, HangupReason::Dead);
            // Its end has removed it; a loop must not hang on that.
            self.lost.due.remove(&(due, session));
        }
    }

    pub(crate) fn remove_session(&mut self, session: SessionId) -> Option<Session> {
        let entry = self.sessions.remove(&session)?;
        if let Some(until) = entry.lost_until {
            self.lost.due.remove(&(until, session));
        }
        Some(entry)
    }
}
