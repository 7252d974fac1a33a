//! What members say on data channels goes to all others' channels of the same label.

use std::sync::Arc;

use super::MediaRouter;
use super::member::Key;
use crate::leg::{Message, Opening};

impl MediaRouter {
    /// A member opened a channel: all others get one too.
    pub(super) fn channel_opened(&mut self, key: Key, opening: &Opening) {
        for other in self.others(key) {
            self.guard(other, |member| {
                member.leg.open_channel(opening);
                Ok(())
            });
            self.mark(other);
        }
    }

    /// A member has come: it gets the channels that there are.
    pub(super) fn open_channels(&mut self, key: Key) {
        for other in self.others(key) {
            let openings: Vec<Opening> = self.members[other].leg.openings().collect();
            for opening in openings {
                self.guard(key, |member| {
                    member.leg.open_channel(&opening);
                    Ok(())
                });
            }
        }
        self.mark(key);
    }

    pub(super) fn message(&mut self, key: Key, message: Message) {
        self.members[key].traffic.messages += 1;
        let message = Arc::new(message);
        for other in self.others(key) {
            let sent = self.guard(other, |member| Ok(member.leg.send_message(&message)));
            if sent == Some(false) {
                self.members[other].traffic.messages_lost += 1;
            }
            self.mark(other);
        }
    }

    fn others(&self, key: Key) -> Vec<Key> {
        let Some(member) = self.members.get(key) else { return Vec::new() };
        let Some(room) = self.rooms.get(&member.room) else { return Vec::new() };
        let has_line = |other: &Key| *other != key && self.members[*other].leg.has_channels();
        room.members.iter().copied().filter(has_line).collect()
    }
}
