//! What waits to be written to one client: bounded by weight, filled by the node, emptied by the
//! session.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use peerway_broker::HangupReason;
use peerway_protocol::{Event, Refusal};

/// Why the server ends a session, as its transport tells its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The broker's reason.
    Hangup(HangupReason),
    /// The server stops.
    Shutdown,
}

/// An event with the time at which the signal behind it was read from its sender's socket.
#[derive(Debug)]
pub struct Queued {
    /// What to tell.
    pub event: Event,
    /// When the input that caused it was read, where one did.
    pub received: Option<Instant>,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<Queued>,
    weight: usize,
    ending: Option<Ending>,
    waker: Option<Waker>,
}

impl State {
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<Ending> {
        if let Some(ending) = self.ending {
            return Poll::Ready(ending);
        }
        match &mut self.waker {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        Poll::Pending
    }
}

/// See the module documentation.
#[derive(Debug)]
pub struct Outbox {
    state: Mutex<State>,
    limit: usize,
}

impl Outbox {
    /// An empty outbox that takes events up to a weight in bytes.
    pub fn new(limit: usize) -> Self {
        Self { state: Mutex::default(), limit }
    }

    /// Adds an event, or gives it back if there is no room.
    pub fn push(&self, queued: Queued) -> Result<(), Event> {
        let weight = queued.event.weight();
        let mut state = self.lock();
        if state.weight + weight > self.limit {
            return Err(queued.event);
        }
        state.weight += weight;
        state.events.push_back(queued);
        Self::wake(state);
        Ok(())
    }

    /// Nothing more will come: the session ends after what is in here.
    pub fn end(&self, ending: Ending) {
        let mut state = self.lock();
        state.ending.get_or_insert(ending);
        Self::wake(state);
    }

    /// Tells a refusal and ends, for a session that the node never hears of.
    pub fn refuse(&self, refusal: Refusal) {
        let mut state = self.lock();
        state.events.push_back(Queued { event: Event::Refused(refusal), received: None });
        state.ending = Some(Ending::Hangup(HangupReason::Refused));
        Self::wake(state);
    }

    /// Takes over what another session's outbox still holds, whatever the limit: it was within
    /// the limit there.
    pub fn inherit(&self, other: &Self) {
        let (events, weight) = {
            let mut state = other.lock();
            (std::mem::take(&mut state.events), std::mem::take(&mut state.weight))
        };
        if events.is_empty() {
            return;
        }
        let mut state = self.lock();
        state.events.extend(events);
        state.weight += weight;
        Self::wake(state);
    }

    /// Takes all waiting events, or tells the end once they are all out.
    pub fn poll_take(&self, context: &mut Context<'_>) -> Poll<Result<VecDeque<Queued>, Ending>> {
        let mut state = self.lock();
        if state.events.is_empty() {
            return state.poll_end(context).map(Err);
        }
        state.weight = 0;
        Poll::Ready(Ok(std::mem::take(&mut state.events)))
    }

    /// Takes the next event only, so that the others can still be inherited.
    pub async fn next(&self) -> Result<Event, Ending> {
        std::future::poll_fn(|context| {
            let mut state = self.lock();
            let Some(queued) = state.events.pop_front() else {
                return state.poll_end(context).map(Err);
            };
            state.weight = state.weight.saturating_sub(queued.event.weight());
            Poll::Ready(Ok(queued.event))
        })
        .await
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn wake(mut state: std::sync::MutexGuard<'_, State>) {
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
