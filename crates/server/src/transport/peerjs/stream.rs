//! A `PeerJS` 0.3 session over a streaming XHR: server to client only, one JSON message per line
//! (`docs/reference/peerjs-dialect.md` A5). The client's own messages come as POSTs, see `routes`.
//!
//! The 0.3 client handles one line per read event and never catches up by itself. So lines are
//! written one at a time and apart in time, and each is followed, once the outbox is empty, by a
//! PING line that pushes out what may have been merged on the way.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame};
use peerway_broker::{HangupReason, SessionId};
use peerway_protocol::{Event, PeerId, peerjs};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::clock;
use crate::edge::Edge;
use crate::outbox::{Ending, Outbox};

/// Padding that defeats the buffering of old browsers.
const PADDING: usize = 2048;
/// Time between two lines, long enough that the network does not merge them.
const SPACING: Duration = Duration::from_millis(35);
/// Lines that are followed by pushing ones, at most.
const MAX_PUSHES: usize = 256;

/// The first line of every stream.
pub(super) fn padding() -> String {
    let mut text = "0".repeat(PADDING);
    text.push('\n');
    text
}

/// An answer's body that a session writes line by line.
pub(super) struct LineBody(mpsc::Receiver<Bytes>);

impl LineBody {
    pub(super) fn new() -> (mpsc::Sender<Bytes>, Self) {
        let (sender, receiver) = mpsc::channel(1);
        (sender, Self(receiver))
    }
}

impl Body for LineBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|line| line.map(|line| Ok(Frame::data(line))))
    }
}

pub(super) struct StreamSession {
    pub(super) edge: Arc<Edge>,
    pub(super) session: SessionId,
    pub(super) me: PeerId,
    pub(super) outbox: Arc<Outbox>,
    pub(super) lines: mpsc::Sender<Bytes>,
}

/// How a stream ends.
enum Over {
    /// The client aborted it, or does not read.
    Gone,
    Ended(Ending),
}

impl StreamSession {
    /// Runs until one side ends it; `first` is the padding with what follows it at once.
    pub(super) async fn run(self, first: String) -> &'static str {
        match self.write_lines(first).await {
            Over::Gone => {
                self.edge.node.closed(self.session, false).await;
                "aborted"
            }
            Over::Ended(Ending::Hangup(HangupReason::Superseded)) => "superseded",
            Over::Ended(Ending::Shutdown) => "shutdown",
            Over::Ended(_) => "hung_up",
        }
    }

    async fn write_lines(&self, first: String) -> Over {
        // The first write may hold OPEN, which deserves a push like any other message.
        let mut pushes = 1;
        let write_timeout = self.edge.config.limits.write_timeout.0;
        let mut text = first;
        loop {
            let sent = tokio::time::timeout(write_timeout, self.lines.send(text.into()));
            if !matches!(sent.await, Ok(Ok(()))) {
                return Over::Gone;
            }
            let rested = Instant::from_std(clock::now() + SPACING);
            tokio::select! {
                () = self.lines.closed() => return Over::Gone,
                () = tokio::time::sleep_until(rested) => {}
            }
            text = match self.next_line(&mut pushes).await {
                Ok(line) => line,
                Err(over) => return over,
            };
        }
    }

    /// Waits for what comes next: an event, a push that is owed, or the time for a PING.
    async fn next_line(&self, pushes: &mut usize) -> Result<String, Over> {
        let ping_at = Instant::from_std(clock::now() + self.edge.config.ping_interval().0);
        loop {
            tokio::select! {
                biased;
                () = self.lines.closed() => return Err(Over::Gone),
                next = self.outbox.next() => match next {
                    // Nothing to write, and an empty line would stop the client for good.
                    Ok(Event::Resumed | Event::Probe) => {}
                    Ok(event) => {
                        *pushes = (*pushes + 1).min(MAX_PUSHES);
                        return Ok(self.line(&event));
                    }
                    Err(ending) => {
                        self.push_out(*pushes).await;
                        return Err(Over::Ended(ending));
                    }
                },
                () = std::future::ready(()), if *pushes > 0 => {
                    *pushes -= 1;
                    return Ok(ping_line());
                }
                () = tokio::time::sleep_until(ping_at) => return Ok(ping_line()),
            }
        }
    }

    /// Sends the pushing lines that are still owed before the stream ends.
    async fn push_out(&self, pushes: usize) {
        for _ in 0..pushes {
            // Nobody is waiting for a client that takes its time here.
            if self.lines.try_send(ping_line().into()).is_err() {
                return;
            }
            tokio::time::sleep(SPACING).await;
        }
    }

    fn line(&self, event: &Event) -> String {
        let mut text = String::new();
        peerjs::encode(event, &self.me, &mut text);
        // Between the tokens of JSON a line break is as good as a space, inside strings it cannot
        // stand; a message of several lines would be lost.
        let mut line = text.replace(['\n', '\r'], " ");
        line.push('\n');
        line
    }
}

fn ping_line() -> String {
    format!("{}\n", peerjs::PING)
}
