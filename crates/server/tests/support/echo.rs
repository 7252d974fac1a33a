//! An application whose Socket.IO clients hear everything they say.
//!
//! ```text
//! handshake     tells the query of the handshake
//! bye           the server disconnects the client
//! probe         the server wants to know whether the client is alive, and tells when it is
//! closed        tells how the sessions before ended
//! any other     comes back as it came, and is acknowledged if that is asked for
//! ```

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use peerway_protocol::Refusal;
use peerway_protocol::socketio::{Event, Outgoing};
use peerway_server::engineio::{Alive, Application, Client, Closed, Handshake, Next};

/// See the module documentation.
#[derive(Clone, Default)]
pub struct Echo {
    ended: Arc<Mutex<Vec<Closed>>>,
}

/// A session of [`Echo`].
pub struct EchoClient {
    handshake: Handshake,
    ended: Arc<Mutex<Vec<Closed>>>,
    waiting: Waiting,
    probe: bool,
    bye: bool,
}

/// What is to be said.
#[derive(Clone, Default)]
struct Waiting(Arc<Mutex<(VecDeque<Outgoing>, Option<Waker>)>>);

impl Application for Echo {
    type Client = EchoClient;

    async fn open(&self, handshake: Handshake) -> EchoClient {
        EchoClient {
            handshake,
            ended: self.ended.clone(),
            waiting: Waiting::default(),
            probe: false,
            bye: false,
        }
    }
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, (VecDeque<Outgoing>, Option<Waker>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, outgoing: Outgoing) {
        let mut state = self.lock();
        state.0.push_back(outgoing);
        if let Some(waker) = state.1.take() {
            waker.wake();
        }
    }

    fn say_text(&self, name: &str, text: &str) {
        let json = serde_json::Value::from(text).to_string();
        self.say(Outgoing::event(name, &[&json], Vec::new()));
    }
}

impl Client for EchoClient {
    async fn receive(&mut self, event: Event) {
        let Event { name, arguments, attachments, id } = event;
        match &*name {
            "handshake" => self.waiting.say_text(&name, &self.handshake.query),
            "closed" => {
                let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).clone();
                self.waiting.say_text(&name, &format!("{ended:?}"));
            }
            "probe" => self.probe = true,
            "bye" => {
                self.bye = true;
                self.waiting.say_text(&name, "good bye");
            }
            name => {
                let texts: Vec<&str> = arguments.iter().map(|argument| argument.get()).collect();
                self.waiting.say(Outgoing::event(name, &texts, attachments.clone()));
                if let Some(id) = id {
                    self.waiting.say(Outgoing::ack(id, &texts, attachments));
                }
            }
        }
    }

    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<Next> {
        if std::mem::take(&mut self.probe) {
            return Poll::Ready(Next::Probe);
        }
        let mut state = self.waiting.lock();
        let waiting: Vec<_> = state.0.drain(..).collect();
        if self.bye {
            return Poll::Ready(Next::End(waiting, "bye"));
        }
        if waiting.is_empty() {
            state.1 = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Next::Packets(waiting))
    }

    fn alive(&self) -> Alive {
        let waiting = self.waiting.clone();
        Box::pin(async move { waiting.say_text("alive", "heard") })
    }

    fn refuse(&mut self, refusal: &Refusal) -> Vec<Outgoing> {
        let json = serde_json::Value::from(refusal.to_string()).to_string();
        vec![Outgoing::event("refused", &[&json], Vec::new())]
    }

    async fn closed(self, how: Closed) {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).push(how);
    }
}
