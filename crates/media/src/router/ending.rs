//! How legs end: they leave, their time is over, or something goes wrong in them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::member::{Key, Member};
use super::timers::Timer;
use super::{CloseReason, Event, MediaRouter, Output};
use crate::Kind;
use crate::leg::Failure;

impl MediaRouter {
    /// Does something with one leg. What goes wrong there, panics included, ends that leg alone.
    pub(super) fn guard<T>(
        &mut self,
        key: Key,
        action: impl FnOnce(&mut Member) -> Result<T, Failure>,
    ) -> Option<T> {
        let member = self.members.get_mut(key)?;
        // After a panic nothing of the leg is looked at again: it is only dropped.
        let reason = match catch_unwind(AssertUnwindSafe(|| action(member))) {
            Ok(Ok(done)) => return Some(done),
            Ok(Err(Failure::Engine(error))) => CloseReason::Failed(error),
            Ok(Err(failure)) => CloseReason::BadAnswer(failure.to_string()),
            Err(_) => CloseReason::Panicked,
        };
        self.doomed.push((key, reason));
        None
    }

    /// Ends the legs that cannot go on.
    pub(super) fn bury(&mut self) {
        while let Some((key, reason)) = self.doomed.pop() {
            self.remove(key, Some(reason));
        }
    }

    pub(super) fn remove(&mut self, key: Key, reason: Option<CloseReason>) {
        if !self.members.contains(key) {
            return;
        }
        if reason != Some(CloseReason::Panicked) {
            self.say_goodbye(key);
        }
        for kind in Kind::ALL {
            self.unpublish(key, kind);
        }
        self.unsubscribe_from_all(key);
        let member = self.members.remove(key);
        self.keys.remove(&member.id);
        self.demux.remove(member.leg.user(), key);
        if let Some(timer) = member.timer {
            self.timers.remove(&(timer, Timer::Member(key)));
        }
        // A later fault of the same leg, while it ended, is no fault of who gets its place.
        self.doomed.retain(|(doomed, _)| *doomed != key);
        if let Some(reason) = reason {
            self.outputs.push_back(Output::Event(Event::Closed { leg: member.id, reason }));
        }
        let room_id = member.room;
        let leg = member.id;
        if catch_unwind(AssertUnwindSafe(|| drop(member))).is_err() {
            tracing::error!(leg = leg.0, "a leg could not be dropped in peace");
        }
        let Some(room) = self.rooms.get_mut(&room_id) else { return };
        room.members.retain(|other| *other != key);
        room.speakers.remove(&leg);
        for other in &room.members {
            if let Some(other) = self.members.get_mut(*other) {
                other.receptions.remove(&key);
            }
        }
        if room.members.is_empty() {
            if let Some(timer) = room.timer {
                self.timers.remove(&(timer, Timer::Room(room_id)));
            }
            self.rooms.remove(&room_id);
            return;
        }
        self.agree_on_codecs(room_id);
        self.offer_to_all(room_id);
    }

    fn say_goodbye(&mut self, key: Key) {
        let doomed = self.doomed.len();
        self.guard(key, |member| {
            member.leg.close();
            Ok(())
        });
        if self.doomed.len() == doomed {
            self.drain(key);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "any instant will do")]

    use std::time::Instant;

    use super::*;
    use crate::router::{LegId, LegOptions, RoomId, RouterOptions};

    #[test]
    fn a_panic_in_one_leg_ends_that_leg_only() {
        let now = Instant::now();
        let mut router = MediaRouter::new(RouterOptions::default());
        for leg in [LegId(1), LegId(2)] {
            router.handle_join(now, RoomId(1), leg, LegOptions::default());
            router.handle_offer_wanted(now, leg);
        }
        while router.next_output().is_some() {}
        let key = router.keys[&LegId(1)];
        let done: Option<()> = router.guard(key, |_| panic!("on purpose"));
        assert!(done.is_none());
        router.handle_timeout(now);
        let mut closed = Vec::new();
        while let Some(output) = router.next_output() {
            if let Output::Event(Event::Closed { leg, reason }) = output {
                closed.push((leg, reason));
            }
        }
        assert_eq!(closed, [(LegId(1), CloseReason::Panicked)]);
        router.handle_offer_wanted(now, LegId(2));
        assert!(router.traffic(LegId(2)).is_some());
        router.handle_leave(now, LegId(2));
        while router.next_output().is_some() {}
        assert!(router.is_idle());
    }
}
