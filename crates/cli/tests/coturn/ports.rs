//! Ports for servers, relays and peers that no other test uses.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::sync::Mutex;

/// Below the ports that Linux gives to clients, so that no client sits on one.
const FIRST: u16 = 10_000;
const LAST: u16 = 32_000;

/// The first of so many consecutive free ports. It is even, as RTP likes it, and handed out once.
pub(crate) fn block(length: u16) -> u16 {
    static NEXT: Mutex<Option<u16>> = Mutex::new(None);

    let mut next = NEXT.lock().unwrap();
    // Programs that run at the same time begin at different places.
    let place = u16::try_from(std::process::id() % 20).unwrap();
    let mut start = next.unwrap_or(FIRST + 1000 * place);
    for _try in FIRST..LAST {
        if start > LAST - length {
            start = FIRST;
        }
        let Some(taken) = (start..start + length).rev().find(|port| !is_free(*port)) else {
            *next = Some((start + length).next_multiple_of(2));
            return start;
        };
        start = (taken + 1).next_multiple_of(2);
    }
    panic!("no {length} free ports in a row");
}

fn is_free(port: u16) -> bool {
    let (v4, v6) = ((Ipv4Addr::UNSPECIFIED, port), (Ipv6Addr::UNSPECIFIED, port));
    // Each is closed before the next one opens, because those of IPv6 take IPv4 too.
    UdpSocket::bind(v4).is_ok()
        && UdpSocket::bind(v6).is_ok()
        && TcpListener::bind(v4).is_ok()
        && TcpListener::bind(v6).is_ok()
}
