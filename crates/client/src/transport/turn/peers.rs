//! Whom an allocation may talk to: permissions per address, channels per socket
//! (RFC 8656 sections 9 and 12).

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::request::Purpose;

/// A permission lasts five minutes.
const PERMISSION_REFRESH: Duration = Duration::from_mins(4);
/// A channel lasts ten minutes.
const CHANNEL_REFRESH: Duration = Duration::from_mins(9);
/// A remote peer that names more candidates than this is not after a connection.
const MOST: usize = 64;
const FIRST_CHANNEL: u16 = 0x4000;

/// See the module documentation.
#[derive(Debug, Default)]
pub(super) struct Peers {
    permissions: Vec<Permission>,
    /// Those that were heard from; the channel of a place is fixed, since a channel must not change
    /// its peer.
    heard: Vec<Heard>,
}

#[derive(Debug)]
struct Permission {
    ip: IpAddr,
    state: State,
    /// Since it was granted.
    used: bool,
}

#[derive(Debug)]
struct Heard {
    peer: SocketAddr,
    channel: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not asked for.
    No,
    Wanted,
    Asked,
    /// Until it is refreshed.
    Granted(Instant),
    /// Refreshing: good meanwhile.
    Again,
    Refused,
}

impl State {
    fn is_due(self, now: Instant) -> bool {
        match self {
            Self::Wanted => true,
            Self::Granted(until) => until <= now,
            Self::No | Self::Asked | Self::Again | Self::Refused => false,
        }
    }

    fn asked(self) -> Self {
        if matches!(self, Self::Granted(_)) { Self::Again } else { Self::Asked }
    }
}

impl Peers {
    pub(super) fn permit(&mut self, ip: IpAddr) {
        if self.permissions.iter().any(|known| known.ip == ip) {
            return;
        }
        if self.permissions.len() == MOST {
            tracing::debug!(%ip, "too many remote candidates for the relay");
            return;
        }
        self.permissions.push(Permission { ip, state: State::Wanted, used: false });
    }

    /// Whether data may go to this address, as far as we know. Wants a permission that had lapsed.
    pub(super) fn may_send(&mut self, ip: IpAddr) -> bool {
        let Some(permission) = self.permissions.iter_mut().find(|known| known.ip == ip) else {
            return false;
        };
        permission.used = true;
        if permission.state == State::No {
            permission.state = State::Wanted;
        }
        // Requests overtake nothing: a server sees the request before the data.
        !matches!(permission.state, State::Wanted | State::Refused)
    }

    /// Data came from a peer: it is worth a channel.
    pub(super) fn hear(&mut self, peer: SocketAddr) {
        if self.heard.len() < MOST && !self.heard.iter().any(|known| known.peer == peer) {
            self.heard.push(Heard { peer, channel: State::No });
        }
    }

    /// The channel to a peer, if there is one; if there should be one, it is wanted now.
    pub(super) fn channel_to(&mut self, peer: SocketAddr) -> Option<u16> {
        let index = self.heard.iter().position(|known| known.peer == peer)?;
        let heard = &mut self.heard[index];
        match heard.channel {
            State::Granted(_) | State::Again => return Some(number(index)),
            State::No => heard.channel = State::Wanted,
            State::Wanted | State::Asked | State::Refused => {}
        }
        None
    }

