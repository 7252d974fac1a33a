//! A connection that speaks `WebSocket`: the socket and the codec, with the buffer between them that
//! all sessions of a thread share.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tungstenite::protocol::CloseFrame;
use tungstenite::{Error, Message};

use super::websocket::Codec;
use crate::clock;
use crate::http::ClientIo;

/// Bytes read from a socket at once.
const READ_SIZE: usize = 64 * 1024;
/// How long and how much is read after a close frame, so that what was said last is not lost to
/// a connection reset.
const LINGER: Duration = Duration::from_secs(3);
const LINGER_BYTES: usize = 64 * 1024 * 1024;

thread_local! {
    static READ_BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// See the module documentation.
#[derive(Debug)]
pub(super) struct Line {
    io: ClientIo,
    codec: Codec,
    /// Bytes that came right behind the handshake.
    early: Vec<u8>,
    /// Since when the socket has not taken what is to be written.
    stuck_since: Option<Instant>,
}

/// What a read brought.
pub(super) enum Read {
    /// The connection is gone.
    Lost,
    /// So many bytes, which the codec read or could not read.
    Bytes(usize, Result<(), Error>),
}

impl Line {
    /// A server's end, for messages up to a size in bytes. `early` came right behind the handshake.
    pub(super) fn new(io: ClientIo, early: Vec<u8>, message_size: usize) -> Self {
        Self { io, codec: Codec::new(message_size), early, stuck_since: None }
    }

    /// Appends a message to what will be written.
    pub(super) fn send(&mut self, message: Message) {
        self.codec.send(message);
    }

    /// Since when the socket has not taken what is to be written.
    pub(super) fn stuck_since(&self) -> Option<Instant> {
        self.stuck_since
    }

    /// Writes all that was sent. While that is not possible the line is stuck.
    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = self.poll_write_out(context);
        if result.is_pending() && self.stuck_since.is_none() {
            self.stuck_since = Some(clock::now());
        }
        result
    }

    fn poll_write_out(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut written = 0;
        let output = self.codec.output();
        let result = loop {
            if written == output.len() {
                break Poll::Ready(Ok(()));
            }
            match Pin::new(&mut self.io).poll_write(context, &output[written..]) {
                Poll::Ready(Ok(0)) => {
                    break Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                Poll::Ready(Ok(count)) => {
                    written += count;
                    self.stuck_since = None;
                }
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
        };
        output.drain(..written);
        if output.is_empty() {
            // An idle session keeps no buffer.
            *output = Vec::new();
        }
        ready!(result)?;
        // TLS keeps records of its own.
        Pin::new(&mut self.io).poll_flush(context)
    }

    /// Reads once, and hands each message that is complete now to `take`.
    pub(super) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        take: impl FnMut(Message),
    ) -> Poll<Read> {
        let mut early = std::mem::take(&mut self.early);
        if !early.is_empty() {
            let filled = early.len();
            return Poll::Ready(Read::Bytes(filled, self.codec.feed(&mut early, filled, take)));
        }
        with_read_buffer(|buffer| match poll_fill(&mut self.io, context, buffer) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(0) | Err(_)) => Poll::Ready(Read::Lost),
            Poll::Ready(Ok(filled)) => {
                Poll::Ready(Read::Bytes(filled, self.codec.feed(buffer, filled, take)))
            }
        })
    }

    /// Writes what is left and a close frame, and reads on until the client has answered it. A
    /// socket that is closed with unread input resets the connection and takes the last words
    /// with it; and Firefox 153 drops them when the end of the stream comes close behind.
    pub(super) async fn hang_up(&mut self, close: Option<CloseFrame>) {
        self.codec.close(close);
        let linger = async {
            poll_fn(|context| self.poll_flush(context)).await?;
            let mut left = LINGER_BYTES;
            // A client that closed first waits for the server to end the connection.
            while left > 0 && !self.codec.is_closed() {
                let Some(read) = poll_fn(|context| self.poll_discard(context)).await? else {
                    break;
                };
                left = left.saturating_sub(read);
            }
            self.io.shutdown().await
        };
        // Whatever fails now, the connection ends.
        let _ = tokio::time::timeout(LINGER, linger).await;
    }

    /// Reads and ignores; `None` once the client has closed its side.
    fn poll_discard(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<usize>>> {
        with_read_buffer(|buffer| {
            let read = ready!(poll_fill(&mut self.io, context, buffer))?;
            // Looked at only for the client's close frame; what else is wrong with it is all the same.
            let _ = self.codec.feed(buffer, read, |_| {});
            Poll::Ready(Ok((read > 0).then_some(read)))
        })
    }
}

fn with_read_buffer<R>(work: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    READ_BUFFER.with_borrow_mut(|buffer| {
        buffer.resize(READ_SIZE, 0);
        work(buffer)
    })
}

fn poll_fill(
    io: &mut ClientIo,
    context: &mut Context<'_>,
    buffer: &mut [u8],
) -> Poll<io::Result<usize>> {
    let mut target = ReadBuf::new(buffer);
    ready!(Pin::new(io).poll_read(context, &mut target))?;
    Poll::Ready(Ok(target.filled().len()))
}
