//! Clients on TCP and TLS: one task for each connection.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use peerway_turn::{
    ClientId, Command, ConnectError, ConnectionId, Family, FiveTuple, Now, OpenError, Opened, Port,
    Protocol, RelayId, Server, ToClient, ToPeer, Transport, frame_length,
};
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadBuf, ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Common;
use super::data::{PeerConnection, splice};
use super::ports::tcp_beside_listener;
use crate::clock;
use crate::edge::Place;
use crate::http::{Certificates, ClientIo};

/// Pause after an error of `accept`, which usually means that file descriptors ran out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// The longest frame: a STUN header and what its length field can say, padded.
const LONGEST_FRAME: usize = 20 + 65_536;
/// Bytes that a client may leave unread before its relay is read no more: like on every full path,
/// the packets after that are lost.
const MOST_UNREAD: usize = 256 * 1024;
/// Read at once.
const READ: usize = 16 * 1024;
/// How long connecting to a peer may take (RFC 6062 section 5.2).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Accepts connections until told to stop.
pub(super) async fn accept_loop(
    common: Arc<Common>,
    transport: Transport,
    listener: TcpListener,
    certificates: Option<Arc<Certificates>>,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a TURN connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let most = common.settings.connections_per_source;
        let Some(place) = common.connections.enter(address.ip(), most) else {
            common.reports.connection_refused("connections_per_source");
            continue;
        };
        let (common, certificates, stop) = (common.clone(), certificates.clone(), stop.clone());
        tasks.spawn(serve(common, transport, stream, address, certificates, place, stop));
    }
}

async fn serve(
    common: Arc<Common>,
    transport: Transport,
    stream: TcpStream,
    client: SocketAddr,
    certificates: Option<Arc<Certificates>>,
    _place: Place,
    stop: CancellationToken,
) {
    // What a client does not acknowledge for too long ends its connection.
    let timeout = Some(common.settings.write_timeout);
    let options = stream
        .set_nodelay(true)
        .and_then(|()| SockRef::from(&stream).set_tcp_user_timeout(timeout))
        .and_then(|()| stream.local_addr());
    let server = match options {
        Ok(server) => server,
        Err(error) => return tracing::debug!(%error, "a TURN connection is gone"),
    };
    let io = match certificates {
        None => ClientIo::Plain(stream),
        Some(certificates) => {
            let shaking = certificates.acceptor().accept(stream);
            let shaking = tokio::time::timeout(common.settings.handshake_timeout, shaking);
            let shaken = tokio::select! {
                () = stop.cancelled() => return,
                shaken = shaking => shaken,
            };
            match shaken {
                Ok(Ok(stream)) => ClientIo::Tls(Box::new(stream)),
                Ok(Err(error)) => {
                    tracing::debug!(%error, %client, "TLS handshake for TURN failed");
                    return common.reports.connection_refused("tls");
                }
                Err(_) => return common.reports.connection_refused("handshake_timeout"),
            }
        }
    };
    let from = FiveTuple { transport, client, server };
    StreamClient::new(common, from, io).run(stop).await;
}

/// A client and, once it has one, its allocation.
struct StreamClient {
    common: Arc<Common>,
    from: FiveTuple,
    server: Server,
    reader: ReadHalf<ClientIo>,
    writer: WriteHalf<ClientIo>,
    /// What came and is not a whole frame yet.
    input: Vec<u8>,
    /// What is not written yet.
    output: Vec<u8>,
    /// Whether TLS may hold something back that was written.
    unflushed: bool,
    /// When it last said something whole or had an allocation: a connection that does neither for
    /// too long is of no use.
    active: Instant,
    client: Option<ClientId>,
    /// By [`RelayId`].
    relays: Vec<Option<Relay>>,
    events: mpsc::Receiver<Event>,
    tell: mpsc::Sender<Event>,
    /// Ends the connections to peers.
    allocation: CancellationToken,
    /// A connection to a peer that this connection shall carry from now on.
    bound: Option<(PeerConnection, Arc<str>)>,
}

#[derive(Debug)]
enum Relay {
    Udp { socket: UdpSocket, address: SocketAddr },
    Tcp { listener: TcpListener, address: SocketAddr },
}

/// What happens to connections to peers.
enum Event {
    Connected { client: ClientId, peer: SocketAddr, result: Result<TcpStream, ConnectError> },
    Ended(ConnectionId),
}

