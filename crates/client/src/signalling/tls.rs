//! Whom to trust.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{CertificateError, ClientConfig, Error, RootCertStore};

use super::failure::TlsFault;

/// Trusts what the operating system trusts and what is in `ca_file`; where the system has nothing,
/// as in an empty container, what Mozilla trusts. The error is for people.
///
/// Reads files: those of the system once per process, which can take some milliseconds.
pub(crate) fn config(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, String> {
    static SYSTEM: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    static USUAL: OnceLock<Arc<ClientConfig>> = OnceLock::new();

    let roots = SYSTEM.get_or_init(|| Arc::new(system_roots()));
    let Some(file) = ca_file else {
        if let Some(config) = USUAL.get() {
            return Ok(config.clone());
        }
        let config = trusting(roots.clone())?;
        return Ok(USUAL.get_or_init(|| config).clone());
    };
    let told = |cause: &dyn std::fmt::Display| {
        format!("cannot read a certificate from {}: {cause}", file.display())
    };
    let own = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| told(&error))?;
    let mut roots = RootCertStore::clone(roots);
    if roots.add_parsable_certificates(own).0 == 0 {
        return Err(told(&"there is none in it"));
    }
    trusting(Arc::new(roots))
}

fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

fn trusting(roots: Arc<RootCertStore>) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("cannot speak TLS: {error}"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

impl TlsFault {
    pub(crate) fn of(error: &std::io::Error) -> Option<Self> {
        let error = error.get_ref()?.downcast_ref::<Error>()?;
        Some(match error {
            Error::InvalidCertificate(error) => Self::of_certificate(error),
            Error::InvalidMessage(_) => Self::NoTls,
            other => Self::Other(other.to_string()),
        })
    }

    fn of_certificate(error: &CertificateError) -> Self {
        match error {
            CertificateError::NotValidForNameContext { presented, .. } => {
                let names: Vec<_> = presented.iter().map(|name| plain_name(name)).collect();
                Self::Name(names.join(", "))
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::NotYet
            }
            // The latter two: it says that it is of somebody who is trusted, and is not.
            CertificateError::UnknownIssuer
            | CertificateError::BadSignature
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
                Self::Issuer
            }
            other => Self::Other(other.to_string()),
        }
    }
}

/// `DnsName("a.example")`, as the verifier tells names, is a.example.
fn plain_name(told: &str) -> &str {
    told.split('"').nth(1).unwrap_or(told)
}
