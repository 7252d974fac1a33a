//! Networks, a TURN server in this process, and waiting that ends.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use peerway_server::config::Config;
use peerway_server::{Control, Server};
use rustls::pki_types::CertificateDer;

use super::super::{
    IceServer, IceTransportPolicy, LocalCandidate, Network, NetworkEvent, NetworkOptions,
    RelayProtocol,
};

/// Fails instead of waiting for ever.
pub(in super::super) async fn within<F: Future>(what: &str, future: F) -> F::Output {
    let waiting = tokio::time::timeout(Duration::from_secs(20), future);
    waiting.await.unwrap_or_else(|_| panic!("no {what} in time"))
}

/// A client that trusts these certificates.
pub(super) fn trusting(certificates: &[CertificateDer<'static>]) -> Arc<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate.clone()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

pub(super) fn options(ice_servers: Vec<IceServer>) -> NetworkOptions {
    let policy = IceTransportPolicy::All;
    NetworkOptions { ice_servers, policy, loopback: true, mdns: false, tls: trusting(&[]) }
}

pub(super) fn relay_only(ice_servers: Vec<IceServer>) -> NetworkOptions {
    NetworkOptions { policy: IceTransportPolicy::Relay, ..options(ice_servers) }
}

/// What gathering brought.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) candidates: Vec<LocalCandidate>,
    /// Per URL, why.
    pub(super) failures: Vec<(String, String)>,
}

impl Gathered {
    /// All events until the last server has answered.
    pub(super) async fn all(network: &mut Network) -> Self {
        let mut gathered = Self::default();
        while !within("end of gathering", gathered.take(network)).await {}
        gathered
    }

    /// One event; whether it was the last.
    async fn take(&mut self, network: &mut Network) -> bool {
        match network.next().await {
            NetworkEvent::Candidate(candidate) => self.candidates.push(candidate),
            NetworkEvent::ServerFailed { url, reason } => self.failures.push((url, reason)),
            NetworkEvent::GatheringDone => return true,
            event => panic!("{event:?}"),
        }
        false
    }

    pub(super) fn relayed(&self) -> Vec<(SocketAddr, RelayProtocol)> {
        let relayed = |candidate: &LocalCandidate| match *candidate {
            LocalCandidate::Relayed { addr, protocol, .. } => Some((addr, protocol)),
            _ => None,
        };
        self.candidates.iter().filter_map(relayed).collect()
    }

    /// The host candidate at an address of this machine.
    pub(super) fn host(&self, ip: &str) -> SocketAddr {
        let ip: IpAddr = ip.parse().unwrap();
        let host = |candidate: &LocalCandidate| match *candidate {
            LocalCandidate::Host { addr } if addr.ip() == ip => Some(addr),
            _ => None,
        };
        self.candidates.iter().find_map(host).expect("there is a socket")
    }
}

/// A network that has gathered.
pub(super) async fn opened(options: &NetworkOptions) -> (Network, Gathered) {
    let mut network = Network::open(options).await.unwrap();
    let gathered = Gathered::all(&mut network).await;
    (network, gathered)
}

/// What came, from where and to which of our addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Came {
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) data: Vec<u8>,
}

/// The next datagrams.
pub(super) async fn receive(network: &mut Network) -> Vec<Came> {
    let waiting = async {
        loop {
            if matches!(network.next().await, NetworkEvent::Received) {
                break;
            }
        }
    };
    within("datagram", waiting).await;
    let came = network.batch().map(|datagram| Came {
        source: datagram.source,
        destination: datagram.destination,
        data: datagram.data.to_vec(),
    });
    came.collect()
}

/// The next datagram, which must come alone.
pub(super) async fn receive_one(network: &mut Network) -> Came {
    let mut came = receive(network).await;
    assert_eq!(came.len(), 1);
    came.remove(0)
}

pub(super) async fn send(network: &mut Network, from: SocketAddr, to: SocketAddr, data: &[u8]) {
    network.send(from, to, data);
    within("way out", network.flush()).await;
}

/// A server for STUN and TURN on the loopback interface that relays to sockets of the test.
pub(super) struct TurnServer {
    pub(super) control: Control,
    pub(super) certificate: CertificateDer<'static>,
    addresses: Vec<(String, SocketAddr)>,
    folder: PathBuf,
}

impl TurnServer {
    pub(super) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(super) async fn with(edit: impl FnOnce(&mut Config)) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);

        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("peerway-client-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let pair =
            rcgen::generate_simple_self_signed(["localhost", "::1"].map(str::to_owned)).unwrap();
        let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        std::fs::write(&cert, pair.cert.pem()).unwrap();
        std::fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
        let mut config = Config { host: "127.0.0.1".into(), port: 0, ..Config::default() };
        let turn = &mut config.turn;
        for listen in [&mut turn.udp, &mut turn.tcp, &mut turn.tls] {
            *listen = ["127.0.0.1:0", "[::1]:0"].map(|it| it.parse().unwrap()).into();
        }
        (turn.cert, turn.key) = (Some(cert), Some(key));
        turn.workers = Some(1);
        turn.users = vec!["joe:secret".to_owned().into()];
        turn.allow_peers = ["0.0.0.0/0", "::/0"].map(|net| net.parse().unwrap()).into();
        config.sfu.enabled = false;
        edit(&mut config);
        let server = Server::bind(config).await.unwrap();
        let control = server.control();
        let address = |(transport, at): &(_, SocketAddr)| (format!("{transport}"), *at);
        let addresses = server.turn_addresses().iter().map(address).collect();
        tokio::spawn(server.run());
        Self { control, certificate: pair.cert.der().clone(), addresses, folder }
    }

    /// Where it listens.
    pub(super) fn at(&self, protocol: RelayProtocol, ipv6: bool) -> SocketAddr {
        let wanted = protocol.to_string();
        let fits = |(transport, at): &&(String, SocketAddr)| {
            transport.eq_ignore_ascii_case(&wanted) && at.is_ipv6() == ipv6
        };
        self.addresses.iter().find(fits).expect("it listens there").1
    }

    /// Its URL with the user that it knows.
    pub(super) fn ice(&self, protocol: RelayProtocol, ipv6: bool) -> IceServer {
        let at = self.at(protocol, ipv6);
        let url = match protocol {
            RelayProtocol::Udp => format!("turn:{at}"),
            RelayProtocol::Tcp => format!("turn:{at}?transport=tcp"),
            // What the certificate is for.
            RelayProtocol::Tls if ipv6 => format!("turns:{at}"),
            RelayProtocol::Tls => format!("turns:localhost:{}", at.port()),
        };
        IceServer::new(url).credential("joe", "secret")
    }
}

impl Drop for TurnServer {
    fn drop(&mut self) {
        self.control.stop();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
