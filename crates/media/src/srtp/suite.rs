//! One way to encrypt, with the keys for one direction of either packets or reports.

use str0m::config::CryptoProvider;
use str0m::crypto::dtls::SrtpProfile;
use str0m::crypto::{
    AeadAes128Gcm, AeadAes128GcmCipher, AeadAes256GcmCipher, Aes128CmSha1_80,
    Aes128CmSha1_80Cipher, Sha1HmacProvider,
};

use super::keys::{Master, OF_REPORTS};
use super::{INDEX, IS_ENCRYPTED, REPORT_HEAD};

/// What proves that a packet is genuine, at most this long.
pub(super) const TAG: usize = AeadAes128Gcm::TAG_LEN;
const SHORT_TAG: usize = Aes128CmSha1_80::HMAC_TAG_LEN;

#[derive(Debug)]
pub(super) enum Suite {
    Counter(Counter),
    Gcm { cipher: Gcm, salt: [u8; 12] },
}

/// AES in counter mode, and SHA-1 over it.
pub(super) struct Counter {
    cipher: Box<dyn Aes128CmSha1_80Cipher>,
    salt: [u8; 14],
    authentication: [u8; 20],
    hash: &'static dyn Sha1HmacProvider,
}

#[derive(Debug)]
pub(super) enum Gcm {
    Aes128(Box<dyn AeadAes128GcmCipher>),
    Aes256(Box<dyn AeadAes256GcmCipher>),
}

impl std::fmt::Debug for Counter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Counter")
    }
}

impl Suite {
    pub(super) fn for_packets(
        crypto: &CryptoProvider,
        profile: SrtpProfile,
        master: Master<'_>,
    ) -> Option<Self> {
        Self::new(crypto, profile, master, 0)
    }

    pub(super) fn for_reports(
        crypto: &CryptoProvider,
        profile: SrtpProfile,
        master: Master<'_>,
    ) -> Option<Self> {
        Self::new(crypto, profile, master, OF_REPORTS)
    }

    fn new(
        crypto: &CryptoProvider,
        profile: SrtpProfile,
        master: Master<'_>,
        of: u8,
    ) -> Option<Self> {
        let with = crypto.srtp_provider;
        // Those of aws-lc-rs go either way, whatever they are made for.
        let cipher = match profile {
            SrtpProfile::AES128_CM_SHA1_80 => {
                return Some(Self::Counter(Counter {
                    cipher: with.aes_128_cm_sha1_80().create_cipher(master.key(with, of)?, true),
                    salt: master.salt(with, of)?,
                    authentication: master.authentication(with, of)?,
                    hash: crypto.sha1_hmac_provider,
                }));
            }
            SrtpProfile::AEAD_AES_128_GCM => {
                let key = master.key(with, of)?;
                Gcm::Aes128(with.aead_aes_128_gcm().create_cipher(key, true))
            }
            SrtpProfile::AEAD_AES_256_GCM => {
                let key = master.key(with, of)?;
                Gcm::Aes256(with.aead_aes_256_gcm().create_cipher(key, true))
            }
            _ => return None,
        };
        Some(Self::Gcm { cipher, salt: master.salt(with, of)? })
    }

    /// How long the proof is, which is written behind the packet. The header is in `sealed` already.
    pub(super) fn seal_packet(
        &mut self,
        source: u32,
        index: u64,
        packet: &[u8],
        head: usize,
        sealed: &mut [u8],
    ) -> Option<usize> {
        match self {
            Self::Counter(counter) => {
                let nonce = Aes128CmSha1_80::rtp_iv(counter.salt, source, index);
                counter.cipher.encrypt(&nonce, &packet[head..], &mut sealed[head..]).ok()?;
                let Counter { authentication, hash, .. } = counter;
                let hash = |key: &[u8], parts: &[&[u8]]| hash.sha1_hmac(key, parts);
                Aes128CmSha1_80::rtp_hmac(hash, authentication, sealed, index, packet.len());
                Some(SHORT_TAG)
            }
            Self::Gcm { cipher, salt } => {
                #[expect(clippy::cast_possible_truncation, reason = "its low and its next bits")]
                let (wraps, sequence) = ((index >> 16) as u32, index as u16);
                let nonce = AeadAes128Gcm::rtp_iv(*salt, source, wraps, sequence);
                let (clear, secret) = packet.split_at_checked(head)?;
                cipher.seal(&nonce, clear, secret, &mut sealed[head..])?;
                Some(TAG)
            }
        }
    }

