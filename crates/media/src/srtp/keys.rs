//! Keys of a session from those that DTLS agreed on (RFC 3711, section 4.3; RFC 7714, section 11).

use peerway_dtls::Keys;
use str0m::crypto::SrtpProvider;
use str0m::crypto::dtls::SrtpProfile;

/// What is derived, of packets; of reports it is three more.
const KEY: u8 = 0;
const AUTHENTICATION: u8 = 1;
const SALT: u8 = 2;
pub(super) const OF_REPORTS: u8 = 3;

/// One side's.
#[derive(Clone, Copy)]
pub(super) struct Master<'a> {
    key: &'a [u8],
    salt: &'a [u8],
}

/// Ours, then the other side's (RFC 5764, section 4.2).
pub(super) fn split(keys: &Keys) -> Option<(Master<'_>, Master<'_>)> {
    let (key, salt) = match keys.profile {
        SrtpProfile::AES128_CM_SHA1_80 => (16, 14),
        SrtpProfile::AEAD_AES_128_GCM => (16, 12),
        SrtpProfile::AEAD_AES_256_GCM => (32, 12),
        _ => return None,
    };
    let (client_key, rest) = keys.material.split_at_checked(key)?;
    let (server_key, rest) = rest.split_at_checked(key)?;
    let (client_salt, rest) = rest.split_at_checked(salt)?;
    let server_salt = rest.get(..salt)?;
    let client = Master { key: client_key, salt: client_salt };
    let server = Master { key: server_key, salt: server_salt };
    Some(if keys.is_client { (client, server) } else { (server, client) })
}

impl Master<'_> {
    pub(super) fn key<const N: usize>(self, with: &dyn SrtpProvider, of: u8) -> Option<[u8; N]> {
        self.derive(with, KEY + of)
    }

    pub(super) fn authentication(self, with: &dyn SrtpProvider, of: u8) -> Option<[u8; 20]> {
        self.derive(with, AUTHENTICATION + of)
    }

    pub(super) fn salt<const N: usize>(self, with: &dyn SrtpProvider, of: u8) -> Option<[u8; N]> {
        self.derive(with, SALT + of)
    }

    /// The key stream of AES in counter mode, from the label and the salt on.
    fn derive<const N: usize>(self, with: &dyn SrtpProvider, label: u8) -> Option<[u8; N]> {
        let mut derived = [0; N];
        let mut counter = [0; 16];
        counter.get_mut(..self.salt.len())?.copy_from_slice(self.salt);
        counter[7] ^= label;
        for (part, number) in derived.chunks_mut(16).zip(0_u16..) {
            counter[14..].copy_from_slice(&number.to_be_bytes());
            let mut block = [0; 32];
            match self.key.len() {
                16 => with.srtp_aes_128_ecb_round(self.key, &counter, &mut block),
                32 => with.srtp_aes_256_ecb_round(self.key, &counter, &mut block),
                _ => return None,
            }
            part.copy_from_slice(&block[..part.len()]);
        }
        Some(derived)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 3711, appendix B.3.
    #[test]
    fn keys_are_derived_as_the_standard_has_it() {
        let key = 0xe1f9_7a0d_3e01_8be0_d64f_a32c_06de_4139_u128.to_be_bytes();
        let salt = &0x0ec6_75ad_498a_feeb_b696_0b3a_abe6_u128.to_be_bytes()[2..];
        let master = Master { key: &key, salt };
        let crypto = peerway_dtls::crypto();
        let with = crypto.srtp_provider;
        let derived = master.key(with, 0).map(u128::from_be_bytes);
        assert_eq!(derived, Some(0xc61e_7a93_744f_39ee_1073_4afe_3ff7_a087));
        let salt: [u8; 14] = master.salt(with, 0).unwrap();
        assert_eq!(salt, 0x30cb_bc08_863d_8c85_d49d_b34a_9ae1_u128.to_be_bytes()[2..]);
        let authentication = master.authentication(with, 0).unwrap();
        assert_eq!(authentication[..4], [0xce, 0xbe, 0x32, 0x1f]);
        assert_eq!(authentication[16..], [0x6d, 0x38, 0xba, 0xa4]);
    }
}