/// What woke the task.
enum Wake {
    Read(usize),
    Written(usize),
    Datagram(RelayId, SocketAddr, usize),
    Incoming(RelayId, TcpStream, SocketAddr),
    Event(Event),
    Timer,
    Idle,
}

impl StreamClient {
    fn new(common: Arc<Common>, from: FiveTuple, io: ClientIo) -> Self {
        let (reader, writer) = tokio::io::split(io);
        let (tell, events) = mpsc::channel(16);
        Self {
            server: Server::new(common.shared.clone()),
            common,
            from,
            reader,
            writer,
            input: Vec::new(),
            output: Vec::new(),
            unflushed: false,
            active: clock::now(),
            client: None,
            relays: Vec::new(),
            events,
            tell,
            allocation: CancellationToken::new(),
            bound: None,
        }
    }

    async fn run(mut self, stop: CancellationToken) {
        let guard = self.allocation.clone().drop_guard();
        let ended = tokio::select! {
            () = stop.cancelled() => Ok(()),
            ended = self.serve() => ended,
        };
        tracing::debug!(client = %self.from.client, ?ended, "TURN connection ended");
        let now = clock::both();
        if stop.is_cancelled() {
            self.server.stop(now);
        } else {
            self.server.handle_disconnected(&self.from, now);
        }
        self.execute(now);
        self.common.reports.count(&self.server.take_counts());
        drop(guard);
        // Ends with the allocation, and so when the server stops.
        if let Some((peer, app)) = self.bound.take() {
            self.carry(peer, &app).await;
        }
    }

    /// Until the connection ends, or becomes one that carries a peer's bytes.
    async fn serve(&mut self) -> io::Result<()> {
        let mut datagram = vec![0; LONGEST_FRAME];
        loop {
            let wake = self.wake(&mut datagram).await?;
            let now = clock::both();
            match wake {
                Wake::Read(0) | Wake::Idle => return Ok(()),
                Wake::Read(_) => self.frames(now)?,
                Wake::Written(0) => self.unflushed = false,
                Wake::Written(count) => {
                    self.output.drain(..count);
                    self.unflushed = true;
                }
                Wake::Datagram(relay, peer, length) => {
                    let peer = self.common.ports.outward(peer);
                    let told = self.server.handle_peer(relay, peer, length, now);
                    if let Some(ToClient { envelope, .. }) = told {
                        self.output.extend_from_slice(envelope.header());
                        self.output.extend_from_slice(&datagram[..length]);
                        self.output.resize(self.output.len() + envelope.padding, 0);
                    }
                }
                Wake::Incoming(relay, stream, peer) => {
                    let told = self.common.ports.outward(peer);
                    if let Some((id, user)) = self.server.handle_incoming(relay, told, now) {
                        self.park(id, user, stream);
                    }
                }
                Wake::Event(Event::Connected { client, peer, result }) => {
                    let (stream, result) = match result {
                        Ok(stream) => (Some(stream), Ok(())),
                        Err(error) => (None, Err(error)),
                    };
                    let open = self.server.handle_connected(client, peer, result);
                    if let (Some((id, user)), Some(stream)) = (open, stream) {
                        self.park(id, user, stream);
                    }
                }
                Wake::Event(Event::Ended(connection)) => {
                    if let Some(client) = self.client {
                        self.server.handle_disconnected_peer(client, connection);
                    }
                }
                Wake::Timer => {
                    self.server.handle_timeout(now);
                    self.common.reports.count(&self.server.take_counts());
                }
            }
            self.execute(now);
            if !self.server.is_empty() {
                self.active = now.instant;
            }
            if self.bound.is_some() {
                self.writer.write_all(&self.output).await?;
                return self.writer.flush().await;
            }
        }
    }

