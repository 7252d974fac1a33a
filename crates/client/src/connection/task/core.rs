//! The part of a task that touches no socket, so that it can be used while the network is being read.

use std::net::SocketAddr;
use std::time::Instant;

use super::Front;
use crate::connection::IceState;
use crate::link::{Event, Link, Output};

/// The link and its application.
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub(super) struct Core<F> {
    pub(super) link: Link,
    pub(super) front: F,
    /// Datagrams that the network has to send.
    pub(super) transmits: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
    /// The other side is one of our SDKs, which can restart ICE.
    pub(super) remote_restarts: bool,
    /// This machine has got other addresses.
    pub(super) moved: bool,
    pub(super) restart_wanted: bool,
    /// The path has just been chosen.
    pub(super) settled: bool,
    pub(super) open: bool,
    pub(super) caller: bool,
}

impl<F: Front> Core<F> {
    pub(super) fn new(link: Link, front: F, caller: bool, remote_restarts: bool) -> Self {
        Self {
            link,
            front,
            transmits: Vec::new(),
            remote_restarts,
            moved: false,
            restart_wanted: false,
            settled: false,
            open: false,
            caller,
        }
    }

    /// Drains the link. Answers when to come back.
    pub(super) fn poll(&mut self, now: Instant) -> Instant {
        loop {
            match self.link.poll(now) {
                Output::Transmit { source, destination, data } => {
                    self.transmits.push((source, destination, data));
                }
                Output::Event(event) => self.handle_event(event),
                Output::Timeout(at) => {
                    self.front.handle_progress(&mut self.link);
                    return at;
                }
            }
        }
    }

    fn handle_event(&mut self, event: Event) {
        match event {
            // The caller restarts, and whoever has moved, since the other one may not know: if both
            // do, the engine rolls one offer back.
            Event::RestartWanted => {
                self.restart_wanted = self.remote_restarts && (self.caller || self.moved);
                return;
            }
            Event::Open => self.open = true,
            Event::Ice(IceState::Completed) => self.settled = true,
            _ => {}
        }
        self.front.handle_event(&mut self.link, event);
    }
}
