//! The node loop: everything that happens goes through here into the broker, and what the broker
//! wants is done here. One task, no locks around the broker, no waiting for any client.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use peerway_broker::{
    Broker, Command, Happening, LegId, MediaEvent, Open, Parcel, PostRefused, Proof, SessionId,
};
use peerway_protocol::{AppKey, PeerAddress, PeerId, Request, RoomAddress, RoomMode};
use tokio::sync::{mpsc, oneshot};

use crate::backplane::{Backplane, BackplaneEvent};
use crate::clock;
use crate::metrics::Metrics;
use crate::outbox::{Ending, Outbox, Queued};
use crate::sfu::SfuHandle;

/// How many inputs wait for the loop before transports stop reading.
const INBOX: usize = 4096;
/// How many inputs are taken before other sources get their turn.
const BATCH: usize = 128;

enum Input {
    Open { open: Open, outbox: Arc<Outbox> },
    Request { session: SessionId, request: Request, received: Instant },
    Alive { session: SessionId },
    Closed { session: SessionId, resumable: bool },
    Lost { session: SessionId },
    Post { post: Post, reply: oneshot::Sender<Result<(), PostRefused>> },
    List { app: AppKey, reply: oneshot::Sender<Vec<PeerId>> },
    Rooms { reply: oneshot::Sender<Vec<Hosted>> },
    Ping { reply: oneshot::Sender<()> },
    Shutdown,
}

/// A request that came beside its peer's session.
#[derive(Debug)]
pub struct Post {
    /// For whom.
    pub address: PeerAddress,
    /// By what right.
    pub proof: Proof,
    /// What.
    pub request: Request,
    /// When it was read.
    pub received: Instant,
}

/// A room that this node hosts.
#[derive(Debug)]
pub struct Hosted {
    /// Its name.
    pub address: RoomAddress,
    /// How media travel.
    pub mode: RoomMode,
    /// In the order in which they came.
    pub members: Arc<[PeerId]>,
}

/// The node has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server is shutting down")]
pub struct Stopped;

/// The transports' way to the node.
#[derive(Debug, Clone)]
pub struct NodeHandle {
    inbox: mpsc::Sender<Input>,
    next_session: Arc<AtomicU64>,
}

impl NodeHandle {
    /// A name for a new session.
    pub fn next_session(&self) -> SessionId {
        SessionId(self.next_session.fetch_add(1, Ordering::Relaxed))
    }

    /// A session wants to be a peer; the answer comes through its outbox.
    pub async fn open(&self, open: Open, outbox: Arc<Outbox>) -> Result<(), Stopped> {
        self.send(Input::Open { open, outbox }).await
    }

    /// A session asks for something; `received` is when it was read.
    pub async fn request(
        &self,
        session: SessionId,
        request: Request,
        received: Instant,
    ) -> Result<(), Stopped> {
        self.send(Input::Request { session, request, received }).await
    }

    /// A session that was probed has heard from its client.
    pub async fn alive(&self, session: SessionId) -> Result<(), Stopped> {
        self.send(Input::Alive { session }).await
    }

    /// A session's transport is gone.
    pub async fn closed(&self, session: SessionId, resumable: bool) {
        // A stopped node has forgotten the session anyway.
        let _ = self.send(Input::Closed { session, resumable }).await;
    }

    /// A session's transport is gone without a goodbye, and its client may come back: what is in
    /// its outbox, and what comes, waits for it. The transport puts back into the outbox what it
    /// took and could not write ([`Outbox::put_back`]) before it says so.
    pub async fn lost(&self, session: SessionId) {
        // A stopped node has forgotten the session anyway.
        let _ = self.send(Input::Lost { session }).await;
    }

