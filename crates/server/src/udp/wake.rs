//! Waking and ending a thread that waits for its sockets.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use nix::sys::eventfd::{EfdFlags, EventFd};

/// Wakes a thread from another one, or ends it.
#[derive(Debug)]
pub(crate) struct Waker {
    event: EventFd,
    stop: AtomicBool,
}

impl Waker {
    /// One whose wakings `epoll` tells as `data`.
    pub(crate) fn new(epoll: &Epoll, data: u64) -> io::Result<Self> {
        let event = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?;
        watch(epoll, &event, data)?;
        Ok(Self { event, stop: AtomicBool::new(false) })
    }

    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.wake();
    }

    pub(crate) fn wake(&self) {
        if let Err(error) = self.event.write(1) {
            tracing::error!(%error, "cannot wake a thread");
        }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The thread is awake.
    pub(crate) fn clear(&self) {
        // Nothing else reads it, and an error can only say that it was 0.
        let _ = self.event.read();
    }
}

/// Ends a thread together with the task that waits for it, however that ends: a runtime may be
/// dropped without the server having been stopped.
pub(crate) struct StopOnDrop(pub(crate) Arc<Waker>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Level-triggered: what a batch leaves behind is told again.
pub(crate) fn watch(epoll: &Epoll, socket: impl AsFd, data: u64) -> io::Result<()> {
    Ok(epoll.add(socket, EpollEvent::new(EpollFlags::EPOLLIN, data))?)
}
