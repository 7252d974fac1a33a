//! The npm package `peer` 1.0.2, unmodified, where it is installed: by `bench/run.sh`, in `e2e/`, or
//! where `PEERWAY_PEERSERVER` says.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use peerway::{ConnectOptions, Peer, PeerErrorKind, PeerOptions, Reconnect, Value};

use crate::support::{closed_port, event, events, local, refusal, until, within};

struct NpmServer {
    port: u16,
    child: Child,
}

fn program() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let told = std::env::var_os("PEERWAY_PEERSERVER").map(PathBuf::from);
    let places = ["bench/.cache", "e2e"].map(|it| root.join(it).join("node_modules/.bin/peerjs"));
    let found = told.into_iter().chain(places).find(|path| path.is_file());
    if found.is_none() {
        eprintln!("SKIPPED: the npm package `peer` is not installed (bench/run.sh installs it)");
    }
    found
}

impl NpmServer {
    async fn start(extra: &[&str]) -> Option<Self> {
        let program = program()?;
        Some(Self::at(&program, closed_port().await, extra).await)
    }

    async fn at(program: &Path, port: u16, extra: &[&str]) -> Self {
        let child = Command::new(program)
            .args(["--port", &port.to_string(), "--path", "/my"])
            .args(extra)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let listens = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        until(listens).await;
        Self { port, child }
    }

    fn options(&self) -> PeerOptions {
        local(self.port)
            .path("my")
            .reconnect(Reconnect::default().first_delay(Duration::from_millis(20)))
    }
}

impl Drop for NpmServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn ids_and_refusals() {
    let Some(server) = NpmServer::start(&[]).await else { return };
    // Asks for ICE servers, which this server has none of.
    let mut options = server.options();
    options.ice_servers = None;
    let ann = within(Peer::open(options)).await.unwrap();
    let id = ann.id().unwrap();
    assert_eq!(event(&ann).await, format!("open {id}"));
    assert_eq!(refusal(server.options().id(id)).await.0, PeerErrorKind::UnavailableId);
    let (kind, words) = refusal(server.options().id("bob").key("other")).await;
    assert_eq!(kind, PeerErrorKind::InvalidKey, "{words}");
    assert_eq!(refusal(server.options().path("/").id("bob")).await.0, PeerErrorKind::ServerError);
    let (kind, words) = refusal(server.options().path("/")).await;
    assert_eq!(kind, PeerErrorKind::ServerError, "{words}");
    let refused = within(ann.list_all_peers()).await.unwrap_err();
    assert_eq!(refused.kind(), PeerErrorKind::Unauthorized);
}

#[tokio::test]
async fn discovery() {
    let Some(server) = NpmServer::start(&["--allow_discovery"]).await else { return };
    let ann = within(Peer::open(server.options().id("ann"))).await.unwrap();
    assert_eq!(within(ann.list_all_peers()).await.unwrap(), ["ann"]);
}

#[tokio::test]
async fn a_connection_and_an_absent_peer() {
    let Some(server) = NpmServer::start(&["--expire_timeout", "500"]).await else { return };
    let ann = within(Peer::open(server.options().id("ann"))).await.unwrap();
    let bob = within(Peer::open(server.options().id("bob"))).await.unwrap();
    let ours = ann.connect("bob", ConnectOptions::new()).unwrap();
    assert_eq!(event(&bob).await, "open bob");
    let Some(peerway::PeerEvent::Connection(theirs)) = within(bob.next_event()).await else {
        panic!("a connection comes")
    };
    within(ours.opened()).await.unwrap();
    within(theirs.send("hello")).await.unwrap();
    assert_eq!(within(ours.receive()).await.unwrap(), Some(Value::from("hello")));

    let _absent = ann.connect("nobody", ConnectOptions::new()).unwrap();
    assert_eq!(events(&ann, 2).await, ["open ann", "error peer-unavailable"]);
}

#[tokio::test]
async fn a_server_that_is_restarted() {
    let Some(server) = NpmServer::start(&[]).await else { return };
    let port = server.port;
    let ann = within(Peer::open(server.options().id("ann"))).await.unwrap();
    drop(server);
    assert_eq!(events(&ann, 3).await, ["open ann", "error network", "disconnected ann"]);
    let program = program().unwrap();
    let _server = NpmServer::at(&program, port, &[]).await;
    assert_eq!(event(&ann).await, "reconnected ann");
}

/// This server attaches the new socket without OPEN as long as it has not noticed the end of the
/// old one, which two peers with one token look like.
#[tokio::test]
async fn a_second_socket_with_the_same_token() {
    let Some(server) = NpmServer::start(&[]).await else { return };
    let options = server.options().id("ann").token("one-token");
    let first = within(Peer::open(options.clone())).await.unwrap();
    let second = within(Peer::open(options)).await.unwrap();
    assert!(first.is_open() && second.is_open());
    // What is said to the id comes to the second.
    let bob = within(Peer::open(server.options().id("bob"))).await.unwrap();
    let _connection = bob.connect("ann", ConnectOptions::new()).unwrap();
    assert_eq!(events(&second, 2).await, ["open ann", "connection bob"]);
}
