//! What a worker tells the node loop.

use std::collections::VecDeque;

use peerway_broker::{LegId, MediaEvent};
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

/// If so much waits, who speaks is not worth telling. All else is bounded by the legs: each has one
/// offer that waits for its answer, one end, and one refusal to publish.
const MANY: usize = 4096;

/// Events on their way: what does not fit waits here, and the worker never does.
#[derive(Debug)]
pub(super) struct Teller {
    events: Sender<(LegId, MediaEvent)>,
    waiting: VecDeque<(LegId, MediaEvent)>,
}

impl Teller {
    pub(super) fn new(events: Sender<(LegId, MediaEvent)>) -> Self {
        Self { events, waiting: VecDeque::new() }
    }

    /// Something happened.
    pub(super) fn tell(&mut self, leg: LegId, event: MediaEvent) {
        let is_lost = matches!(event, MediaEvent::Speaker { .. }) && self.waiting.len() >= MANY;
        if !is_lost {
            self.waiting.push_back((leg, event));
        }
    }

    /// Hands over what can be; whether nothing is left.
    pub(super) fn flush(&mut self) -> bool {
        while let Some(event) = self.waiting.pop_front() {
            match self.events.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => {
                    self.waiting.push_front(event);
                    return false;
                }
                // The node has stopped.
                Err(TrySendError::Closed(_)) => self.waiting.clear(),
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    #[test]
    fn nothing_is_lost_when_the_other_side_is_slow_and_the_order_stays() {
        let (events, mut told) = mpsc::channel(2);
        let mut teller = Teller::new(events);
        for leg in 0..5 {
            teller.tell(LegId(leg), MediaEvent::PublishRefused(1));
        }
        let mut heard = Vec::new();
        while !teller.flush() {
            while let Ok((leg, _)) = told.try_recv() {
                heard.push(leg.0);
            }
        }
        while let Ok((leg, _)) = told.try_recv() {
            heard.push(leg.0);
        }
        assert_eq!(heard, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn who_speaks_does_not_fill_memory() {
        let (events, _told) = mpsc::channel(1);
        let mut teller = Teller::new(events);
        for _ in 0..2 * MANY {
            teller.tell(LegId(1), MediaEvent::Speaker { speaks: true });
        }
        teller.tell(LegId(1), MediaEvent::Closed("gone".into()));
        assert_eq!(teller.waiting.len(), MANY + 1);
    }
}