    /// A request beside a session.
    pub async fn post(&self, post: Post) -> Result<Result<(), PostRefused>, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.send(Input::Post { post, reply }).await?;
        answer.await.map_err(|_| Stopped)
    }

    /// The ids of an app's peers.
    pub async fn list(&self, app: AppKey) -> Result<Vec<PeerId>, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.send(Input::List { app, reply }).await?;
        answer.await.map_err(|_| Stopped)
    }

    /// The rooms that this node hosts.
    pub async fn rooms(&self) -> Result<Vec<Hosted>, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.send(Input::Rooms { reply }).await?;
        answer.await.map_err(|_| Stopped)
    }

    /// Answers if the loop turns.
    pub async fn ping(&self) -> Result<(), Stopped> {
        let (reply, answer) = oneshot::channel();
        self.send(Input::Ping { reply }).await?;
        answer.await.map_err(|_| Stopped)
    }

    /// Ends every session and then the loop.
    pub async fn shut_down(&self) {
        // A stopped node needs no telling.
        let _ = self.send(Input::Shutdown).await;
    }

    async fn send(&self, input: Input) -> Result<(), Stopped> {
        self.inbox.send(input).await.map_err(|_| Stopped)
    }
}

/// The forwarding unit beside the node.
#[derive(Debug)]
pub struct Media {
    /// The way to it.
    pub sfu: SfuHandle,
    /// What its legs tell.
    pub events: mpsc::Receiver<(LegId, MediaEvent)>,
}

impl Media {
    async fn next(media: &mut Option<Self>) -> (LegId, MediaEvent) {
        if let Some(media) = media
            && let Some(event) = media.events.recv().await
        {
            return event;
        }
        // There is none, or it has stopped.
        std::future::pending().await
    }
}

/// The loop's own state.
pub struct Node<B> {
    broker: Broker,
    backplane: B,
    outboxes: HashMap<SessionId, Arc<Outbox>>,
    metrics: Arc<Metrics>,
    media: Option<Media>,
    inbox: mpsc::Receiver<Input>,
    now: Instant,
    /// When the input now being handled was read from a socket.
    received: Option<Instant>,
    stopping: bool,
}

impl<B: Backplane> Node<B> {
    /// A node around a broker, and the way to it.
    pub fn new(
        broker: Broker,
        backplane: B,
        metrics: Arc<Metrics>,
        media: Option<Media>,
    ) -> (Self, NodeHandle) {
        let (sender, inbox) = mpsc::channel(INBOX);
        let node = Self {
            broker,
            backplane,
            outboxes: HashMap::new(),
            metrics,
            media,
            inbox,
            now: clock::now(),
            received: None,
            stopping: false,
        };
        (node, NodeHandle { inbox: sender, next_session: Arc::default() })
    }

