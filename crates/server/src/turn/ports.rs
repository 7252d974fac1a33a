//! Relayed addresses: which address and port an allocation gets, and the two names it has when the
//! server stands behind NAT.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use peerway_turn::{Family, OpenError, Port};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::clock;
use crate::config::{ExternalAddress, TurnConfig};

/// How many ports are tried before there is none.
const TRIES: u16 = 64;
/// How long the next port is kept for whoever shows the token (RFC 8656 section 7.2).
const RESERVATION: Duration = Duration::from_secs(30);
const MOST_RESERVATIONS: usize = 1000;
/// What the kernel holds of one allocation while a thread is busy.
const BUFFER: usize = 512 * 1024;

/// See the module documentation.
#[derive(Debug)]
pub(super) struct RelayPorts {
    range: RangeInclusive<u16>,
    addresses: Vec<IpAddr>,
    externals: Vec<ExternalAddress>,
    /// For the family that the client did not reach us on.
    defaults: Vec<IpAddr>,
    reservations: Mutex<HashMap<u64, Reservation>>,
}

#[derive(Debug)]
struct Reservation {
    until: Instant,
    socket: UdpSocket,
}

/// Relay sockets and the token for the one that was kept.
pub(super) struct Opened<S> {
    /// By family; as bound.
    pub(super) sockets: Vec<Result<S, OpenError>>,
    pub(super) token: Option<u64>,
}

impl RelayPorts {
    pub(super) fn new(config: &TurnConfig, locals: &[IpAddr]) -> Self {
        let defaults = [default_route(Family::V4), default_route(Family::V6)];
        Self {
            range: config.relay_ports.0.clone(),
            addresses: config.relay_addresses.clone(),
            externals: config.external_addresses.clone(),
            defaults: defaults.into_iter().flatten().filter(|ip| locals.contains(ip)).collect(),
            reservations: Mutex::default(),
        }
    }

    /// Sockets for an allocation of a client that reached us on `server`.
    pub(super) fn open_udp(
        &self,
        server: SocketAddr,
        families: &[Family],
        port: Port,
    ) -> Opened<UdpSocket> {
        if let Port::Reserved(token) = port {
            let kept = self.lock().remove(&token).filter(|it| it.until > clock::now());
            let socket = kept.map(|it| it.socket).ok_or(OpenError::Capacity);
            return Opened { sockets: vec![socket], token: None };
        }
        let mut token = None;
        let open = |family: &Family| {
            let ip = self.local(server.ip(), *family).ok_or(OpenError::Family)?;
            match port {
                Port::Even { reserve: true } => {
                    let (socket, next) = self.pair(ip)?;
                    token = self.reserve(next);
                    token.map(|_| socket).ok_or(OpenError::Capacity)
                }
                Port::Even { reserve: false } => self.one(ip, 2, udp),
                _ => self.one(ip, 1, udp),
            }
        };
        let sockets = families.iter().map(open).collect();
        Opened { sockets, token }
    }

    /// The same for TCP (RFC 6062).
    pub(super) fn open_tcp(&self, server: SocketAddr, families: &[Family]) -> Opened<TcpListener> {
        let open = |family: &Family| {
            let ip = self.local(server.ip(), *family).ok_or(OpenError::Family)?;
            self.one(ip, 1, |address| {
                let socket = tcp_socket(address)?;
                socket.listen(16)?;
                Ok(socket.into())
            })
        };
        Opened { sockets: families.iter().map(open).collect(), token: None }
    }

    /// The address to relay from.
    fn local(&self, server: IpAddr, family: Family) -> Option<IpAddr> {
        let fits = |ip: &&IpAddr| Family::of(**ip) == family;
        if !self.addresses.is_empty() {
            let same = self.addresses.iter().find(|ip| **ip == server).filter(fits);
            return same.or_else(|| self.addresses.iter().find(fits)).copied();
        }
        if Family::of(server) == family {
            return Some(server);
        }
        if server.is_loopback() {
            return Some(match family {
                Family::V4 => Ipv4Addr::LOCALHOST.into(),
                Family::V6 => Ipv6Addr::LOCALHOST.into(),
            });
        }
        self.defaults.iter().find(fits).copied()
    }

    /// Any port of the range whose number is a multiple of `step`.
    fn one<S>(
        &self,
        ip: IpAddr,
        step: u16,
        bind: impl Fn(SocketAddr) -> io::Result<S>,
    ) -> Result<S, OpenError> {
        let (start, end) = (*self.range.start(), *self.range.end());
        let first = start.next_multiple_of(step);
        let count = (end.saturating_sub(first) / step).saturating_add(1);
        if first > end {
            return Err(OpenError::Capacity);
        }
        let chosen = u16::from_be_bytes(clock::random()) % count;
        for attempt in 0..count.min(TRIES) {
            let index = (u32::from(chosen) + u32::from(attempt)) % u32::from(count);
            let index = u16::try_from(index).unwrap_or_default();
            match bind(SocketAddr::new(ip, first + index * step)) {
                Ok(socket) => return Ok(socket),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => {
                    tracing::warn!(%error, %ip, "cannot open a relay port");
                    return Err(OpenError::Capacity);
                }
            }
        }
        tracing::warn!(%ip, range = ?self.range, "no relay port is free");
        Err(OpenError::Capacity)
    }

