//! What the server knows of a client: its allocation with permissions and channels (RFC 8656
//! section 3). All in bounded maps, because clients fill them.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use stun_types::message::IntegrityKey;

use crate::address::{Family, FiveTuple, Now};
use crate::answer::Request;
use crate::policy::Ports;
use crate::quota::Seat;
use crate::rate::Bandwidth;
use crate::report::Traffic;
use crate::server::{ConnectionId, Protocol};

/// RFC 8656 section 9.
const PERMISSION_LIFETIME: Duration = Duration::from_mins(5);
/// RFC 8656 section 12.
const CHANNEL_LIFETIME: Duration = Duration::from_mins(10);
/// More addresses than any candidate list has.
const MOST_PERMISSIONS: usize = 256;
const MOST_CHANNELS: usize = 256;
/// Connections of a TCP allocation at the same time.
const MOST_CONNECTIONS: usize = 64;

/// A client of one [`crate::Server`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(pub usize);

/// A relayed address of one [`crate::Server`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelayId(pub usize);

/// The proven user of a client.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) name: Arc<str>,
    pub(crate) key: IntegrityKey,
    pub(crate) expiry: Option<u64>,
    /// Index in [`crate::Shared::apps`].
    pub(crate) app: usize,
}

/// A client with an allocation, or one that waits for its sockets.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) address: FiveTuple,
    pub(crate) user: User,
    pub(crate) protocol: Protocol,
    /// The request that made it: its repetition is answered again (RFC 8656 section 7.2).
    pub(crate) request: Request,
    /// The answer to that request; `None` while the sockets are not there yet.
    pub(crate) answer: Option<Vec<u8>>,
    /// What it asked for, in seconds.
    pub(crate) lifetime: u32,
    /// By family.
    pub(crate) relays: [Option<RelayId>; 2],
    permissions: BTreeMap<IpAddr, Permission>,
    channels: BTreeMap<u16, Channel>,
    channel_of: BTreeMap<SocketAddr, u16>,
    /// TCP connections to peers, and the requests that wait for them.
    pub(crate) connections: BTreeMap<SocketAddr, Connection>,
    pub(crate) traffic: Traffic,
    pub(crate) up: Bandwidth,
    pub(crate) down: Bandwidth,
    pub(crate) since: Now,
    pub(crate) _seat: Seat,
}

/// A relayed address.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) client: ClientId,
    /// As the world sees it.
    pub(crate) address: SocketAddr,
    pub(crate) expires: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Permission {
    expires: Instant,
    ports: Ports,
}

#[derive(Debug, Clone, Copy)]
struct Channel {
    peer: SocketAddr,
    ports: Ports,
    expires: Instant,
}

/// A TCP connection to a peer.
#[derive(Debug)]
pub(crate) enum Connection {
    /// Being made for this request.
    Pending(Request),
    /// There, known to the client under this id.
    Open(ConnectionId),
}

/// Too many of something.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// Why a channel cannot be bound.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ChannelError {
    /// The number or the peer is bound otherwise.
    Taken,
    Full,
}

impl Client {
    pub(crate) fn new(
        address: FiveTuple,
        user: User,
        protocol: Protocol,
        request: Request,
        lifetime: u32,
        now: Now,
        seat: Seat,
    ) -> Self {
        Self {
            address,
            user,
            protocol,
            request,
            answer: None,
            lifetime,
            relays: [None; 2],
            permissions: BTreeMap::new(),
            channels: BTreeMap::new(),
            channel_of: BTreeMap::new(),
            connections: BTreeMap::new(),
            traffic: Traffic::default(),
            up: Bandwidth::new(now.instant),
            down: Bandwidth::new(now.instant),
            since: now,
            _seat: seat,
        }
    }

    /// The relayed address that reaches this family.
    pub(crate) fn relay(&self, family: Family) -> Option<RelayId> {
        self.relays[family.index()]
    }

    /// Installs or refreshes a permission.
    pub(crate) fn permit(&mut self, peer: IpAddr, ports: Ports, now: Instant) -> Result<(), Full> {
        if self.permissions.len() >= MOST_PERMISSIONS && !self.permissions.contains_key(&peer) {
            self.forget_expired(now);
            if self.permissions.len() >= MOST_PERMISSIONS {
                return Err(Full);
            }
        }
        self.permissions.insert(peer, Permission { expires: now + PERMISSION_LIFETIME, ports });
        Ok(())
    }

    /// Which ports of an address have a permission.
    pub(crate) fn permitted(&self, peer: IpAddr, now: Instant) -> Option<Ports> {
        let permission = self.permissions.get(&peer)?;
        (permission.expires > now).then_some(permission.ports)
    }

    /// Binds or refreshes a channel; the caller has judged the peer.
    pub(crate) fn bind(
        &mut self,
        number: u16,
        peer: SocketAddr,
        ports: Ports,
        now: Instant,
    ) -> Result<(), ChannelError> {
        let bound_to = self.channels.get(&number).filter(|it| it.expires > now);
        if bound_to.is_some_and(|channel| channel.peer != peer) {
            return Err(ChannelError::Taken);
        }
        if self.channel_to(peer, now).is_some_and(|other| other != number) {
            return Err(ChannelError::Taken);
        }
        if self.channels.len() >= MOST_CHANNELS && !self.channels.contains_key(&number) {
            self.forget_expired(now);
            if self.channels.len() >= MOST_CHANNELS {
                return Err(ChannelError::Full);
            }
        }
        if let Some(before) = self.channels.get(&number) {
            self.channel_of.remove(&before.peer);
        }
        if let Some(before) = self.channel_of.insert(peer, number) {
            self.channels.remove(&before);
        }
        self.channels.insert(number, Channel { peer, ports, expires: now + CHANNEL_LIFETIME });
        Ok(())
    }

    /// The peer of a channel, and whether it was judged once and for all.
    pub(crate) fn peer_of(&self, number: u16, now: Instant) -> Option<(SocketAddr, Ports)> {
        let channel = self.channels.get(&number)?;
        (channel.expires > now).then_some((channel.peer, channel.ports))
    }

    /// The channel to a peer.
    pub(crate) fn channel_to(&self, peer: SocketAddr, now: Instant) -> Option<u16> {
        let number = *self.channel_of.get(&peer)?;
        (self.channels.get(&number)?.expires > now).then_some(number)
    }

    /// Notes a TCP connection to a peer.
    pub(crate) fn connect(&mut self, peer: SocketAddr, connection: Connection) -> Result<(), Full> {
        if self.connections.len() >= MOST_CONNECTIONS {
            return Err(Full);
        }
        self.connections.insert(peer, connection);
        Ok(())
    }

    /// Drops what has expired.
    pub(crate) fn forget_expired(&mut self, now: Instant) {
        self.permissions.retain(|_, permission| permission.expires > now);
        self.channels.retain(|_, channel| channel.expires > now);
        let channels = &self.channels;
        self.channel_of.retain(|_, number| channels.contains_key(number));
    }
}
