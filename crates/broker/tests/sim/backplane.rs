//! A backplane that keeps the promises of `server/src/backplane/mod.rs` and not more: everything
//! takes its time both ways, and only what belongs to one address or one pair stays in order.

use std::collections::{BTreeMap, BTreeSet};

use peerway_broker::{Proof, SessionId};
use peerway_protocol::{Address, Envelope};

use super::network::{Lane, Network};
use super::{Millis, Random};

/// What a node asks for.
#[derive(Debug)]
pub enum Ask {
    Claim { session: SessionId, address: Address, proof: Proof },
    Release(Address),
    Send(Envelope),
    GiveBack(Envelope),
    Watch(Address),
    Unwatch(Address),
}

/// What a node hears.
#[derive(Debug)]
pub enum Answer {
    Claimed(SessionId),
    Refused(SessionId),
    Arrived(Envelope),
    Undeliverable(Envelope),
    Up(Address),
    Gone(Address),
}

pub struct FakeBackplane {
    holders: BTreeMap<Address, (usize, Proof)>,
    watchers: BTreeMap<Address, BTreeSet<usize>>,
    asks: Network<Ask>,
    answers: Network<Answer>,
    random: Random,
    max_delay: Millis,
}

impl FakeBackplane {
    pub fn new(seed: u64, max_delay: Millis) -> Self {
        Self {
            holders: BTreeMap::new(),
            watchers: BTreeMap::new(),
            asks: Network::default(),
            answers: Network::default(),
            random: Random::new(seed),
            max_delay,
        }
    }

    pub fn ask(&mut self, now: Millis, node: usize, ask: Ask) {
        let lane = match &ask {
            Ask::Claim { address, .. }
            | Ask::Release(address)
            | Ask::Watch(address)
            | Ask::Unwatch(address) => Lane::Address(node, address.clone()),
            Ask::Send(envelope) => Lane::there(envelope),
            Ask::GiveBack(envelope) => Lane::back(envelope),
        };
        let at = now + self.delay();
        self.asks.put(at, &[lane], node, ask);
    }

    /// When something happens next.
    pub fn next_due(&self) -> Option<Millis> {
        [self.asks.next_due(), self.answers.next_due()].into_iter().flatten().min()
    }

    /// The next thing that a node hears by now.
    pub fn next_answer(&mut self, now: Millis) -> Option<(usize, Answer)> {
        while let Some((at, node, ask)) = self.asks.take(now) {
            self.handle(at, node, ask);
        }
        self.answers.take(now).map(|(_, node, answer)| (node, answer))
    }

    pub fn holder(&self, address: &Address) -> Option<(usize, Proof)> {
        self.holders.get(address).copied()
    }

    pub fn held(&self) -> impl Iterator<Item = &Address> {
        self.holders.keys()
    }

    /// Whether nobody holds, watches or asks anything.
    pub fn is_idle(&self) -> bool {
        self.holders.is_empty() && self.watchers.is_empty() && self.next_due().is_none()
    }

    fn handle(&mut self, now: Millis, node: usize, ask: Ask) {
        match ask {
            Ask::Claim { session, address, proof } => {
                self.claim(now, node, session, &address, proof);
            }
            Ask::Release(address) => {
                if self.holders.get(&address).is_some_and(|(holder, _)| *holder == node) {
                    self.holders.remove(&address);
                }
            }
            Ask::Send(envelope) => self.send(now, node, envelope),
            Ask::GiveBack(envelope) => {
                if let Some((sender, _)) = self.holder(&envelope.source()) {
                    let lanes = [Lane::back(&envelope)];
                    self.answer(now, &lanes, sender, Answer::Undeliverable(envelope));
                }
            }
            Ask::Watch(address) if self.holders.contains_key(&address) => {
                self.up(now, node, address);
            }
            Ask::Watch(address) => {
                self.watchers.entry(address).or_default().insert(node);
            }
            Ask::Unwatch(address) => {
                let Some(watchers) = self.watchers.get_mut(&address) else { return };
                watchers.remove(&node);
                if watchers.is_empty() {
                    self.watchers.remove(&address);
                }
            }
        }
    }

    fn send(&mut self, now: Millis, node: usize, envelope: Envelope) {
        let to = envelope.destination();
        let Some((holder, _)) = self.holder(&to) else {
            let lanes = [Lane::back(&envelope)];
            return self.answer(now, &lanes, node, Answer::Undeliverable(envelope));
        };
        // A claimant hears Claimed before anything that arrives for the address.
        let lanes = [Lane::there(&envelope), Lane::Address(holder, to)];
        self.answer(now, &lanes, holder, Answer::Arrived(envelope));
    }

    fn claim(
        &mut self,
        now: Millis,
        node: usize,
        session: SessionId,
        address: &Address,
        proof: Proof,
    ) {
        let lanes = [Lane::Address(node, address.clone())];
        let previous = self.holder(address);
        if previous.is_some_and(|(_, held)| held != proof) {
            return self.answer(now, &lanes, node, Answer::Refused(session));
        }
        self.holders.insert(address.clone(), (node, proof));
        self.answer(now, &lanes, node, Answer::Claimed(session));
        if let Some((previous, _)) = previous.filter(|(previous, _)| *previous != node) {
            let lanes = [Lane::Address(previous, address.clone())];
            self.answer(now, &lanes, previous, Answer::Gone(address.clone()));
        }
        for watcher in self.watchers.remove(address).unwrap_or_default() {
            self.up(now, watcher, address.clone());
        }
    }

    fn up(&mut self, now: Millis, node: usize, address: Address) {
        self.answer(now, &[], node, Answer::Up(address));
    }

    fn answer(&mut self, now: Millis, lanes: &[Lane], node: usize, answer: Answer) {
        let at = now + self.delay();
        self.answers.put(at, lanes, node, answer);
    }

    fn delay(&mut self) -> Millis {
        1 + self.random.below(self.max_delay)
    }
}
