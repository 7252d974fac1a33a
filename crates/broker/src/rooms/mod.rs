//! Rooms: named sets of peers who are told of each other and talk to all.
//!
//! A room is held by one node like a peer: the broker of the first member claims its address and
//! hosts it. Two sides speak over the backplane, also when they are in one process:
//!
//! ```text
//!   a member's broker (membership.rs)        the room's broker (host.rs)
//!        Joining ---- ToRoom Join ----------->  admits, or refuses
//!        In      <--- FromRoom Joined -------   who is in, in order; the log
//!        Leaving ---- ToRoom Leave ---------->
//!                <--- FromRoom Out ----------
//! ```
//!
//! A join that finds nobody makes its broker claim the room (`claims.rs`). While a peer is on its
//! way in or out, what its client asks waits, so that it happens in the order in which it was
//! asked. The host knows members, not sessions: it drops those who cannot be reached.

mod claims;
mod host;
mod log;
mod media;
mod membership;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use peerway_protocol::{AppKey, PeerId, RoomAddress, RoomMode};

use crate::{Broker, LegId, Stay};
use host::HostedRoom;

pub(crate) use membership::Membership;

/// The rooms that this node hosts or wants to.
#[derive(Debug, Default)]
pub(crate) struct Rooms {
    hosted: HashMap<RoomAddress, HostedRoom>,
    /// Claims under way, with the peers that wait for the answer.
    claims: BTreeMap<RoomAddress, Vec<(PeerId, Stay)>>,
    /// Of both, per app.
    sizes: HashMap<AppKey, usize>,
    last_stay: u64,
    /// The members that have media, by their legs.
    legs: BTreeMap<LegId, media::Place>,
    last_leg: u64,
    /// Of the logs of all hosted rooms, in bytes.
    log_weight: usize,
}

impl Rooms {
    pub(crate) fn is_empty(&self) -> bool {
        self.hosted.is_empty()
            && self.claims.is_empty()
            && self.sizes.is_empty()
            && self.legs.is_empty()
            && self.log_weight == 0
    }

    /// Counts one more room, if the app may have it.
    fn grow(&mut self, app: &AppKey, limit: usize) -> bool {
        if self.sizes.get(app).copied().unwrap_or_default() >= limit {
            return false;
        }
        *self.sizes.entry(app.clone()).or_default() += 1;
        true
    }

    fn shrink(&mut self, app: &AppKey) {
        let Some(size) = self.sizes.get_mut(app) else { return };
        *size -= 1;
        if *size == 0 {
            self.sizes.remove(app);
        }
    }

    /// The rooms that are hosted here with their members, in order.
    fn list(&self) -> Vec<(RoomAddress, Arc<[PeerId]>)> {
        #[expect(clippy::disallowed_methods, reason = "sorted right after")]
        let mut rooms: Vec<_> =
            self.hosted.iter().map(|(address, room)| (address.clone(), room.ids())).collect();
        rooms.sort_unstable();
        rooms
    }

    /// A stay that is not any earlier one.
    fn next_stay(&mut self, unix_micros: u64) -> Stay {
        self.last_stay = unix_micros.max(self.last_stay.saturating_add(1));
        Stay(self.last_stay)
    }
}

impl Broker {
    /// The rooms that this node hosts with their members in the order in which they came, for
    /// whoever looks at the server from outside.
    pub fn hosted_rooms(&self) -> Vec<(RoomAddress, Arc<[PeerId]>)> {
        self.rooms.list()
    }

    /// How media travel in a room that this node hosts.
    pub fn mode_of(&self, room: &RoomAddress) -> Option<RoomMode> {
        self.rooms.hosted.get(room).map(HostedRoom::mode)
    }
}
