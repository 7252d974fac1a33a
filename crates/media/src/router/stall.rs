//! Publishers of whom nothing comes although others wait for it: their pictures count as paused,
//! and begin again with one that needs no other.

use std::time::{Duration, Instant};

use super::MediaRouter;
use super::member::{Key, Publication};
use crate::Kind;

/// Silence and still pictures make fewer packets, but some.
const PATIENCE: Duration = Duration::from_secs(3);

/// Of one publication.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stall {
    /// When something came last.
    last: Instant,
    pub(super) stalled: bool,
}

impl Stall {
    pub(super) fn new(now: Instant) -> Self {
        Self { last: now, stalled: false }
    }

    /// Something came. Whether that ended a stall.
    pub(super) fn came(&mut self, now: Instant) -> bool {
        self.last = now;
        std::mem::take(&mut self.stalled)
    }
}

impl Publication {
    /// When its stall is to be looked at.
    pub(super) fn stalls_at(&self) -> Option<Instant> {
        let is_awaited = !self.stall.stalled && !self.subscribers.is_empty();
        is_awaited.then(|| self.stall.last + PATIENCE)
    }
}

impl MediaRouter {
    pub(super) fn look_for_stalls(&mut self, now: Instant, key: Key) {
        for kind in Kind::ALL {
            let Some(publication) = &mut self.members[key].publications[kind.index()] else {
                continue;
            };
            if publication.stalls_at().is_none_or(|at| now < at) {
                continue;
            }
            publication.stall.stalled = true;
            // Sound that comes next is understood as it is.
            if kind == Kind::Video {
                self.stop(key);
            }
        }
    }

    /// A member's pictures stop for everybody.
    pub(super) fn stop(&mut self, key: Key) {
        let Some(publication) = &mut self.members[key].publications[Kind::Video.index()] else {
            return;
        };
        let mut subscribers = std::mem::take(&mut publication.subscribers);
        for subscriber in &mut subscribers {
            self.pause(subscriber);
        }
        if let Some(publication) = &mut self.members[key].publications[Kind::Video.index()] {
            publication.subscribers = subscribers;
        }
    }

    /// Something comes again: asks for what its subscribers can begin with.
    pub(super) fn resume(&mut self, now: Instant, key: Key, kind: Kind) {
        let Some(publication) = &mut self.members[key].publications[kind.index()] else { return };
        if kind == Kind::Video {
            for subscriber in &publication.subscribers {
                if let Some(layer) = subscriber.wanted {
                    publication.layers[layer].key_frames.want(now);
                }
            }
            self.ask_for_key_frames(key);
        }
    }
}
