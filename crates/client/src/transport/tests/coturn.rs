//! TURN with coturn's server, where it is installed.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::super::{IceServer, NetworkOptions, RelayProtocol};
use super::relays::assert_relays;
use super::support::{opened, relay_only, trusting, within};

struct Coturn {
    process: Child,
    port: u16,
    tls_port: u16,
    certificate: rustls::pki_types::CertificateDer<'static>,
    folder: std::path::PathBuf,
}

impl Coturn {
    /// `None` where coturn is not installed; `test.sh` says so.
    async fn start(name: &str, extra: &[&str]) -> Option<Self> {
        let [port, tls_port] = [free_port(), free_port()];
        let folder = std::env::temp_dir().join(format!("peerway-client-{name}-{port}"));
        std::fs::create_dir_all(&folder).unwrap();
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let file = |name: &str, text: String| {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let cert = file("cert.pem", pair.cert.pem());
        let key = file("key.pem", pair.signing_key.serialize_pem());
        let mut arguments: Vec<String> = [
            "-n",
            "--lt-cred-mech",
            "--user=joe:secret",
            "--realm=coturn",
            "--no-cli",
            "--allow-loopback-peers",
            "--listening-ip=127.0.0.1",
            "--listening-ip=::1",
            "--relay-ip=127.0.0.1",
            "--relay-ip=::1",
            "--log-file=stdout",
            "--no-dtls",
        ]
        .map(str::to_owned)
        .into();
        arguments.extend(extra.iter().map(ToString::to_string));
        arguments.extend([
            format!("--listening-port={port}"),
            format!("--tls-listening-port={tls_port}"),
            format!("--cert={cert}"),
            format!("--pkey={key}"),
            format!("--pidfile={}", folder.join("pid").display()),
            format!("--userdb={}", folder.join("turndb").display()),
        ]);
        let mut command = Command::new("turnserver");
        command.args(arguments).current_dir(&folder).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().ok()?;
        let certificate = pair.cert.der().clone();
        let coturn = Self { process, port, tls_port, certificate, folder };
        let listening = async {
            for port in [port, tls_port] {
                let at = SocketAddr::from(([127, 0, 0, 1], port));
                while tokio::net::TcpStream::connect(at).await.is_err() {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        };
        within("coturn", listening).await;
        Some(coturn)
    }

    fn options(&self, protocol: RelayProtocol, host: &str) -> NetworkOptions {
        let url = match protocol {
            RelayProtocol::Udp => format!("turn:{host}:{}", self.port),
            RelayProtocol::Tcp => format!("turn:{host}:{}?transport=tcp", self.port),
            RelayProtocol::Tls => format!("turns:localhost:{}", self.tls_port),
        };
        let ice = IceServer::new(url).credential("joe", "secret");
        let tls = trusting(std::slice::from_ref(&self.certificate));
        NetworkOptions { tls, ..relay_only(vec![ice]) }
    }
}

impl Drop for Coturn {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

#[tokio::test]
async fn coturn_relays_over_every_protocol_and_family() {
    let Some(coturn) = Coturn::start("all", &[]).await else { return };
    for (protocol, host) in [
        (RelayProtocol::Udp, "127.0.0.1"),
        (RelayProtocol::Udp, "[::1]"),
        (RelayProtocol::Tcp, "127.0.0.1"),
        (RelayProtocol::Tls, "localhost"),
    ] {
        let (mut ann, anns) = opened(&coturn.options(protocol, host)).await;
        assert_eq!(anns.failures, [], "{protocol} {host}");
        let relayed = anns.relayed();
        assert!(!relayed.is_empty());
        for (addr, _) in relayed {
            assert_relays(&mut ann, addr).await;
        }
        ann.close().await;
    }
}

#[tokio::test]
async fn coturn_may_end_its_nonces() {
    let Some(coturn) = Coturn::start("stale", &["--stale-nonce=1"]).await else { return };
    let (mut ann, anns) = opened(&coturn.options(RelayProtocol::Udp, "127.0.0.1")).await;
    let relayed = anns.relayed()[0].0;

    tokio::time::sleep(Duration::from_millis(2500)).await;

    // The permission is refused with 438 first, so the first datagrams may get lost.
    let (_peer, peers) = opened(&super::support::options(vec![])).await;
    ann.allow(peers.host("127.0.0.1"));
    let _ = tokio::time::timeout(Duration::from_millis(300), ann.next()).await;
    assert_relays(&mut ann, relayed).await;
}
