//! The sockets of one connection: host interfaces, STUN, TURN over UDP, TCP and TLS, and mDNS names.

mod failure;
mod gather;
mod ice_server;
mod inbox;
mod interfaces;
mod mdns;
mod network;
mod outbox;
mod relay;
mod stream;
mod stun;
mod tcp;
#[cfg(test)]
mod tests;
mod turn;
mod udp;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use thiserror::Error;

pub(crate) use ice_server::RelayProtocol;
pub use ice_server::{IceServer, IceTransportPolicy};
pub(crate) use network::Network;

/// What a network is made of.
#[derive(Debug, Clone)]
pub(crate) struct NetworkOptions {
    pub(crate) ice_servers: Vec<IceServer>,
    pub(crate) policy: IceTransportPolicy,
    /// Use loopback addresses too. They are also used when this machine has no others.
    pub(crate) loopback: bool,
    /// Ask the local network for `.local` names.
    pub(crate) mdns: bool,
    /// For `turns:` servers.
    pub(crate) tls: Arc<rustls::ClientConfig>,
}

/// A way in which this side can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LocalCandidate {
    /// A socket of this machine.
    Host { addr: SocketAddr },
    /// What a STUN server sees of the socket `base`.
    ServerReflexive { addr: SocketAddr, base: SocketAddr },
    /// A TCP connection of this machine to the other side.
    Tcp { addr: SocketAddr },
    /// An address of a TURN server, reached from the socket `local`.
    Relayed { addr: SocketAddr, local: SocketAddr, protocol: RelayProtocol },
}

/// What happens at the sockets.
#[derive(Debug)]
pub(crate) enum NetworkEvent {
    /// Datagrams came: see [`Network::batch`].
    Received,
    Candidate(LocalCandidate),
    /// All servers have answered or failed.
    GatheringDone,
    /// An ICE server gives no candidate. The others go on.
    ServerFailed {
        url: String,
        reason: String,
    },
    /// What [`Network::resolve`] was asked for; no addresses when nobody answers to the name.
    Resolved {
        name: String,
        addrs: Vec<IpAddr>,
    },
    /// This machine has other addresses than before: see [`Network::restart`].
    InterfacesChanged,
}

/// One datagram of a peer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Datagram<'a> {
    pub(crate) source: SocketAddr,
    /// The host address or the relayed address that it came to.
    pub(crate) destination: SocketAddr,
    pub(crate) data: &'a [u8],
}

/// Why there are no sockets.
#[derive(Debug, Error)]
pub(crate) enum NetworkError {
    #[error("the network interfaces of this machine cannot be listed: {0}")]
    Interfaces(std::io::Error),
    #[error("no UDP socket can be opened: {0}")]
    Bind(std::io::Error),
}
