//! TURN over TCP and TLS: frames in a stream of bytes.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::failure::Failure;
use super::inbox::Inbox;
use super::outbox::{self, MOST};
use super::turn::frame;

/// For the handshakes of TCP and TLS together.
const CONNECT: Duration = Duration::from_secs(10);

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection to a TURN server.
pub(super) struct StreamPort {
    io: Box<dyn Io>,
    local: SocketAddr,
    /// The beginning of a frame.
    partial: Vec<u8>,
    /// What waits to be written, from `written` on.
    outgoing: Vec<u8>,
    written: usize,
    /// TLS may hold bytes that are written.
    unflushed: bool,
    broken: bool,
}

impl std::fmt::Debug for StreamPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamPort").field("local", &self.local).finish_non_exhaustive()
    }
}

impl StreamPort {
    /// Connects; with TLS if there is a configuration and the name that the certificate is for.
    pub(super) async fn connect(
        server: SocketAddr,
        tls: Option<(Arc<rustls::ClientConfig>, String)>,
    ) -> Result<Self, Failure> {
        let connecting = async {
            let stream = TcpStream::connect(server).await?;
            stream.set_nodelay(true)?;
            let local = stream.local_addr()?;
            let io: Box<dyn Io> = match tls {
                None => Box::new(stream),
                Some((config, host)) => {
                    let name = ServerName::try_from(host).map_err(|_| Failure::TlsName)?;
                    Box::new(TlsConnector::from(config).connect(name, stream).await?)
                }
            };
            Ok::<_, Failure>((local, io))
        };
        let (local, io) =
            tokio::time::timeout(CONNECT, connecting).await.map_err(|_| Failure::NoAnswer)??;
        let (partial, outgoing) = (Vec::new(), Vec::new());
        Ok(Self { io, local, partial, outgoing, written: 0, unflushed: false, broken: false })
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.local
    }

    pub(super) fn queued(&self) -> usize {
        self.outgoing.len() - self.written
    }

    /// Queues what `write` appends.
    pub(super) fn push(&mut self, write: impl FnOnce(&mut Vec<u8>) -> bool) {
        // A relay that cannot keep up loses, as a path of datagrams would; the congestion control
        // of the peers sees it.
        if self.queued() >= MOST || self.broken {
            return;
        }
        if self.outgoing.capacity() == 0 {
            self.outgoing = outbox::spare();
        }
        if self.written >= MOST / 2 {
            self.outgoing.drain(..self.written);
            self.written = 0;
        }
        let length = self.outgoing.len();
        if !write(&mut self.outgoing) {
            self.outgoing.truncate(length);
        }
    }

    /// Writes what the system takes. Whether nothing is left.
    pub(super) fn flush(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        // Who is not woken by this asks again with a waker before waiting.
        self.poll_flush(&mut cx).is_ready()
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.broken && self.written < self.outgoing.len() {
            let rest = &self.outgoing[self.written..];
            match ready!(Pin::new(&mut self.io).poll_write(cx, rest)) {
                Ok(written) if written > 0 => {
                    self.written += written;
                    self.unflushed = true;
                }
                // The reader finds the end.
                Ok(_) => self.broken = true,
                Err(error) => {
                    tracing::debug!(%error, "the TURN server is gone");
                    self.broken = true;
                }
            }
        }
        self.outgoing.clear();
        self.written = 0;
        if self.unflushed && !self.broken {
            self.broken = ready!(Pin::new(&mut self.io).poll_flush(cx)).is_err();
            self.unflushed = false;
        }
        Poll::Ready(())
    }

    /// Reads what waits into an inbox; the number of bytes, which begin with a frame.
    pub(super) fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        inbox: &mut Option<Box<Inbox>>,
    ) -> Poll<io::Result<usize>> {
        if self.broken {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        // Reading needs room; an idle connection borrows it only for the moment of asking.
        let inbox = inbox.get_or_insert_with(super::inbox::spare);
        let room = inbox.stream();
        let kept = self.partial.len();
        let mut buffer = ReadBuf::new(&mut room[kept..]);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer))?;
        let read = buffer.filled().len();
        if read == 0 {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        room[..kept].copy_from_slice(&self.partial);
        self.partial.clear();
        Poll::Ready(Ok(kept + read))
    }

    /// Keeps the beginning of a frame until the rest comes.
    pub(super) fn keep(&mut self, partial: &[u8]) {
        debug_assert!(partial.len() < frame::LONGEST);
        self.partial.extend_from_slice(partial);
    }

    /// Gives memory back while nothing happens.
    pub(super) fn rest(&mut self) {
        if self.queued() == 0 && self.outgoing.capacity() > 0 {
            outbox::keep(std::mem::take(&mut self.outgoing));
        }
        if self.partial.is_empty() {
            self.partial = Vec::new();
        }
    }
}
