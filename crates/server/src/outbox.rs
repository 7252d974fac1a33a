//! What waits to be written to one client: bounded by weight, filled by the node, emptied by the
//! session.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use peerway_broker::HangupReason;
use peerway_protocol::{Event, Refusal};

/// An outbox with less than this is not full because others are.
const SMALL: usize = 16 * 1024;

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

/// What all outboxes of a server may hold, and do hold.
#[derive(Debug)]
pub struct Outboxes {
    limit: usize,
    total_limit: usize,
    total: AtomicUsize,
}

impl Outboxes {
    /// Bounds in bytes, for each and for all together.
    pub fn new(limit: usize, total_limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, total_limit, total: AtomicUsize::new(0) })
    }

    /// One more outbox.
    pub fn open(self: &Arc<Self>) -> Arc<Outbox> {
        Arc::new(Outbox { state: Mutex::default(), all: self.clone() })
    }
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<Queued>,
    /// Of the events, in bytes.
    weight: usize,
    /// Of what the session has taken and not yet written.
    unwritten: usize,
    ending: Option<Ending>,
    waker: Option<Waker>,
}

/// See the module documentation.
#[derive(Debug)]
pub struct Outbox {
    state: Mutex<State>,
    all: Arc<Outboxes>,
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

impl Outbox {
    /// Adds an event, or gives it back if there is no room. When all outboxes together are full,
    /// those that have much waiting are.
    pub fn push(&self, queued: Queued) -> Result<(), Event> {
        let weight = queued.event.weight();
        let mut state = self.lock();
        let own = state.weight + state.unwritten + weight;
        let all = self.all.total.load(Ordering::Relaxed) + weight;
        if own > self.all.limit || (own > SMALL && all > self.all.total_limit) {
            return Err(queued.event);
        }
        self.all.total.fetch_add(weight, Ordering::Relaxed);
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
        let queued = Queued { event: Event::Refused(refusal), received: None };
        // An empty outbox takes one event; if all are full the close alone must do.
        let _ = self.push(queued);
        self.end(Ending::Hangup(HangupReason::Refused));
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

    /// Takes all waiting events, or tells the end once they are all out. What was taken before has
    /// been written when this is called.
    pub fn poll_take(&self, context: &mut Context<'_>) -> Poll<Result<VecDeque<Queued>, Ending>> {
        let mut state = self.lock();
        self.all.total.fetch_sub(state.unwritten, Ordering::Relaxed);
        state.unwritten = std::mem::take(&mut state.weight);
        if state.events.is_empty() {
            return state.poll_end(context).map(Err);
        }
        Poll::Ready(Ok(std::mem::take(&mut state.events)))
    }

    /// Takes the next event only, so that the others can still be inherited.
    pub async fn next(&self) -> Result<Event, Ending> {
        std::future::poll_fn(|context| {
            let mut state = self.lock();
            let Some(queued) = state.events.pop_front() else {
                return state.poll_end(context).map(Err);
            };
            let weight = queued.event.weight();
            state.weight -= weight;
            self.all.total.fetch_sub(weight, Ordering::Relaxed);
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

impl Drop for Outbox {
    fn drop(&mut self) {
        let state = self.lock();
        self.all.total.fetch_sub(state.weight + state.unwritten, Ordering::Relaxed);
    }
}
