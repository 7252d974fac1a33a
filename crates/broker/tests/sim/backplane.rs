//! A backplane that keeps the promises of `server/src/backplane/mod.rs` and not more: everything
//! takes its time both ways, and only what belongs to one address or one pair stays in order.

use std::collections::{BTreeMap, BTreeSet};

use peerway_broker::{Claim, Claimant, Parcel, Proof};
use peerway_protocol::{Address, PeerAddress};

use super::network::{Lane, Network};
use super::{Millis, Random};

/// What a node asks for.
#[derive(Debug)]
pub enum Ask {
    Claim(Claim),
    Release(Address),
    Send(Parcel),
    GiveBack(Parcel),
    Watch(PeerAddress),
    Unwatch(PeerAddress),
}

/// What a node hears.
#[derive(Debug)]
pub enum Answer {
    Claimed(Claimant),
    Refused(Claimant),
    Arrived(Parcel),
    Undeliverable(Parcel),
    Up(PeerAddress),
    Gone(PeerAddress),
}

pub struct FakeBackplane {
    holders: BTreeMap<Address, (usize, Option<Proof>)>,
    watchers: BTreeMap<PeerAddress, BTreeSet<usize>>,
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
            Ask::Claim(claim) => Lane::Address(node, claim.address()),
            Ask::Release(address) => Lane::Address(node, address.clone()),
            Ask::Watch(address) | Ask::Unwatch(address) => {
                Lane::Address(node, address.clone().into())
            }
            Ask::Send(parcel) => Lane::there(parcel),
            Ask::GiveBack(parcel) => Lane::back(parcel),
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

    pub fn holder(&self, address: &Address) -> Option<(usize, Option<Proof>)> {
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
            Ask::Claim(claim) => self.claim(now, node, &claim),
            Ask::Release(address) => {
                if self.holders.get(&address).is_some_and(|(holder, _)| *holder == node) {
                    self.holders.remove(&address);
                }
            }
            Ask::Send(parcel) => self.send(now, node, parcel),
            Ask::GiveBack(parcel) => {
                if let Some((sender, _)) = self.holder(&parcel.source()) {
                    let lanes = [Lane::back(&parcel)];
                    self.answer(now, &lanes, sender, Answer::Undeliverable(parcel));
                }
            }
            Ask::Watch(address) if self.holder(&address.clone().into()).is_some() => {
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

    fn send(&mut self, now: Millis, node: usize, parcel: Parcel) {
        let to = parcel.destination();
        let Some((holder, _)) = self.holder(&to) else {
            let lanes = [Lane::back(&parcel)];
            return self.answer(now, &lanes, node, Answer::Undeliverable(parcel));
        };
        // A claimant hears Claimed before anything that arrives for the address.
        let lanes = [Lane::there(&parcel), Lane::Address(holder, to)];
        self.answer(now, &lanes, holder, Answer::Arrived(parcel));
    }

    fn claim(&mut self, now: Millis, node: usize, claim: &Claim) {
        let (address, proof) = (claim.address(), claim.proof());
        let lanes = [Lane::Address(node, address.clone())];
        let previous = self.holder(&address);
        if previous.is_some_and(|(_, held)| held.is_none() || held != proof) {
            return self.answer(now, &lanes, node, Answer::Refused(claim.claimant()));
        }
        self.holders.insert(address.clone(), (node, proof));
        self.answer(now, &lanes, node, Answer::Claimed(claim.claimant()));
        let Claim::Peer { address: peer, .. } = claim else { return };
        if let Some((previous, _)) = previous.filter(|(previous, _)| *previous != node) {
            let lanes = [Lane::Address(previous, address)];
            self.answer(now, &lanes, previous, Answer::Gone(peer.clone()));
        }
        for watcher in self.watchers.remove(peer).unwrap_or_default() {
            self.up(now, watcher, peer.clone());
        }
    }

    fn up(&mut self, now: Millis, node: usize, address: PeerAddress) {
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
