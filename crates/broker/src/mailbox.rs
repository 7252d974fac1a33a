//! Mail for peers that are not there yet, kept on the sender's side.
//!
//! Mail is grouped by pair of sender and receiver: a pair expires as one, a fixed time after its
//! first message, as `PeerServer` does (`docs/reference/peerjs-dialect.md` B3), and is delivered in the order
//! of arrival over all its receiver's pairs.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::time::Instant;

use peerway_protocol::{AppKey, Envelope, PeerAddress, PeerId};

use crate::MailLimit;

/// Why mail is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    Sender,
    App,
}

/// Mail of a pair that nobody came for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ExpiredPair {
    pub(crate) from: PeerAddress,
    pub(crate) to: PeerAddress,
    pub(crate) usage: Usage,
    /// Nothing else waits for the receiver.
    pub(crate) was_last: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

#[derive(Debug)]
struct Pair {
    due: (Instant, u64),
    /// Envelopes with their number in the order of arrival.
    envelopes: Vec<(u64, Envelope)>,
}

#[derive(Debug)]
pub(crate) struct Mailbox {
    waiting: HashMap<PeerAddress, BTreeMap<PeerId, Pair>>,
    /// When each pair expires; the number makes the key unique.
    due: BTreeMap<(Instant, u64), (PeerAddress, PeerId)>,
    senders: HashMap<PeerAddress, Usage>,
    apps: HashMap<AppKey, Usage>,
    sender_limit: MailLimit,
    app_limit: MailLimit,
    next_number: u64,
}

impl Mailbox {
    pub(crate) fn new(sender_limit: MailLimit, app_limit: MailLimit) -> Self {
        Self {
            waiting: HashMap::new(),
            due: BTreeMap::new(),
            senders: HashMap::new(),
            apps: HashMap::new(),
            sender_limit,
            app_limit,
            next_number: 0,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
            && self.due.is_empty()
            && self.senders.is_empty()
            && self.apps.is_empty()
    }

    /// Whether mail from this sender waits there: later messages must queue behind it.
    pub(crate) fn holds(&self, to: &PeerAddress, from: &PeerId) -> bool {
        !self.waiting.is_empty()
            && self.waiting.get(to).is_some_and(|pairs| pairs.contains_key(from))
    }

    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.due.first_key_value().map(|((due, _), _)| *due)
    }

    /// Keeps an envelope. `Ok(true)` if it is the first for its receiver. The deadline of a pair
    /// is that of its first message.
    pub(crate) fn keep(&mut self, envelope: Envelope, due: Instant) -> Result<bool, Full> {
        let bytes = envelope.weight();
        let source = envelope.source();
        if !has_room(self.senders.get(&source), bytes, self.sender_limit) {
            return Err(Full::Sender);
        }
        if !has_room(self.apps.get(&source.app), bytes, self.app_limit) {
            return Err(Full::App);
        }
        charge(&mut self.apps, source.app.clone(), bytes);
        charge(&mut self.senders, source.clone(), bytes);

        let number = self.next_number;
        self.next_number += 1;
        let destination = envelope.destination();
        let pairs = self.waiting.entry(destination.clone()).or_default();
        let first = pairs.is_empty();
        let pair = pairs.entry(source.peer.clone()).or_insert_with(|| {
            self.due.insert((due, number), (destination, source.peer));
            Pair { due: (due, number), envelopes: Vec::with_capacity(1) }
        });
        pair.envelopes.push((number, envelope));
        Ok(first)
    }

    /// Takes everything that waits for an address, in the order of arrival.
    pub(crate) fn take(&mut self, to: &PeerAddress) -> Vec<Envelope> {
        let Some(pairs) = self.waiting.remove(to) else { return Vec::new() };
        let mut envelopes = Vec::new();
        for pair in pairs.into_values() {
            self.due.remove(&pair.due);
            self.refund(&pair.envelopes);
            envelopes.extend(pair.envelopes);
        }
        envelopes.sort_unstable_by_key(|(number, _)| *number);
        envelopes.into_iter().map(|(_, envelope)| envelope).collect()
    }

    /// Takes the next pair whose time is over.
    pub(crate) fn expire_one(&mut self, now: Instant) -> Option<ExpiredPair> {
        let entry = self.due.first_entry().filter(|entry| entry.key().0 <= now)?;
        let (to, from) = entry.remove();
        let pairs = self.waiting.get_mut(&to)?;
        let pair = pairs.remove(&from)?;
        let was_last = pairs.is_empty();
        if was_last {
            self.waiting.remove(&to);
        }
        let usage = self.refund(&pair.envelopes);
        let from = PeerAddress { app: to.app.clone(), peer: from };
        Some(ExpiredPair { from, to, usage, was_last })
    }

    fn refund(&mut self, envelopes: &[(u64, Envelope)]) -> Usage {
        let Some((_, first)) = envelopes.first() else { return Usage::default() };
        let usage = Usage {
            messages: envelopes.len(),
            bytes: envelopes.iter().map(|(_, envelope)| envelope.weight()).sum(),
        };
        discharge(&mut self.senders, &first.source(), usage);
        discharge(&mut self.apps, &first.app, usage);
        usage
    }
}

fn has_room(usage: Option<&Usage>, bytes: usize, limit: MailLimit) -> bool {
    let usage = usage.copied().unwrap_or_default();
    usage.messages < limit.messages && usage.bytes + bytes <= limit.bytes
}

fn charge<K: Eq + Hash>(ledger: &mut HashMap<K, Usage>, key: K, bytes: usize) {
    let usage = ledger.entry(key).or_default();
    usage.messages += 1;
    usage.bytes += bytes;
}

fn discharge<K: Eq + Hash>(ledger: &mut HashMap<K, Usage>, key: &K, gone: Usage) {
    let Some(usage) = ledger.get_mut(key) else { return };
    usage.messages -= gone.messages;
    usage.bytes -= gone.bytes;
    if usage.messages == 0 {
        ledger.remove(key);
    }
}
