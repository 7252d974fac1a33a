//! A server and peers for tests.
#![allow(dead_code, reason = "each test file uses some of it")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::future::Future;
use std::time::Duration;

use peerway::{DataConnection, MediaConnection, Peer, PeerEvent, PeerOptions};
use peerway_server::config::Config;

/// A peerway server without TURN on a free port of loopback.
pub struct Server {
    pub port: u16,
    /// Its own, so that all its sockets go with it.
    runtime: Option<tokio::runtime::Runtime>,
}

impl Server {
    pub async fn start() -> Self {
        Self::at(0).await
    }

    /// At a port that was free a moment ago.
    pub async fn at(port: u16) -> Self {
        Self::with(port, |_| {}).await
    }

    /// With a forwarding unit on loopback.
    pub async fn forwarding(port: u16, udp: bool, tcp: bool) -> Self {
        let listen = |wanted: bool| {
            let address = "127.0.0.1:0".parse().expect("an address");
            Some(if wanted { vec![address] } else { Vec::new() })
        };
        Self::with(port, |config| {
            (config.sfu.enabled, config.sfu.workers) = (true, Some(1));
            (config.sfu.udp, config.sfu.tcp) = (listen(udp), listen(tcp));
        })
        .await
    }

    async fn with(port: u16, edit: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        (config.host, config.port, config.turn.enabled) = ("127.0.0.1".into(), port, false);
        config.sfu.enabled = false;
        edit(&mut config);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let server = runtime.spawn(peerway_server::Server::bind(config)).await;
        let server = server.expect("no panic").expect("the server binds");
        let port = server.local_addr().port();
        runtime.spawn(server.run());
        Self { port, runtime: Some(runtime) }
    }

    /// Kills it: all its sockets close at once.
    pub fn kill(mut self) {
        self.shut_down();
    }

    fn shut_down(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    pub fn options(&self) -> PeerOptions {
        PeerOptions::new().host("127.0.0.1").port(self.port)
    }

    pub async fn peer(&self, id: &str) -> Peer {
        within(Peer::open(self.options().id(id))).await.expect("the peer opens")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shut_down();
    }
}

/// The next connection that arrives at a peer.
pub async fn connection(peer: &Peer) -> DataConnection {
    loop {
        match within(peer.next_event()).await {
            Some(PeerEvent::Connection(connection)) => return connection,
            Some(_) => {}
            None => panic!("the peer is over"),
        }
    }
}

/// The next call that arrives at a peer.
pub async fn call(peer: &Peer) -> MediaConnection {
    loop {
        match within(peer.next_event()).await {
            Some(PeerEvent::Call(call)) => return call,
            Some(_) => {}
            None => panic!("the peer is over"),
        }
    }
}

/// Fails loudly instead of hanging.
pub async fn within<T>(future: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(30);
    tokio::time::timeout(limit, future).await.expect("nothing happened within 30 s")
}
