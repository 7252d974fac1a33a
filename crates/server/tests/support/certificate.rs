//! Certificates in files, and clients that trust one of them.

use std::path::PathBuf;
use std::sync::Arc;

use peerway_server::config::TlsConfig;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// A certificate for `localhost` and its key, in files of their own.
pub(crate) struct Files {
    folder: PathBuf,
    pub(crate) config: TlsConfig,
}

impl Files {
    /// Files that are not there yet; no two tests have the same name.
    pub(crate) fn new(test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("peerway-{}-{test}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let config = TlsConfig { cert: folder.join("cert.pem"), key: folder.join("key.pem") };
        Self { folder, config }
    }

    /// Writes a new pair and gives the certificate, which signs itself.
    pub(crate) fn renew(&self) -> CertificateDer<'static> {
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&self.config.cert, pair.cert.pem()).unwrap();
        std::fs::write(&self.config.key, pair.signing_key.serialize_pem()).unwrap();
        pair.cert.der().clone()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // What stays behind in the temporary folder harms nobody.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A client that trusts this certificate only.
pub(crate) fn connector(trusted: &CertificateDer<'static>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config).into()
}

/// What the certificate is for.
pub(crate) fn local_name() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}