    /// How long it is then.
    ///
    /// ```text
    ///   AES-GCM   | head | secret | proof | index |
    ///   counter   | head | secret | index | proof |
    /// ```
    pub(super) fn seal_report(
        &mut self,
        source: u32,
        index: u32,
        report: &[u8],
        sealed: &mut [u8],
    ) -> Option<usize> {
        let (head, secret) = report.split_at_checked(REPORT_HEAD)?;
        let trailer = (IS_ENCRYPTED | index).to_be_bytes();
        let end = report.len();
        match self {
            Self::Counter(counter) => {
                let nonce = Aes128CmSha1_80::rtp_iv(counter.salt, source, index.into());
                counter.cipher.encrypt(&nonce, secret, &mut sealed[REPORT_HEAD..]).ok()?;
                sealed[end..end + INDEX].copy_from_slice(&trailer);
                let Counter { authentication, hash, .. } = counter;
                let hash = |key: &[u8], parts: &[&[u8]]| hash.sha1_hmac(key, parts);
                Aes128CmSha1_80::rtcp_hmac(hash, authentication, sealed, end + INDEX);
                Some(end + INDEX + SHORT_TAG)
            }
            Self::Gcm { cipher, salt } => {
                let nonce = AeadAes128Gcm::rtcp_iv(*salt, source, index);
                let clear = clear(head, trailer);
                cipher.seal(&nonce, &clear, secret, &mut sealed[REPORT_HEAD..])?;
                sealed[end + TAG..end + TAG + INDEX].copy_from_slice(&trailer);
                Some(end + TAG + INDEX)
            }
        }
    }

    /// The number that a report says it has. `None`: it is none, or not encrypted.
    pub(super) fn index(&self, sealed: &[u8]) -> Option<u32> {
        let behind = match self {
            Self::Counter(_) => SHORT_TAG,
            Self::Gcm { .. } => 0,
        };
        let proven = sealed.get(..sealed.len().checked_sub(behind)?)?;
        index(*proven.last_chunk::<INDEX>()?)
    }

    /// How long the report is. One that is not encrypted is none: nobody in WebRTC sends such.
    pub(super) fn open_report(
        &mut self,
        source: u32,
        sealed: &[u8],
        report: &mut [u8],
    ) -> Option<usize> {
        match self {
            Self::Counter(counter) => {
                let (proven, proof) =
                    sealed.split_at_checked(sealed.len().checked_sub(SHORT_TAG)?)?;
                let Counter { authentication, hash, .. } = counter;
                let hash = |key: &[u8], parts: &[&[u8]]| hash.sha1_hmac(key, parts);
                let (rest, trailer) = proven.split_last_chunk::<INDEX>()?;
                let secret = rest.get(REPORT_HEAD..)?;
                let index = index(*trailer)?;
                if !Aes128CmSha1_80::rtcp_verify(hash, authentication, proven, proof) {
                    return None;
                }
                let nonce = Aes128CmSha1_80::rtp_iv(counter.salt, source, index.into());
                counter.cipher.decrypt(&nonce, secret, &mut report[REPORT_HEAD..]).ok()?;
                Some(rest.len())
            }
            Self::Gcm { cipher, salt } => {
                let (rest, trailer) = sealed.split_last_chunk::<INDEX>()?;
                let (head, secret) = rest.split_at_checked(REPORT_HEAD)?;
                if secret.len() < TAG {
                    return None;
                }
                let nonce = AeadAes128Gcm::rtcp_iv(*salt, source, index(*trailer)?);
                let clear = clear(head, *trailer);
                cipher.open(&nonce, &clear, secret, &mut report[REPORT_HEAD..])?;
                Some(rest.len() - TAG)
            }
        }
    }
}