    /// Whose channel this is. A server may use a channel before we have read its answer.
    pub(super) fn peer_of(&self, channel: u16) -> Option<SocketAddr> {
        let heard = self.heard.get(usize::from(channel.checked_sub(FIRST_CHANNEL)?))?;
        (!matches!(heard.channel, State::No | State::Wanted)).then_some(heard.peer)
    }

    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        let due = |state: State| match state {
            State::Wanted => Some(now),
            State::Granted(until) => Some(until),
            State::No | State::Asked | State::Again | State::Refused => None,
        };
        let permissions = self.permissions.iter().filter_map(|it| due(it.state));
        permissions.chain(self.heard.iter().filter_map(|it| due(it.channel))).min()
    }

    /// What is to be asked for now.
    pub(super) fn next_request(&mut self, now: Instant) -> Option<Purpose> {
        for permission in &mut self.permissions {
            if !permission.state.is_due(now) {
                continue;
            }
            if matches!(permission.state, State::Granted(_)) && !permission.used {
                // Nobody talks to it: it may lapse.
                permission.state = State::No;
                continue;
            }
            permission.state = permission.state.asked();
            permission.used = false;
            return Some(Purpose::Permit(permission.ip));
        }
        let due = |heard: &Heard| heard.channel.is_due(now);
        let index = self.heard.iter().position(due)?;
        let heard = &mut self.heard[index];
        heard.channel = heard.channel.asked();
        Some(Purpose::Bind { peer: heard.peer, channel: number(index) })
    }

    pub(super) fn granted(&mut self, purpose: Purpose, now: Instant) {
        match purpose {
            Purpose::Permit(ip) => {
                self.set_permission(ip, State::Granted(now + PERMISSION_REFRESH));
            }
            Purpose::Bind { peer, .. } => {
                self.set_channel(peer, State::Granted(now + CHANNEL_REFRESH));
            }
            Purpose::Allocate(_) | Purpose::Refresh(_) => {}
        }
    }

    pub(super) fn refused(&mut self, purpose: Purpose) {
        match purpose {
            Purpose::Permit(ip) => self.set_permission(ip, State::Refused),
            Purpose::Bind { peer, .. } => self.set_channel(peer, State::Refused),
            Purpose::Allocate(_) | Purpose::Refresh(_) => {}
        }
    }

    fn set_permission(&mut self, ip: IpAddr, state: State) {
        if let Some(permission) = self.permissions.iter_mut().find(|known| known.ip == ip) {
            permission.state = state;
        }
    }

    fn set_channel(&mut self, peer: SocketAddr, state: State) {
        if let Some(heard) = self.heard.iter_mut().find(|known| known.peer == peer) {
            heard.channel = state;
        }
    }
}

fn number(index: usize) -> u16 {
    let index = u16::try_from(index).expect("there are few channels");
    FIRST_CHANNEL + index
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::start;
    use super::*;

    fn peer() -> SocketAddr {
        "192.0.2.7:9".parse().unwrap()
    }

    #[test]
    fn a_permission_is_asked_for_once_and_refreshed_while_it_is_used() {
        let (now, mut peers) = (start(), Peers::default());
        peers.permit(peer().ip());
        peers.permit(peer().ip());

        let purpose = Purpose::Permit(peer().ip());
        assert_eq!(peers.next_request(now), Some(purpose));
        assert_eq!(peers.next_request(now), None);
        peers.granted(purpose, now);
        assert!(peers.may_send(peer().ip()));

        let later = peers.deadline(now).unwrap();
        assert_eq!(later - now, PERMISSION_REFRESH);
        assert_eq!(peers.next_request(later), Some(purpose));
        assert!(peers.may_send(peer().ip()));
    }

    #[test]
    fn an_unused_permission_lapses_and_comes_back_with_the_next_use() {
        let (now, mut peers) = (start(), Peers::default());
        peers.permit(peer().ip());
        let purpose = peers.next_request(now).unwrap();
        peers.granted(purpose, now);

        let later = now + PERMISSION_REFRESH;
        assert_eq!(peers.next_request(later), None);
        assert_eq!(peers.deadline(later), None);
        assert!(!peers.may_send(peer().ip()));
        assert_eq!(peers.next_request(later), Some(purpose));
    }

    #[test]
    fn a_refused_address_is_left_alone() {
        let (now, mut peers) = (start(), Peers::default());
        peers.permit(peer().ip());
        let purpose = peers.next_request(now).unwrap();
        peers.refused(purpose);

        assert!(!peers.may_send(peer().ip()));
        assert_eq!(peers.next_request(now), None);
    }

    #[test]
    fn a_channel_is_for_peers_that_answer() {
        let (now, mut peers) = (start(), Peers::default());
        peers.permit(peer().ip());
        let permit = peers.next_request(now).unwrap();
        peers.granted(permit, now);
        assert_eq!(peers.channel_to(peer()), None);
        assert_eq!(peers.next_request(now), None);

        peers.hear(peer());
        assert_eq!(peers.channel_to(peer()), None);
        let bind = peers.next_request(now).unwrap();
        assert_eq!(bind, Purpose::Bind { peer: peer(), channel: 0x4000 });
        assert_eq!(peers.peer_of(0x4000), Some(peer()));
        peers.granted(bind, now);

        assert_eq!(peers.channel_to(peer()), Some(0x4000));
        assert_eq!(peers.peer_of(0x4001), None);
        assert_eq!(peers.peer_of(0x3fff), None);
    }

    #[test]
    fn endless_candidates_do_not_fill_the_memory() {
        let mut peers = Peers::default();
        for number in 0..10_000_u32 {
            let ip = std::net::Ipv4Addr::from_bits(0x0a00_0000 + number).into();
            peers.permit(ip);
            peers.hear(SocketAddr::new(ip, 9));
        }
        assert_eq!((peers.permissions.len(), peers.heard.len()), (MOST, MOST));
    }
}
