//! Memory for big messages that are on their way in. A part of it is claimed for the whole of a message
//! when it has shown to be big, and whoever finds too little left has to wait before the rest is read.
//! What is claimed is never too little, so nobody waits for somebody who waits.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// All clients together, at least.
const TOTAL: usize = 64 * PIECE;
/// What is counted.
const PIECE: usize = 1024 * 1024;
/// What a message may have without a claim.
const FREE: usize = 256 * 1024;
/// How long a big message may take. A client whose ping has to wait behind it gives up earlier.
pub(super) const LONGEST: Duration = Duration::from_secs(45);

/// See the module documentation.
#[derive(Debug, Clone)]
pub(super) struct Budget(Arc<Semaphore>);

impl Budget {
    /// For messages up to a size.
    pub(super) fn new(biggest: usize) -> Self {
        Self(Arc::new(Semaphore::new(pieces(biggest.max(TOTAL)) as usize)))
    }
}

fn pieces(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(PIECE)).unwrap_or(u32::MAX)
}

type Waiting = Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send>>;

/// What one client has of a [`Budget`]; given back when dropped.
pub(super) struct Claim {
    budget: Budget,
    most: usize,
    pub(super) since: Instant,
    held: Option<OwnedSemaphorePermit>,
    waiting: Option<Waiting>,
}

impl Claim {
    /// Whether a message of this size needs one.
    pub(super) fn is_needed(bytes: usize) -> bool {
        bytes > FREE
    }

    /// For a message that has at most so many bytes.
    pub(super) fn new(budget: &Budget, most: usize, now: Instant) -> Self {
        Self { budget: budget.clone(), most, since: now, held: None, waiting: None }
    }

    /// Is ready when this much of the message may be read.
    pub(super) fn poll_grow(&mut self, context: &mut Context<'_>, bytes: usize) -> Poll<()> {
        if self.held.is_some() || !Self::is_needed(bytes) {
            return Poll::Ready(());
        }
        let (budget, most) = (&self.budget.0, self.most);
        let waiting = self
            .waiting
            .get_or_insert_with(|| Box::pin(budget.clone().acquire_many_owned(pieces(most))));
        self.held = ready!(waiting.as_mut().poll(context)).ok();
        self.waiting = None;
        Poll::Ready(())
    }

    /// Waits until this much of the message may be read.
    pub(super) async fn grow(&mut self, bytes: usize) {
        poll_fn(|context| self.poll_grow(context, bytes)).await;
    }

    /// The message goes on with another request, and has at most so many bytes in all. `false` if
    /// there is too little left just now.
    pub(super) fn extend(&mut self, most: usize) -> bool {
        let held = self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = (pieces(most) as usize).saturating_sub(held);
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        let Ok(permit) = self.budget.0.clone().try_acquire_many_owned(missing) else {
            return false;
        };
        match &mut self.held {
            Some(held) => held.merge(permit),
            none => *none = Some(permit),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;
    use crate::clock;

    const BIG: usize = 20 * PIECE;

    #[test]
    fn who_comes_when_all_is_claimed_waits() {
        let budget = Budget::new(BIG);
        let mut context = Context::from_waker(Waker::noop());
        let mut claims: Vec<Claim> =
            (0..3).map(|_| Claim::new(&budget, BIG, clock::now())).collect();
        for claim in &mut claims {
            assert!(claim.poll_grow(&mut context, FREE + 1).is_ready());
            assert!(claim.poll_grow(&mut context, BIG).is_ready());
        }
        let mut late = Claim::new(&budget, BIG, clock::now());
        assert!(late.poll_grow(&mut context, FREE).is_ready());
        assert!(late.poll_grow(&mut context, FREE + 1).is_pending());
        claims.pop();
        assert!(late.poll_grow(&mut context, FREE + 1).is_ready());
        assert!(!claims[0].extend(2 * BIG));
        drop(late);
        assert!(claims[0].extend(2 * BIG));
    }

    #[test]
    fn one_message_has_always_room() {
        let mut claim = Claim::new(&Budget::new(5 * TOTAL), 5 * TOTAL, clock::now());
        let mut context = Context::from_waker(Waker::noop());
        assert!(claim.poll_grow(&mut context, 5 * TOTAL).is_ready());
    }
}
