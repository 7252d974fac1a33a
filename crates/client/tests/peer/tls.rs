//! Servers with certificates.

use std::path::PathBuf;

use peerway::{Peer, PeerErrorKind, PeerOptions};
use peerway_server::config::TlsConfig;

use crate::support::{TestServer, refusal, within};

/// A server with a certificate of its own for `name`, and the file of that certificate.
struct Secure {
    server: TestServer,
    folder: PathBuf,
}

impl Secure {
    async fn start(test: &str, name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("peerway-peer-{}-{test}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let pair = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let tls = TlsConfig { cert: folder.join("cert.pem"), key: folder.join("key.pem") };
        std::fs::write(&tls.cert, pair.cert.pem()).unwrap();
        std::fs::write(&tls.key, pair.signing_key.serialize_pem()).unwrap();
        let server = TestServer::with(|config| config.tls = Some(tls)).await;
        Self { server, folder }
    }

    fn options(&self) -> PeerOptions {
        self.server.options().host("localhost").secure(true)
    }

    fn certificate(&self) -> PathBuf {
        self.folder.join("cert.pem")
    }
}

impl Drop for Secure {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[tokio::test]
async fn a_certificate_of_ones_own_is_trusted_when_it_is_named() {
    let secure = Secure::start("own", "localhost").await;
    // Over HTTPS for the id, then WSS.
    let peer = within(Peer::open(secure.options().ca_file(secure.certificate()))).await.unwrap();
    assert!(peer.is_open());
}

#[tokio::test]
async fn nobody_trusts_it_otherwise() {
    let secure = Secure::start("unknown", "localhost").await;
    for options in [secure.options(), secure.options().id("ann")] {
        let (kind, words) = refusal(options).await;
        assert_eq!(kind, PeerErrorKind::SslUnavailable);
        assert!(words.contains("nobody who is trusted") && words.contains("ca_file"), "{words}");
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let secure = Secure::start("name", "other.example").await;
    let (kind, words) = refusal(secure.options().ca_file(secure.certificate())).await;
    assert_eq!(kind, PeerErrorKind::SslUnavailable);
    assert!(words.contains("its certificate is for other.example"), "{words}");
}

#[tokio::test]
async fn plain_http_does_not_reach_a_secure_server() {
    let secure = Secure::start("plain", "localhost").await;
    for options in [secure.options(), secure.options().id("ann")] {
        let (kind, words) = refusal(options.secure(false)).await;
        assert_eq!(kind, PeerErrorKind::ServerError);
        assert!(words.contains("if it wants TLS, set `secure`"), "{words}");
    }
}