    /// Runs until told to shut down. Priority: backplane, clients, media, time; each turn ends with the
    /// broker's commands drained.
    pub async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        while !self.stopping {
            let deadline = self.broker.poll_timeout();
            tokio::select! {
                biased;
                () = self.backplane.ready() => self.now = clock::now(),
                taken = self.inbox.recv_many(&mut batch, BATCH) => {
                    self.now = clock::now();
                    self.stopping |= taken == 0;
                    for input in batch.drain(..) {
                        self.handle(input);
                        self.drain();
                    }
                }
                (leg, event) = Media::next(&mut self.media) => {
                    self.now = clock::now();
                    self.broker.handle_media(leg, event);
                }
                () = sleep_until(deadline) => {
                    self.now = clock::now();
                    self.broker.handle_timeout(self.now);
                }
            }
            self.received = None;
            self.drain();
        }
    }

    fn handle(&mut self, input: Input) {
        self.received = None;
        match input {
            Input::Open { open, outbox } => {
                self.outboxes.insert(open.session, outbox);
                self.broker.handle_open(self.now, open);
            }
            Input::Request { session, request, received } => {
                self.received = Some(received);
                self.broker.handle_request(self.now, session, request);
            }
            Input::Alive { session } => self.broker.handle_alive(session),
            Input::Closed { session, resumable } => {
                self.broker.handle_closed(self.now, session, resumable);
                self.drain();
                self.outboxes.remove(&session);
            }
            Input::Lost { session } => {
                if let Some(outbox) = self.outboxes.get(&session) {
                    outbox.abandon();
                }
                self.broker.handle_lost(self.now, session);
            }
            Input::Post { post: Post { address, proof, request, received }, reply } => {
                self.received = Some(received);
                let answer = self.broker.handle_post(self.now, &address, proof, request);
                // The client may have gone away meanwhile.
                let _ = reply.send(answer);
            }
            Input::List { app, reply } => self.backplane.list(&app, reply),
            // Whoever asked may have gone away meanwhile.
            Input::Rooms { reply } => drop(reply.send(self.hosted())),
            Input::Ping { reply } => drop(reply.send(())),
            Input::Shutdown => {
                self.stopping = true;
                #[expect(clippy::disallowed_methods, reason = "all are told the same")]
                for outbox in self.outboxes.values() {
                    outbox.end(Ending::Shutdown);
                }
            }
        }
    }

    fn hosted(&self) -> Vec<Hosted> {
        let rooms = self.broker.hosted_rooms().into_iter();
        let hosted = rooms.filter_map(|(address, members)| {
            let mode = self.broker.mode_of(&address)?;
            Some(Hosted { address, mode, members })
        });
        hosted.collect()
    }

    /// Does what the broker wants and tells it what came of it, until both are quiet.
    fn drain(&mut self) {
        loop {
            while let Some(command) = self.broker.next_command() {
                self.perform(command);
            }
            let Some(event) = self.backplane.try_next() else { return };
            self.handle_backplane(event);
        }
    }

    fn handle_backplane(&mut self, event: BackplaneEvent) {
        match event {
            BackplaneEvent::Claimed(claimant) => self.broker.handle_claimed(self.now, claimant),
            BackplaneEvent::Refused(claimant) => self.broker.handle_refused(self.now, claimant),
            BackplaneEvent::Arrived(parcel) => self.broker.handle_arrival(self.now, parcel),
            BackplaneEvent::Undeliverable(parcel) => {
                self.broker.handle_undeliverable(self.now, parcel);
            }
            BackplaneEvent::Up(address) => self.broker.handle_up(&address),
            BackplaneEvent::Gone(address) => self.broker.handle_gone(&address),
        }
    }

    fn perform(&mut self, command: Command) {
        match command {
            Command::Tell(session, event) => {
                let Some(outbox) = self.outboxes.get(&session) else { return };
                let queued = Queued { event, received: self.received };
                if let Err(lost) = outbox.push(queued) {
                    self.broker.handle_overflow(self.now, session, lost);
                }
            }
            Command::Handover { from, to } => {
                if let (Some(from), Some(to)) = (self.outboxes.get(&from), self.outboxes.get(&to)) {
                    to.inherit(from);
                }
            }
            Command::Hangup(session, reason) => {
                if let Some(outbox) = self.outboxes.remove(&session) {
                    outbox.end(Ending::Hangup(reason));
                }
            }
            Command::Claim(claim) => self.backplane.claim(claim),
            Command::Release(address) => self.backplane.release(&address),
            Command::Forward(parcel) => self.forward(parcel),
            Command::Return(parcel) => self.backplane.give_back(parcel),
            Command::Watch(address) => self.backplane.watch(address),
            Command::Unwatch(address) => self.backplane.unwatch(&address),
            Command::Media(command) => {
                // Without it nobody comes into a room that needs it.
                if let Some(media) = &self.media {
                    media.sfu.perform(command);
                }
            }
            Command::Report(happening) => self.report(&happening),
        }
    }

    fn forward(&mut self, parcel: Parcel) {
        match &parcel {
            Parcel::Signal(it) => tracing::debug!(
                app = %it.app, from = %it.from, to = %it.to, kind = it.signal.kind.name(), "signal"
            ),
            Parcel::ToRoom(it) => tracing::debug!(
                app = %it.app, from = %it.from, room = %it.room, ask = it.ask.name(), "to room"
            ),
            // One for each member: what they are told was asked for above.
            Parcel::FromRoom(_) => {}
        }
        self.backplane.send(parcel);
    }

    fn report(&self, happening: &Happening) {
        tracing::debug!(?happening);
        self.metrics.observe(happening);
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