    /// An even port and the next one.
    fn pair(&self, ip: IpAddr) -> Result<(UdpSocket, UdpSocket), OpenError> {
        self.one(ip, 2, |address| {
            let next = SocketAddr::new(address.ip(), address.port() | 1);
            if !self.range.contains(&next.port()) {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            Ok((udp(address)?, udp(next)?))
        })
    }

    /// Keeps a socket under a token; `None` if too many are kept.
    fn reserve(&self, socket: UdpSocket) -> Option<u64> {
        let now = clock::now();
        let mut kept = self.lock();
        if kept.len() >= MOST_RESERVATIONS {
            let over: Vec<u64> = expired(&kept, now);
            for token in over {
                kept.remove(&token);
            }
            if kept.len() >= MOST_RESERVATIONS {
                return None;
            }
        }
        let token = u64::from_be_bytes(clock::random());
        kept.insert(token, Reservation { until: now + RESERVATION, socket });
        Some(token)
    }

    /// Lets go of sockets that nobody came for.
    pub(super) fn forget_expired(&self, now: Instant) {
        let mut kept = self.lock();
        for token in expired(&kept, now) {
            kept.remove(&token);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Reservation>> {
        self.reservations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An address of ours as the world sees it.
    pub(super) fn advertise(&self, own: SocketAddr) -> SocketAddr {
        if self.externals.is_empty() || own.ip().is_loopback() {
            return own;
        }
        let named = |it: &&ExternalAddress| it.private == Some(own.ip());
        let general =
            |it: &&ExternalAddress| it.private.is_none() && it.public.is_ipv4() == own.is_ipv4();
        let external =
            self.externals.iter().find(named).or_else(|| self.externals.iter().find(general));
        external.map_or(own, |it| SocketAddr::new(it.public, own.port()))
    }

    /// Where to send what goes to `peer`: relays of our own are reached directly, because not every
    /// NAT lets a machine reach itself by its public address.
    pub(super) fn inward(&self, from: SocketAddr, peer: SocketAddr) -> SocketAddr {
        if self.externals.is_empty() || !self.range.contains(&peer.port()) {
            return peer;
        }
        if self.advertise(from).ip() == peer.ip() {
            return SocketAddr::new(from.ip(), peer.port());
        }
        let named = self.externals.iter().find(|it| it.public == peer.ip());
        named.and_then(|it| it.private).map_or(peer, |ip| SocketAddr::new(ip, peer.port()))
    }

    /// The name by which the world, and so the client, knows where something came from.
    pub(super) fn outward(&self, from: SocketAddr) -> SocketAddr {
        if self.externals.is_empty() || !self.range.contains(&from.port()) {
            return from;
        }
        self.advertise(from)
    }

    /// All addresses that relays can have, as the world sees them.
    pub(super) fn advertised(&self, reached: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
        let mut all: Vec<IpAddr> = if self.addresses.is_empty() {
            reached.chain(self.defaults.iter().copied()).collect()
        } else {
            self.addresses.clone()
        };
        if all.iter().any(IpAddr::is_loopback) {
            all.extend([IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()]);
        }
        let mut all: Vec<_> =
            all.into_iter().map(|ip| self.advertise(SocketAddr::new(ip, 0)).ip()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

fn expired(kept: &HashMap<u64, Reservation>, now: Instant) -> Vec<u64> {
    #[expect(clippy::disallowed_methods, reason = "the order of removing does not show")]
    kept.iter().filter(|(_, it)| it.until <= now).map(|(token, _)| *token).collect()
}

fn udp(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    SockRef::from(&socket).set_recv_buffer_size(BUFFER)?;
    Ok(socket)
}

/// A TCP socket at an address that several of them share: the listener, and the connections that
/// start from it.
pub(super) fn tcp_socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// The address from which the machine reaches the internet. Nothing is sent: connecting a UDP
/// socket only asks the routing table.
fn default_route(family: Family) -> Option<IpAddr> {
    let (any, somewhere): (IpAddr, IpAddr) = match family {
        Family::V4 => (Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into()),
        Family::V6 => {
            let documentation = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
            (Ipv6Addr::UNSPECIFIED.into(), documentation.into())
        }
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((somewhere, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}
