//! The connections of a peer, by who is at the other end and by connection id.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use peerway_protocol::RoomName;
use peerway_protocol::peerjs::payload::{Answer, Candidate, Kind, Offer};
use tokio::sync::mpsc;

use crate::connection::Inbound;
use crate::room;

/// A candidate may overtake its offer, but not by long.
const EARLY_AGE: Duration = Duration::from_mins(1);
/// Connections whose offers are waited for.
const EARLY_CONNECTIONS: usize = 64;
/// Candidates of one of them. A browser with many interfaces and relays has some twenty.
const EARLY_CANDIDATES: usize = 64;

/// What a connection carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ConnectionKind {
    /// Data.
    Data,
    /// Sound and picture.
    Media,
}

impl From<Kind> for ConnectionKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Data => Self::Data,
            Kind::Media => Self::Media,
        }
    }
}

/// One connection of a peer, as [`Peer::connections`](crate::Peer::connections) lists them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// The peer at the other end.
    pub peer: String,
    /// The connection id, as in `PeerJS`.
    pub connection_id: String,
    /// What it carries.
    pub kind: ConnectionKind,
}

/// Connection ids are chosen by callers, so that only the two together name a connection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    peer: String,
    id: String,
}

#[derive(Debug)]
struct Entry {
    kind: ConnectionKind,
    inbox: mpsc::Sender<Inbound>,
    /// It was told that its peer does not come.
    unreachable: bool,
}

#[derive(Debug)]
struct Early {
    since: Instant,
    candidates: Vec<Candidate>,
}

/// See the module documentation.
#[derive(Debug, Default)]
pub(super) struct Registry {
    entries: BTreeMap<Key, Entry>,
    early: BTreeMap<Key, Early>,
    rooms: BTreeMap<RoomName, mpsc::Sender<room::Inbound>>,
    /// Said to be over, and forgotten as soon as their tasks are.
    ending: Vec<Key>,
    closed: bool,
}

impl Registry {
    /// Whether connections may start: not when the peer is destroyed.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// A connection has started. Candidates that came before it are put into its inbox. One of the
    /// same name is told to end.
    pub(super) fn insert(
        &mut self,
        peer: &str,
        id: &str,
        kind: ConnectionKind,
        inbox: mpsc::Sender<Inbound>,
        now: Instant,
    ) {
        self.sweep(now);
        let key = Key { peer: peer.to_owned(), id: id.to_owned() };
        if let Some(early) = self.early.remove(&key) {
            for candidate in early.candidates {
                put(&key, &inbox, Inbound::Candidate(candidate));
            }
        }
        let entry = Entry { kind, inbox, unreachable: false };
        if let Some(old) = self.entries.insert(key.clone(), entry) {
            tracing::debug!(peer, connection = id, "a second offer: the connection starts anew");
            put(&key, &old.inbox, Inbound::Leave);
        }
    }

    /// An offer that restarts a connection goes to it; any other comes back, for a new one.
    pub(super) fn restart(&mut self, from: &str, offer: Offer) -> Option<Offer> {
        if !offer.restart {
            return Some(offer);
        }
        let (peer, id) = (from.to_owned(), offer.connection_id.clone());
        // A restart of what is over makes no connection.
        self.deliver(&Key { peer, id }, Inbound::Restart(offer));
        None
    }

    /// Another peer answers.
    pub(super) fn answer(&mut self, from: &str, answer: Answer) {
        let (peer, id) = (from.to_owned(), answer.connection_id.clone());
        self.deliver(&Key { peer, id }, Inbound::Answer(answer));
    }

    /// Another peer tells a way to reach it: for a connection, or for one whose offer is late.
    pub(super) fn candidate(&mut self, from: &str, candidate: Candidate, now: Instant) {
        let key = Key { peer: from.to_owned(), id: candidate.connection_id.clone() };
        if self.entries.contains_key(&key) {
            return self.deliver(&key, Inbound::Candidate(candidate));
        }
        self.sweep(now);
        let known = self.early.contains_key(&key);
        if !known && self.early.len() >= EARLY_CONNECTIONS {
            tracing::debug!(peer = from, "too many candidates without offers");
            return;
        }
        let early =
            self.early.entry(key).or_insert_with(|| Early { since: now, candidates: Vec::new() });
        if early.candidates.len() < EARLY_CANDIDATES {
            early.candidates.push(candidate);
        }
    }

