//! What a member wants of another one.

use std::time::Instant;

use super::member::{Key, LAYERS};
use super::{LegId, MediaRouter};
use crate::Kind;

/// Of a picture whose size is not known, in pixels.
const FULL_HEIGHT: u32 = 720;

/// What a member wants of another one. Everything, unless it says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reception {
    /// Its sound.
    pub audio: bool,
    /// Its pictures.
    pub video: VideoWish,
}

impl Default for Reception {
    fn default() -> Self {
        Self { audio: true, video: VideoWish::Any }
    }
}

impl Reception {
    pub(super) fn wants(self, kind: Kind) -> bool {
        match kind {
            Kind::Audio => self.audio,
            Kind::Video => self.video != VideoWish::Off,
        }
    }
}

/// Which pictures a member wants of another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VideoWish {
    /// None: there is no line for them.
    Off,
    /// The largest that are no higher than so many pixels; if there are none, the smallest.
    UpTo(u32),
    /// As large as they are and the path carries.
    #[default]
    Any,
}

impl MediaRouter {
    /// What a member wants of another one of its room from now on.
    pub fn handle_reception(
        &mut self,
        now: Instant,
        leg: LegId,
        from: LegId,
        reception: Reception,
    ) {
        self.at(now);
        let (Some(&key), Some(&publisher)) = (self.keys.get(&leg), self.keys.get(&from)) else {
            return;
        };
        if key == publisher || self.members[key].room != self.members[publisher].room {
            return;
        }
        let receptions = &mut self.members[key].receptions;
        let before = if reception == Reception::default() {
            receptions.remove(&publisher)
        } else {
            receptions.insert(publisher, reception)
        };
        if before.unwrap_or_default() == reception {
            return;
        }
        self.subscribe_to_all(key);
        self.offer(key);
        self.allocate(key);
        self.bury();
    }

    /// The largest of the layers that a member wants of another one's video.
    pub(super) fn largest_wanted(&self, key: Key, from: Key) -> usize {
        let VideoWish::UpTo(height) = self.reception(key, from).video else { return LAYERS - 1 };
        let publication = self.members[from].publications[Kind::Video.index()].as_ref();
        let known = |layer: usize| Some(u32::from(publication?.layers[layer].size?.1));
        let full = known(LAYERS - 1).unwrap_or(FULL_HEIGHT);
        let assumed = |layer: usize| full >> (LAYERS - 1 - layer);
        let fits = |layer: &usize| known(*layer).unwrap_or_else(|| assumed(*layer)) <= height;
        (0..LAYERS).rev().find(fits).unwrap_or(0)
    }

    pub(super) fn reception(&self, key: Key, from: Key) -> Reception {
        self.members[key].receptions.get(&from).copied().unwrap_or_default()
    }
}
