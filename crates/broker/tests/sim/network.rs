//! Things on their way, each with a time of its own.

use std::collections::BTreeMap;

use peerway_broker::Parcel;
use peerway_protocol::Address;

use super::Millis;

/// What stays in order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// What a node and the backplane say about an address.
    Address(usize, Address),
    /// What one address is sent by another.
    There(Address, Address),
    /// What of it comes back.
    Back(Address, Address),
}

impl Lane {
    pub fn there(parcel: &Parcel) -> Self {
        Self::There(parcel.source(), parcel.destination())
    }

    pub fn back(parcel: &Parcel) -> Self {
        Self::Back(parcel.source(), parcel.destination())
    }
}

/// Things on their way; none overtakes another of the same lane.
pub struct Network<T> {
    waiting: BTreeMap<(Millis, u64), (usize, T)>,
    lanes: BTreeMap<Lane, Millis>,
    next_number: u64,
}

impl<T> Default for Network<T> {
    fn default() -> Self {
        Self { waiting: BTreeMap::new(), lanes: BTreeMap::new(), next_number: 0 }
    }
}

impl<T> Network<T> {
    pub fn put(&mut self, at: Millis, lanes: &[Lane], node: usize, thing: T) {
        let busy = lanes.iter().filter_map(|lane| self.lanes.get(lane).copied()).max();
        let at = at.max(busy.unwrap_or_default());
        for lane in lanes {
            self.lanes.insert(lane.clone(), at);
        }
        self.waiting.insert((at, self.next_number), (node, thing));
        self.next_number += 1;
    }

    pub fn next_due(&self) -> Option<Millis> {
        self.waiting.first_key_value().map(|((at, _), _)| *at)
    }

    pub fn take(&mut self, now: Millis) -> Option<(Millis, usize, T)> {
        let entry = self.waiting.first_entry().filter(|entry| entry.key().0 <= now)?;
        let at = entry.key().0;
        let (node, thing) = entry.remove();
        Some((at, node, thing))
    }
}
