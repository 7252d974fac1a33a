//! The lines on which others' tracks go to a member. A line outlives what is sent on it: it goes
//! through `inactive`, and then another track gets it, so that the description does not grow.
//!
//! ```text
//!          attach             offer            answer
//!   Free ----------> Wanted ----------> Offered -----> Live
//!    ^                                     | detach      | detach
//!    |  answer           offer             v             v
//!    +--------- Closing <------------------+-- Leaving <-+
//! ```
//!
//! The same track that comes back before an offer has told that it went finds its line as it was.

use str0m::media::Mid;

use super::format::{Accepted, FormatId};
use super::line::Line;
use crate::{Clock, Kind, Rewriter};

/// One line of a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SlotId(usize);

/// How a track is called in the description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) stream: String,
    pub(crate) track: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Negotiated as inactive, or not yet negotiated at all.
    Free,
    Wanted,
    Offered,
    Live,
    Leaving,
    Closing,
    /// The other side does not want this line, ever.
    Refused,
}

/// See the module documentation.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(super) kind: Kind,
    clock: Clock,
    pub(super) mid: Option<Mid>,
    pub(super) state: State,
    /// It went away while its offer was out.
    pub(super) leaves: bool,
    pub(super) label: Option<Label>,
    /// What is sent on it, once it is negotiated.
    pub(super) line: Option<Line>,
    pub(super) accepted: Accepted,
    /// One stream for as long as the line lives, whoever is on it.
    pub(crate) rewriter: Rewriter,
}

impl Slot {
    pub(super) fn clock(&self) -> Clock {
        self.clock
    }

    pub(super) fn is_live(&self) -> bool {
        self.state == State::Live
    }

    pub(super) fn takes(&self, format: FormatId) -> bool {
        self.state == State::Live && self.accepted.takes(format)
    }

    /// Nothing goes out for a while.
    pub(super) fn pause(&mut self) {
        self.rewriter.pause();
        if let Some(line) = &mut self.line {
            line.pause();
        }
    }
}

#[derive(Debug)]
pub(super) struct Slots {
    all: Vec<Slot>,
    seed: u64,
}

impl Slots {
    pub(super) fn new(seed: u64) -> Self {
        Self { all: Vec::new(), seed }
    }

    pub(super) fn get(&self, slot: SlotId) -> Option<&Slot> {
        self.all.get(slot.0)
    }

    pub(super) fn get_mut(&mut self, slot: SlotId) -> Option<&mut Slot> {
        self.all.get_mut(slot.0)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (SlotId, &Slot)> {
        self.all.iter().enumerate().map(|(index, slot)| (SlotId(index), slot))
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = (SlotId, &mut Slot)> {
        self.all.iter_mut().enumerate().map(|(index, slot)| (SlotId(index), slot))
    }

    /// Whose a report's source is.
    pub(super) fn by_source(&mut self, source: u32) -> Option<(SlotId, &mut Slot)> {
        let is_it = |slot: &Slot| slot.line.as_ref().is_some_and(|line| line.source == source);
        self.all_mut().find(|(_, slot)| is_it(slot))
    }

    /// Whose repetitions have a source: reports on those tell the time there and back too.
    pub(super) fn by_repairs(&mut self, source: u32) -> Option<&mut Line> {
        let lines = self.all.iter_mut().filter_map(|slot| slot.line.as_mut());
        lines.into_iter().find(|line| line.repairs == Some(source))
    }

    /// Where repetitions begin, at random like everything else.
    pub(super) fn first_repair(seed: u64, source: u32) -> u16 {
        #[expect(clippy::cast_possible_truncation, reason = "that many bits are wanted")]
        let chance = mix(seed ^ u64::from(source), 0) as u16;
        chance & 0x7fff
    }

    /// Whether a track finds a line without a new one; or is the first of its kind.
    pub(super) fn may_attach(&self, kind: Kind, clock: Clock) -> bool {
        let of_kind = |slot: &&Slot| slot.kind == kind;
        let is_free = |slot: &Slot| slot.state == State::Free && slot.clock == clock;
        self.all.iter().find(of_kind).is_none_or(is_free)
    }

    /// A line that the same track has not quite left goes on with it.
    pub(super) fn resume(&mut self, clock: Clock, label: &Label) -> Option<SlotId> {
        let is_it = |slot: &Slot| slot.clock == clock && slot.label.as_ref() == Some(label);
        let (id, slot) = self.all_mut().find(|(_, slot)| is_it(slot))?;
        match slot.state {
            State::Offered if slot.leaves => slot.leaves = false,
            State::Leaving => slot.state = State::Live,
            _ => return None,
        }
        Some(id)
    }

    /// Gives a track a line; if none is free a new one, where that may be.
    pub(super) fn attach(
        &mut self,
        kind: Kind,
        clock: Clock,
        label: Label,
        may_grow: bool,
    ) -> Option<SlotId> {
        let free = self
            .all
            .iter()
            .position(|slot| slot.state == State::Free && slot.kind == kind && slot.clock == clock);
        if free.is_none() && !may_grow {
            return None;
        }
        let index = free.unwrap_or_else(|| {
            let chance = mix(self.seed, self.all.len());
            // Low enough for SRTP's rollover counter to begin at 0 on both sides (RFC 3711, section 3.3.1).
            #[expect(clippy::cast_possible_truncation, reason = "that many bits are wanted")]
            let (sequence, timestamp) = (chance as u16 & 0x7fff, (chance >> 32) as u32);
            self.all.push(Slot {
                kind,
                clock,
                mid: None,
                state: State::Free,
                leaves: false,
                label: None,
                line: None,
                accepted: Accepted::default(),
                rewriter: Rewriter::new(clock, sequence, timestamp),
            });
            self.all.len() - 1
        });
        let slot = &mut self.all[index];
        slot.state = State::Wanted;
        slot.leaves = false;
        slot.label = Some(label);
        Some(SlotId(index))
    }

    pub(super) fn detach(&mut self, slot: SlotId) {
        let Some(slot) = self.all.get_mut(slot.0) else { return };
        match slot.state {
            State::Wanted => {
                slot.state = State::Free;
                slot.label = None;
            }
            State::Offered => slot.leaves = true,
            State::Live => slot.state = State::Leaving,
            State::Refused | State::Free | State::Leaving | State::Closing => slot.label = None,
        }
        // The next on this line begins anew.
        slot.pause();
    }
}

/// Spreads a seed (the finalizer of splitmix64).
fn mix(seed: u64, index: usize) -> u64 {
    let mut z = seed.wrapping_add((index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
