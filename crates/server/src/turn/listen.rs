//! The sockets that clients reach the server on.
//!
//! Each address of the machine gets a socket of its own: an answer must come from the address that
//! was asked, and a client's relay is on it too.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use socket2::{Domain, Protocol, Socket, Type};

use crate::config::{ListenAddress, TurnConfig};
use crate::server::StartError;

/// What the kernel holds for us while a thread is busy; it may give less (`net.core.rmem_max`).
const BUFFER: usize = 4 * 1024 * 1024;
const BACKLOG: i32 = 1024;

/// A bound socket and where.
pub(super) struct Bound<S> {
    pub(super) address: SocketAddr,
    pub(super) socket: S,
}

pub(super) struct Listeners {
    /// One socket for each worker.
    pub(super) udp: Vec<Bound<Vec<UdpSocket>>>,
    pub(super) tcp: Vec<Bound<TcpListener>>,
    pub(super) tls: Vec<Bound<TcpListener>>,
}

/// The machine's addresses, but for those that need a scope.
pub(super) fn local_addresses() -> Vec<IpAddr> {
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

/// Binds everything that is configured.
pub(super) fn bind(
    config: &TurnConfig,
    with_tls: bool,
    locals: &[IpAddr],
    workers: usize,
) -> Result<Listeners, StartError> {
    let tls = if with_tls { &config.tls[..] } else { &[] };
    Ok(Listeners {
        udp: each(&config.udp, locals, "UDP", |address| udp(address, workers))?,
        tcp: each(&config.tcp, locals, "TCP", tcp)?,
        tls: each(tls, locals, "TLS", tcp)?,
    })
}

fn each<S>(
    listen: &[ListenAddress],
    locals: &[IpAddr],
    transport: &str,
    bind: impl Fn(SocketAddr) -> io::Result<Bound<S>>,
) -> Result<Vec<Bound<S>>, StartError> {
    let mut sockets = Vec::new();
    for ListenAddress { ip, port } in listen {
        let told = |ip: &IpAddr, cause| StartError::Turn {
            transport: transport.to_owned(),
            address: SocketAddr::new(*ip, *port),
            cause,
        };
        if let Some(ip) = ip {
            sockets.push(bind(SocketAddr::new(*ip, *port)).map_err(|error| told(ip, error))?);
            continue;
        }
        for ip in locals {
            match bind(SocketAddr::new(*ip, *port)) {
                Ok(bound) => sockets.push(bound),
                // An interface that has just come or gone is no reason not to start.
                Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
                    tracing::warn!(%error, %ip, port, transport, "TURN cannot listen here");
                }
                Err(error) => return Err(told(ip, error)),
            }
        }
    }
    Ok(sockets)
}

/// One socket for each worker, among which the kernel deals out clients.
fn udp(address: SocketAddr, workers: usize) -> io::Result<Bound<Vec<UdpSocket>>> {
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

fn tcp(address: SocketAddr) -> io::Result<Bound<TcpListener>> {
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
pub(super) fn deal_out(
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
