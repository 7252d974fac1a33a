//! DTLS for the engine: the same implementation and the same crypto library as str0m's default,
//! but its configuration is made once. dimpl 0.9.0 proves its crypto provider anew for every
//! configuration that it builds, with key exchanges on all groups, and str0m builds one for each
//! connection.

mod keys;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use str0m::config::{CryptoProvider, DtlsCert, DtlsVersion};
use str0m::crypto::CryptoError;
use str0m::crypto::dtls::{DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, ProtocolVersion};

pub use keys::{Keys, keys_from};

/// What str0m takes by default, with DTLS as above.
pub fn crypto() -> Arc<CryptoProvider> {
    static CRYPTO: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    static DTLS: OnceLock<Provider> = OnceLock::new();
    let make = || {
        let default = str0m::crypto::from_feature_flags();
        let inner = default.dtls_provider;
        let dtls_provider = DTLS.get_or_init(|| Provider { inner, config: OnceLock::new() });
        Arc::new(CryptoProvider { dtls_provider, ..default })
    };
    CRYPTO.get_or_init(make).clone()
}

/// Of what was not answered. RFC 6347, section 4.2.4.1 has a second for who knows nothing of a path; ICE has just
/// shown that this one answers, and where it is slow nothing is lost by saying it again.
const FIRST_RETRY: Duration = Duration::from_millis(200);
/// Each after twice the time of the one before; the handshake may take 40 s in all.
const RETRIES: usize = 8;

#[derive(Debug)]
struct Provider {
    inner: &'static dyn DtlsProvider,
    /// Of the first connection; the MTU is the same for all.
    config: OnceLock<(Option<usize>, Arc<dimpl::Config>)>,
}

impl Provider {
    fn config(&self, mtu: Option<usize>) -> Result<Arc<dimpl::Config>, CryptoError> {
        if let Some((_, config)) = self.config.get().filter(|(made_for, _)| *made_for == mtu) {
            return Ok(config.clone());
        }
        // No cookie: ICE has shown already that the other side is where it says.
        let mut builder = dimpl::Config::builder()
            .use_server_cookie(false)
            .flight_start_rto(FIRST_RETRY)
            .flight_retries(RETRIES);
        if let Some(mtu) = mtu {
            builder = builder.mtu(mtu);
        }
        let config = builder.build().map_err(|error| CryptoError::Other(error.to_string()))?;
        let config = Arc::new(config);
        // Somebody else may have been first, or it is for another MTU: then it is just not kept.
        let _ = self.config.set((mtu, config.clone()));
        Ok(config)
    }
}

impl DtlsProvider for Provider {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        self.inner.generate_certificate()
    }

    fn new_dtls(
        &self,
        cert: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        if version != DtlsVersion::Dtls12 {
            return self.inner.new_dtls(cert, now, version, mtu);
        }
        let dtls = dimpl::Dtls::new_12(self.config(mtu)?, cert.clone(), now);
        Ok(Box::new(Dtls(dtls)))
    }
}

struct Dtls(dimpl::Dtls);

impl std::fmt::Debug for Dtls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dtls").finish_non_exhaustive()
    }
}

impl DtlsInstance for Dtls {
    fn set_active(&mut self, active: bool) {
        self.0.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.0.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buffer: &'a mut [u8]) -> DtlsOutput<'a> {
        let output = self.0.poll_output(buffer);
        if let DtlsOutput::KeyingMaterial(material, profile) = &output {
            keys::tell(material, *profile, self.0.is_active());
        }
        output
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.0.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.0.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.0.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.0.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.0.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.0.close()
    }
}
