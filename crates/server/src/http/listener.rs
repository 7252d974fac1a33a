//! Listening, and what happens to a connection until its first request is complete.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::router::PeerAddress;
use super::upgrade::Upgrade;
use super::{Certificates, ClientIo};
use crate::edge::{Edge, Place};

const BACKLOG: i32 = 4096;
/// Longest request head, and what hyper reads at once.
const HEAD_SIZE: usize = 16 * 1024;
/// Pause after an error of `accept`, which usually means that file descriptors ran out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Binds the listening socket. `::` takes IPv4 too; on a machine without IPv6 it means any
/// IPv4 address.
pub(crate) async fn bind(host: &str, port: u16) -> io::Result<TcpListener> {
    let address = lookup_host((host, port))
        .await?
        .next()
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the host has no address"))?;
    match listen(address) {
        Err(error)
            if address.ip().is_unspecified()
                && address.is_ipv6()
                && error.kind() != io::ErrorKind::AddrInUse =>
        {
            listen((Ipv4Addr::UNSPECIFIED, port).into())
        }
        result => result,
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Accepts connections until told to stop.
pub(crate) async fn accept_loop(
    listener: TcpListener,
    certificates: Option<Arc<Certificates>>,
    router: Router,
    edge: Arc<Edge>,
    stop: CancellationToken,
) {
    let pending = Arc::new(AtomicUsize::new(0));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(handshake) = Handshake::begin(&edge, &pending, address.ip()) else {
            edge.metrics.refused_for("handshakes");
            turn_away(&stream);
            continue;
        };
        let connection = Connection {
            address,
            router: router.clone(),
            edge: edge.clone(),
            handshake,
            stop: stop.clone(),
        };
        let acceptor = certificates.as_ref().map(|it| it.acceptor());
        edge.tasks.spawn(async move {
            // Boxed: HTTP is a moment, a session may be idle for days.
            if let Some(session) = Box::pin(connection.run(stream, acceptor)).await {
                session.await;
            }
        });
    }
}

/// A connection while it speaks HTTP.
struct Connection {
    address: SocketAddr,
    router: Router,
    edge: Arc<Edge>,
    handshake: Handshake,
    stop: CancellationToken,
}

impl Connection {
    /// Serves requests; returns the session that goes on with the connection, if one does.
    async fn run(
        self,
        stream: TcpStream,
        acceptor: Option<TlsAcceptor>,
    ) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
        set_options(&stream, self.edge.config.limits.write_timeout.0);
        let io = match acceptor {
            None => ClientIo::Plain(stream),
            Some(acceptor) => tokio::select! {
                io = self.shake_hands(stream, acceptor) => io?,
                () = self.stop.cancelled() => return None,
            },
        };
        let Self { address, router, edge, handshake, stop } = self;
        let handshake = Mutex::new(Some(handshake));
        let upgrade = Arc::new(Mutex::new(None));
        let service = service_fn(|mut request: Request<Incoming>| {
            // The first complete request ends the handshake.
            drop(handshake.lock().ok().and_then(|mut handshake| handshake.take()));
            request.extensions_mut().insert(PeerAddress(address.ip().to_canonical()));
            let (router, upgrade) = (router.clone(), upgrade.clone());
            Box::pin(async move {
                let mut response = answer(router, request).await;
                if let (Some(it), Ok(mut upgrade)) =
                    (response.extensions_mut().remove::<Upgrade>(), upgrade.lock())
                {
                    *upgrade = it.take();
                }
                Ok::<_, Infallible>(response)
            })
        });
        let mut http = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(edge.config.limits.handshake_timeout.0)
            .max_buf_size(HEAD_SIZE)
            .serve_connection(TokioIo::new(io), service);
        let result = tokio::select! {
            result = poll_fn(|context| http.poll_without_shutdown(context)) => result,
            () = stop.cancelled() => {
                // Whoever has not asked for anything yet is owed no answer.
                if handshake.lock().is_ok_and(|handshake| handshake.is_some()) {
                    return None;
                }
                Pin::new(&mut http).graceful_shutdown();
                poll_fn(|context| http.poll_without_shutdown(context)).await
            }
        };
        if let Err(error) = result {
            tracing::debug!(%error, "HTTP connection ended");
            return None;
        }
        let parts = http.into_parts();
        let mut io = parts.io.into_inner();
        let session = upgrade.lock().ok().and_then(|mut upgrade| upgrade.take());
        let Some(session) = session else {
            // Whatever fails now, the connection ends.
            let _ = io.shutdown().await;
            return None;
        };
        Some(session(io, parts.read_buf.to_vec()))
    }

    async fn shake_hands(&self, stream: TcpStream, acceptor: TlsAcceptor) -> Option<ClientIo> {
        let limit = self.edge.config.limits.handshake_timeout.0;
        match tokio::time::timeout(limit, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => return Some(ClientIo::Tls(Box::new(stream))),
            Ok(Err(error)) => {
                tracing::debug!(%error, "TLS handshake failed");
                self.edge.metrics.refused_for("tls");
            }
            Err(_) => self.edge.metrics.refused_for("handshake_timeout"),
        }
        None
    }
}

/// Signals are small and wait for nobody; and what a client does not acknowledge for too long ends
/// its connection, whatever is on top of it.
fn set_options(stream: &TcpStream, write_timeout: Duration) {
    let result = stream
        .set_nodelay(true)
        .and_then(|()| SockRef::from(stream).set_tcp_user_timeout(Some(write_timeout)));
    if let Err(error) = result {
        tracing::debug!(%error, "cannot set socket options");
    }
}

async fn answer(router: Router, request: Request<Incoming>) -> axum::response::Response {
    match router.oneshot(request.map(Body::new)).await {
        Ok(response) => response,
        Err(impossible) => match impossible {},
    }
}

/// A connection that has not sent a complete request yet; such are counted.
struct Handshake {
    pending: Arc<AtomicUsize>,
    _place: Option<Place>,
}

impl Handshake {
    fn begin(edge: &Edge, pending: &Arc<AtomicUsize>, address: IpAddr) -> Option<Self> {
        let limits = &edge.config.limits;
        // Behind a proxy every connection has the proxy's address.
        let place = if edge.config.proxied {
            None
        } else {
            Some(edge.handshakes.enter(address, limits.pending_handshakes_per_address)?)
        };
        if pending.fetch_add(1, Ordering::Relaxed) >= limits.pending_handshakes {
            pending.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Self { pending: pending.clone(), _place: place })
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        self.pending.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Tells a client that comes while too many others are shaking hands to come back later. Never
/// waits: what the socket does not take at once is lost.
fn turn_away(stream: &TcpStream) {
    const ANSWER: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
        content-type: application/json\r\nretry-after: 1\r\nconnection: close\r\n\
        access-control-allow-origin: *\r\ncontent-length: 81\r\n\r\n\
        {\"error\":{\"type\":\"handshakes\",\"message\":\"too many connections are being opened\"}}";
    let _ = stream.try_write(ANSWER);
}
