//! The peer: an identity at a signalling server, from which connections start and at which they
//! arrive.

mod driver;
mod error;
mod events;
mod ice;
mod options;
mod registry;
mod shared;

use std::fmt;
use std::sync::Arc;

use peerway_protocol::{PeerId, RoomName};
use tokio::runtime::Handle as Runtime;
use tokio::sync::{mpsc, watch};

pub use error::{PeerError, PeerErrorKind};
pub use events::{PeerEvent, PeerEvents};
pub use options::{PeerOptions, Reconnect};
pub use registry::{ConnectionInfo, ConnectionKind};
pub use shared::PeerState;

use self::driver::{Driver, Parts};
use self::events::EventQueue;
use self::shared::{Lent, Shared, Want, Wish, not_in};
use crate::clock;
use crate::connection::{
    CallOptions, ConnectOptions, Context, DataConnection, MediaConnection, Started,
};
use crate::room::{self, Room, RoomOptions};
use crate::signalling::http;
use crate::signalling::session::Session;

/// Signals of connections that wait for the driver.
const SIGNALS: usize = 64;

/// A peer, as in `PeerJS`: known by an id at a signalling server, able to connect to other peers
/// and to be connected to.
///
/// A `Peer` is a handle: clones are cheap and mean the same peer. When the last clone is dropped,
/// the peer is [destroyed](Self::destroy), with its connections. All methods may be called from any
/// thread.
///
/// What happens is told as [`PeerEvent`]s, which are pulled by [`next_event`](Self::next_event) or
/// the stream [`events`](Self::events). Up to 256 of them wait; when they do, nothing more is read
/// from the server until some are taken: other peers' offers, answers and candidates wait at the
/// server meanwhile, heartbeats go on. An application that is not interested in events should
/// therefore still take them.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let mut config = peerway_server::config::Config::default();
/// # (config.host, config.port, config.turn.enabled) = ("127.0.0.1".into(), 0, false);
/// # let server = peerway_server::Server::bind(config).await?;
/// # let port = server.local_addr().port();
/// # tokio::spawn(server.run());
/// use peerway::{Peer, PeerEvent, PeerOptions};
///
/// let peer = Peer::open(PeerOptions::new().port(port).id("ann")).await?;
/// assert_eq!(peer.id().as_deref(), Some("ann"));
/// while let Some(event) = peer.next_event().await {
///     match event {
///         PeerEvent::Open { id } => println!("I am {id}"),
///         PeerEvent::Error(error) => eprintln!("{error}"),
///         PeerEvent::Close => break,
///         _ => {}
///     }
///     peer.destroy();
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Peer {
    handle: Arc<Handle>,
}

/// What all clones share. The driver's task does not hold it: it ends when this is dropped.
struct Handle {
    shared: Arc<Shared>,
    wishes: watch::Sender<Wish>,
    events: Arc<EventQueue>,
    /// Connections may be started from threads that know no runtime.
    runtime: Runtime,
}

impl Peer {
    /// Makes a peer and starts to connect it to its server. Returns at once; the outcome is told by
    /// [`PeerEvent::Open`], or by [`PeerEvent::Error`] and [`PeerEvent::Close`].
    ///
    /// # Errors
    ///
    /// [`InvalidId`](PeerErrorKind::InvalidId) and [`InvalidOption`](PeerErrorKind::InvalidOption):
    /// options that cannot be right; or there is no tokio runtime here, which must have IO and time.
    pub fn new(options: PeerOptions) -> Result<Self, PeerError> {
        let runtime = Runtime::try_current().map_err(|error| {
            let message = "a peer must be made inside a tokio runtime";
            PeerError::new(PeerErrorKind::InvalidOption, message).caused_by(error)
        })?;
        let made = options.check()?;
        let (signals, outbound) = mpsc::channel(SIGNALS);
        let (ended, endings) = mpsc::unbounded_channel();
        let (moved, relocations) = mpsc::channel(1);
        let (events, queue) = mpsc::channel(events::QUEUE);
        let (wishes, wanted) = watch::channel(Wish { want: Want::Connected, serial: 0 });
        let id = made.session.id.clone();
        let shared =
            Arc::new(Shared::new(made.endpoint, made.network, id, Lent { signals, ended, moved }));
        let driver = Driver::new(Parts {
            shared: shared.clone(),
            session: Session::new(made.session),
            token: made.token,
            ask_ice: made.ask_ice,
            wishes: wanted,
            signals: outbound,
            ended: endings,
            moved: relocations,
            events,
        });
        runtime.spawn(driver.run());
        let events = Arc::new(EventQueue::new(queue));
        Ok(Self { handle: Arc::new(Handle { shared, wishes, events, runtime }) })
    }

    /// Makes a peer and waits until it is open. The event [`PeerEvent::Open`] comes all the same.
    ///
    /// Dropping the future gives the peer up.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new), and what kept the peer from opening; see [`PeerErrorKind`]. With
    /// [`PeerOptions::keep_trying`] a server that cannot be reached is waited for instead.
    pub async fn open(options: PeerOptions) -> Result<Self, PeerError> {
        let peer = Self::new(options)?;
        peer.opened().await?;
        Ok(peer)
    }

