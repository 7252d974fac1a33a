//! Whom clients may reach through the relay. Without it a TURN server is a door into the network it
//! stands in: the operator's databases, cloud metadata, the server itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use thiserror::Error;

/// Why a peer may not be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PeerRefusal {
    /// Listed in `deny_peers`.
    #[error("the address is denied")]
    Denied,
    /// Not an address of the public internet.
    #[error("not a public address")]
    Special,
    /// An address of the server itself, and not one that it relays from.
    #[error("an address of the server itself")]
    Own,
    /// Not an address at all.
    #[error("port 0 or no address")]
    Invalid,
}

/// Which ports of a permitted address may be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ports {
    /// Any; no need to ask again for each packet.
    Any,
    /// It depends: ask [`PeerPolicy::judge`].
    Some,
}

/// Decides for each address. Everything that is not public is refused unless allowed.
#[derive(Debug, Clone)]
pub struct PeerPolicy {
    /// Reachable although not public.
    pub allow: Vec<IpNet>,
    /// Not reachable, whatever else is said.
    pub deny: Vec<IpNet>,
    /// Addresses of the machine.
    pub own: Vec<IpAddr>,
    /// Addresses, as the world sees them, that the program relays from: relays may reach each other.
    pub relays: Vec<IpAddr>,
    /// What the program itself listens on: never reachable.
    pub listeners: Vec<SocketAddr>,
}

impl PeerPolicy {
    /// A policy with nothing of its own to protect but what is not public.
    pub fn public_only() -> Self {
        Self {
            allow: Vec::new(),
            deny: Vec::new(),
            own: Vec::new(),
            relays: Vec::new(),
            listeners: Vec::new(),
        }
    }

    /// Whether any port of an address may be reached.
    pub(crate) fn judge_address(&self, address: IpAddr) -> Result<Ports, PeerRefusal> {
        let address = address.to_canonical();
        if contains(&self.deny, address) {
            return Err(PeerRefusal::Denied);
        }
        let relays = self.relays.contains(&address);
        let own = relays || self.own.contains(&address);
        if contains(&self.allow, address) || relays {
            return Ok(if own { Ports::Some } else { Ports::Any });
        }
        if own {
            return Err(PeerRefusal::Own);
        }
        if is_special(address) { Err(PeerRefusal::Special) } else { Ok(Ports::Any) }
    }

    /// Whether datagrams may go to a peer. `is_relay` knows the relayed addresses that are open.
    pub fn judge(
        &self,
        peer: SocketAddr,
        is_relay: impl FnOnce(SocketAddr) -> bool,
    ) -> Result<(), PeerRefusal> {
        let address = peer.ip().to_canonical();
        if peer.port() == 0 {
            return Err(PeerRefusal::Invalid);
        }
        if self.judge_address(address)? == Ports::Any {
            return Ok(());
        }
        let listens = |listener: &SocketAddr| {
            listener.port() == peer.port()
                && (listener.ip().is_unspecified() || listener.ip().to_canonical() == address)
        };
        if self.listeners.iter().any(listens) {
            return Err(PeerRefusal::Own);
        }
        let peer = SocketAddr::new(address, peer.port());
        if contains(&self.allow, address) || is_relay(peer) {
            return Ok(());
        }
        Err(PeerRefusal::Own)
    }

    /// Whether a TCP connection (RFC 6062) may be made to a peer: never to the machine itself unless
    /// allowed.
    pub fn judge_stream(&self, peer: SocketAddr) -> Result<(), PeerRefusal> {
        self.judge(peer, |_| false)
    }
}

fn contains(nets: &[IpNet], address: IpAddr) -> bool {
    nets.iter().any(|net| net.contains(&address))
}

/// Whether an address is anything else than one host of the public internet. IPv6 forms that carry
/// an IPv4 address are judged by it.
fn is_special(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_special_v4(address),
        IpAddr::V6(address) => match embedded_v4(address) {
            Some(embedded) => is_special_v4(embedded),
            None => SPECIAL_V6.iter().any(|net| net.contains(&address)),
        },
    }
}

