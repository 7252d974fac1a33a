//! The task's side of a data connection.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use peerway_protocol::Value;
use tokio::sync::oneshot;

use super::{Command, DataEvent, Shared};
use crate::connection::stats::ConnectionStats;
use crate::connection::task::Front;
use crate::connection::{ConnectionError, IceState, SendError};
use crate::link::{Event, Link};

/// The task's side.
pub(super) struct DataFront {
    shared: Arc<Shared>,
    /// Who waits for the value under way.
    sending: Option<oneshot::Sender<Result<(), SendError>>>,
    ended: bool,
}

impl DataFront {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, sending: None, ended: false }
    }
}

/// Whatever ends the task, a panic too, ends the connection for its application.
impl Drop for DataFront {
    fn drop(&mut self) {
        self.handle_end();
    }
}

impl Front for DataFront {
    type Command = Command;

    fn handle_event(&mut self, _link: &mut Link, event: Event) {
        if self.ended {
            return;
        }
        let events = &self.shared.events;
        match event {
            Event::Open => {
                self.shared.open.store(true, Ordering::Release);
                events.push(DataEvent::Open, 0);
            }
            Event::Value(value) => {
                let bytes = weight(&value);
                events.push(DataEvent::Data(value), bytes);
            }
            Event::Garbled(error) => events.push(DataEvent::Error(error), 0),
            Event::Ice(state) => {
                self.shared.ice.send_replace(state);
                events.push(DataEvent::IceStateChanged(state), 0);
            }
            Event::Traffic(traffic) => {
                self.shared.stats.send_replace(ConnectionStats::new(traffic, |_| {
                    crate::media::TrackKind::Audio
                }));
            }
            Event::Closed(Some(error)) => self.handle_failure(error),
            Event::Closed(None) => self.handle_end(),
            _ => {}
        }
    }

    fn handle_command(&mut self, _now: Instant, link: &mut Link, command: Command) {
        let Command::Send { value, sent } = command;
        // Given up while it waited.
        if sent.is_closed() {
            return;
        }
        match link.send(&value) {
            Ok(()) => self.sending = Some(sent),
            Err(error) => drop(sent.send(Err(error))),
        }
    }

    fn is_ready(&self, _link: &Link) -> bool {
        self.sending.is_none()
    }

    fn handle_progress(&mut self, link: &mut Link) {
        self.shared.buffered.store(link.buffered(), Ordering::Relaxed);
        if self.sending.is_some() && link.can_send() {
            let sent = self.sending.take().expect("it was just there");
            let _ = sent.send(Ok(()));
        }
    }

    fn is_full(&self) -> bool {
        self.shared.events.is_full()
    }

    async fn drained(&self) {
        self.shared.events.drained().await;
    }

    fn handle_failure(&mut self, error: ConnectionError) {
        if !self.ended {
            self.shared.events.push(DataEvent::Error(error), 0);
        }
        self.handle_end();
    }

    fn handle_end(&mut self) {
        if !self.ended {
            self.ended = true;
            self.shared.open.store(false, Ordering::Release);
            self.shared.ice.send_replace(IceState::Closed);
            self.shared.events.push(DataEvent::Close, 0);
            self.shared.events.close();
            self.sending = None;
        }
    }
}

/// About how many bytes of memory a value takes.
pub(crate) fn weight(value: &Value) -> usize {
    let own = size_of::<Value>();
    own + match value {
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Map(members) => members.iter().map(|(key, value)| key.len() + weight(value)).sum(),
        _ => 0,
    }
}
