//! SRTP for what a leg sends without its engine (RFC 3711; RFC 7714 for AES-GCM): a packet is encrypted once,
//! straight into the buffer that is sent. What comes in is the engine's, but for reports about what was sent here.
//!
//! Two encrypt RTCP with one key then, and the numbers that make each encryption a different one must
//! never meet: the engine counts from 0, this from [`FIRST_INDEX`], and they never send as the same source.

mod keys;
mod replays;
mod suite;

use peerway_dtls::Keys;
use str0m::config::CryptoProvider;

use replays::Replays;
use suite::Suite;

/// Far from the engine's, who would come here after decades of its reports; below 2^31, where they end.
const FIRST_INDEX: u32 = 0x4000_0000;
/// Of RTCP: the first packet's header with its source, which is not encrypted.
const REPORT_HEAD: usize = 8;
/// After it, in the clear: whether it is encrypted, and its number.
const INDEX: usize = 4;
const IS_ENCRYPTED: u32 = 0x8000_0000;

/// Of one connection, both directions.
#[derive(Debug)]
pub(crate) struct Srtp {
    packets: Suite,
    reports: Suite,
    received: Suite,
    replays: Replays,
    index: u32,
}

impl Srtp {
    /// `None`: keys of another length than they should have.
    pub(crate) fn new(crypto: &CryptoProvider, keys: &Keys) -> Option<Self> {
        let (own, other) = keys::split(keys)?;
        let with = crypto.srtp_provider;
        Some(Self {
            packets: Suite::for_packets(with, keys.profile, own)?,
            reports: Suite::for_reports(with, keys.profile, own)?,
            received: Suite::for_reports(with, keys.profile, other)?,
            replays: Replays::default(),
            index: FIRST_INDEX,
        })
    }

    /// Encrypts an RTP packet of which the first `head` bytes are header. `index`: the sequence number, as
    /// if it never wrapped. `false`: it cannot be, and must not be sent.
    pub(crate) fn seal_packet(&mut self, head: usize, index: u64, packet: &mut Vec<u8>) -> bool {
        let Some(&[a, b, c, d]) = packet.get(8..12) else { return false };
        let source = u32::from_be_bytes([a, b, c, d]);
        self.packets.seal_packet(source, index, head, packet).is_some()
    }

    /// Encrypts an RTCP compound packet. `false` as above.
    pub(crate) fn seal_report(&mut self, report: &mut Vec<u8>) -> bool {
        let Some(source) = source(report) else { return false };
        let index = self.index;
        // RFC 3711, section 9.2: with no number left, no keys are left.
        let Some(next) = index.checked_add(1).filter(|next| *next < IS_ENCRYPTED) else {
            return false;
        };
        self.index = next;
        self.reports.seal_report(source, index, report).is_some()
    }

    /// Whether an RTCP compound packet came before, or one that says that it is the same.
    pub(crate) fn is_replay(&self, sealed: &[u8]) -> bool {
        let named = source(sealed).zip(self.received.index(sealed));
        named.is_some_and(|(source, index)| self.replays.has(source, index))
    }

    /// Decrypts an RTCP compound packet. `false`: it is not genuine, or came before.
    pub(crate) fn open_report(&mut self, sealed: &[u8], report: &mut Vec<u8>) -> bool {
        let Some(source) = source(sealed) else { return false };
        let Some(index) = self.received.index(sealed) else { return false };
        if self.replays.has(source, index)
            || self.received.open_report(source, sealed, report).is_none()
        {
            return false;
        }
        self.replays.note(source, index);
        true
    }
}

/// Who sends a report.
fn source(report: &[u8]) -> Option<u32> {
    let &[a, b, c, d] = report.get(4..REPORT_HEAD)? else { return None };
    Some(u32::from_be_bytes([a, b, c, d]))
}

#[cfg(test)]
mod tests {
    use str0m::crypto::dtls::SrtpProfile;

    use super::*;