    async fn wake(&mut self, datagram: &mut [u8]) -> io::Result<Wake> {
        let keeps_up = self.output.len() < MOST_UNREAD;
        let unwritten = !self.output.is_empty() || self.unflushed;
        let timer = self.server.poll_timeout();
        let sleep = |at: Option<Instant>| async move {
            match at {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        let idle_at = self.active + self.common.settings.handshake_timeout;
        let idle_at = self.server.is_empty().then_some(idle_at);
        let (relays, input, output) = (&self.relays, &mut self.input, &self.output);
        let (reader, writer) = (&mut self.reader, &mut self.writer);
        // A read takes what fits, and grows the buffer only by a little when nothing does.
        if input.capacity() - input.len() < READ {
            input.reserve(READ);
        }
        // In no order: a client that never stops sending must not keep its peers' packets waiting.
        tokio::select! {
            written = write(writer, output), if unwritten => Ok(Wake::Written(written?)),
            Some(event) = self.events.recv() => Ok(Wake::Event(event)),
            read = reader.read_buf(input), if keeps_up => Ok(Wake::Read(read?)),
            from_peer = receive(relays, datagram), if keeps_up => Ok(from_peer),
            () = sleep(timer) => Ok(Wake::Timer),
            () = sleep(idle_at) => Ok(Wake::Idle),
        }
    }

    /// Handles the whole frames in `input`.
    fn frames(&mut self, now: Now) -> io::Result<()> {
        let mut at = 0;
        while self.bound.is_none() {
            let length = match frame_length(&self.input[at..]) {
                Ok(Some(length)) if self.input.len() - at >= length => length,
                Ok(_) => break,
                Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            };
            let frame = &self.input[at..at + length];
            // Text of another protocol may look like channel data.
            if frame[0] >= 0x40 && self.server.is_empty() {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "payload of nobody"));
            }
            self.active = now.instant;
            if let Some(ToPeer { relay, peer, payload }) =
                self.server.handle_client(&self.from, frame, now)
                && let Some(Some(Relay::Udp { socket, address })) = self.relays.get(relay.0)
            {
                let peer = self.common.ports.inward(*address, peer);
                // A full socket loses it, as datagrams are lost. Past tokio, which would lose the
                // first one too, until it knows that the socket is writable.
                if let Err(error) = SockRef::from(socket).send_to(payload, &peer.into()) {
                    tracing::trace!(%error, %peer, "cannot send");
                }
            }
            at += length;
            self.execute(now);
        }
        self.input.drain(..at);
        Ok(())
    }

    fn execute(&mut self, now: Now) {
        while let Some(command) = self.server.next_command() {
            match command {
                Command::Reply { bytes, .. } => self.output.extend_from_slice(&bytes),
                Command::Open { client, server, families, protocol, port } => {
                    self.client = Some(client);
                    self.allocation = CancellationToken::new();
                    let (relays, token) = self.open(server, &families, protocol, port);
                    self.opened(client, relays, token, now);
                }
                Command::Close(relay) => {
                    self.allocation.cancel();
                    if let Some(slot) = self.relays.get_mut(relay.0) {
                        *slot = None;
                    }
                }
                Command::Connect { client, relay, peer } => self.connect(client, relay, peer),
                Command::Bind(bind) => {
                    let connection = self.common.data.take(bind.connection, &bind.user);
                    self.bound = connection.map(|connection| (connection, bind.app.clone()));
                    self.server.handle_bound(bind, self.bound.is_some());
                }
                Command::Report(report) => self.common.reports.tell(report),
            }
        }
    }

    fn open(
        &self,
        server: SocketAddr,
        families: &[Family],
        protocol: Protocol,
        port: Port,
    ) -> (Vec<Result<Relay, OpenError>>, Option<u64>) {
        let failed = |error: io::Error| {
            tracing::warn!(%error, "cannot use a relay socket");
            OpenError::Capacity
        };
        let ports = &self.common.ports;
        match protocol {
            Protocol::Udp => {
                let opened = ports.open_udp(server, families, port);
                let relay = |socket: std::net::UdpSocket| {
                    let address = socket.local_addr()?;
                    Ok(Relay::Udp { socket: UdpSocket::from_std(socket)?, address })
                };
                let sockets = opened.sockets.into_iter();
                (sockets.map(|it| relay(it?).map_err(failed)).collect(), opened.token)
            }
            Protocol::Tcp => {
                let opened = ports.open_tcp(server, families);
                let relay = |listener: std::net::TcpListener| {
                    let address = listener.local_addr()?;
                    Ok(Relay::Tcp { listener: TcpListener::from_std(listener)?, address })
                };
                let sockets = opened.sockets.into_iter();
                (sockets.map(|it| relay(it?).map_err(failed)).collect(), None)
            }
        }
    }

