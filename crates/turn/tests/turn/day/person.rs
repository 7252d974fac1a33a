//! Somebody who uses the server, and what must be true of its allocation.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use peerway_turn::{ClientId, Family, FiveTuple, Protocol, RelayId};

use super::world::{MINUTE, Millis};
use crate::draft::{Draft, Login};

/// Permissions and channels, as RFC 8656 has them.
const PERMISSION: Millis = 5 * MINUTE;
const CHANNEL: Millis = 10 * MINUTE;

pub struct Person {
    pub from: FiveTuple,
    pub node: usize,
    pub login: Login,
    pub nonce: String,
    pub protocol: Protocol,
    /// The request that it allocated with, to be said again.
    pub allocation: Draft,
    pub client: Option<ClientId>,
    pub relays: BTreeMap<RelayId, Relayed>,
    permissions: BTreeMap<IpAddr, Millis>,
    channels: BTreeMap<u16, (SocketAddr, Millis)>,
    /// When it has had enough.
    pub leaves: Millis,
    /// It is gone and does not say so.
    pub vanished: bool,
    /// It gives its allocation up.
    pub ends: bool,
}

/// A relayed address.
#[derive(Clone, Copy)]
pub struct Relayed {
    pub family: Family,
    pub expires: Millis,
}

impl Person {
    pub fn new(
        from: FiveTuple,
        node: usize,
        login: Login,
        protocol: Protocol,
        allocation: Draft,
        leaves: Millis,
    ) -> Self {
        Self {
            from,
            node,
            login,
            nonce: String::new(),
            protocol,
            allocation,
            client: None,
            relays: BTreeMap::new(),
            permissions: BTreeMap::new(),
            channels: BTreeMap::new(),
            leaves,
            vanished: false,
            ends: false,
        }
    }

    /// Whether it has asked for an allocation and the sockets are on their way.
    pub fn waits_for_sockets(&self) -> bool {
        self.client.is_some() && self.relays.is_empty() && !self.vanished
    }

    /// Whether the server knows it, as soon as it has looked.
    pub fn is_client(&self, now: Millis) -> bool {
        self.relays.values().any(|relay| relay.expires > now)
    }

    pub fn relay(&self, family: Family, now: Millis) -> Option<RelayId> {
        let fits = |relay: &Relayed| relay.family == family && relay.expires > now;
        self.relays.iter().find(|(_, relay)| fits(relay)).map(|(id, _)| *id)
    }

    pub fn refreshed(&mut self, seconds: u32, now: Millis) {
        for relay in self.relays.values_mut().filter(|relay| relay.expires > now) {
            relay.expires = now + u64::from(seconds) * 1000;
        }
    }

    pub fn permit(&mut self, peer: IpAddr, now: Millis) {
        self.permissions.insert(peer, now + PERMISSION);
    }

    pub fn may_talk_to(&self, peer: SocketAddr, now: Millis) -> bool {
        self.permissions.get(&peer.ip()).is_some_and(|expires| *expires > now)
            && self.relay(Family::of(peer.ip()), now).is_some()
    }

    pub fn may_bind(&self, number: u16, peer: SocketAddr, now: Millis) -> bool {
        self.channels
            .iter()
            .filter(|(_, (_, expires))| *expires > now)
            .all(|(bound, (to, _))| (*bound == number) == (*to == peer))
    }

    pub fn bind(&mut self, number: u16, peer: SocketAddr, now: Millis) {
        self.channels.retain(|bound, (to, _)| *bound != number && *to != peer);
        self.channels.insert(number, (peer, now + CHANNEL));
        self.permit(peer.ip(), now);
    }

    /// Where data on a channel goes.
    pub fn peer_of(&self, number: u16, now: Millis) -> Option<SocketAddr> {
        let (peer, expires) = self.channels.get(&number)?;
        self.relay(Family::of(peer.ip()), now)?;
        (*expires > now).then_some(*peer)
    }

    pub fn channel_to(&self, peer: SocketAddr, now: Millis) -> bool {
        self.channels.values().any(|(to, expires)| *to == peer && *expires > now)
    }
}
