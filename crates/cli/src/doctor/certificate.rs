//! Which certificates are trusted, and whether one that a server shows is fine.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use peerway_server::clock;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use super::fault::Door;
use super::net::{self, Deadline};
use super::report::Finding;

const DAY: u64 = 24 * 60 * 60;
/// ACME clients renew 30 days before the end; two weeks later something is wrong.
const SOON: u64 = 14 * DAY;
/// After the last date that a certificate can have.
const END_OF_TIME: u64 = 253_402_300_800;

/// Whom to trust.
#[derive(Debug, Clone)]
pub(super) struct Trust {
    strict: Arc<ClientConfig>,
    /// Takes any certificate, to look at it.
    curious: Arc<ClientConfig>,
    verifier: Arc<WebPkiServerVerifier>,
}

impl Trust {
    /// Trusts what the operating system trusts and what is in the file; where the system has
    /// nothing, as in an empty container, what Mozilla trusts.
    pub(super) fn new(ca: Option<&Path>) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        if let Some(file) = ca {
            let told = || format!("cannot read a certificate from {}", file.display());
            let own = CertificateDer::pem_file_iter(file)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .with_context(told)?;
            ensure!(roots.add_parsable_certificates(own).0 > 0, told());
        }
        Self::with(roots)
    }

    fn with(roots: RootCertStore) -> Result<Self> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                .build()
                .context("cannot check certificates")?;
        let config = |verifier: Arc<dyn ServerCertVerifier>, provider: Arc<CryptoProvider>| {
            let config = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .context("cannot speak TLS")?
                .dangerous()
                .with_custom_certificate_verifier(verifier)
                .with_no_client_auth();
            anyhow::Ok(Arc::new(config))
        };
        Ok(Self {
            strict: config(verifier.clone(), provider.clone())?,
            curious: config(Arc::new(AnyCertificate(verifier.clone())), provider)?,
            verifier,
        })
    }

    /// For connections that carry something.
    pub(super) fn connector(&self) -> TlsConnector {
        self.strict.clone().into()
    }

    /// Looks at the certificate that a server shows when it is called `host`.
    pub(super) async fn examine(
        &self,
        address: SocketAddr,
        host: &str,
        door: Door,
        deadline: Deadline,
    ) -> Finding {
        let subject = format!("certificate of {host} at {address}");
        let curious = TlsConnector::from(self.curious.clone());
        let stream = match net::tls(address, host, &curious, deadline).await {
            Ok(stream) => stream,
            Err(fault) => return fault.finding(subject, address, door),
        };
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
        match judge(chain, host, &self.verifier, clock::unix_now()) {
            Judgement::Good { days } => {
                Finding::ok(subject, format!("valid, {} left", days_in_words(days)))
            }
            Judgement::EndsSoon { days } => Finding::warn(
                subject,
                format!("valid, only {} left", days_in_words(days)),
                "Renew it: see why the ACME client (certbot, lego) did not. Then send SIGHUP to the \
                 server, which makes it read the files again.",
            ),
            Judgement::Bad { told, remedy } => Finding::fail(subject, told, remedy),
        }
    }
}

