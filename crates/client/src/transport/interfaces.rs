//! The addresses of this machine that other peers may reach.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Sockets for more addresses than this help nobody: every one is tried with every remote one.
const MOST: usize = 32;
/// How long a list is good for all connections of this process.
const FRESH: Duration = Duration::from_secs(2);

/// The usable addresses, as they are now.
pub(super) fn list(loopback: bool) -> io::Result<Vec<IpAddr>> {
    let interfaces = if_addrs::get_if_addrs()?;
    Ok(usable(interfaces.iter().map(if_addrs::Interface::ip), loopback))
}

/// The same, but two seconds old at most: thousands of connections ask the system once.
pub(super) fn recent(loopback: bool, now: Instant) -> io::Result<Vec<IpAddr>> {
    static KNOWN: Mutex<Option<(Instant, Arc<[IpAddr]>)>> = Mutex::new(None);

    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let all = match &*known {
        Some((when, all)) if now.saturating_duration_since(*when) < FRESH => all.clone(),
        _ => {
            let all: Arc<[IpAddr]> =
                if_addrs::get_if_addrs()?.iter().map(if_addrs::Interface::ip).collect();
            *known = Some((now, all.clone()));
            all
        }
    };
    drop(known);
    Ok(usable(all.iter().copied(), loopback))
}

/// Sorted, so that lists can be compared.
fn usable(all: impl IntoIterator<Item = IpAddr>, loopback: bool) -> Vec<IpAddr> {
    let (mut local, mut others) = (Vec::new(), Vec::new());
    for ip in all {
        if ip.is_loopback() {
            local.push(ip);
        } else if !ip.is_unspecified() && !ip.is_multicast() && !is_link_local_v6(ip) {
            others.push(ip);
        }
    }
    if loopback || others.is_empty() {
        others.append(&mut local);
    }
    others.sort_unstable();
    others.dedup();
    others.truncate(MOST);
    others
}

/// They mean nothing without the name of the interface, which a candidate does not carry.
fn is_link_local_v6(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(all: &[&str], loopback: bool) -> Vec<String> {
        let all = all.iter().map(|ip| ip.parse().unwrap());
        usable(all, loopback).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn link_local_ipv6_and_loopback_are_left_out() {
        let all = ["127.0.0.1", "::1", "192.0.2.2", "fe80::1", "2001:db8::2", "192.0.2.2"];
        assert_eq!(list(&all, false), ["192.0.2.2", "2001:db8::2"]);
        assert_eq!(list(&all, true), ["127.0.0.1", "192.0.2.2", "::1", "2001:db8::2"]);
    }

    #[test]
    fn a_machine_that_is_alone_talks_to_itself() {
        assert_eq!(list(&["127.0.0.1", "::1", "fe80::1"], false), ["127.0.0.1", "::1"]);
    }

    #[test]
    fn a_thousand_addresses_are_not_a_thousand_sockets() {
        let all =
            (0..1000_u32).map(|n| IpAddr::from(std::net::Ipv4Addr::from_bits(0x0a00_0001 + n)));
        assert_eq!(usable(all, false).len(), MOST);
    }
}
