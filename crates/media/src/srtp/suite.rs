//! One way to encrypt, with the keys for one direction of either packets or reports.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, Tag, UnboundKey};
use aws_lc_rs::cipher::{AES_128, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use str0m::crypto::dtls::SrtpProfile;
use str0m::crypto::{AeadAes128Gcm, Aes128CmSha1_80, SrtpProvider};

use super::keys::{Master, OF_REPORTS};
use super::{INDEX, IS_ENCRYPTED, REPORT_HEAD};

/// What proves that a packet is genuine, with AES-GCM.
const TAG: usize = AeadAes128Gcm::TAG_LEN;
const SHORT_TAG: usize = Aes128CmSha1_80::HMAC_TAG_LEN;

/// The engine's own of the same would copy each packet once more, and in counter mode expand the keys anew for
/// each.
#[derive(Debug)]
pub(super) enum Suite {
    Counter(Box<Counter>),
    Gcm { key: LessSafeKey, salt: [u8; 12] },
}

/// AES in counter mode, and SHA-1 over it.
#[derive(Debug)]
pub(super) struct Counter {
    key: EncryptingKey,
    salt: [u8; 14],
    authentication: hmac::Key,
}

impl Suite {
    pub(super) fn for_packets(
        with: &dyn SrtpProvider,
        profile: SrtpProfile,
        master: Master<'_>,
    ) -> Option<Self> {
        Self::new(with, profile, master, 0)
    }

    pub(super) fn for_reports(
        with: &dyn SrtpProvider,
        profile: SrtpProfile,
        master: Master<'_>,
    ) -> Option<Self> {
        Self::new(with, profile, master, OF_REPORTS)
    }

    fn new(
        with: &dyn SrtpProvider,
        profile: SrtpProfile,
        master: Master<'_>,
        of: u8,
    ) -> Option<Self> {
        let key = match profile {
            SrtpProfile::AES128_CM_SHA1_80 => {
                let key: [u8; 16] = master.key(with, of)?;
                let authentication = master.authentication(with, of)?;
                let sha1 = hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY;
                return Some(Self::Counter(Box::new(Counter {
                    key: EncryptingKey::ctr(UnboundCipherKey::new(&AES_128, &key).ok()?).ok()?,
                    salt: master.salt(with, of)?,
                    authentication: hmac::Key::new(sha1, &authentication),
                })));
            }
            SrtpProfile::AEAD_AES_128_GCM => {
                let key: [u8; 16] = master.key(with, of)?;
                UnboundKey::new(&AES_128_GCM, &key)
            }
            SrtpProfile::AEAD_AES_256_GCM => {
                let key: [u8; 32] = master.key(with, of)?;
                UnboundKey::new(&AES_256_GCM, &key)
            }
            _ => return None,
        };
        Some(Self::Gcm { key: LessSafeKey::new(key.ok()?), salt: master.salt(with, of)? })
    }

    /// Encrypts what follows the first `head` bytes of a packet where it is, and puts the proof behind it.
    pub(super) fn seal_packet(
        &mut self,
        source: u32,
        index: u64,
        head: usize,
        packet: &mut Vec<u8>,
    ) -> Option<()> {
        #[expect(clippy::cast_possible_truncation, reason = "its low and its next bits")]
        let (wraps, sequence) = ((index >> 16) as u32, index as u16);
        match self {
            Self::Counter(counter) => {
                let Counter { key, salt, authentication } = &**counter;
                let nonce = Aes128CmSha1_80::rtp_iv(*salt, source, index);
                encrypt(key, nonce, packet.get_mut(head..)?)?;
                let tag = prove(authentication, &[packet, &wraps.to_be_bytes()]);
                packet.extend_from_slice(tag.as_ref().get(..SHORT_TAG)?);
            }
            Self::Gcm { key, salt } => {
                let nonce = AeadAes128Gcm::rtp_iv(*salt, source, wraps, sequence);
                let (clear, secret) = packet.split_at_mut_checked(head)?;
                let tag = seal(key, nonce, clear, secret)?;
                packet.extend_from_slice(tag.as_ref());
            }
        }
        Some(())
    }

    /// The same for a report.
    ///
    /// ```text
    ///   AES-GCM   | head | secret | proof | index |
    ///   counter   | head | secret | index | proof |
    /// ```
    pub(super) fn seal_report(
        &mut self,
        source: u32,
        index: u32,
        report: &mut Vec<u8>,
    ) -> Option<()> {
        let trailer = (IS_ENCRYPTED | index).to_be_bytes();
        let (head, secret) = report.split_at_mut_checked(REPORT_HEAD)?;
        match self {
            Self::Counter(counter) => {
                let Counter { key, salt, authentication } = &**counter;
                encrypt(key, Aes128CmSha1_80::rtp_iv(*salt, source, index.into()), secret)?;
                report.extend_from_slice(&trailer);
                let tag = prove(authentication, &[report]);
                report.extend_from_slice(tag.as_ref().get(..SHORT_TAG)?);
            }
            Self::Gcm { key, salt } => {
                let nonce = AeadAes128Gcm::rtcp_iv(*salt, source, index);
                let tag = seal(key, nonce, &clear(head, trailer), secret)?;
                report.extend_from_slice(tag.as_ref());
                report.extend_from_slice(&trailer);
            }
        }
        Some(())
    }

    /// The number that a report says it has. `None`: it is none, or not encrypted.
    pub(super) fn index(&self, sealed: &[u8]) -> Option<u32> {
        let behind = match self {
            Self::Counter { .. } => SHORT_TAG,
            Self::Gcm { .. } => 0,
        };
        let proven = sealed.get(..sealed.len().checked_sub(behind)?)?;
        index(*proven.last_chunk::<INDEX>()?)
    }

    /// Decrypts a report that came into `report`. One that is not encrypted is none: nobody in WebRTC sends such.
    pub(super) fn open_report(
        &mut self,
        source: u32,
        sealed: &[u8],
        report: &mut Vec<u8>,
    ) -> Option<()> {
        report.clear();
        match self {
            Self::Counter(counter) => {
                let Counter { key, salt, authentication } = &**counter;
                let (proven, proof) =
                    sealed.split_at_checked(sealed.len().checked_sub(SHORT_TAG)?)?;
                let (rest, trailer) = proven.split_last_chunk::<INDEX>()?;
                let index = index(*trailer)?;
                let tag = prove(authentication, &[proven]);
                verify_slices_are_equal(tag.as_ref().get(..SHORT_TAG)?, proof).ok()?;
                report.extend_from_slice(rest);
                // Counter mode goes either way.
                let nonce = Aes128CmSha1_80::rtp_iv(*salt, source, index.into());
                encrypt(key, nonce, report.get_mut(REPORT_HEAD..)?)?;
            }
            Self::Gcm { key, salt } => {
                let (rest, trailer) = sealed.split_last_chunk::<INDEX>()?;
                let (head, secret) = rest.split_at_checked(REPORT_HEAD)?;
                let nonce = AeadAes128Gcm::rtcp_iv(*salt, source, index(*trailer)?);
                let nonce = Nonce::assume_unique_for_key(nonce);
                report.extend_from_slice(rest);
                let clear = Aad::from(clear(head, *trailer));
                key.open_in_place(nonce, clear, report.get_mut(REPORT_HEAD..)?).ok()?;
                report.truncate(REPORT_HEAD + secret.len().checked_sub(TAG)?);
            }
        }
        Some(())
    }
}

fn seal(key: &LessSafeKey, nonce: [u8; 12], clear: &[u8], secret: &mut [u8]) -> Option<Tag> {
    let nonce = Nonce::assume_unique_for_key(nonce);
    key.seal_in_place_separate_tag(nonce, Aad::from(clear), secret).ok()
}

fn encrypt(key: &EncryptingKey, nonce: [u8; 16], secret: &mut [u8]) -> Option<()> {
    let context = EncryptionContext::Iv128(FixedLength::from(nonce));
    key.less_safe_encrypt(secret, context).ok().map(drop)
}

fn prove(key: &hmac::Key, parts: &[&[u8]]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(part);
    }
    context.sign()
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
        let key: [u8; 16] = (0..16).collect::<Vec<u8>>().try_into().unwrap();
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).unwrap());
        let mut suite = Suite::Gcm { key, salt: *b"Quid pro quo" };
        let packet = "8040f17b8041f8d35501a0b247616c6c696120657374206f6d6e697320646976697361\
                      20696e207061727465732074726573";
        let expected = "8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a\
                        51c7d19b36de3adf8833899d7f27beb16a9152cf765ee4390cce";
        let mut packet = bytes(packet);
        suite.seal_packet(0x5501_a0b2, 0xf17b, 12, &mut packet).unwrap();
        assert_eq!(packet, bytes(expected));

        let report = "81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeef\
                      deadbeefdeadbeefdeadbeef";
        let expected = "81c8000d4d61727363e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda\
                        4ce09b4686303ded0bb9275bc84aa45896cf4d2fc5abf87245d9eade800005d4";
        let mut report = bytes(report);
        suite.seal_report(0x4d61_7273, 0x5d4, &mut report).unwrap();
        assert_eq!(report, bytes(expected));
    }

    fn bytes(hexadecimal: &str) -> Vec<u8> {
        let digit = |index: usize| u8::from_str_radix(&hexadecimal[index..index + 2], 16).unwrap();
        (0..hexadecimal.len()).step_by(2).map(digit).collect()
    }
}
