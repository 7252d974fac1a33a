//! Listening, and what happens to a connection until its first request is complete.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::router::PeerAddress;
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
        let acceptor = certificates.as_ref().map(|it| it.acceptor());
        let (router, edge, stop) = (router.clone(), edge.clone(), stop.clone());
        tokio::spawn(async move {
            // Signals are small and wait for nobody.
            let _ = stream.set_nodelay(true);
            let io = match acceptor {
                None => ClientIo::Plain(stream),
                Some(acceptor) => {
                    let limit = edge.config.limits.handshake_timeout.0;
                    match tokio::time::timeout(limit, acceptor.accept(stream)).await {
                        Ok(Ok(stream)) => ClientIo::Tls(Box::new(stream)),
                        Ok(Err(error)) => {
                            tracing::debug!(%error, "TLS handshake failed");
                            return edge.metrics.refused_for("tls");
                        }
                        Err(_) => return edge.metrics.refused_for("handshake_timeout"),
                    }
                }
            };
            serve(io, address, router, &edge, handshake, stop).await;
        });
    }
}

async fn serve(
    io: ClientIo,
    address: SocketAddr,
    router: Router,
    edge: &Edge,
    handshake: Handshake,
    stop: CancellationToken,
) {
    let handshake = Arc::new(std::sync::Mutex::new(Some(handshake)));
    let service = service_fn(move |mut request: Request<Incoming>| {
        // The first complete request ends the handshake.
        drop(handshake.lock().ok().and_then(|mut handshake| handshake.take()));
        request.extensions_mut().insert(PeerAddress(address.ip().to_canonical()));
        let router = router.clone();
        async move { Ok::<_, Infallible>(answer(router, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(edge.config.limits.handshake_timeout.0)
        .max_buf_size(HEAD_SIZE)
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "HTTP connection ended");
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
        access-control-allow-origin: *\r\ncontent-length: 79\r\n\r\n\
        {\"error\":{\"type\":\"handshakes\",\"message\":\"too many connections are being opened\"}}";
    let _ = stream.try_write(ANSWER);
}
