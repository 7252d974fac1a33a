//! TLS with certificate files, read again on request.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::TlsConfig;

/// The certificate in use.
#[derive(Debug)]
pub(crate) struct Certificates {
    files: TlsConfig,
    protocols: &'static [&'static [u8]],
    current: RwLock<Arc<ServerConfig>>,
}

impl Certificates {
    /// Reads the files.
    pub(crate) fn load(files: &TlsConfig) -> Result<Self, String> {
        Self::load_for(files, &[b"http/1.1"])
    }

    /// Reads the files for a TURN listener (RFC 7443).
    pub(crate) fn load_for_turn(files: &TlsConfig) -> Result<Self, String> {
        Self::load_for(files, &[b"stun.turn", b"stun.nat-discovery"])
    }

    fn load_for(files: &TlsConfig, protocols: &'static [&[u8]]) -> Result<Self, String> {
        let current = RwLock::new(read(files, protocols)?);
        Ok(Self { files: files.clone(), protocols, current })
    }

    /// Reads the files again; on an error the certificate in use stays.
    pub(crate) fn reload(&self) -> Result<(), String> {
        let fresh = read(&self.files, self.protocols)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// An acceptor with the certificate in use.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone().into()
    }
}

fn read(files: &TlsConfig, protocols: &[&[u8]]) -> Result<Arc<ServerConfig>, String> {
    let told = |path: &Path, what: &str, error: &dyn std::fmt::Display| {
        format!("cannot read {what} from {}: {error}", path.display())
    };
    let chain = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| told(&files.cert, "a certificate", &error))?;
    if chain.is_empty() {
        return Err(told(&files.cert, "a certificate", &"the file has none"));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| told(&files.key, "a private key", &error))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| format!("certificate and key do not make a pair: {error}"))?;
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}