    /// A peer leaves: all connections with it are told.
    pub(super) fn leave(&mut self, from: &str) {
        for (key, entry) in self.with(from) {
            put(key, &entry.inbox, Inbound::Leave);
        }
    }

    /// A peer does not come. Its connections are told, each once; `false` if all knew, as they do
    /// when the server says it once more for a candidate that came later than the offer.
    pub(super) fn expire(&mut self, peer: &str) -> bool {
        let mut news = false;
        for (key, entry) in self.with(peer) {
            if !std::mem::replace(&mut entry.unreachable, true) {
                put(key, &entry.inbox, Inbound::Unreachable);
                news = true;
            }
        }
        news
    }

    /// A connection is over.
    pub(super) fn ended(&mut self, id: &str, now: Instant) {
        let ended = self.entries.keys().filter(|key| key.id == id);
        self.ending.extend(ended.cloned().collect::<Vec<_>>());
        self.sweep(now);
    }

    /// A stay in a room begins, unless there is one.
    pub(super) fn enter(&mut self, room: RoomName, inbox: mpsc::Sender<room::Inbound>) -> bool {
        self.rooms.retain(|_, inbox| !inbox.is_closed());
        if self.rooms.contains_key(&room) {
            return false;
        }
        self.rooms.insert(room, inbox);
        true
    }

    /// The stay in a room.
    pub(super) fn room(&self, room: &RoomName) -> Option<&mpsc::Sender<room::Inbound>> {
        self.rooms.get(room)
    }

    /// No more rooms; gives the inboxes of those that there are.
    pub(super) fn leave_rooms(&mut self) -> Vec<mpsc::Sender<room::Inbound>> {
        std::mem::take(&mut self.rooms).into_values().collect()
    }

    /// No more connections; gives the inboxes of those that there are.
    pub(super) fn close(&mut self) -> Vec<mpsc::Sender<Inbound>> {
        self.closed = true;
        self.early.clear();
        self.ending.clear();
        std::mem::take(&mut self.entries).into_values().map(|entry| entry.inbox).collect()
    }

    pub(super) fn list(&self) -> Vec<ConnectionInfo> {
        let alive = self.entries.iter().filter(|(_, entry)| !entry.inbox.is_closed());
        alive
            .map(|(key, entry)| ConnectionInfo {
                peer: key.peer.clone(),
                connection_id: key.id.clone(),
                kind: entry.kind,
            })
            .collect()
    }

    fn with(&mut self, peer: &str) -> impl Iterator<Item = (&Key, &mut Entry)> {
        let first = Key { peer: peer.to_owned(), id: String::new() };
        let peer = peer.to_owned();
        self.entries.range_mut(first..).take_while(move |(key, _)| key.peer == peer)
    }

    fn deliver(&mut self, key: &Key, signal: Inbound) {
        let Some(entry) = self.entries.get(key) else {
            tracing::debug!(peer = key.peer, connection = key.id, "a signal of no connection");
            return;
        };
        put(key, &entry.inbox, signal);
    }

    /// Forgets what is over. A task says so a moment before its inbox is closed, and in between
    /// another connection may have taken the name.
    fn sweep(&mut self, now: Instant) {
        let entries = &mut self.entries;
        self.ending.retain(|key| {
            let Some(entry) = entries.get(key) else { return false };
            let over = entry.inbox.is_closed();
            if over {
                entries.remove(key);
            }
            !over
        });
        self.early.retain(|_, early| now < early.since + EARLY_AGE);
    }
}

/// A connection whose inbox is full does not hold up the others: whoever fills it floods.
fn put(key: &Key, inbox: &mpsc::Sender<Inbound>, signal: Inbound) {
    if inbox.try_send(signal).is_err() {
        tracing::debug!(peer = key.peer, connection = key.id, "over, or flooded: a signal is lost");
    }
}

#[cfg(test)]
mod tests;
