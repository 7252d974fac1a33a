//! A join that found nobody: this node wants to host the room.

use std::time::Instant;

use peerway_protocol::{Address, PeerAddress, PeerId, Refusal, RoomAddress, RoomMode};

use super::host::HostedRoom;
use crate::{Broker, Claim, Command, Happening, Stay};

impl Broker {
    /// A peer's join found no room.
    pub(super) fn claim_room(
        &mut self,
        now: Instant,
        address: &RoomAddress,
        peer: PeerId,
        stay: Stay,
    ) {
        if let Some(waiting) = self.rooms.claims.get_mut(address) {
            return waiting.push((peer, stay));
        }
        if self.rooms.hosted.contains_key(address) {
            // Granted between the question and its answer.
            return self.join_again(now, address, peer, stay);
        }
        let limit = self.settings.rooms.per_app;
        if !self.rooms.grow(&address.app, limit) {
            let refusal = Refusal::AppRoomsFull(address.room.clone(), limit);
            return self.fail_to_join(now, address, &peer, stay, refusal);
        }
        self.rooms.claims.insert(address.clone(), vec![(peer, stay)]);
        self.commands.push_back(Command::Claim(Claim::Room(address.clone())));
    }

    /// The room is ours.
    pub(crate) fn handle_room_claimed(&mut self, now: Instant, address: &RoomAddress) {
        let Some(waiting) = self.rooms.claims.remove(address) else { return };
        let still: Vec<(PeerId, Stay, RoomMode)> = waiting
            .into_iter()
            .filter_map(|(peer, stay)| {
                let mode = self.joining(address, &peer, stay)?;
                Some((peer, stay, mode))
            })
            .collect();
        let Some((_, _, mode)) = still.first() else {
            self.rooms.shrink(&address.app);
            return self.commands.push_back(Command::Release(Address::Room(address.clone())));
        };
        self.rooms.hosted.insert(address.clone(), HostedRoom::new(*mode));
        self.report(Happening::RoomOpened(address.app.clone()));
        for (peer, stay, mode) in still {
            self.admit(now, address, peer, stay, mode);
        }
        // If nobody may be in it at all.
        self.close_if_empty(address);
    }

    /// Another node was faster.
    pub(crate) fn handle_room_refused(&mut self, now: Instant, address: &RoomAddress) {
        let Some(waiting) = self.rooms.claims.remove(address) else { return };
        self.rooms.shrink(&address.app);
        for (peer, stay) in waiting {
            self.join_again(now, address, peer, stay);
        }
    }

    /// The mode that a peer wants, if it still is on its way into a room.
    fn joining(&self, address: &RoomAddress, peer: &PeerId, stay: Stay) -> Option<RoomMode> {
        let peer = PeerAddress { app: address.app.clone(), peer: peer.clone() };
        self.peers.get(&peer)?.rooms.get(&address.room)?.joining(stay)
    }
}