impl Gcm {
    fn seal(&mut self, nonce: &[u8; 12], clear: &[u8], secret: &[u8], to: &mut [u8]) -> Option<()> {
        match self {
            Self::Aes128(cipher) => cipher.encrypt(nonce, clear, secret, to),
            Self::Aes256(cipher) => cipher.encrypt(nonce, clear, secret, to),
        }
        .ok()
    }

    fn open(&mut self, nonce: &[u8; 12], clear: &[u8], secret: &[u8], to: &mut [u8]) -> Option<()> {
        match self {
            Self::Aes128(cipher) => cipher.decrypt(nonce, &[clear], secret, to),
            Self::Aes256(cipher) => cipher.decrypt(nonce, &[clear], secret, to),
        }
        .ok()
        .map(drop)
    }
}

/// What is proven, and not secret (RFC 7714, section 9.2).
fn clear(head: &[u8], trailer: [u8; INDEX]) -> [u8; REPORT_HEAD + INDEX] {
    let mut clear = [0; REPORT_HEAD + INDEX];
    clear[..REPORT_HEAD].copy_from_slice(head);
    clear[REPORT_HEAD..].copy_from_slice(&trailer);
    clear
}

fn index(trailer: [u8; INDEX]) -> Option<u32> {
    let word = u32::from_be_bytes(trailer);
    (word & IS_ENCRYPTED != 0).then_some(word & !IS_ENCRYPTED)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 7714, sections 16.1.1 and 17.1: an RTP and an RTCP packet with AES-128-GCM.
    #[test]
    fn packets_and_reports_are_encrypted_as_the_standard_has_it() {
        let crypto = peerway_dtls::crypto();
        let key: [u8; 16] = (0..16).collect::<Vec<u8>>().try_into().unwrap();
        let suite = |salt: &[u8; 12]| Suite::Gcm {
            cipher: Gcm::Aes128(crypto.srtp_provider.aead_aes_128_gcm().create_cipher(key, true)),
            salt: *salt,
        };
        let packet = "8040f17b8041f8d35501a0b247616c6c696120657374206f6d6e697320646976697361\
                      20696e207061727465732074726573";
        let expected = "8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a\
                        51c7d19b36de3adf8833899d7f27beb16a9152cf765ee4390cce";
        let packet = bytes(packet);
        let mut sealed = vec![0; packet.len() + 32];
        sealed[..12].copy_from_slice(&packet[..12]);
        let mut suite = suite(b"Quid pro quo");
        let tag = suite.seal_packet(0x5501_a0b2, 0xf17b, &packet, 12, &mut sealed).unwrap();
        assert_eq!(sealed[..packet.len() + tag], bytes(expected));

        let report = "81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeef\
                      deadbeefdeadbeefdeadbeef";
        let expected = "81c8000d4d61727363e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda\
                        4ce09b4686303ded0bb9275bc84aa45896cf4d2fc5abf87245d9eade800005d4";
        let (report, expected) = (bytes(report), bytes(expected));
        let mut sealed = vec![0; report.len() + 32];
        sealed[..8].copy_from_slice(&report[..8]);
        let length = suite.seal_report(0x4d61_7273, 0x5d4, &report, &mut sealed).unwrap();
        assert_eq!(sealed[..length], expected);
    }

    fn bytes(hexadecimal: &str) -> Vec<u8> {
        let digit = |index: usize| u8::from_str_radix(&hexadecimal[index..index + 2], 16).unwrap();
        (0..hexadecimal.len()).step_by(2).map(digit).collect()
    }
}
