//! What a member tells of what is sent to it, put together for whoever decides how much that may be.
//!
//! What was sent before [`Leg::mark`] does not count: then it was more or less, and the trouble with it is over.

use std::time::{Duration, Instant};

use super::Leg;
use super::line::Loss;
use super::train::Arrived;

/// What became known since this was last asked.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Told {
    /// A second is over: the part of what was sent that was lost, from 0 to 1, as far as it was reported.
    pub(crate) loss: Option<f32>,
    /// Packets that were missed, each once; at once where the member asks for repetitions.
    pub(crate) missing: u64,
    pub(crate) trip: Option<Trip>,
    /// The report behind a train did not arrive.
    pub(crate) train_lost: bool,
    /// The most that it wants to be sent, in bits per second (REMB).
    pub(crate) most: Option<u64>,
}

/// One time there and back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trip {
    pub(crate) took: Duration,
    pub(crate) began: Instant,
    /// It went out behind a train.
    pub(crate) train: Option<Arrived>,
}

#[derive(Debug, Default)]
pub(super) struct Telling {
    told: Told,
    loss: Loss,
    /// When the newest trip began.
    newest: Option<Instant>,
    /// There is something to look at.
    is_due: bool,
}

impl Telling {
    pub(super) fn second(&mut self) {
        self.told.loss = Some(self.loss.peek());
        self.is_due = true;
    }

    pub(super) fn lost(&mut self, loss: Loss) {
        self.loss.add(loss);
    }

    pub(super) fn missed(&mut self, packets: u64) {
        self.told.missing += packets;
        self.is_due |= packets > 0;
    }

    pub(super) fn wants_at_most(&mut self, bits: u64) {
        self.told.most = Some(bits);
        self.is_due = true;
    }

    pub(super) fn came_back(&mut self, took: Duration, began: Instant, train: Option<Arrived>) {
        // Each line's report tells of the same.
        if self.newest.is_none_or(|newest| newest < began) {
            self.newest = Some(began);
            self.told.trip = Some(Trip { took, began, train });
            self.is_due = true;
        }
    }

    pub(super) fn lost_train(&mut self) {
        self.told.train_lost = true;
        self.is_due = true;
    }

    pub(super) fn take_due(&mut self) -> bool {
        std::mem::take(&mut self.is_due)
    }
}

impl Leg {
    pub(crate) fn take_told(&mut self) -> Told {
        let telling = &mut self.sending.telling;
        let told = std::mem::take(&mut telling.told);
        if told.loss.is_some() {
            telling.loss = Loss::default();
        }
        told
    }

    /// From now on more or less is sent.
    pub(crate) fn mark(&mut self) {
        for (_, slot) in self.slots.all_mut() {
            if let Some(line) = &mut slot.line {
                line.mark();
            }
        }
        let telling = &mut self.sending.telling;
        (telling.loss, telling.told.missing) = (Loss::default(), 0);
    }

    /// Packets of which it tells at once when they are missing.
    pub(crate) fn repeatable(&self) -> u64 {
        self.sending.repeatable
    }
}
