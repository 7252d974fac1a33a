//! What waits to be written to one client: bounded by weight, filled by the node, emptied by the
//! session.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use peerway_broker::HangupReason;
use peerway_protocol::{Event, Refusal};

use crate::edge::Place;

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

    fn weigh(&self, event: &Event) -> Weight {
        let bytes = event.weight();
        Weight { bytes, counted: bytes.min(self.limit / 2 + 1) }
    }
}

/// Of some events. Against the limit of its outbox one big thing, a room's data or its log, counts
/// as half of that, so that it comes when little waits, and little may wait behind it until it has
/// been read.
#[derive(Debug, Default, Clone, Copy)]
struct Weight {
    bytes: usize,
    counted: usize,
}

impl Weight {
    fn plus(self, other: Self) -> Self {
        Self { bytes: self.bytes + other.bytes, counted: self.counted + other.counted }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_sub(other.bytes),
            counted: self.counted.saturating_sub(other.counted),
        }
    }
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<Queued>,
    /// Of the events.
    weight: Weight,
    /// Of what the session has taken and not yet written.
    unwritten: Weight,
    ending: Option<Ending>,
    waker: Option<Waker>,
    /// Of a lost session: given back when the node drops its outbox.
    place: Option<Box<Place>>,
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
        let weight = self.all.weigh(&queued.event);
        let mut state = self.lock();
        let own = state.weight.plus(state.unwritten).plus(weight);
        let all = self.all.total.load(Ordering::Relaxed) + weight.bytes;
        let full = own.counted > self.all.limit.max(1);
        if full || (own.bytes > SMALL && all > self.all.total_limit) {
            return Err(queued.event);
        }
        self.all.total.fetch_add(weight.bytes, Ordering::Relaxed);
        state.weight = state.weight.plus(weight);
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
        state.weight = state.weight.plus(weight);
        Self::wake(state);
    }

    /// Takes all waiting events, or tells the end once they are all out. What was taken before has
    /// been written when this is called.
    pub fn poll_take(&self, context: &mut Context<'_>) -> Poll<Result<VecDeque<Queued>, Ending>> {
        let mut state = self.lock();
        self.all.total.fetch_sub(state.unwritten.bytes, Ordering::Relaxed);
        state.unwritten = std::mem::take(&mut state.weight);
        if state.events.is_empty() {
            return state.poll_end(context).map(Err);
        }
        Poll::Ready(Ok(std::mem::take(&mut state.events)))
    }

    /// Gives back what was taken and could not be written, oldest first, so that it goes before
    /// what came since.
    pub fn put_back(&self, events: impl DoubleEndedIterator<Item = Queued>) {
        let mut state = self.lock();
        for queued in events.rev() {
            let weight = self.all.weigh(&queued.event);
            let missing = weight.minus(state.unwritten);
            self.all.total.fetch_add(missing.bytes, Ordering::Relaxed);
            state.unwritten = state.unwritten.minus(weight);
            state.weight = state.weight.plus(weight);
            state.events.push_front(queued);
        }
        Self::wake(state);
    }

    /// Keeps a place as long as there is this outbox.
    pub(crate) fn occupy(&self, place: Place) {
        self.lock().place = Some(Box::new(place));
    }

    /// The transport is gone: what it has taken and not put back is lost.
    pub fn abandon(&self) {
        let mut state = self.lock();
        self.all.total.fetch_sub(std::mem::take(&mut state.unwritten).bytes, Ordering::Relaxed);
        state.waker = None;
    }

    /// Takes the next event only, so that the others can still be inherited.
    pub async fn next(&self) -> Result<Event, Ending> {
        std::future::poll_fn(|context| {
            let mut state = self.lock();
            let Some(queued) = state.events.pop_front() else {
                return state.poll_end(context).map(Err);
            };
            let weight = self.all.weigh(&queued.event);
            state.weight = state.weight.minus(weight);
            self.all.total.fetch_sub(weight.bytes, Ordering::Relaxed);
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
        self.all.total.fetch_sub(state.weight.plus(state.unwritten).bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use peerway_protocol::{Json, Signal, SignalKind};

    use super::*;

    fn queued(weight: usize) -> Queued {
        let payload = Some(Json::string(&"x".repeat(weight)));
        let signal = Signal { payload, ..Signal::bare(SignalKind::Offer) };
        let from = peerway_protocol::PeerId::new("alice").unwrap();
        Queued { event: Event::Signal { from, signal }, received: None }
    }

    fn weights(taken: Poll<Result<VecDeque<Queued>, Ending>>) -> Vec<usize> {
        let Poll::Ready(Ok(events)) = taken else { return Vec::new() };
        events.iter().map(|queued| queued.event.weight()).collect()
    }

    #[test]
    fn one_thing_bigger_than_the_limit_comes_when_little_waits() {
        let outboxes = Outboxes::new(100_000, 1_000_000);
        let outbox = outboxes.open();
        outbox.push(queued(40_000)).unwrap();

        assert!(outbox.push(queued(500_000)).is_ok());
        assert!(outbox.push(queued(20_000)).is_err(), "it is full");
    }

    #[test]
    fn small_things_wait_behind_a_big_one_while_it_is_read_and_another_big_one_does_not() {
        let outboxes = Outboxes::new(100_000, 2_000_000);
        let outbox = outboxes.open();
        let mut context = Context::from_waker(Waker::noop());
        outbox.push(queued(500_000)).unwrap();
        assert_eq!(weights(outbox.poll_take(&mut context)).len(), 1);

        assert!(outbox.push(queued(1)).is_ok());
        assert!(outbox.push(queued(500_000)).is_err());
        assert!(outbox.push(queued(40_000)).is_ok());
        assert!(outbox.push(queued(20_000)).is_err(), "it is full");

        // The big one has been written.
        assert_eq!(weights(outbox.poll_take(&mut context)).len(), 2);
        assert!(outbox.push(queued(500_000)).is_ok());
    }

    #[test]
    fn a_big_thing_does_not_come_on_top_of_many() {
        let outboxes = Outboxes::new(100_000, 1_000_000);
        let outbox = outboxes.open();
        outbox.push(queued(60_000)).unwrap();

        assert!(outbox.push(queued(50_000)).is_err());
        assert!(outbox.push(queued(10_000)).is_ok());
    }

    #[test]
    fn all_together_stay_within_their_bound() {
        let outboxes = Outboxes::new(100_000, 1_000_000);
        let (one, other) = (outboxes.open(), outboxes.open());
        one.push(queued(900_000)).unwrap();

        assert!(other.push(queued(200_000)).is_err());
        drop(one);
        assert!(other.push(queued(200_000)).is_ok());
    }

    #[test]
    fn what_is_put_back_comes_again_before_what_came_since() {
        let outboxes = Outboxes::new(100_000, 1_000_000);
        let outbox = outboxes.open();
        let mut context = Context::from_waker(Waker::noop());
        outbox.push(queued(100)).unwrap();
        outbox.push(queued(200)).unwrap();
        let Poll::Ready(Ok(taken)) = outbox.poll_take(&mut context) else { unreachable!() };
        let total = outboxes.total.load(Ordering::Relaxed);
        outbox.push(queued(300)).unwrap();

        outbox.put_back(taken.into_iter());

        let again = weights(outbox.poll_take(&mut context));
        assert_eq!(again, [100, 200, 300].map(|weight| queued(weight).event.weight()));
        outbox.abandon();
        assert_eq!(outboxes.total.load(Ordering::Relaxed), 0, "nothing is counted of {total}");
    }

    #[test]
    fn who_inherits_from_an_abandoned_outbox_gets_what_waited() {
        let outboxes = Outboxes::new(100_000, 1_000_000);
        let (old, new) = (outboxes.open(), outboxes.open());
        let mut context = Context::from_waker(Waker::noop());
        old.push(queued(100)).unwrap();
        let taken = weights(old.poll_take(&mut context));
        assert_eq!(taken.len(), 1);
        old.abandon();
        old.push(queued(200)).unwrap();

        new.inherit(&old);

        drop(old);
        assert_eq!(weights(new.poll_take(&mut context)), [queued(200).event.weight()]);
        drop(new);
        assert_eq!(outboxes.total.load(Ordering::Relaxed), 0);
    }
}
