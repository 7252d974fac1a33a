//! Where members and this router are.

use std::net::SocketAddr;

/// What carries datagrams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP, framed by the caller (RFC 4571).
    Tcp,
}

/// Where members reach this router: a candidate of every offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalAddress {
    /// How.
    pub transport: Transport,
    /// Where, as seen by the members.
    pub address: SocketAddr,
}

/// A datagram that arrived.
#[derive(Debug, Clone, Copy)]
pub struct Datagram<'a> {
    /// How.
    pub transport: Transport,
    /// From where.
    pub source: SocketAddr,
    /// The candidate of ours that it came to.
    pub destination: SocketAddr,
    /// What.
    pub data: &'a [u8],
}