fn is_special_v4(address: Ipv4Addr) -> bool {
    SPECIAL_V4.iter().any(|net| net.contains(&address))
}

/// The IPv4 address inside NAT64 (RFC 6052), 6to4 (RFC 3056), IPv4-mapped and IPv4-compatible
/// addresses (RFC 4291 section 2.5.5).
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |at: usize| {
        let octets = address.octets();
        Ipv4Addr::from(std::array::from_fn(|index| octets[at + index]))
    };
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0, 0, 0, 0, 0, 0 | 0xffff, ..] => Some(v4(12)),
        [0x2002, ..] => Some(v4(2)),
        _ => None,
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(a: u16, b: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), prefix)
}

/// IANA's special-purpose registry (RFC 6890) without what is globally reachable.
const SPECIAL_V4: [Ipv4Net; 15] = [
    v4(0, 0, 0, 0, 8),       // this network, unspecified
    v4(10, 0, 0, 0, 8),      // private
    v4(100, 64, 0, 0, 10),   // behind a carrier's NAT
    v4(127, 0, 0, 0, 8),     // loopback
    v4(169, 254, 0, 0, 16),  // link-local, cloud metadata
    v4(172, 16, 0, 0, 12),   // private
    v4(192, 0, 0, 0, 24),    // protocol assignments
    v4(192, 0, 2, 0, 24),    // documentation
    v4(192, 88, 99, 0, 24),  // 6to4 relays
    v4(192, 168, 0, 0, 16),  // private
    v4(198, 18, 0, 0, 15),   // benchmarks
    v4(198, 51, 100, 0, 24), // documentation
    v4(203, 0, 113, 0, 24),  // documentation
    v4(224, 0, 0, 0, 4),     // multicast
    v4(240, 0, 0, 0, 4),     // reserved, broadcast
];

