//! The addresses that members are told, and the sockets behind them.

use std::net::{IpAddr, SocketAddr};

use peerway_media::{LocalAddress, Transport};

use crate::config::ExternalAddress;
use crate::udp::listen::{advertise, default_route};

/// See the module documentation.
#[derive(Debug)]
pub(super) struct Addresses {
    /// What members are told: candidates.
    candidates: Vec<LocalAddress>,
    /// The candidate of each UDP socket.
    udp: Vec<SocketAddr>,
    /// Where a socket stands for a candidate that others stand for too.
    preferred: Vec<bool>,
    ambiguous: bool,
    externals: Vec<ExternalAddress>,
}

/// The machine's addresses that other machines may reach; loopback if there is nothing else. Those
/// of one link alone are of use to nobody.
pub(super) fn usable(mut locals: Vec<IpAddr>) -> Vec<IpAddr> {
    locals.retain(|ip| !matches!(ip, IpAddr::V4(ip) if ip.is_link_local()));
    let (loopback, others): (Vec<_>, Vec<_>) = locals.into_iter().partition(IpAddr::is_loopback);
    if others.is_empty() { loopback } else { others }
}

impl Addresses {
    /// From where the sockets are bound.
    pub(super) fn new(
        udp: &[SocketAddr],
        tcp: &[SocketAddr],
        externals: &[ExternalAddress],
    ) -> Self {
        let defaults = [false, true].map(default_route);
        let told = |own: &SocketAddr| advertise(externals, *own);
        let mut candidates: Vec<LocalAddress> = Vec::new();
        for (transport, addresses) in [(Transport::Udp, udp), (Transport::Tcp, tcp)] {
            for address in addresses.iter().map(told) {
                let candidate = LocalAddress { transport, address };
                if !candidates.contains(&candidate) {
                    candidates.push(candidate);
                }
            }
        }
        let of_udp = candidates.iter().filter(|it| it.transport == Transport::Udp).count();
        Self {
            candidates,
            ambiguous: of_udp < udp.len(),
            udp: udp.iter().map(told).collect(),
            preferred: udp.iter().map(|it| defaults.contains(&Some(it.ip()))).collect(),
            externals: externals.to_vec(),
        }
    }

    /// What members are told.
    pub(super) fn candidates(&self) -> &[LocalAddress] {
        &self.candidates
    }

    /// The candidate that a datagram came to.
    pub(super) fn candidate(&self, socket: usize) -> Option<SocketAddr> {
        self.udp.get(socket).copied()
    }

    /// The same of a TCP connection, by its own end.
    pub(super) fn of_stream(&self, own: SocketAddr) -> SocketAddr {
        advertise(&self.externals, own)
    }

    /// Whether several sockets stand for one candidate.
    pub(super) fn is_ambiguous(&self) -> bool {
        self.ambiguous
    }

    /// The socket to send from: of those that stand for one public address the one on the way to the
    /// internet, because that is where the address translation is.
    pub(super) fn socket(&self, candidate: SocketAddr) -> Option<usize> {
        let fitting = || (0..self.udp.len()).filter(|index| self.udp[*index] == candidate);
        fitting().find(|index| self.preferred[*index]).or_else(|| fitting().next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn loopback_is_told_only_where_nothing_else_is() {
        let ips = |texts: &[&str]| -> Vec<IpAddr> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        let all = ips(&["127.0.0.1", "::1", "10.0.0.5", "169.254.7.7"]);
        assert_eq!(usable(all), ips(&["10.0.0.5"]));
        assert_eq!(usable(ips(&["127.0.0.1", "::1"])), ips(&["127.0.0.1", "::1"]));
    }

    #[test]
    fn a_candidate_finds_its_socket() {
        let own = at(&["10.0.0.5:9001", "[2001:db8::5]:9001"]);
        let addresses = Addresses::new(&own, &own[..1], &[]);
        assert_eq!(addresses.candidates().len(), 3);
        for (index, address) in own.iter().enumerate() {
            assert_eq!(addresses.candidate(index), Some(*address));
            assert_eq!(addresses.socket(*address), Some(index));
        }
        assert_eq!(addresses.socket("10.0.0.6:9001".parse().unwrap()), None);
    }

    #[test]
    fn a_public_address_is_told_once() {
        let own = at(&["10.0.0.5:9001", "10.0.0.6:9001"]);
        let public = "203.0.113.5:9001".parse().unwrap();
        let addresses = Addresses::new(&own, &[], &["203.0.113.5".parse().unwrap()]);
        let candidate = LocalAddress { transport: Transport::Udp, address: public };
        assert_eq!(addresses.candidates(), [candidate]);
        assert_eq!([0, 1].map(|it| addresses.candidate(it)), [Some(public); 2]);
        assert!(addresses.socket(public).is_some());
        assert_eq!(addresses.of_stream(own[0]), public);
    }
}
