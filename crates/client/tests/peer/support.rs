//! A peerway server of one test, on a runtime of its own, so that it can be killed with all its
//! sockets and its tasks are not those of the test.

use std::future::Future;
use std::time::Duration;

use peerway::{Peer, PeerErrorKind, PeerEvent, PeerOptions};
use peerway_server::Server;
use peerway_server::config::Config;
use tokio::runtime::{Builder, Runtime};

/// See the module documentation.
pub struct TestServer {
    pub port: u16,
    runtime: Option<Runtime>,
}

impl TestServer {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A server with settings of its own.
    pub async fn with(edit: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config { host: "127.0.0.1".into(), port: 0, ..Config::default() };
        (config.turn.enabled, config.sfu.enabled) = (false, false);
        edit(&mut config);
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let bound = runtime.spawn(async {
            let server = bind(config).await;
            let port = server.local_addr().port();
            tokio::spawn(server.run());
            port
        });
        let port = bound.await.unwrap();
        Self { port, runtime: Some(runtime) }
    }

    /// The same again after [`kill`](Self::kill).
    pub async fn at(port: u16) -> Self {
        Self::with(|config| config.port = port).await
    }

    /// Ends at once, with all sockets; nobody is told.
    pub fn kill(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waits until the sockets are closed, which a runtime does not like inside another.
            let stop = move || runtime.shutdown_timeout(Duration::from_secs(5));
            std::thread::spawn(stop).join().unwrap();
        }
    }

    pub fn options(&self) -> PeerOptions {
        local(self.port)
    }

    pub async fn peer(&self, id: &str) -> Peer {
        within(Peer::open(self.options().id(id))).await.expect("the peer opens")
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The port of a server that was killed may belong to somebody's outgoing connection for a moment.
async fn bind(config: Config) -> Server {
    within(async {
        loop {
            match Server::bind(config.clone()).await {
                Ok(server) => break server,
                Err(error) if config.port == 0 => panic!("{error}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    })
    .await
}

/// Options for a server on this machine.
pub fn local(port: u16) -> PeerOptions {
    PeerOptions::new().host("127.0.0.1").port(port).ice_servers([])
}

/// A port where nothing listens.
pub async fn closed_port() -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().port()
}

/// Why a peer does not open: the kind and the words.
pub async fn refusal(options: PeerOptions) -> (PeerErrorKind, String) {
    let error = within(Peer::open(options)).await.expect_err("it is refused");
    (error.kind(), error.to_string())
}

/// The next event in short.
pub async fn event(peer: &Peer) -> String {
    short(within(peer.next_event()).await)
}

pub fn short(event: Option<PeerEvent>) -> String {
    match event {
        None => "none".into(),
        Some(PeerEvent::Open { id }) => format!("open {id}"),
        Some(PeerEvent::Disconnected { id }) => format!("disconnected {id}"),
        Some(PeerEvent::Reconnected { id }) => format!("reconnected {id}"),
        Some(PeerEvent::Error(error)) => format!("error {}", error.kind()),
        Some(PeerEvent::Close) => "close".into(),
        Some(PeerEvent::Connection(connection)) => format!("connection {}", connection.peer()),
        Some(PeerEvent::Call(call)) => format!("call {}", call.peer()),
        Some(other) => format!("{other:?}"),
    }
}

/// The next events in short.
pub async fn events(peer: &Peer, count: usize) -> Vec<String> {
    let mut events = Vec::new();
    for _ in 0..count {
        events.push(event(peer).await);
    }
    events
}

/// Waits for something, but not for ever.
pub async fn within<T>(future: impl Future<Output = T>) -> T {
    let patience = Duration::from_secs(20);
    tokio::time::timeout(patience, future).await.expect("waited in vain")
}

/// Waits until something is so.
pub async fn until(mut is_so: impl FnMut() -> bool) {
    within(async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