const SPECIAL_V6: [Ipv6Net; 9] = [
    v6(0x0064, 0xff9b, 32), // local NAT64; the well-known prefix is judged by its IPv4 address
    v6(0x0100, 0, 64),      // discard
    v6(0x2001, 0, 23),      // protocol assignments, Teredo
    v6(0x2001, 0x0db8, 32), // documentation
    v6(0x3fff, 0, 20),      // documentation
    v6(0x5f00, 0, 16),      // segment routing
    v6(0xfc00, 0, 7),       // private
    v6(0xfe80, 0, 9),       // link-local, site-local
    v6(0xff00, 0, 8),       // multicast
];

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(policy: &PeerPolicy, peer: &str) -> Result<(), PeerRefusal> {
        policy.judge(peer.parse().unwrap(), |peer| peer.port() == 49152)
    }

    fn policy() -> PeerPolicy {
        PeerPolicy::public_only()
    }

    #[test]
    fn nothing_but_the_public_internet_is_reachable() {
        for peer in [
            "127.0.0.1:80",
            "127.255.255.254:80",
            "0.0.0.0:80",
            "0.1.2.3:80",
            "10.0.0.1:80",
            "100.64.0.1:80",
            "169.254.169.254:80",
            "172.16.0.1:80",
            "172.31.255.255:80",
            "192.168.1.1:80",
            "192.0.0.8:80",
            "198.18.0.1:80",
            "224.0.0.1:80",
            "239.1.1.1:80",
            "240.0.0.1:80",
            "255.255.255.255:80",
            "[::]:80",
            "[::1]:80",
            "[fe80::1]:80",
            "[febf::1]:80",
            "[fec0::1]:80",
            "[fc00::1]:80",
            "[fd12:3456::1]:80",
            "[ff02::1]:80",
            "[2001:db8::1]:80",
            "[2001::1]:80",
            "[100::1]:80",
            "[::ffff:127.0.0.1]:80",
            "[::ffff:10.0.0.1]:80",
            "[::ffff:169.254.169.254]:80",
            "[::127.0.0.1]:80",
            "[64:ff9b::7f00:1]:80",
            "[64:ff9b::a00:1]:80",
            "[64:ff9b:1::a00:1]:80",
            "[2002:7f00:1::1]:80",
            "[2002:a00:1::]:80",
        ] {
            assert_eq!(judge(&policy(), peer), Err(PeerRefusal::Special), "{peer}");
        }
    }

    #[test]
    fn the_public_internet_is_reachable() {
        for peer in [
            "1.1.1.1:53",
            "100.63.0.1:80",
            "172.32.0.1:80",
            "192.169.0.1:80",
            "223.255.255.1:80",
            "[2606:4700::1111]:80",
            "[2a00:1450::1]:80",
            "[::ffff:1.1.1.1]:80",
            "[64:ff9b::101:101]:80",
            "[2002:101:101::1]:80",
        ] {
            assert_eq!(judge(&policy(), peer), Ok(()), "{peer}");
        }
        assert_eq!(judge(&policy(), "1.1.1.1:0"), Err(PeerRefusal::Invalid));
    }

    #[test]
    fn lists_decide_first_and_denying_wins() {
        let policy = PeerPolicy {
            allow: vec!["10.1.0.0/16".parse().unwrap()],
            deny: vec!["10.1.2.0/24".parse().unwrap(), "1.1.1.0/24".parse().unwrap()],
            ..policy()
        };
        assert_eq!(judge(&policy, "10.1.1.1:80"), Ok(()));
        assert_eq!(judge(&policy, "[::ffff:10.1.1.1]:80"), Ok(()));
        assert_eq!(judge(&policy, "10.1.2.1:80"), Err(PeerRefusal::Denied));
        assert_eq!(judge(&policy, "[::ffff:1.1.1.1]:80"), Err(PeerRefusal::Denied));
        assert_eq!(judge(&policy, "10.2.0.1:80"), Err(PeerRefusal::Special));
    }

    #[test]
    fn of_the_server_itself_only_open_relays_are_reachable() {
        let own: IpAddr = "5.6.7.8".parse().unwrap();
        let policy = PeerPolicy {
            own: vec![own, "5.6.7.9".parse().unwrap()],
            relays: vec![own, "127.0.0.1".parse().unwrap()],
            listeners: vec!["0.0.0.0:50000".parse().unwrap()],
            ..policy()
        };
        assert_eq!(judge(&policy, "5.6.7.8:49152"), Ok(()));
        assert_eq!(judge(&policy, "[::ffff:5.6.7.8]:49152"), Ok(()));
        assert_eq!(judge(&policy, "127.0.0.1:49152"), Ok(()));
        for peer in
            ["5.6.7.8:49153", "5.6.7.8:22", "127.0.0.1:53", "5.6.7.8:50000", "5.6.7.9:49152"]
        {
            assert_eq!(judge(&policy, peer), Err(PeerRefusal::Own), "{peer}");
        }
        assert_eq!(policy.judge_stream("5.6.7.8:49152".parse().unwrap()), Err(PeerRefusal::Own));
    }

    #[test]
    fn allowing_the_own_address_does_not_open_the_own_listeners() {
        let own: IpAddr = "127.0.0.1".parse().unwrap();
        let policy = PeerPolicy {
            allow: vec!["127.0.0.0/8".parse().unwrap()],
            own: vec![own],
            relays: vec![own],
            listeners: vec!["127.0.0.1:3478".parse().unwrap(), "[::]:9000".parse().unwrap()],
            ..policy()
        };
        assert_eq!(judge(&policy, "127.0.0.1:80"), Ok(()));
        assert_eq!(judge(&policy, "127.0.0.1:3478"), Err(PeerRefusal::Own));
        assert_eq!(judge(&policy, "127.0.0.1:9000"), Err(PeerRefusal::Own));
        assert_eq!(judge(&policy, "127.0.0.2:3478"), Ok(()), "not an address of ours");
        assert_eq!(policy.judge_stream("127.0.0.1:80".parse().unwrap()), Ok(()));
    }
}
