//! The sockets that clients reach the server on.
//!
//! Each address of the machine gets a socket of its own: an answer must come from the address that
//! was asked, and a client's relay is on it too.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use socket2::{Domain, Protocol, Socket, Type};

use crate::config::{ExternalAddress, ListenAddress};

/// What the kernel holds for us while a thread is busy; it may give less (`net.core.rmem_max`).
const BUFFER: usize = 4 * 1024 * 1024;
const BACKLOG: i32 = 1024;

/// A bound socket and where.
pub(crate) struct Bound<S> {
    pub(crate) address: SocketAddr,
    pub(crate) socket: S,
}

impl<S> std::fmt::Debug for Bound<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.address.fmt(f)
    }
}

/// An address that cannot be listened on.
#[derive(Debug)]
pub(crate) struct Unbound {
    pub(crate) address: SocketAddr,
    pub(crate) cause: io::Error,
}

/// The machine's addresses, but for those that need a scope.
pub(crate) fn local_addresses() -> Vec<IpAddr> {
    let interfaces = match getifaddrs() {
        Ok(interfaces) => interfaces,
        Err(error) => {
            tracing::warn!(%error, "cannot list the machine's addresses");
            return vec![[0, 0, 0, 0].into()];
        }
    };
    let mut addresses: Vec<_> = interfaces
        .filter(|interface| interface.flags.contains(InterfaceFlags::IFF_UP))
        .filter_map(|interface| {
            let address = interface.address?;
            let v4 = address.as_sockaddr_in().map(|it| IpAddr::from(it.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|it| it.ip().into()))
        })
        .filter(|ip| !matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local()))
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

/// One UDP socket of each address for each worker.
pub(crate) fn udp(
    listen: &[ListenAddress],
    locals: &[IpAddr],
    workers: usize,
) -> Result<Vec<Bound<Vec<UdpSocket>>>, Unbound> {
    each(listen, locals, |address| bind_udp(address, workers))
}

/// A TCP socket for each address.
pub(crate) fn tcp(
    listen: &[ListenAddress],
    locals: &[IpAddr],
) -> Result<Vec<Bound<TcpListener>>, Unbound> {
    each(listen, locals, bind_tcp)
}

fn each<S>(
    listen: &[ListenAddress],
    locals: &[IpAddr],
    bind: impl Fn(SocketAddr) -> io::Result<Bound<S>>,
) -> Result<Vec<Bound<S>>, Unbound> {
    let mut sockets = Vec::new();
    for ListenAddress { ip, port } in listen {
        let told = |ip: &IpAddr, cause| Unbound { address: SocketAddr::new(*ip, *port), cause };
        if let Some(ip) = ip {
            sockets.push(bind(SocketAddr::new(*ip, *port)).map_err(|error| told(ip, error))?);
            continue;
        }
        for ip in locals {
            match bind(SocketAddr::new(*ip, *port)) {
                Ok(bound) => sockets.push(bound),
                // An interface that has just come or gone is no reason not to start.
                Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
                    tracing::warn!(%error, %ip, port, "cannot listen here");
                }
                Err(error) => return Err(told(ip, error)),
            }
        }
    }
    Ok(sockets)
}

/// One socket for each worker, among which the kernel deals out clients.
fn bind_udp(address: SocketAddr, workers: usize) -> io::Result<Bound<Vec<UdpSocket>>> {
    // With SO_REUSEPORT a second server of the same user could take a part of our clients, and we
    // of its: so first find out that nobody else is there.
    let first = udp_socket(address, false)?;
    let address = first.local_addr()?;
    if workers == 1 {
        return Ok(Bound { address, socket: vec![first] });
    }
    drop(first);
    let sockets = (0..workers).map(|_| udp_socket(address, true)).collect::<io::Result<_>>()?;
    Ok(Bound { address, socket: sockets })
}

fn udp_socket(address: SocketAddr, shared: bool) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.set_recv_buffer_size(BUFFER)?;
    socket.set_send_buffer_size(BUFFER)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

fn bind_tcp(address: SocketAddr) -> io::Result<Bound<TcpListener>> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let socket: TcpListener = socket.into();
    Ok(Bound { address: socket.local_addr()?, socket })
}

/// One socket of each address for each worker.
pub(crate) fn deal_out(
    listeners: Vec<Bound<Vec<UdpSocket>>>,
    workers: usize,
) -> Vec<Vec<Bound<UdpSocket>>> {
    let mut dealt: Vec<Vec<_>> = (0..workers).map(|_| Vec::new()).collect();
    for Bound { address, socket } in listeners {
        for (worker, socket) in dealt.iter_mut().zip(socket) {
            worker.push(Bound { address, socket });
        }
    }
    dealt
}

/// The address from which the machine reaches the internet. Nothing is sent: connecting a UDP
/// socket only asks the routing table.
pub(crate) fn default_route(v6: bool) -> Option<IpAddr> {
    let (any, somewhere): (IpAddr, IpAddr) = if v6 {
        let documentation = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
        (Ipv6Addr::UNSPECIFIED.into(), documentation.into())
    } else {
        (Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into())
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((somewhere, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// An address of the machine as the world sees it.
pub(crate) fn advertise(externals: &[ExternalAddress], own: SocketAddr) -> SocketAddr {
    if externals.is_empty() || own.ip().is_loopback() {
        return own;
    }
    let named = |it: &&ExternalAddress| it.private == Some(own.ip());
    let general =
        |it: &&ExternalAddress| it.private.is_none() && it.public.is_ipv4() == own.is_ipv4();
    let external = externals.iter().find(named).or_else(|| externals.iter().find(general));
    external.map_or(own, |it| SocketAddr::new(it.public, own.port()))
}