    /// The id, as soon as it is known: at once if it was given, else when the server gave one.
    /// It stays when the peer is disconnected.
    pub fn id(&self) -> Option<String> {
        self.handle.shared.status.borrow().id.clone()
    }

    /// How things stand with the signalling server.
    pub fn state(&self) -> PeerState {
        let wish = *self.handle.wishes.borrow();
        self.handle.shared.status.borrow().state_under(wish)
    }

    /// Whether the peer is open: known to the server under its id.
    pub fn is_open(&self) -> bool {
        self.state() == PeerState::Open
    }

    /// Whether there is no signalling connection at the moment (as `peer.disconnected`).
    pub fn is_disconnected(&self) -> bool {
        !matches!(self.state(), PeerState::Open | PeerState::Connecting)
    }

    /// Whether the peer is destroyed (as `peer.destroyed`).
    pub fn is_destroyed(&self) -> bool {
        self.state() == PeerState::Destroyed
    }

    /// Waits until the peer is open, for the first time or again.
    ///
    /// # Errors
    ///
    /// Why it never will be: what ended it, or [`Disconnected`](PeerErrorKind::Disconnected).
    pub async fn opened(&self) -> Result<(), PeerError> {
        let serial = self.handle.wishes.borrow().serial;
        let mut status = self.handle.shared.status.subscribe();
        let settled = status.wait_for(|status| {
            let heard = status.serial >= serial || status.state == PeerState::Destroyed;
            heard && !matches!(status.state, PeerState::Connecting | PeerState::Reconnecting)
        });
        match settled.await {
            Ok(status) if status.state == PeerState::Open => Ok(()),
            Ok(status) => Err(status.why_not_open()),
            Err(_) => Err(not_in(PeerState::Destroyed)),
        }
    }

    /// The next thing that happened; `None` after [`PeerEvent::Close`], which is always the last.
    ///
    /// Cancel-safe: an event is lost to nobody when the future is dropped. Each event goes to one
    /// caller only, whichever clone it waits at.
    pub async fn next_event(&self) -> Option<PeerEvent> {
        self.handle.events.next().await
    }

    /// What happened, as a stream. It shares the queue with [`next_event`](Self::next_event) and
    /// does not keep the peer alive.
    pub fn events(&self) -> PeerEvents {
        PeerEvents::new(self.handle.events.clone())
    }

    /// Starts a data connection to another peer. Returns at once; the connection tells when it is
    /// open, or that it failed. While the peer is not open, what there is to say to the other
    /// waits. Before it was open for the first time, it does not know its server's STUN and TURN
    /// servers either: to use them, wait until it is [`opened`](Self::opened).
    ///
    /// # Errors
    ///
    /// [`Disconnected`](PeerErrorKind::Disconnected) and [`Destroyed`](PeerErrorKind::Destroyed): a
    /// peer in this state starts nothing. [`InvalidId`](PeerErrorKind::InvalidId): the other's id
    /// is empty or one's own.
    pub fn connect(
        &self,
        peer: impl Into<String>,
        options: ConnectOptions,
    ) -> Result<DataConnection, PeerError> {
        let dial = |context: &Context, peer| DataConnection::dial(context, peer, options);
        self.start(&peer.into(), ConnectionKind::Data, dial)
    }

