//! Nonces that need no memory: a time and the proof that this server gave it to that address.

use std::net::IpAddr;

use aws_lc_rs::{constant_time, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::address::household;

/// How long a nonce is good for, in seconds (RFC 8656 section 5 recommends an hour).
const LIFETIME: u64 = 3600;
/// Four bytes of time, eight of proof. Short, because it is sent to whoever asks.
const SIZE: usize = 12;

/// Makes and judges nonces.
pub(crate) struct Nonces {
    key: hmac::Key,
}

impl std::fmt::Debug for Nonces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nonces").finish_non_exhaustive()
    }
}

impl Nonces {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key) }
    }

    /// A nonce for a client at this address.
    pub(crate) fn issue(&self, client: IpAddr, unix: u64) -> String {
        STANDARD_NO_PAD.encode(self.make(client, truncated(unix)))
    }

    /// Whether the nonce is this server's, for this address, and not too old.
    pub(crate) fn is_fresh(&self, nonce: &str, client: IpAddr, unix: u64) -> bool {
        let mut bytes = [0; SIZE + 3];
        let Ok(SIZE) = STANDARD_NO_PAD.decode_slice(nonce, &mut bytes) else {
            return false;
        };
        let issued = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let age = truncated(unix).wrapping_sub(issued);
        let own = self.make(client, issued);
        u64::from(age) < LIFETIME
            && constant_time::verify_slices_are_equal(&own, &bytes[..SIZE]).is_ok()
    }

    fn make(&self, client: IpAddr, issued: u32) -> [u8; SIZE] {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&issued.to_be_bytes());
        // Not the port: a second connection of the same client (RFC 6062) uses the same nonce.
        match household(client) {
            IpAddr::V4(address) => context.update(&address.octets()),
            IpAddr::V6(address) => context.update(&address.octets()),
        }
        let mut nonce = [0; SIZE];
        nonce[..4].copy_from_slice(&issued.to_be_bytes());
        nonce[4..].copy_from_slice(&context.sign().as_ref()[..SIZE - 4]);
        nonce
    }
}

/// The low half of the time is enough: nonces live for an hour.
#[expect(clippy::cast_possible_truncation, reason = "that is the point")]
fn truncated(unix: u64) -> u32 {
    unix as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_for_an_hour_and_for_one_address() {
        let nonces = Nonces::new(&[7; 32]);
        let [client, other] = ["192.0.2.1", "192.0.2.2"].map(|it| it.parse().unwrap());
        let nonce = nonces.issue(client, 5000);
        assert_eq!(nonce.len(), 16);
        assert!(nonces.is_fresh(&nonce, client, 5000));
        assert!(nonces.is_fresh(&nonce, client, 8599));
        assert!(!nonces.is_fresh(&nonce, client, 8600));
        assert!(!nonces.is_fresh(&nonce, client, 4999), "from the future");
        assert!(!nonces.is_fresh(&nonce, other, 5000));
        assert!(!Nonces::new(&[8; 32]).is_fresh(&nonce, client, 5000));
    }

    #[test]
    fn strange_nonces_are_stale() {
        let nonces = Nonces::new(&[7; 32]);
        let client = "2001:db8::1".parse().unwrap();
        for nonce in ["", "x", "AAAAAAAAAAAAAAAA", "ÄÖÜ", &"A".repeat(763)] {
            assert!(!nonces.is_fresh(nonce, client, 0), "{nonce}");
        }
    }
}
