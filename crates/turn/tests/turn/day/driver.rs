//! What does as a driver does: opens sockets, sometimes late and sometimes not, and keeps a book of
//! them, because every socket must be closed exactly once.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use peerway_turn::{
    ClientId, CloseReason, ConnectError, ConnectionId, Family, OpenError, Opened, Port, RelayId,
    Report, Server, Traffic,
};

use super::world::Millis;
use crate::random::Random;
use crate::stage::{relayed_v4, relayed_v6};

/// The sockets of one server.
#[derive(Default)]
pub struct Driver {
    pub open: BTreeMap<RelayId, SocketAddr>,
    pub opening: Vec<Opening>,
    connecting: Vec<Connecting>,
    pub connections: BTreeMap<ConnectionId, ClientId>,
    /// The most sockets and clients that there were at the same time.
    pub peak_relays: usize,
    pub peak_clients: usize,
    pub ledger: Ledger,
    tokens: BTreeSet<u64>,
    next_token: u64,
}

/// A command that takes its time.
pub struct Opening {
    pub client: ClientId,
    families: Vec<Family>,
    port: Port,
    due: Millis,
}

struct Connecting {
    client: ClientId,
    relay: RelayId,
    peer: SocketAddr,
    due: Millis,
}

/// What was reported.
#[derive(Default)]
pub struct Ledger {
    pub opened: u64,
    pub closed: u64,
    pub traffic: Traffic,
    pub reasons: BTreeSet<&'static str>,
}

impl Driver {
    pub fn open(&mut self, client: ClientId, families: Vec<Family>, port: Port, due: Millis) {
        self.opening.push(Opening { client, families, port, due });
    }

    /// The next client whose sockets are due by now.
    pub fn next_opening(&mut self, now: Millis) -> Option<Opening> {
        let due = self.opening.iter().position(|opening| opening.due <= now)?;
        Some(self.opening.swap_remove(due))
    }

    /// What comes of it: usually what was asked for.
    pub fn sockets(&mut self, opening: &Opening, chance: &mut Random) -> Opened {
        if let Port::Reserved(token) = opening.port
            && !self.tokens.remove(&token)
        {
            return Opened { relays: vec![Err(OpenError::Capacity)], token: None };
        }
        let mut socket = |family: &Family| {
            let port = 49152 + u16::try_from(chance.below(16_000)).expect("a port");
            match chance.below(40) {
                0 => Err(OpenError::Capacity),
                1 => Err(OpenError::Family),
                _ => Ok(SocketAddr::new(relayed(*family), port)),
            }
        };
        let relays: Vec<_> = opening.families.iter().map(&mut socket).collect();
        let reserved =
            opening.port == Port::Even { reserve: true } && relays.iter().any(Result::is_ok);
        let token = reserved.then(|| {
            self.next_token += 1;
            self.tokens.insert(self.next_token);
            self.next_token
        });
        Opened { relays, token }
    }

    /// Notes the sockets that the server uses; the others are closed.
    pub fn note(&mut self, relays: &[Option<RelayId>], opened: &[Result<SocketAddr, OpenError>]) {
        for (relay, opened) in relays.iter().zip(opened) {
            let Some(relay) = relay else { continue };
            let address = opened.expect("only what was opened is used");
            assert_eq!(self.open.insert(*relay, address), None, "an id that is in use");
            self.peak_relays = self.peak_relays.max(self.open.len());
            assert!(relay.0 < self.peak_relays, "ids are used again: nothing else grows");
        }
    }

    pub fn close(&mut self, relay: RelayId) {
        assert!(self.open.remove(&relay).is_some(), "{relay:?} is closed twice or never was");
        self.connecting.retain(|connecting| connecting.relay != relay);
    }

    pub fn connect(&mut self, client: ClientId, relay: RelayId, peer: SocketAddr, due: Millis) {
        assert!(self.open.contains_key(&relay));
        self.connecting.push(Connecting { client, relay, peer, due });
    }

    /// Tells what became of connections that are due by now.
    pub fn finish_connections(&mut self, server: &mut Server, now: Millis, chance: &mut Random) {
        while let Some(due) = self.connecting.iter().position(|it| it.due <= now) {
            let Connecting { client, peer, .. } = self.connecting.swap_remove(due);
            let result = if chance.percent(70) { Ok(()) } else { Err(ConnectError) };
            let connection = server.handle_connected(client, peer, result);
            assert_eq!(connection.is_some(), result.is_ok(), "somebody waits for it");
            if let Some((connection, _)) = connection {
                assert_eq!(self.connections.insert(connection, client), None);
            }
        }
    }

    pub fn report(&mut self, report: &Report) {
        match report {
            Report::Opened { relayed, .. } => {
                assert!(!relayed.is_empty());
                self.ledger.opened += 1;
            }
            Report::Closed { reason, traffic, .. } => {
                self.ledger.closed += 1;
                self.ledger.reasons.insert(match reason {
                    CloseReason::Released => "released",
                    CloseReason::Expired => "expired",
                    CloseReason::Disconnected => "disconnected",
                    CloseReason::Stopped => "stopped",
                });
                add(&mut self.ledger.traffic, *traffic);
            }
            Report::Refused { .. } => {}
        }
    }
}

pub fn add(sum: &mut Traffic, traffic: Traffic) {
    sum.to_peer.packets += traffic.to_peer.packets;
    sum.to_peer.bytes += traffic.to_peer.bytes;
    sum.to_client.packets += traffic.to_client.packets;
    sum.to_client.bytes += traffic.to_client.bytes;
}

fn relayed(family: Family) -> IpAddr {
    match family {
        Family::V4 => relayed_v4().ip(),
        Family::V6 => relayed_v6().ip(),
    }
}
