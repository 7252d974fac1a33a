//! A server of one test, with short ways to connect to it.

use std::net::SocketAddr;

use peerway_server::config::Config;
use peerway_server::{Control, Server};
use peerway_turn::Transport;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::echo::Echo;
use super::{Request, Socket, millis, panics, within};

/// See the module documentation.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) control: Control,
    /// Where it listens for STUN and TURN; nowhere unless its settings say so.
    pub(crate) turn: Vec<(Transport, SocketAddr)>,
    running: JoinHandle<()>,
}

impl TestServer {
    /// A server with the default settings.
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A server with settings of its own.
    pub(crate) async fn with(edit: impl FnOnce(&mut Config)) -> Self {
        panics::watch();
        let mut config = Config { host: "127.0.0.1".into(), port: 0, ..Config::default() };
        // Clients here answer pings only while they are read.
        config.probe_timeout = millis(0);
        // Its ports are fixed; tests of TURN take free ones.
        config.turn.enabled = false;
        config.sfu.enabled = false;
        edit(&mut config);
        Self::run(Server::bind(config).await.expect("the server starts"))
    }

    /// A server whose Socket.IO clients hear what they say.
    pub(crate) async fn echo(edit: impl FnOnce(&mut Config)) -> Self {
        panics::watch();
        let mut config = Config { host: "127.0.0.1".into(), port: 0, ..Config::default() };
        (config.turn.enabled, config.sfu.enabled) = (false, false);
        edit(&mut config);
        let server = Server::bind(config).await.expect("the server starts");
        Self::run(server.with_socketio(Echo::default()))
    }

    fn run(server: Server) -> Self {
        let (address, control) = (server.local_addr(), server.control());
        let turn = server.turn_addresses().to_vec();
        Self { address, control, turn, running: tokio::spawn(server.run()) }
    }

    /// A bare connection.
    pub(crate) async fn connect(&self) -> TcpStream {
        within("a TCP connection", TcpStream::connect(self.address)).await.unwrap()
    }

    /// A peer of the app `peerjs` that has heard OPEN.
    pub(crate) async fn peer(&self, id: &str) -> Socket {
        let mut socket = self.socket(&peer_target(id, &format!("token-of-{id}"))).await;
        assert_eq!(socket.text().await, r#"{"type":"OPEN"}"#);
        socket
    }

    /// A socket at any path; nothing has been read from it.
    pub(crate) async fn socket(&self, target: &str) -> Socket {
        Socket::open(Box::new(self.connect().await), target, &[]).await
    }

    /// An answer to a GET.
    pub(crate) async fn get(&self, target: &str) -> super::Answer {
        Request::get(target).send(self).await
    }

    /// The value of a metric; the name with its labels, as the page has it.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let page = self.get("/metrics").await.body;
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().unwrap())
    }

    /// Waits until a metric has a value.
    pub(crate) async fn until_metric(&self, name: &str, value: u64) {
        let reached = async { while self.metric(name).await != value {} };
        within(&format!("{name} to be {value}"), reached).await;
    }

    /// The server answers, a pair of peers can talk, and no task of it has panicked.
    pub(crate) async fn assert_well(&self) {
        let (mut ann, mut ben) = (self.peer("well-ann").await, self.peer("well-ben").await);
        ann.offer("well-ben", "1").await;
        let offer = r#"{"type":"OFFER","src":"well-ann","dst":"well-ben","payload":1}"#;
        assert_eq!(ben.text().await, offer);
        assert_eq!(self.get("/healthz").await.status, 200);
        assert_eq!(panics::count(), 0, "a task of the server panicked");
    }

    /// Waits until the server has ended by itself.
    pub(crate) async fn ended(self) {
        within("the end of the server", self.running).await.unwrap();
    }
}

/// The URL of a peer's socket, as every client builds it.
pub(crate) fn peer_target(id: &str, token: &str) -> String {
    format!("/peerjs?key=peerjs&id={id}&token={token}")
}
