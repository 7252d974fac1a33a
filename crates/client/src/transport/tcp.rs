//! Paths over TCP to a peer that listens (RFC 6544, the active end), for networks that let no UDP
//! through; datagrams are framed by their length (RFC 4571).

use std::net::SocketAddr;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::task::JoinSet;

use super::failure::Failure;
use super::inbox::Inbox;
use super::stream::StreamPort;

/// UDP, which is better, has so long to find a way.
const HEAD_START: Duration = Duration::from_secs(2);

/// A forwarding unit has an address or two.
const MOST: usize = 4;

/// Before each datagram stands its length.
const HEADER: usize = 2;

/// The attempts and what became of them.
#[derive(Debug, Default)]
pub(super) struct TcpPaths {
    paths: Vec<TcpPath>,
    attempts: JoinSet<(SocketAddr, Result<StreamPort, Failure>)>,
    wanted: Vec<SocketAddr>,
}

/// One connection.
#[derive(Debug)]
struct TcpPath {
    port: StreamPort,
    remote: SocketAddr,
}

impl TcpPaths {
    /// Connects after a while, unless [`TcpPaths::settled`] is told before.
    pub(super) fn connect(&mut self, remote: SocketAddr) {
        if self.wanted.len() == MOST || self.wanted.contains(&remote) {
            return;
        }
        self.wanted.push(remote);
        self.attempts.spawn(async move {
            tokio::time::sleep(HEAD_START).await;
            (remote, StreamPort::connect(remote, None).await)
        });
    }

    /// A path was found.
    pub(super) fn settled(&mut self) {
        self.attempts.abort_all();
    }

    /// The next path that stands: its address of this machine. `taken`: those that already name
    /// something else.
    pub(super) fn poll_connected(
        &mut self,
        cx: &mut Context<'_>,
        taken: impl Fn(SocketAddr) -> bool,
    ) -> Poll<SocketAddr> {
        loop {
            // Nothing to wait for is the same as not yet: an attempt wakes the task.
            let Some(joined) = ready!(self.attempts.poll_join_next(cx)) else {
                return Poll::Pending;
            };
            let Ok((remote, connected)) = joined else { continue };
            match connected {
                Ok(port) if !taken(port.addr()) => {
                    let local = port.addr();
                    self.paths.push(TcpPath { port, remote });
                    return Poll::Ready(local);
                }
                Ok(port) => tracing::debug!(local = %port.addr(), "a TCP path with a UDP address"),
                Err(error) => tracing::debug!(%remote, %error, "no TCP path"),
            }
        }
    }

    /// Queues a datagram; whether there is such a path.
    pub(super) fn send(&mut self, local: SocketAddr, remote: SocketAddr, data: &[u8]) -> bool {
        let mut paths = self.paths.iter_mut();
        let path = paths.find(|path| path.port.addr() == local && path.remote == remote);
        if let (Some(path), Ok(length)) = (path, u16::try_from(data.len())) {
            path.port.push(|bytes| {
                bytes.extend_from_slice(&length.to_be_bytes());
                bytes.extend_from_slice(data);
                true
            });
            return true;
        }
        false
    }

    pub(super) fn flush(&mut self) -> bool {
        let mut all = true;
        for path in &mut self.paths {
            all &= path.port.flush();
        }
        all
    }

    /// Goes on writing; [`TcpPaths::poll_receive`] finds what is broken.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) {
        for path in &mut self.paths {
            let _ = path.port.poll_flush(cx);
        }
    }

    /// Reads the first path that has something.
    pub(super) fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        inbox: &mut Option<Box<Inbox>>,
    ) -> Poll<()> {
        let mut index = 0;
        while let Some(path) = self.paths.get_mut(index) {
            match path.poll_receive(cx, inbox) {
                Poll::Pending => index += 1,
                Poll::Ready(Ok(())) if inbox.as_ref().is_some_and(|inbox| !inbox.is_empty()) => {
                    return Poll::Ready(());
                }
                // A part of a datagram: read on until there is nothing.
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => {
                    tracing::debug!(remote = %path.remote, %error, "a TCP path is gone");
                    self.paths.remove(index);
                }
            }
        }
        Poll::Pending
    }

    /// Gives memory back while nothing happens.
    pub(super) fn rest(&mut self) {
        for path in &mut self.paths {
            path.port.rest();
        }
    }
}

impl TcpPath {
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        inbox: &mut Option<Box<Inbox>>,
    ) -> Poll<std::io::Result<()>> {
        let received = ready!(self.port.poll_receive(cx, inbox))?;
        let Some(inbox) = inbox else { return Poll::Ready(Ok(())) };
        let mut start = 0;
        while let Some(length) = length(inbox.bytes(start..received)) {
            let first = start + HEADER;
            inbox.push(first..first + length, self.remote, self.port.addr());
            start = first + length;
        }
        self.port.keep(inbox.bytes(start..received));
        Poll::Ready(Ok(()))
    }
}

/// The length of the first datagram, if all of it is there.
fn length(received: &[u8]) -> Option<usize> {
    let [high, low, rest @ ..] = received else { return None };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    (rest.len() >= length).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_counts_when_all_of_it_is_there() {
        assert_eq!(length(&[]), None);
        assert_eq!(length(&[0]), None);
        assert_eq!(length(&[0, 2, 7]), None);
        assert_eq!(length(&[0, 2, 7, 8, 0]), Some(2));
        assert_eq!(length(&[0, 0]), Some(0));
    }
}
