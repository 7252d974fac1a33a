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
use crate::udp::listen::{advertise, default_route};

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
    /// Addresses of the machine.
    locals: Vec<IpAddr>,
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
        let defaults = [default_route(false), default_route(true)];
        Self {
            range: config.relay_ports.0.clone(),
            addresses: config.relay_addresses.clone(),
            externals: config.external_addresses.clone(),
            locals: locals.to_vec(),
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
            self.one(ip, 1, tcp_listener)
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
        let first = start.checked_next_multiple_of(step).filter(|first| *first <= end);
        let first = first.ok_or(OpenError::Capacity)?;
        let count = ((end - first) / step).saturating_add(1);
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
        advertise(&self.externals, own)
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
        let is_relay = self.range.contains(&from.port()) && self.locals.contains(&from.ip());
        if is_relay { self.advertise(from) } else { from }
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

/// Listens where nobody else does. Only then the address may be shared, with the connections that
/// start from it: two listeners that share would each get a part of the connections.
fn tcp_listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = tcp_socket(address, false)?;
    socket.set_reuse_port(true)?;
    socket.listen(16)?;
    Ok(socket.into())
}

/// A TCP socket that starts from the address of a listener.
pub(super) fn tcp_beside_listener(address: SocketAddr) -> io::Result<Socket> {
    tcp_socket(address, true)
}