/// What there is to say about a certificate.
#[derive(Debug, PartialEq, Eq)]
enum Judgement {
    Good { days: u64 },
    EndsSoon { days: u64 },
    Bad { told: String, remedy: &'static str },
}

fn judge(
    chain: &[CertificateDer<'_>],
    host: &str,
    verifier: &WebPkiServerVerifier,
    now: u64,
) -> Judgement {
    let (Some((leaf, rest)), Ok(name)) = (chain.split_first(), ServerName::try_from(host)) else {
        let told = "the server shows none".to_owned();
        return Judgement::Bad { told, remedy: "Set tls.cert and tls.key." };
    };
    let at = |seconds| {
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        match verifier.verify_server_cert(leaf, rest, &name, &[], time) {
            Ok(_) => None,
            Err(Error::InvalidCertificate(error)) => Some(error),
            Err(_) => Some(CertificateError::BadEncoding),
        }
    };
    if let Some(error) = at(now) {
        return bad(&error, now);
    }
    // The verifier tells the end of a certificate only when it has come. Two looks into the
    // future: one at the whole chain, one at the certificate itself, which is checked first.
    let end = |error| match error {
        Some(CertificateError::ExpiredContext { not_after, .. }) => Some(not_after.as_secs()),
        _ => None,
    };
    if let Some(end) = end(at(now + SOON)) {
        return Judgement::EndsSoon { days: end.saturating_sub(now) / DAY };
    }
    let end = end(at(END_OF_TIME)).unwrap_or(END_OF_TIME);
    Judgement::Good { days: end.saturating_sub(now) / DAY }
}

fn bad(error: &CertificateError, now: u64) -> Judgement {
    let (told, remedy) = match error {
        CertificateError::ExpiredContext { not_after, .. } => (
            format!(
                "it ended {} ago",
                days_in_words(now.saturating_sub(not_after.as_secs()) / DAY)
            ),
            "Renew it (certbot renew, or what you use), then send SIGHUP to the server, which makes \
             it read the files again. If it is new already, the clock of this machine is wrong.",
        ),
        CertificateError::NotValidYetContext { .. } => {
            ("it is not valid yet".to_owned(), "Set the clock of this machine, or wait.")
        }
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names: Vec<_> = presented.iter().map(|name| plain_name(name)).collect();
            (
                format!("it is for {}", names.join(", ")),
                "Use the name in the certificate as the server's name, or get one for this name. \
                 For TURN the name is turn.public_host.",
            )
        }
        // The latter two: it says that it is of somebody who is trusted, and is not.
        CertificateError::UnknownIssuer
        | CertificateError::BadSignature
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => (
            "nobody who is trusted has signed it".to_owned(),
            "The file of the certificate must have the whole chain (fullchain.pem and not \
             cert.pem). Browsers refuse one that you signed yourself; to try with it all the same, \
             give it to doctor with --ca FILE.",
        ),
        other if other.to_string().contains("CaUsedAsEndEntity") => (
            "it is that of an authority, not of a server".to_owned(),
            "Make it with basicConstraints=CA:FALSE (openssl req -x509 -addext), or sign one for \
             the server with it.",
        ),
        other => (
            other.to_string(),
            "Get one from a public authority such as Let's Encrypt; to try with your own, give it \
             to doctor with --ca FILE.",
        ),
    };
    Judgement::Bad { told, remedy }
}

/// `DnsName("a.example")`, as the verifier tells names, is a.example.
fn plain_name(told: &str) -> &str {
    told.split('"').nth(1).unwrap_or(told)
}

fn days_in_words(days: u64) -> String {
    match days {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        2..=3650 => format!("{days} days"),
        _ => "more than ten years".to_owned(),
    }
}

/// Believes every certificate, but only those who have its key.
#[derive(Debug)]
struct AnyCertificate(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    /// 2026-03-01.
    const NOW: u64 = 1_772_323_200;

    /// A certificate for `relay.example` that signs itself and ends on this day.
    fn certificate(year: i32, month: u8, day: u8) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(["relay.example".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(year, month, day);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    fn judged(
        shown: &CertificateDer<'static>,
        trusted: &CertificateDer<'static>,
        host: &str,
    ) -> Judgement {
        let mut roots = RootCertStore::empty();
        roots.add(trusted.clone()).unwrap();
        let trust = Trust::with(roots).unwrap();
        judge(std::slice::from_ref(shown), host, &trust.verifier, NOW)
    }

    fn told(judgement: Judgement) -> String {
        match judgement {
            Judgement::Bad { told, .. } => told,
            good => panic!("{good:?}"),
        }
    }

    #[test]
    fn days_are_counted_until_the_end() {
        let good = certificate(2026, 4, 1);
        assert_eq!(judged(&good, &good, "relay.example"), Judgement::Good { days: 31 });
        let long = certificate(4096, 1, 1);
        assert!(matches!(judged(&long, &long, "relay.example"), Judgement::Good { days: 4000.. }));
    }

    #[test]
    fn the_last_two_weeks_are_a_warning() {
        let soon = certificate(2026, 3, 14);
        assert_eq!(judged(&soon, &soon, "relay.example"), Judgement::EndsSoon { days: 13 });
        let later = certificate(2026, 3, 16);
        assert_eq!(judged(&later, &later, "relay.example"), Judgement::Good { days: 15 });
    }

    #[test]
    fn what_is_wrong_is_told() {
        let good = certificate(2026, 4, 1);
        let ended = certificate(2026, 2, 1);
        assert_eq!(told(judged(&ended, &ended, "relay.example")), "it ended 28 days ago");
        // Also when it is not trusted: the end is the nearer reason.
        assert_eq!(told(judged(&ended, &good, "relay.example")), "it ended 28 days ago");
        let other = certificate(2026, 4, 1);
        assert_eq!(
            told(judged(&good, &other, "relay.example")),
            "nobody who is trusted has signed it"
        );
        assert_eq!(told(judged(&good, &good, "other.example")), "it is for relay.example");
        assert_eq!(told(judged(&good, &good, "192.0.2.1")), "it is for relay.example");
    }
}
