//! A queue between a connection's task and its application, bounded by weight: who fills it is
//! told to stop, and told when to go on.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// Bytes that may wait before the filler stops. One event more always fits, whatever it weighs.
const FULL: usize = 1024 * 1024;

/// What each event weighs beside its bytes.
const BOOKKEEPING: usize = 256;

/// The queue.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    filled: Notify,
    drained: Notify,
}

#[derive(Debug)]
struct State<T> {
    events: VecDeque<(T, usize)>,
    weight: usize,
    closed: bool,
}

/// What [`Queue::next`] finds.
enum Taken<T> {
    Event(T),
    /// There will be more.
    Nothing,
    /// There will be none any more.
    End,
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State { events: VecDeque::new(), weight: 0, closed: false }),
            filled: Notify::new(),
            drained: Notify::new(),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an event in, whether full or not. After the end it is lost.
    pub(crate) fn push(&self, event: T, bytes: usize) {
        let mut state = self.state();
        if state.closed {
            return;
        }
        let weight = bytes + BOOKKEEPING;
        state.weight += weight;
        state.events.push_back((event, weight));
        drop(state);
        self.filled.notify_one();
    }

    /// Drops all that waits. For media, where late is worse than never. How many there were.
    pub(crate) fn clear(&self) -> usize {
        let mut state = self.state();
        let dropped = state.events.len();
        state.events.clear();
        state.weight = 0;
        dropped
    }

    /// No events will follow.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.filled.notify_waiters();
        self.filled.notify_one();
    }

    /// Whether the filler shall stop.
    pub(crate) fn is_full(&self) -> bool {
        self.state().weight >= FULL
    }

    /// Waits until the filler may go on. Cancel-safe.
    pub(crate) async fn drained(&self) {
        loop {
            let notified = self.drained.notified();
            if !self.is_full() {
                return;
            }
            notified.await;
        }
    }

    /// The next event, or `None` when there will be no more. Cancel-safe.
    pub(crate) async fn next(&self) -> Option<T> {
        loop {
            let notified = self.filled.notified();
            match self.take() {
                Taken::Event(event) => return Some(event),
                Taken::End => return None,
                Taken::Nothing => notified.await,
            }
        }
    }

    fn take(&self) -> Taken<T> {
        let mut state = self.state();
        if let Some((event, weight)) = state.events.pop_front() {
            let was_full = state.weight >= FULL;
            state.weight -= weight;
            let room = was_full && state.weight < FULL;
            let more = !state.events.is_empty() || state.closed;
            drop(state);
            if room {
                self.drained.notify_one();
            }
            if more {
                // Another waiter may be asleep on the notice that this one has used up.
                self.filled.notify_one();
            }
            return Taken::Event(event);
        }
        if state.closed {
            drop(state);
            self.filled.notify_one();
            return Taken::End;
        }
        Taken::Nothing
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn events_come_out_in_order_and_then_the_end() {
        let queue = Queue::new();
        queue.push(1, 0);
        queue.push(2, 0);
        queue.close();

        assert_eq!(
            [queue.next().await, queue.next().await, queue.next().await, queue.next().await],
            [Some(1), Some(2), None, None]
        );
    }

    #[tokio::test]
    async fn a_full_queue_tells_when_there_is_room() {
        let queue = Arc::new(Queue::new());
        queue.push("big", 2 * FULL);
        assert!(queue.is_full());

        let filler = tokio::spawn({
            let queue = Arc::clone(&queue);
            async move { queue.drained().await }
        });
        tokio::task::yield_now().await;
        assert!(!filler.is_finished());
        assert_eq!(queue.next().await, Some("big"));
        filler.await.unwrap();
    }

    #[tokio::test]
    async fn the_end_wakes_everybody() {
        let queue = Arc::new(Queue::<()>::new());
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let queue = Arc::clone(&queue);
                tokio::spawn(async move { queue.next().await })
            })
            .collect();
        tokio::task::yield_now().await;
        queue.close();
        for waiter in waiters {
            assert_eq!(waiter.await.unwrap(), None);
        }
    }
}