    fn opened(
        &mut self,
        client: ClientId,
        relays: Vec<Result<Relay, OpenError>>,
        token: Option<u64>,
        now: Now,
    ) {
        let told = |relay: &Result<Relay, OpenError>| match relay {
            Ok(relay) => Ok(self.common.ports.advertise(relay.address())),
            Err(error) => Err(*error),
        };
        let opened = Opened { relays: relays.iter().map(told).collect(), token };
        let ids = self.server.handle_opened(client, opened, now);
        for (id, relay) in ids.into_iter().zip(relays) {
            let (Some(id), Ok(relay)) = (id, relay) else { continue };
            if self.relays.len() <= id.0 {
                self.relays.resize_with(id.0 + 1, || None);
            }
            self.relays[id.0] = Some(relay);
        }
    }

    fn connect(&self, client: ClientId, relay: RelayId, peer: SocketAddr) {
        let Some(Some(relay)) = self.relays.get(relay.0) else { return };
        let (from, to) = (relay.address(), self.common.ports.inward(relay.address(), peer));
        let (tell, allocation) = (self.tell.clone(), self.allocation.clone());
        tokio::spawn(async move {
            let connecting = tokio::time::timeout(CONNECT_TIMEOUT, connect_from(from, to));
            let result = tokio::select! {
                () = allocation.cancelled() => return,
                result = connecting => result,
            };
            let result = result.map_err(io::Error::from).flatten().map_err(|error| {
                tracing::debug!(%error, %peer, "cannot connect to a peer");
                ConnectError
            });
            // The task that asked may be over.
            let _ = tell.send(Event::Connected { client, peer, result }).await;
        });
    }

    /// Keeps a connection to a peer until the client comes for it, and notes when it ends.
    fn park(&self, id: ConnectionId, user: Arc<str>, stream: TcpStream) {
        let alive = CancellationToken::new();
        let (ended, tell) = (alive.clone(), self.tell.clone());
        tokio::spawn(async move {
            ended.cancelled().await;
            let _ = tell.send(Event::Ended(id)).await;
        });
        let allocation = self.allocation.clone();
        let connection = PeerConnection { stream, allocation, _alive: alive.drop_guard() };
        self.common.data.park(id, user, connection);
    }

    /// From now on this connection is the one to the peer.
    async fn carry(self, peer: PeerConnection, app: &str) {
        let io = self.reader.unsplit(self.writer);
        let (up, down) = splice(io, peer, &self.input, self.common.settings.bandwidth).await;
        self.common.reports.stream_carried(app, up, down);
    }
}

impl Relay {
    fn address(&self) -> SocketAddr {
        match self {
            Self::Udp { address, .. } | Self::Tcp { address, .. } => *address,
        }
    }
}

/// Writes what it can, or else flushes: then it is 0.
async fn write(writer: &mut WriteHalf<ClientIo>, output: &[u8]) -> io::Result<usize> {
    if output.is_empty() {
        writer.flush().await?;
        return Ok(0);
    }
    match writer.write(output).await? {
        0 => Err(io::ErrorKind::WriteZero.into()),
        written => Ok(written),
    }
}

/// Waits for a datagram or a connection at any of the relayed addresses.
async fn receive(relays: &[Option<Relay>], datagram: &mut [u8]) -> Wake {
    poll_fn(|context| {
        for (index, relay) in relays.iter().enumerate() {
            match relay {
                Some(Relay::Udp { socket, .. }) => {
                    let mut buffer = ReadBuf::new(datagram);
                    if let Poll::Ready(Ok(peer)) = socket.poll_recv_from(context, &mut buffer) {
                        let length = buffer.filled().len();
                        return Poll::Ready(Wake::Datagram(RelayId(index), peer, length));
                    }
                }
                Some(Relay::Tcp { listener, .. }) => {
                    if let Poll::Ready(Ok((stream, peer))) = listener.poll_accept(context) {
                        return Poll::Ready(Wake::Incoming(RelayId(index), stream, peer));
                    }
                }
                None => {}
            }
        }
        Poll::Pending
    })
    .await
}

async fn connect_from(from: SocketAddr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket: std::net::TcpStream = tcp_beside_listener(from)?.into();
    TcpSocket::from_std_stream(socket).connect(to).await
}