    /// Calls another peer. As [`connect`](Self::connect), with sound and picture.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub fn call(
        &self,
        peer: impl Into<String>,
        options: CallOptions,
    ) -> Result<MediaConnection, PeerError> {
        let dial = |context: &Context, peer| MediaConnection::dial(context, peer, options);
        self.start(&peer.into(), ConnectionKind::Media, dial)
    }

    fn start<C>(
        &self,
        peer: &str,
        kind: ConnectionKind,
        dial: impl FnOnce(&Context, String) -> Started<C>,
    ) -> Result<C, PeerError> {
        let invalid = |why: &str| {
            PeerError::new(PeerErrorKind::InvalidId, format!("the id of the other peer {why}"))
        };
        PeerId::new(peer).map_err(|error| invalid(&error.to_string()))?;
        if self.id().as_deref() == Some(peer) {
            return Err(invalid("is that of this peer itself"));
        }
        let shared = &self.handle.shared;
        // Until the end, so that nothing starts in a peer that is being destroyed, and no answer
        // comes before the connection is known.
        let mut registry = shared.registry();
        let state = if registry.is_closed() { PeerState::Destroyed } else { self.state() };
        if matches!(state, PeerState::Disconnected | PeerState::Destroyed) {
            return Err(not_in(state));
        }
        let _runtime = self.handle.runtime.enter();
        let started = dial(&shared.context(), peer.to_owned());
        registry.insert(peer, &started.id, kind, started.inbox, clock::now());
        Ok(started.connection)
    }

    /// Joins a room. Returns at once; [`Room::joined`] waits until the server has let the peer in.
    /// While the peer is not open, joining waits; and when the connection to the server was lost
    /// and is there again, the room is joined again.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let mut config = peerway_server::config::Config::default();
    /// # (config.host, config.port, config.turn.enabled) = ("127.0.0.1".into(), 0, false);
    /// # let server = peerway_server::Server::bind(config).await?;
    /// # let port = server.local_addr().port();
    /// # tokio::spawn(server.run());
    /// use peerway::{Peer, PeerOptions, RoomEvent, RoomMode};
    ///
    /// let ann = Peer::open(PeerOptions::new().port(port).id("ann")).await?;
    /// let bob = Peer::open(PeerOptions::new().port(port).id("bob")).await?;
    /// let room = ann.join_room("tea", RoomMode::Mesh)?;
    /// room.joined().await?;
    /// let other = bob.join_room("tea", RoomMode::Mesh)?;
    /// other.joined().await?;
    /// other.send("hello").await?;
    /// while let Some(event) = room.next_event().await {
    ///     if let RoomEvent::Data { from, value } = event {
    ///         assert_eq!((from.as_str(), value.as_str()), ("bob", Some("hello")));
    ///         break;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Disconnected`](PeerErrorKind::Disconnected) and [`Destroyed`](PeerErrorKind::Destroyed) as
    /// [`connect`](Self::connect); [`InvalidOption`](PeerErrorKind::InvalidOption): a text that cannot
    /// name a room, or the peer is in it already.
    pub fn join_room(
        &self,
        name: impl Into<String>,
        options: impl Into<RoomOptions>,
    ) -> Result<Room, PeerError> {
        let name: String = name.into();
        let invalid =
            |why: String| PeerError::new(PeerErrorKind::InvalidOption, format!("the room {why}"));
        let room = RoomName::new(&name).map_err(|error| invalid(format!("name {error}")))?;
        let shared = &self.handle.shared;
        let mut registry = shared.registry();
        let state = if registry.is_closed() { PeerState::Destroyed } else { self.state() };
        if matches!(state, PeerState::Disconnected | PeerState::Destroyed) {
            return Err(not_in(state));
        }
        let (inbox, told) = mpsc::channel(room::INBOX);
        if !registry.enter(room.clone(), inbox) {
            return Err(invalid(format!("{room} is joined already")));
        }
        let _runtime = self.handle.runtime.enter();
        let session = shared.session.subscribe();
        Ok(Room::enter(shared.context(), room, options.into(), session, told))
    }

    fn wish(&self, want: Want) {
        self.handle.wishes.send_modify(|wish| {
            // Nothing leads back from there.
            if wish.want != Want::Destroyed {
                *wish = Wish { want, serial: wish.serial + 1 };
            }
        });
    }

    /// Leaves the signalling server and stays away. Connections go on; new ones are neither
    /// started nor taken. [`PeerEvent::Disconnected`] tells when it is done, unless it was told
    /// before.
    pub fn disconnect(&self) {
        self.wish(Want::Away);
    }

    /// Connects to the server again, under the same id and token, after
    /// [`disconnect`](Self::disconnect) or when reconnecting was given up. While the peer waits for
    /// its next attempt, makes that at once. [`PeerEvent::Reconnected`] tells when it is done.
    ///
    /// # Errors
    ///
    /// [`Destroyed`](PeerErrorKind::Destroyed).
    pub fn reconnect(&self) -> Result<(), PeerError> {
        if self.is_destroyed() {
            return Err(not_in(PeerState::Destroyed));
        }
        self.wish(Want::Connected);
        Ok(())
    }

    /// Ends the peer and all its connections, for good. Returns at once;
    /// [`destroyed`](Self::destroyed) waits until nothing is left.
    pub fn destroy(&self) {
        self.wish(Want::Destroyed);
    }

    /// Waits until the peer is destroyed and its task is about to end: the server has been told,
    /// as far as it could be told within a second.
    pub async fn destroyed(&self) {
        let mut status = self.handle.shared.status.subscribe();
        // The sender is ours: it cannot be gone.
        let _ = status.wait_for(|status| status.finished).await;
    }

    /// The ids of all peers of the app, where the server allows to list them
    /// (`listAllPeers` of `PeerJS`, `allow_discovery` of the server).
    ///
    /// # Errors
    ///
    /// [`Unauthorized`](PeerErrorKind::Unauthorized) where it does not, and what can go wrong with a
    /// request. Unlike in `PeerJS` the peer itself suffers no harm.
    pub async fn list_all_peers(&self) -> Result<Vec<String>, PeerError> {
        let shared = &self.handle.shared;
        Ok(http::peers(&shared.endpoint, &shared.tls, &clock::random_word()).await?)
    }

    /// The connections that are not over, ordered by peer and connection id.
    pub fn connections(&self) -> Vec<ConnectionInfo> {
        self.handle.shared.registry().list()
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("id", &self.id()).field("state", &self.state()).finish()
    }
}
