//! What was sent on one line lately, for a member that asks for it again (RFC 4588). The packets are shared
//! with everybody who got them; of each line there is only what is different for it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::packet::Packet;
use crate::rewrite::Outgoing;

/// Enough for two questions on a long path.
const KEPT_FOR: Duration = Duration::from_millis(800);
const KEPT_PACKETS: usize = 512;
/// Of what is sent, repetitions are at most a fifth: this part of what goes out for the first time.
const REPEATED: usize = 4;
/// What a line may repeat at its beginning and after a rest, and no more at once, in bytes.
const BEGINNING: usize = 16 * 1024;
const MOST: usize = 96 * 1024;

/// A packet as it went out.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) packet: Arc<Packet>,
    pub(super) numbers: Outgoing,
}

/// See the module documentation.
#[derive(Debug)]
pub(super) struct History {
    /// Mostly in the order of their numbers.
    sent: VecDeque<Sent>,
    /// Bytes that may be repeated.
    budget: usize,
}

impl Default for History {
    fn default() -> Self {
        Self { sent: VecDeque::new(), budget: BEGINNING }
    }
}

impl History {
    /// A packet goes out for the first time.
    pub(super) fn push(&mut self, sent: Sent) {
        self.budget = (self.budget + sent.packet.len() / REPEATED).min(MOST);
        let now = sent.packet.arrival;
        let is_old = |old: &Sent| old.packet.arrival + KEPT_FOR < now;
        // At most two for each new one: a long rest is not paid for at once.
        for _ in 0..2 {
            if self.sent.len() >= KEPT_PACKETS || self.sent.front().is_some_and(is_old) {
                self.sent.pop_front();
            }
        }
        self.sent.push_back(sent);
    }

    /// A packet that is asked for again, if it is there and there is budget for it.
    pub(super) fn repeat(&mut self, now: Instant, sequence: u16) -> Option<Sent> {
        let newest = self.sent.back()?.numbers.sequence;
        #[expect(clippy::cast_possible_truncation, reason = "the wrapped number is looked for")]
        let is_it = |sent: &&Sent| sent.numbers.sequence as u16 == sequence;
        // Where nothing is missing and nothing came late, it is at its distance from the newest.
        #[expect(clippy::cast_possible_truncation, reason = "it wraps")]
        let back = usize::from((newest as u16).wrapping_sub(sequence)) + 1;
        let guess = self.sent.len().checked_sub(back).and_then(|index| self.sent.get(index));
        let found = guess.filter(is_it).or_else(|| self.sent.iter().rev().find(is_it))?;
        if now > found.packet.arrival + KEPT_FOR || self.budget < found.packet.len() {
            return None;
        }
        self.budget -= found.packet.len();
        Some(found.clone())
    }

    /// Whether a packet went out lately.
    pub(super) fn has(&self, sequence: u64) -> bool {
        let newest = self.sent.back().map(|sent| sent.numbers.sequence);
        let back = newest.and_then(|newest| newest.checked_sub(sequence));
        let back = back.and_then(|back| usize::try_from(back).ok()).filter(|it| *it < KEPT_PACKETS);
        // Later ones are not behind it, but there may be fewer of them.
        let near = back.map(|back| self.sent.len().saturating_sub(back + 1));
        near.is_some_and(|near| {
            self.sent.iter().skip(near).any(|sent| sent.numbers.sequence == sequence)
        })
    }

    /// Nothing of it will be asked for.
    pub(super) fn clear(&mut self) {
        *self = Self { budget: self.budget, ..Self::default() };
    }
}
