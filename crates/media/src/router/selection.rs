//! Whom a member with two lines gets: one other at a time, who is
//!
//! - the first of the room who sends anything, until it sends no more, or
//! - who has been heard most for [`PATIENCE`]; it stays then, also when it is silent.

use std::time::{Duration, Instant};

use super::member::Key;
use super::{MediaRouter, RoomId};

/// A new offer and a key frame are a high price for an interjection.
const PATIENCE: Duration = Duration::from_secs(3);

impl MediaRouter {
    /// Whom a member gets, if it can get one only.
    pub(super) fn selected(&mut self, key: Key) -> Option<Key> {
        let member = &self.members[key];
        let room = self.rooms.get(&member.room)?;
        let wants = |other: Key| {
            let publications = self.members[other].publications.iter().flatten();
            let reception = self.reception(key, other);
            other != key && publications.into_iter().any(|it| reception.wants(it.codec.kind()))
        };
        let is_there = |other: &Key| room.members.contains(other) && wants(*other);
        let selected = member.selected.filter(is_there);
        let selected = selected.or_else(|| room.members.iter().copied().find(is_there));
        self.members[key].selected = selected;
        selected
    }

    /// Somebody is heard most: those with two lines get it, once it has been long enough.
    pub(super) fn follow_speaker(&mut self, now: Instant, id: RoomId) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        if room.speaks_since.is_none_or(|since| now < since + PATIENCE) {
            return;
        }
        // Once for each turn.
        room.speaks_since = None;
        let Some(&speaker) = room.speakers.dominant().and_then(|leg| self.keys.get(leg)) else {
            return;
        };
        for key in room.members.clone() {
            let member = &mut self.members[key];
            if !member.leg.has_two_lines() || key == speaker || member.selected == Some(speaker) {
                continue;
            }
            member.selected = Some(speaker);
            self.subscribe_to_all(key);
            self.offer(key);
        }
    }
}
