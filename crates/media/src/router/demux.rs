//! Which leg a datagram is for: checks of ICE by the user name in them, the rest by where it comes from.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use super::Transport;

/// Addresses that one leg may come from; a browser tries every pair of networks that it has.
const PATHS: usize = 16;

/// RFC 8489, section 14.
const USERNAME: u16 = 0x0006;
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const BINDING_REQUEST: u16 = 0x0001;

/// Where the other side is.
type Source = (Transport, SocketAddr);

/// Legs, by their places.
#[derive(Debug, Default)]
pub(super) struct Demux {
    users: BTreeMap<String, usize>,
    sources: HashMap<Source, usize>,
    /// What is in `sources`, the oldest first.
    paths: BTreeMap<usize, Vec<Source>>,
}

impl Demux {
    pub(super) fn add(&mut self, user: String, leg: usize) {
        self.users.insert(user, leg);
    }

    pub(super) fn remove(&mut self, user: &str, leg: usize) {
        self.users.remove(user);
        for source in self.paths.remove(&leg).unwrap_or_default() {
            self.sources.remove(&source);
        }
    }

    pub(super) fn by_user(&self, user: &str) -> Option<usize> {
        self.users.get(user).copied()
    }

    pub(super) fn by_source(&self, transport: Transport, source: SocketAddr) -> Option<usize> {
        self.sources.get(&(transport, source)).copied()
    }

    /// A check from there knew the leg's password.
    pub(super) fn learn(&mut self, transport: Transport, source: SocketAddr, leg: usize) {
        let source = (transport, source);
        match self.sources.insert(source, leg) {
            Some(before) if before == leg => return,
            // Another connection of a browser that got its old port again.
            Some(before) => {
                if let Some(paths) = self.paths.get_mut(&before) {
                    paths.retain(|path| *path != source);
                }
            }
            None => {}
        }
        let paths = self.paths.entry(leg).or_default();
        paths.push(source);
        if paths.len() > PATHS {
            let oldest = paths.remove(0);
            self.sources.remove(&oldest);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.users.is_empty() && self.sources.is_empty() && self.paths.is_empty()
    }
}

/// The user name fragment of the side that an ICE check is for, which is ours: what is before the
/// colon (RFC 8445, section 7.2.2). `None`: it is no check.
pub fn ice_user(datagram: &[u8]) -> Option<&str> {
    std::str::from_utf8(ice_attribute(datagram, USERNAME)?).ok()?.split(':').next()
}

/// An attribute of an ICE check. `None`: it has none of this type, or is no check.
pub(crate) fn ice_attribute(datagram: &[u8], wanted: u16) -> Option<&[u8]> {
    let (head, mut attributes) = datagram.split_at_checked(20)?;
    if u16::from_be_bytes([head[0], head[1]]) != BINDING_REQUEST || head[4..8] != MAGIC_COOKIE {
        return None;
    }
    while let Some((&[a, b, c, d], rest)) = attributes.split_first_chunk::<4>() {
        let length = usize::from(u16::from_be_bytes([c, d]));
        let value = rest.get(..length)?;
        if u16::from_be_bytes([a, b]) == wanted {
            return Some(value);
        }
        attributes = rest.get(length.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_check_names_the_one_that_it_is_for() {
        let mut check = vec![0, 1, 0, 16, 0x21, 0x12, 0xa4, 0x42];
        check.extend([7; 12]);
        check.extend([0x80, 0x22, 0, 1, b'x', 0, 0, 0]);
        check.extend([0, 6, 0, 5]);
        check.extend(*b"ab:cd\0\0\0");
        assert_eq!(ice_user(&check), Some("ab"));
        check[1] = 0x11;
        assert_eq!(ice_user(&check), None, "an indication");
    }

    #[test]
    fn a_port_that_another_connection_has_now_is_forgotten_with_that_one() {
        let mut demux = Demux::default();
        let source = "192.0.2.1:1".parse().unwrap();
        demux.add("one".to_owned(), 1);
        demux.add("two".to_owned(), 2);
        demux.learn(Transport::Udp, source, 1);
        demux.learn(Transport::Udp, source, 2);
        demux.remove("one", 1);
        assert_eq!(demux.by_source(Transport::Udp, source), Some(2));
        demux.remove("two", 2);
        assert!(demux.is_empty());
    }

    #[test]
    fn a_leg_cannot_fill_the_table() {
        let mut demux = Demux::default();
        for port in 1..1000 {
            demux.learn(Transport::Udp, SocketAddr::from(([192, 0, 2, 1], port)), 1);
        }
        assert_eq!(demux.sources.len(), PATHS);
    }

    proptest! {
        #[test]
        fn what_is_no_check_does_no_harm(
            mut bytes in prop::collection::vec(any::<u8>(), 0..100),
            like in any::<bool>(),
        ) {
            if like && bytes.len() > 8 {
                bytes[..2].copy_from_slice(&[0, 1]);
                bytes[4..8].copy_from_slice(&MAGIC_COOKIE);
            }
            ice_user(&bytes);
        }
    }
}
