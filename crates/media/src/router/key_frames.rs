//! When to ask a publisher for a key frame: at once, but not again and again, and until one came.

use std::time::{Duration, Instant};

use super::MediaRouter;
use super::member::{Key, LAYERS, Subscription};
use crate::Kind;
use crate::leg::SlotId;

/// Between two questions, however many want a key frame. Chromium 148 does not hear one that comes less than 300 ms
/// after another that it heeded.
pub(super) const APART: Duration = Duration::from_millis(330);
/// The question or its answer was lost.
const PATIENCE: Duration = Duration::from_millis(350);
/// A publisher may rest for long; it is still asked now and then.
const LONGEST: Duration = Duration::from_secs(4);

/// Of one encoding.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct KeyFrames {
    asked: Option<Instant>,
    due: Option<Instant>,
    /// Questions without an answer.
    tries: u32,
}

impl KeyFrames {
    /// Somebody cannot go on without one.
    pub(super) fn want(&mut self, now: Instant) {
        if self.due.is_none() {
            let soonest = self.asked.map_or(now, |asked| asked + APART);
            self.due = Some(soonest.max(now));
            self.tries = 0;
        }
    }

    /// One came.
    pub(super) fn arrived(&mut self) {
        self.due = None;
    }

    /// When [`KeyFrames::handle_timeout`] wants to be called.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// Whether to ask now.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> bool {
        if self.due.is_none_or(|due| now < due) {
            return false;
        }
        self.asked = Some(now);
        self.due = Some(now + LONGEST.min(PATIENCE * 2_u32.saturating_pow(self.tries / 4)));
        self.tries += 1;
        true
    }
}

impl MediaRouter {
    /// A subscriber's decoder is lost.
    pub(super) fn key_frame_wanted(&mut self, key: Key, slot: SlotId) {
        let found = self.members[key].subscriptions.iter().find(|it| it.slot == slot).copied();
        let (Some(Subscription { publisher, kind, .. }), Some(now)) = (found, self.now) else {
            return;
        };
        if kind == Kind::Audio {
            // Sound has none, and nothing would ever answer the question.
            return;
        }
        let member = &mut self.members[publisher];
        let Some(publication) = &mut member.publications[kind.index()] else { return };
        let subscriber =
            publication.subscribers.iter().find(|it| (it.member, it.slot) == (key, slot));
        let Some(layer) = subscriber.and_then(|it| it.current.or(it.wanted)) else { return };
        publication.layers[layer].key_frames.want(now);
        self.ask_for_key_frames(publisher);
    }

    /// Asks a publisher for the key frames whose time has come.
    pub(super) fn ask_for_key_frames(&mut self, key: Key) {
        let Some(now) = self.now else { return };
        let mut due = [false; LAYERS];
        if let Some(publication) = &mut self.members[key].publications[Kind::Video.index()] {
            for (due, layer) in due.iter_mut().zip(&mut publication.layers) {
                *due = layer.key_frames.handle_timeout(now);
            }
        }
        for (layer, _) in due.into_iter().enumerate().filter(|(_, due)| *due) {
            let asked =
                self.guard(key, |member| Ok(member.leg.request_key_frame(Kind::Video, layer)));
            if asked == Some(true) {
                self.members[key].traffic.key_frames_asked += 1;
                self.mark(key);
            }
        }
        self.schedule(key);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "any instant will do")]

    use super::*;

    #[test]
    fn the_first_asks_at_once_and_many_together_ask_once() {
        let now = Instant::now();
        let mut frames = KeyFrames::default();
        frames.want(now);
        assert!(frames.handle_timeout(now));
        for milliseconds in 1..330 {
            let now = now + Duration::from_millis(milliseconds);
            frames.want(now);
            assert!(!frames.handle_timeout(now));
        }
    }

    #[test]
    fn one_that_comes_soon_after_a_key_frame_waits_a_little() {
        let now = Instant::now();
        let mut frames = KeyFrames::default();
        frames.want(now);
        frames.handle_timeout(now);
        frames.arrived();
        let later = now + Duration::from_millis(100);
        frames.want(later);
        assert!(!frames.handle_timeout(later));
        assert_eq!(frames.poll_timeout(), Some(now + APART));
        assert!(frames.handle_timeout(now + APART));
    }

    #[test]
    fn a_question_is_repeated_until_a_key_frame_came_and_less_often_to_who_rests() {
        let now = Instant::now();
        let mut frames = KeyFrames::default();
        frames.want(now);
        let mut asked = Vec::new();
        while let Some(due) = frames.poll_timeout().filter(|due| *due < now + LONGEST * 10) {
            assert!(frames.handle_timeout(due));
            asked.push((due - now).as_millis());
        }
        assert_eq!(&asked[..6], [0, 350, 700, 1050, 1400, 2100]);
        assert!(asked.windows(2).all(|pair| pair[1] - pair[0] <= 4000));
        frames.arrived();
        assert_eq!(frames.poll_timeout(), None);
    }
}
