//! How long a credential is still good, and when its client is warned.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

/// Seconds before the end at which the client is told.
const WARNINGS: [u64; 2] = [300, 60];

/// What the time has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// So many seconds are left.
    Warning(u64),
    /// It is over.
    End,
}

/// See the module documentation.
#[derive(Debug)]
pub(super) struct Expiry {
    end: Instant,
    next: Stage,
    timer: Pin<Box<Sleep>>,
}

impl Expiry {
    /// A credential that is good for so many seconds from now.
    pub(super) fn new(now: Instant, seconds: u64) -> Self {
        let end = now + Duration::from_secs(seconds);
        let next = stage_within(seconds);
        Self { end, next, timer: Box::pin(tokio::time::sleep_until(due(end, next).into())) }
    }

    /// Comes back with each warning, and at the end.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Stage> {
        ready!(self.timer.as_mut().poll(context));
        let stage = self.next;
        if let Stage::Warning(left) = stage {
            self.next = stage_within(left);
            self.timer.as_mut().reset(due(self.end, self.next).into());
        }
        Poll::Ready(stage)
    }
}

/// What comes next when so many seconds are left.
fn stage_within(left: u64) -> Stage {
    WARNINGS.into_iter().find(|at| *at < left).map_or(Stage::End, Stage::Warning)
}

fn due(end: Instant, stage: Stage) -> Instant {
    match stage {
        Stage::Warning(left) => end.checked_sub(Duration::from_secs(left)).unwrap_or(end),
        Stage::End => end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_come_300_and_60_seconds_before_the_end() {
        for (left, next) in [
            (90_000, Stage::Warning(300)),
            (301, Stage::Warning(300)),
            (300, Stage::Warning(60)),
            (61, Stage::Warning(60)),
            (60, Stage::End),
            (1, Stage::End),
        ] {
            assert_eq!(stage_within(left), next, "{left}");
        }
    }
}
