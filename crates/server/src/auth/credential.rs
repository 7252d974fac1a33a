//! Credentials of the SkyWay dialect: the app's backend signs a peer's id for a time
//! (`docs/reference/skyway-dialect.md`, section 2).

use aws_lc_rs::{constant_time, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use peerway_broker::Proof;
use peerway_protocol::skyway::{Credential, CredentialError};
use peerway_protocol::{PeerId, Refusal};

use super::{App, proof_of};
use crate::config::Secret;

/// Who a client is, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentialed {
    /// By which it may come back under its id.
    pub proof: Proof,
    /// When its credential ends, in seconds since 1970; `None` where none is wanted.
    pub expiry: Option<u64>,
}

/// Signs a credential.
pub fn sign_credential(secret: &str, peer: &PeerId, timestamp: u64, ttl: u64) -> Credential {
    let tag = mac(secret, peer, timestamp, ttl);
    Credential { timestamp, ttl, auth_token: STANDARD.encode(tag) }
}

fn mac(secret: &str, peer: &PeerId, timestamp: u64, ttl: u64) -> hmac::Tag {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hmac::sign(&key, Credential::message(timestamp, ttl, peer).as_bytes())
}

impl App {
    /// Judges the credential of a SkyWay client, if the app wants any. Of one peer's sessions only
    /// those of the same token are the same client: a credential that somebody else has seen does not
    /// take an id over while its owner is there.
    pub fn authenticate_skyway(
        &self,
        peer: &PeerId,
        token: &str,
        credential: Option<Result<Credential, CredentialError>>,
        unix: u64,
    ) -> Result<Credentialed, CredentialError> {
        let key = &self.key;
        if !self.require_signed_id {
            return Ok(Credentialed { proof: proof_of(token), expiry: None });
        }
        let credential = credential.unwrap_or(Err(CredentialError::Missing))?;
        self.judge(peer, &credential, unix)?;
        // The text begins otherwise than that of a signed token, so neither proves the other.
        let proof = proof_of(&format!("skyway\n{key}\n{peer}\n{token}"));
        Ok(Credentialed { proof, expiry: Some(credential.expiry()) })
    }

    /// Judges a client of the PeerJS dialect, which shows a signed token, or, if it runs with our own
    /// SDK, what it would show to SkyWay beside a token of its own.
    pub fn authenticate_with(
        &self,
        peer: &PeerId,
        token: &str,
        credential: Option<&str>,
        unix: u64,
    ) -> Result<Proof, Refusal> {
        match credential.filter(|_| self.require_signed_id) {
            None => self.authenticate(peer, token, unix),
            Some(text) => self
                .authenticate_skyway(peer, token, Some(Credential::parse(text)), unix)
                .map(|it| it.proof)
                .map_err(|error| Refusal::TokenRefused(error.to_string())),
        }
    }

    /// Whether a credential is this peer's, and good now.
    pub fn judge(
        &self,
        peer: &PeerId,
        credential: &Credential,
        unix: u64,
    ) -> Result<(), CredentialError> {
        credential.check_times(unix)?;
        let secret = self.secret.as_ref().map_or("", Secret::expose);
        let right = sign_credential(secret, peer, credential.timestamp, credential.ttl);
        let (right, given) = (right.auth_token.as_bytes(), credential.auth_token.as_bytes());
        constant_time::verify_slices_are_equal(right, given)
            .map_err(|_| CredentialError::WrongToken)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::auth::Apps;
    use crate::config::{AppConfig, Config};

    const SECRET: &str = "correct horse battery";
    const NOW: u64 = 1_700_000_000;

    fn app(require_signed_id: bool) -> Arc<App> {
        let secret = Some(Secret::from(SECRET.to_owned()));
        let app = AppConfig { secret, require_signed_id, ..AppConfig::named("shop") };
        let config = Config { app: vec![app], ..Config::default() };
        Apps::new(&config).unwrap().find("shop").unwrap()
    }

    fn alice() -> PeerId {
        PeerId::new("alice").unwrap()
    }

    /// Made by openssl: `printf 1700000000:600:alice | openssl dgst -sha256 -hmac "$SECRET" -binary | base64`.
    #[test]
    fn the_token_is_that_of_the_vendors_sample_servers() {
        let credential = sign_credential(SECRET, &alice(), NOW, 600);
        assert_eq!(credential.auth_token, "8UBv956/L95tKSpW9T5fQgZac9dueyUxasBjD7zpo5c=");
    }

    #[test]
    fn a_credential_is_good_for_one_id_until_it_expires() {
        let app = app(true);
        let credential = sign_credential(SECRET, &alice(), NOW, 600);
        let shown = |credential| app.authenticate_skyway(&alice(), "t", Some(Ok(credential)), NOW);
        assert_eq!(shown(credential.clone()).unwrap().expiry, Some(NOW + 600));
        let bob = PeerId::new("bob").unwrap();
        assert_eq!(app.judge(&bob, &credential, NOW), Err(CredentialError::WrongToken));
        assert_eq!(app.judge(&alice(), &credential, NOW + 607), Err(CredentialError::Expired(7)));
        let longer = Credential { ttl: 601, ..credential };
        assert_eq!(shown(longer), Err(CredentialError::WrongToken));
        let none = app.authenticate_skyway(&alice(), "t", None, NOW);
        assert_eq!(none, Err(CredentialError::Missing));
    }

    #[test]
    fn only_the_same_token_is_the_same_client() {
        let app = app(true);
        let credential = || Some(Ok(sign_credential(SECRET, &alice(), NOW, 600)));
        let proof =
            |token| app.authenticate_skyway(&alice(), token, credential(), NOW).unwrap().proof;
        assert_eq!(proof("t1"), proof("t1"));
        assert_ne!(proof("t1"), proof("t2"));
    }

    #[test]
    fn where_no_ids_are_signed_credentials_are_not_looked_at() {
        let app = app(false);
        let nonsense = Some(Err(CredentialError::Malformed));
        let judged = app.authenticate_skyway(&alice(), "t", nonsense, NOW).unwrap();
        assert_eq!(judged, Credentialed { proof: proof_of("t"), expiry: None });
    }
}
