//! A server that listens for TURN over UDP, TCP and TLS on the loopback interface.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::atomic::{AtomicU32, Ordering};

use peerway_server::config::{Config, Net};
use peerway_turn::{CloseReason, Owner, Report, Traffic, Transport};
use tokio::sync::broadcast;
use tokio_rustls::rustls::pki_types::CertificateDer;

use super::{Files, Login, TestServer, TurnClient, Wire, within};

/// See the module documentation.
pub(crate) struct TurnServer {
    server: TestServer,
    pub(crate) files: Files,
    pub(crate) certificate: CertificateDer<'static>,
}

impl TurnServer {
    /// A server with the default policy: nobody reaches loopback but relays of its own.
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A server with settings of its own.
    pub(crate) async fn with(edit: impl FnOnce(&mut Config)) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);

        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let files = Files::new(&format!("turn-{number}"));
        let certificate = files.renew();
        let server = TestServer::with(|config| {
            let turn = &mut config.turn;
            turn.enabled = true;
            for listen in [&mut turn.udp, &mut turn.tcp, &mut turn.tls] {
                *listen = ["127.0.0.1:0", "[::1]:0"].map(|it| it.parse().unwrap()).into();
            }
            turn.cert = Some(files.config.cert.clone());
            turn.key = Some(files.config.key.clone());
            turn.workers = Some(1);
            turn.users = ["joe:joes-password", "sue:sues-password"].map(secret).into();
            edit(config);
        })
        .await;
        Self { server, files, certificate }
    }

    /// A server that relays to sockets of the test, too.
    pub(crate) async fn open() -> Self {
        Self::open_with(|_| {}).await
    }

    /// The same with settings of its own.
    pub(crate) async fn open_with(edit: impl FnOnce(&mut Config)) -> Self {
        Self::with(|config| {
            config.turn.allow_peers = loopback();
            edit(config);
        })
        .await
    }

    /// Where it listens on 127.0.0.1.
    pub(crate) fn at(&self, transport: Transport) -> SocketAddr {
        self.address(transport, SocketAddr::is_ipv4)
    }

    /// Where it listens on `::1`.
    pub(crate) fn at_v6(&self, transport: Transport) -> SocketAddr {
        self.address(transport, SocketAddr::is_ipv6)
    }

    fn address(&self, transport: Transport, fits: impl Fn(&SocketAddr) -> bool) -> SocketAddr {
        let found = self.turn.iter().find(|(own, at)| *own == transport && fits(at));
        found.unwrap_or_else(|| panic!("it does not listen for {transport}")).1
    }

    /// A client that has not asked for anything yet.
    pub(crate) async fn client(&self, transport: Transport, login: Login) -> TurnClient {
        self.client_at(transport, self.at(transport), login).await
    }

    /// The same at one of its addresses.
    pub(crate) async fn client_at(
        &self,
        transport: Transport,
        at: SocketAddr,
        login: Login,
    ) -> TurnClient {
        TurnClient::over(Wire::open(transport, at, &self.certificate).await, login)
    }

    /// A credential for a page of this app.
    pub(crate) async fn login(&self, app: &str) -> Login {
        let body = self.get(&format!("/v1/ice?key={app}")).await.body;
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        let server = &body["iceServers"][1];
        let text = |name: &str| server[name].as_str().expect("a text").to_owned();
        Login { username: text("username"), password: text("credential") }
    }

    /// What happens from now on.
    pub(crate) fn reports(&self) -> Reports {
        Reports(self.control.turn_reports().expect("TURN is on"))
    }

    /// Waits until the server has ended by itself.
    pub(crate) async fn ended(self) {
        self.server.ended().await;
    }
}

impl Deref for TurnServer {
    type Target = TestServer;

    fn deref(&self) -> &TestServer {
        &self.server
    }
}

/// What a server reports.
pub(crate) struct Reports(broadcast::Receiver<Report>);

impl Reports {
    pub(crate) async fn next(&mut self) -> Report {
        within("a report", self.0.recv()).await.expect("none was missed")
    }

    /// The next end of an allocation.
    pub(crate) async fn closed(&mut self) -> (Owner, CloseReason, Traffic) {
        loop {
            if let Report::Closed { owner, reason, traffic, .. } = self.next().await {
                return (owner, reason, traffic);
            }
        }
    }
}

/// What `allow_peers` needs for sockets of a test to be peers.
pub(crate) fn loopback() -> Vec<Net> {
    ["127.0.0.0/8", "::1/128"].map(|net| net.parse().unwrap()).into()
}

fn secret(text: &str) -> peerway_server::config::Secret {
    text.to_owned().into()
}