fn tcp_socket(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::config::PortRange;

    const LOCALS: [&str; 4] = ["10.0.0.5", "10.0.0.6", "127.0.0.1", "2001:db8::5"];

    fn ports(edit: impl FnOnce(&mut TurnConfig)) -> RelayPorts {
        let mut config = TurnConfig::default();
        edit(&mut config);
        RelayPorts::new(&config, &LOCALS.map(|ip| ip.parse().unwrap()))
    }

    fn behind_nat(externals: &[&str]) -> RelayPorts {
        let externals = externals.iter().map(|it| it.parse().unwrap()).collect();
        ports(|config| config.external_addresses = externals)
    }

    /// A server on 127.0.0.1 with these ports.
    fn with_range(first: u16, last: u16) -> RelayPorts {
        ports(|config| config.relay_ports = PortRange(first..=last))
    }

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn loopback(port: u16) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, port).into()
    }

    /// An even port that is free, and the next one is, too.
    fn free_pair() -> u16 {
        loop {
            let socket = UdpSocket::bind(loopback(0)).unwrap();
            let port = socket.local_addr().unwrap().port();
            if port.is_multiple_of(2) && UdpSocket::bind(loopback(port + 1)).is_ok() {
                return port;
            }
        }
    }

    fn udp_ports(opened: Opened<UdpSocket>) -> Vec<Result<u16, OpenError>> {
        let port = |socket: UdpSocket| socket.local_addr().unwrap().port();
        opened.sockets.into_iter().map(|socket| socket.map(port)).collect()
    }

    #[test]
    fn without_nat_every_address_is_what_it_is() {
        let ports = behind_nat(&[]);
        for address in ["10.0.0.5:50000", "127.0.0.1:50000", "[2001:db8::5]:50000", "1.2.3.4:50000"]
        {
            let address = at(address);
            assert_eq!(ports.advertise(address), address);
            assert_eq!(ports.inward(at("10.0.0.5:50001"), address), address);
            assert_eq!(ports.outward(address), address);
        }
    }

    #[test]
    fn one_public_address_stands_for_all_of_its_family() {
        let ports = behind_nat(&["203.0.113.5"]);
        assert_eq!(ports.advertise(at("10.0.0.5:50000")), at("203.0.113.5:50000"));
        assert_eq!(ports.advertise(at("10.0.0.6:50000")), at("203.0.113.5:50000"));
        assert_eq!(ports.advertise(at("[2001:db8::5]:50000")), at("[2001:db8::5]:50000"));
        assert_eq!(ports.advertise(at("127.0.0.1:50000")), at("127.0.0.1:50000"));
    }

    #[test]
    fn a_named_address_goes_before_the_general_one() {
        let ports = behind_nat(&["203.0.113.5", "203.0.113.6/10.0.0.6", "2001:db8:1::5"]);
        assert_eq!(ports.advertise(at("10.0.0.5:50000")), at("203.0.113.5:50000"));
        assert_eq!(ports.advertise(at("10.0.0.6:50000")), at("203.0.113.6:50000"));
        assert_eq!(ports.advertise(at("[2001:db8::5]:50000")), at("[2001:db8:1::5]:50000"));
    }

    #[test]
    fn relays_of_ours_are_reached_inside_and_others_where_they_are() {
        let ports = behind_nat(&["203.0.113.5/10.0.0.5", "203.0.113.6/10.0.0.6"]);
        let from = at("10.0.0.5:50000");
        for (peer, to) in [
            ("203.0.113.5:50001", "10.0.0.5:50001"),
            ("203.0.113.6:50001", "10.0.0.6:50001"),
            ("203.0.113.7:50001", "203.0.113.7:50001"),
            // Not a relayed address: other machines may be behind the same public one.
            ("203.0.113.5:4000", "203.0.113.5:4000"),
        ] {
            assert_eq!(ports.inward(from, at(peer)), at(to), "{peer}");
        }
        let general = behind_nat(&["203.0.113.5"]);
        assert_eq!(general.inward(from, at("203.0.113.5:50001")), at("10.0.0.5:50001"));
        assert_eq!(general.inward(from, at("198.51.100.7:50001")), at("198.51.100.7:50001"));
    }

    #[test]
    fn relays_of_ours_are_told_by_their_public_name() {
        for external in ["203.0.113.5", "203.0.113.5/10.0.0.5"] {
            let ports = behind_nat(&[external]);
            assert_eq!(ports.outward(at("10.0.0.5:50000")), at("203.0.113.5:50000"));
            assert_eq!(ports.outward(at("10.0.0.5:4000")), at("10.0.0.5:4000"));
        }
    }

    /// It was taken for a relay of ours whenever its port was in the range of relays.
    #[test]
    fn a_peer_elsewhere_keeps_its_address() {
        let ports = behind_nat(&["203.0.113.5"]);
        for peer in ["198.51.100.7:50000", "192.168.1.7:65535"] {
            assert_eq!(ports.outward(at(peer)), at(peer));
        }
    }

    #[test]
    fn the_advertised_addresses_are_those_that_relays_can_have() {
        let reached = |texts: &[&str]| -> Vec<IpAddr> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        let advertised = |ports: &RelayPorts, texts: &[&str]| {
            let mut all = ports.advertised(reached(texts).into_iter());
            // The machine's own default routes are no business of the test.
            all.retain(|ip| !ports.defaults.contains(ip));
            all.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let plain = behind_nat(&[]);
        assert_eq!(advertised(&plain, &["10.0.0.5", "2001:db8::5"]), ["10.0.0.5", "2001:db8::5"]);
        assert_eq!(advertised(&plain, &["127.0.0.1"]), ["127.0.0.1", "::1"]);
        let external = behind_nat(&["203.0.113.5"]);
        assert_eq!(advertised(&external, &["10.0.0.5", "10.0.0.6"]), ["203.0.113.5"]);
        assert_eq!(advertised(&external, &["::1"]), ["127.0.0.1", "::1"]);
        let chosen = ports(|config| {
            config.relay_addresses = reached(&["10.0.0.6"]);
            config.external_addresses = vec!["203.0.113.6/10.0.0.6".parse().unwrap()];
        });
        assert_eq!(advertised(&chosen, &["10.0.0.5"]), ["203.0.113.6"]);
    }

    #[test]
    fn relays_are_where_the_client_reached_us_unless_chosen() {
        let local = |ports: &RelayPorts, server: &str, family| {
            ports.local(server.parse().unwrap(), family).map(|ip| ip.to_string())
        };
        let some = |text: &str| Some(text.to_owned());
        let plain = ports(|_| {});
        assert_eq!(local(&plain, "10.0.0.6", Family::V4), some("10.0.0.6"));
        assert_eq!(local(&plain, "2001:db8::5", Family::V6), some("2001:db8::5"));
        assert_eq!(local(&plain, "::1", Family::V4), some("127.0.0.1"));
        assert_eq!(local(&plain, "127.0.0.1", Family::V6), some("::1"));
        let chosen = ports(|config| {
            config.relay_addresses = vec!["10.0.0.5".parse().unwrap(), "10.0.0.6".parse().unwrap()];
        });
        assert_eq!(local(&chosen, "10.0.0.6", Family::V4), some("10.0.0.6"));
        assert_eq!(local(&chosen, "10.0.0.7", Family::V4), some("10.0.0.5"));
        assert_eq!(local(&chosen, "2001:db8::5", Family::V6), None);
    }

    #[test]
    fn ports_are_those_of_the_range_until_none_is_free() {
        let first = free_pair();
        let ports = with_range(first, first + 1);
        let open = || ports.open_udp(loopback(0), &[Family::V4], Port::Any);
        let (one, other) = (open(), open());
        assert_eq!(udp_ports(open()), [Err(OpenError::Capacity)]);
        let mut both = [udp_ports(one), udp_ports(other)].concat();
        both.sort_unstable_by_key(|port| port.unwrap());
        assert_eq!(both, [Ok(first), Ok(first + 1)]);
        assert!(udp_ports(open())[0].is_ok(), "what is closed is free again");
    }

    /// Two clients once listened on one address, and each got a part of the other's connections.
    #[test]
    fn a_tcp_port_belongs_to_one_allocation() {
        let port = free_pair();
        let ports = with_range(port, port);
        let open = || ports.open_tcp(loopback(0), &[Family::V4]).sockets.remove(0);
        let listener = open().unwrap();
        assert_eq!(open().unwrap_err(), OpenError::Capacity);
        // Connections start from it nevertheless.
        assert!(tcp_beside_listener(listener.local_addr().unwrap()).is_ok());
        drop(listener);
        assert!(open().is_ok());
    }

    #[test]
    fn an_even_port_is_even() {
        let first = free_pair();
        for (ports, expected) in [
            (with_range(first, first + 1), Ok(first)),
            (with_range(first + 1, first + 1), Err(OpenError::Capacity)),
            // There is no even port after the last one, and arithmetic once began again at 0.
            (with_range(65535, 65535), Err(OpenError::Capacity)),
        ] {
            for reserve in [false, true] {
                let opened = ports.open_udp(loopback(0), &[Family::V4], Port::Even { reserve });
                assert_eq!(opened.token.is_some(), reserve && expected.is_ok());
                assert_eq!(udp_ports(opened), [expected]);
                ports.forget_expired(clock::now() + RESERVATION);
            }
        }
    }

    #[test]
    fn a_pair_does_not_leave_the_range() {
        let first = free_pair();
        let ports = with_range(first, first);
        let opened = ports.open_udp(loopback(0), &[Family::V4], Port::Even { reserve: true });
        assert_eq!((opened.token, udp_ports(opened)), (None, vec![Err(OpenError::Capacity)]));
    }

    #[test]
    fn the_next_port_is_for_the_one_with_the_token_and_only_once() {
        let first = free_pair();
        let ports = with_range(first, first + 1);
        let even = ports.open_udp(loopback(0), &[Family::V4], Port::Even { reserve: true });
        let token = even.token.unwrap();
        let reserved = |token| {
            udp_ports(ports.open_udp(loopback(0), &[Family::V4], Port::Reserved(token))).remove(0)
        };
        assert_eq!(reserved(token ^ 1), Err(OpenError::Capacity));
        assert_eq!(reserved(token), Ok(first + 1));
        assert_eq!(reserved(token), Err(OpenError::Capacity));
    }

    #[test]
    fn a_port_that_nobody_comes_for_is_free_again() {
        let first = free_pair();
        let ports = with_range(first, first + 1);
        let even = ports.open_udp(loopback(0), &[Family::V4], Port::Even { reserve: true });
        let begin = clock::now();
        ports.forget_expired(begin + RESERVATION / 2);
        assert_eq!(ports.lock().len(), 1);
        ports.forget_expired(begin + RESERVATION);
        assert!(ports.lock().is_empty());
        let late = Port::Reserved(even.token.unwrap());
        let late = ports.open_udp(loopback(0), &[Family::V4], late);
        assert_eq!(udp_ports(late), [Err(OpenError::Capacity)]);
        let next = ports.open_udp(loopback(0), &[Family::V4], Port::Any);
        assert_eq!(udp_ports(next), [Ok(first + 1)]);
    }
}