    const PROFILES: [SrtpProfile; 3] = [
        SrtpProfile::AES128_CM_SHA1_80,
        SrtpProfile::AEAD_AES_128_GCM,
        SrtpProfile::AEAD_AES_256_GCM,
    ];

    fn both(profile: SrtpProfile) -> (Srtp, Srtp) {
        let crypto = peerway_dtls::crypto();
        let sides = [true, false].map(|is_client| {
            let material = (0..=u8::MAX).take(profile.keying_material_len()).collect();
            Srtp::new(&crypto, &Keys { material, profile, is_client }).unwrap()
        });
        sides.into()
    }

    #[test]
    fn a_report_comes_through_and_a_changed_one_does_not() {
        let report: Vec<u8> = (0..40).collect();
        for profile in PROFILES {
            let (mut client, mut server) = both(profile);
            let (mut sealed, mut opened) = (report.clone(), Vec::new());
            assert!(client.seal_report(&mut sealed));
            assert!(!sealed.windows(8).any(|part| part == &report[20..28]));
            assert!(server.open_report(&sealed, &mut opened), "{profile:?}");
            assert_eq!(opened, report);
            sealed.clone_from(&report);
            assert!(client.seal_report(&mut sealed));
            for at in 0..sealed.len() {
                let mut changed = sealed.clone();
                changed[at] ^= 0x10;
                assert!(!server.open_report(&changed, &mut opened), "{profile:?} {at}");
                assert!(!server.open_report(&sealed[..at], &mut opened), "{profile:?} {at}");
            }
            assert!(!client.open_report(&sealed, &mut opened), "its own");
        }
    }

    #[test]
    fn a_report_that_comes_again_is_refused() {
        for profile in PROFILES {
            let (mut client, mut server) = both(profile);
            let mut of = |source: u8| {
                let mut report = vec![7; 40];
                report[7] = source;
                assert!(client.seal_report(&mut report));
                report
            };
            let reports: Vec<Vec<u8>> = (0..100).map(|_| of(1)).collect();
            let mut opens = |report: &[u8]| server.open_report(report, &mut Vec::new());
            assert!(opens(&reports[0]) && !opens(&reports[0]), "{profile:?}");
            assert!(opens(&reports[5]) && opens(&reports[3]) && !opens(&reports[3]));
            assert!(opens(&reports[80]) && opens(&reports[17]) && !opens(&reports[17]));
            assert!(!opens(&reports[16]), "so old that nobody knows");
            let mut forged = reports[99].clone();
            forged[20] ^= 1;
            assert!(!opens(&forged) && opens(&reports[79]), "what is not genuine moves nothing");
            assert!(opens(&reports[99]));
        }
    }

    #[test]
    fn each_source_counts_its_own_reports() {
        let profile = SrtpProfile::AEAD_AES_128_GCM;
        let ((mut first, mut server), (mut second, _)) = (both(profile), both(profile));
        for _ in 0..3 {
            for (client, source) in [(&mut first, 1), (&mut second, 2)] {
                let mut sealed = vec![source; 40];
                assert!(client.seal_report(&mut sealed));
                assert!(server.open_report(&sealed, &mut Vec::new()), "{source}");
            }
        }
    }

    #[test]
    fn no_two_reports_are_encrypted_alike() {
        for profile in PROFILES {
            let (mut client, _) = both(profile);
            let (mut first, mut second) = (vec![7; 40], vec![7; 40]);
            assert!(client.seal_report(&mut first));
            assert!(client.seal_report(&mut second));
            assert_ne!(first[8..30], second[8..30]);
            client.index = IS_ENCRYPTED - 1;
            assert!(!client.seal_report(&mut vec![7; 40]), "there is no number left");
        }
    }

    #[test]
    fn keys_of_a_wrong_length_are_no_keys() {
        let crypto = peerway_dtls::crypto();
        for profile in PROFILES {
            for length in [0, 10, profile.keying_material_len() - 1] {
                let keys = Keys { material: vec![0; length], profile, is_client: true };
                assert!(Srtp::new(&crypto, &keys).is_none());
            }
        }
    }
}
