//! When a router is to be called again, and what is done then.

use std::time::Instant;

use super::member::{Deadlines, Key};
use super::{CloseReason, Event, MediaRouter, Output, RoomId};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    Member(Key),
    Room(RoomId),
}

impl MediaRouter {
    /// Time went on.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.at(now);
        while let Some(&(due, timer)) = self.timers.first() {
            if due > now {
                break;
            }
            self.timers.pop_first();
            match timer {
                Timer::Member(key) => self.member_timeout(now, key),
                Timer::Room(room) => self.room_timeout(now, room),
            }
        }
        self.bury();
    }

    /// When [`MediaRouter::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.first().map(|(due, _)| *due)
    }

    fn member_timeout(&mut self, now: Instant, key: Key) {
        let Some(member) = self.members.get_mut(key) else { return };
        member.timer = None;
        let Deadlines { answer, connected, reachable } = member.deadlines;
        let is_over = |due: Option<Instant>| due.is_some_and(|due| due <= now);
        let reason = if is_over(answer) {
            CloseReason::NoAnswer
        } else if is_over(connected) {
            CloseReason::NotConnected
        } else if is_over(reachable) {
            CloseReason::Lost
        } else {
            let (drives, shares) = (is_over(member.engine), is_over(member.share));
            let requests = is_over(member.request.due);
            if drives {
                // It tells its next time when it is driven.
                member.engine = None;
                self.mark(key);
            }
            if shares {
                self.share(now, key);
            }
            if requests {
                self.request(now, key);
            }
            self.look_for_stalls(now, key);
            self.release_what_waited(now, key);
            self.ask_for_key_frames(key);
            self.schedule(key);
            return;
        };
        self.doomed.push((key, reason));
    }

    fn room_timeout(&mut self, now: Instant, id: RoomId) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        room.timer = None;
        if room.speakers.handle_timeout(now) {
            let leg = room.speakers.dominant().copied();
            room.speaks_since = leg.map(|_| now);
            self.outputs.push_back(Output::Event(Event::ActiveSpeaker { room: id, leg }));
        }
        self.follow_speaker(now, id);
        self.schedule_room(id);
    }

    pub(super) fn schedule_room(&mut self, id: RoomId) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        if room.timer.is_none()
            && let Some(due) = room.speakers.poll_timeout()
        {
            room.timer = Some(due);
            self.timers.insert((due, Timer::Room(id)));
        }
    }

    /// Puts the member's next time into the list. Only an earlier one moves it: a later one is found
    /// out when the time in the list has come.
    pub(super) fn schedule(&mut self, key: Key) {
        let Some(member) = self.members.get_mut(key) else { return };
        let Some(due) = member.due() else { return };
        if member.timer.is_none_or(|timer| due < timer) {
            if let Some(timer) = member.timer {
                self.timers.remove(&(timer, Timer::Member(key)));
            }
            member.timer = Some(due);
            self.timers.insert((due, Timer::Member(key)));
        }
    }
}
