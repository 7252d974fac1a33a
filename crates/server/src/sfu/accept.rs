//! Accepting TCP connections: the first frame tells the worker, which takes the connection over.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::orders::Order;
use super::stream::{Incoming, first_frame};
use super::{Common, paths};
use crate::edge::Place;

/// Pause after an error of `accept`, which usually means that file descriptors ran out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// What a check of ICE needs, and more.
const FIRST_READ: usize = 1024;

/// Accepts connections until told to stop.
pub(super) async fn accept_loop(
    common: Arc<Common>,
    listener: TcpListener,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, remote) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection for the SFU");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let most = common.settings.connections_per_source;
        let Some(place) = common.connections.enter(remote.ip(), most) else {
            common.metrics.sfu.connection_refused("connections_per_source");
            continue;
        };
        let (common, stop) = (common.clone(), stop.clone());
        tasks.spawn(async move {
            let begun = tokio::select! {
                () = stop.cancelled() => return,
                begun = tokio::time::timeout(
                    common.settings.handshake_timeout,
                    begin(&common, stream, remote, place),
                ) => begun,
            };
            let reason = match begun {
                Ok(Ok(())) => return,
                Ok(Err(_)) => "no_member",
                Err(_) => "handshake_timeout",
            };
            common.metrics.sfu.connection_refused(reason);
        });
    }
}

/// Finds out whose connection it is.
async fn begin(
    common: &Common,
    mut stream: TcpStream,
    remote: SocketAddr,
    place: Place,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    // What a member does not acknowledge for too long ends its connection.
    SockRef::from(&stream).set_tcp_user_timeout(Some(common.settings.write_timeout))?;
    let local = common.addresses.of_stream(stream.local_addr()?);
    let mut input = Vec::with_capacity(FIRST_READ);
    let worker = loop {
        if let Some(frame) = first_frame(&input)? {
            break paths::worker_of(frame);
        }
        if input.len() >= FIRST_READ || stream.read_buf(&mut input).await? == 0 {
            break None;
        }
    };
    let orders = worker.and_then(|worker| common.orders.get(worker));
    let orders = orders.ok_or(ErrorKind::InvalidData)?;
    let stream = stream.into_std()?;
    orders.push(Order::Stream(Incoming { stream, remote, local, input, place }));
    Ok(())
}
