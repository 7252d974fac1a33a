//! Peer authentication: what an app's backend signs for one peer (section 2 of the dialect's page).

use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;

use crate::PeerId;

/// What a client shows: `{timestamp, ttl, authToken}`. Other members, such as the `peerId` that the
/// vendor's sample servers add, count for nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// When it was made, in seconds since 1970.
    pub timestamp: u64,
    /// How many seconds it is good for.
    pub ttl: u64,
    /// Base64 of HMAC-SHA256 over [`message`](Self::message).
    pub auth_token: String,
}

/// Why a credential is no good. The vendor's server had a text for each, which are not known.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CredentialError {
    /// There is none.
    #[error(
        "the key wants a credential: give the option credential with timestamp, ttl, authToken"
    )]
    Missing,
    /// The client leaves its id to the server, so nobody can have signed it.
    #[error("the key wants a credential, which is made for one peer id: give the id as well")]
    WithoutId,
    /// Not an object of the three members.
    #[error("the credential must have the numbers timestamp and ttl and the text authToken")]
    Malformed,
    /// Made in the future.
    #[error(
        "the credential's timestamp is {0} seconds in the future: seconds since 1970 are wanted"
    )]
    Future(u64),
    /// Its time is over.
    #[error("the credential expired {0} seconds ago")]
    Expired(u64),
    /// For too long.
    #[error("the credential's ttl is above the maximum of {} seconds", Credential::MAX_TTL)]
    TtlTooLong,
    /// For too short a time.
    #[error("the credential's ttl is below the minimum of {} seconds", Credential::MIN_TTL)]
    TtlTooShort,
    /// Signed otherwise.
    #[error("the credential's authToken is not that of this peer id, timestamp and ttl")]
    WrongToken,
}

impl Credential {
    /// Shortest time to live, in seconds.
    pub const MIN_TTL: u64 = 600;
    /// Longest time to live, in seconds.
    pub const MAX_TTL: u64 = 90_000;
    /// How far clocks may differ, in seconds.
    pub const SKEW: u64 = 30;

    /// Reads the text of a handshake, or the payload of `UPDATE_CREDENTIAL`.
    pub fn parse(text: &str) -> Result<Self, CredentialError> {
        /// JavaScript applications give texts where numbers are meant. Parts of a second are refused:
        /// what was signed is the text of the number.
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Number {
            Whole(u64),
            Text(String),
        }

        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Wire {
            timestamp: Number,
            ttl: Number,
            auth_token: String,
        }

        let whole = |number| match number {
            Number::Whole(number) => Some(number),
            Number::Text(text) => text.parse().ok(),
        };
        let wire: Wire = serde_json::from_str(text).map_err(|_| CredentialError::Malformed)?;
        Ok(Self {
            timestamp: whole(wire.timestamp).ok_or(CredentialError::Malformed)?,
            ttl: whole(wire.ttl).ok_or(CredentialError::Malformed)?,
            auth_token: wire.auth_token,
        })
    }

    pub(super) fn from_payload(payload: Option<&RawValue>) -> Result<Self, CredentialError> {
        Self::parse(payload.ok_or(CredentialError::Missing)?.get())
    }

    /// What is signed: the order is timestamp, ttl, peer id.
    pub fn message(timestamp: u64, ttl: u64, peer: &PeerId) -> String {
        format!("{timestamp}:{ttl}:{peer}")
    }

    /// When it ends, in seconds since 1970.
    pub fn expiry(&self) -> u64 {
        self.timestamp.saturating_add(self.ttl)
    }

    /// Judges everything but the signature.
    pub fn check_times(&self, unix: u64) -> Result<(), CredentialError> {
        if self.ttl > Self::MAX_TTL {
            return Err(CredentialError::TtlTooLong);
        }
        if self.ttl < Self::MIN_TTL {
            return Err(CredentialError::TtlTooShort);
        }
        if self.timestamp > unix.saturating_add(Self::SKEW) {
            return Err(CredentialError::Future(self.timestamp - unix));
        }
        if self.expiry() <= unix {
            return Err(CredentialError::Expired(unix - self.expiry()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(timestamp: u64, ttl: u64) -> Credential {
        Credential { timestamp, ttl, auth_token: String::new() }
    }

    #[test]
    fn a_credential_is_read_whatever_else_is_in_it() {
        let text = r#"{"peerId":"x","timestamp":1700000000,"ttl":"3600","authToken":"a+b="}"#;
        let read = Credential::parse(text).unwrap();
        assert_eq!((read.timestamp, read.ttl, read.expiry()), (1_700_000_000, 3600, 1_700_003_600));
        assert_eq!(read.auth_token, "a+b=");
        for bad in ["", "null", "{}", r#"{"timestamp":1.5,"ttl":600,"authToken":""}"#, "[1,2]"] {
            assert_eq!(Credential::parse(bad), Err(CredentialError::Malformed), "{bad}");
        }
    }

    #[test]
    fn its_times_have_bounds() {
        let now = 1_700_000_000;
        let judged = |timestamp, ttl| credential(timestamp, ttl).check_times(now);
        assert_eq!(judged(now, 600), Ok(()));
        assert_eq!(judged(now + 30, 90_000), Ok(()));
        assert_eq!(judged(now + 31, 600), Err(CredentialError::Future(31)));
        assert_eq!(judged(now, 599), Err(CredentialError::TtlTooShort));
        assert_eq!(judged(now, 90_001), Err(CredentialError::TtlTooLong));
        assert_eq!(judged(now - 600, 600), Err(CredentialError::Expired(0)));
        assert_eq!(judged(now - 599, 600), Ok(()));
        assert_eq!(judged(u64::MAX, 600), Err(CredentialError::Future(u64::MAX - now)));
    }
}
