//! What a member says about what was sent to it, in RTCP (RFC 3550, section 6.4; RFC 4585, section 6).

/// One thing that it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Feedback {
    /// How a source's packets arrive.
    Reception(Reception),
    /// Packets that are missing: one, and a bit for each of the 16 behind it.
    Missing { source: u32, first: u16, more: u16 },
    /// It wants to be sent no more than so many bits per second (REMB, draft-alvestrand-rmcat-remb-03, section 2.2).
    Bitrate { most: u64 },
    /// Its decoder needs a key frame.
    KeyFrame { source: u32 },
}

/// A report block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Reception {
    pub(super) source: u32,
    /// Since the last report, in 256ths.
    pub(super) loss: u8,
    /// Since the beginning; repetitions can make it fewer than none.
    pub(super) lost: i32,
    /// The highest sequence number that came, with how often it wrapped.
    pub(super) highest: u32,
    pub(super) jitter: u32,
    /// Which report of ours it had last (the middle of its time), and for how long, in 65 536ths of a second.
    pub(super) last_report: u32,
    pub(super) delay: u32,
}

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const TRANSPORT_FEEDBACK: u8 = 205;
const PAYLOAD_FEEDBACK: u8 = 206;
const NACK: u8 = 1;
const PLI: u8 = 1;
/// RFC 5104, section 4.3.1.
const FIR: u8 = 4;
const APPLICATION: u8 = 15;
const BLOCK: usize = 24;

/// Reads a compound packet, as far as it can be read.
pub(super) fn read(mut compound: &[u8], mut tell: impl FnMut(Feedback)) {
    while let [first, kind, high, low, rest @ ..] = compound {
        let length = usize::from(u16::from_be_bytes([*high, *low])) * 4;
        let Some((body, behind)) = rest.split_at_checked(length) else { return };
        compound = behind;
        let (count, kind) = (first & 0x1f, *kind);
        match kind {
            SENDER_REPORT => blocks(body.get(24..), count, &mut tell),
            RECEIVER_REPORT => blocks(body.get(4..), count, &mut tell),
            TRANSPORT_FEEDBACK | PAYLOAD_FEEDBACK => about(body, kind, count, &mut tell),
            _ => {}
        }
    }
}

fn blocks(body: Option<&[u8]>, count: u8, tell: &mut impl FnMut(Feedback)) {
    let blocks = body.unwrap_or_default().chunks_exact(BLOCK);
    for block in blocks.take(usize::from(count)) {
        let word = |at: usize| word(block, at).unwrap_or_default();
        // 24 bits with a sign.
        let lost = (word(4) << 8).cast_signed() >> 8;
        tell(Feedback::Reception(Reception {
            source: word(0),
            loss: block[4],
            lost,
            highest: word(8),
            jitter: word(12),
            last_report: word(16),
            delay: word(20),
        }));
    }
}

fn about(body: &[u8], kind: u8, format: u8, tell: &mut impl FnMut(Feedback)) {
    let (Some(source), Some(items)) = (word(body, 4), body.get(8..)) else { return };
    match (kind, format) {
        (TRANSPORT_FEEDBACK, NACK) => {
            for item in items.chunks_exact(4) {
                let first = u16::from_be_bytes([item[0], item[1]]);
                let more = u16::from_be_bytes([item[2], item[3]]);
                tell(Feedback::Missing { source, first, more });
            }
        }
        (PAYLOAD_FEEDBACK, PLI) => tell(Feedback::KeyFrame { source }),
        (PAYLOAD_FEEDBACK, APPLICATION) => {
            let [b'R', b'E', b'M', b'B', _, first, high, low, ..] = *items else { return };
            // A number of 18 bits, and how often it is doubled.
            let mantissa = u32::from_be_bytes([0, first & 3, high, low]);
            let most = u64::from(mantissa).saturating_mul(1_u64 << (first >> 2).min(46));
            tell(Feedback::Bitrate { most });
        }
        (PAYLOAD_FEEDBACK, FIR) => {
            for item in items.chunks_exact(8) {
                tell(Feedback::KeyFrame { source: word(item, 0).unwrap_or_default() });
            }
        }
        _ => {}
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk::<4>()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(compound: &[u8]) -> Vec<Feedback> {
        let mut all = Vec::new();
        read(compound, |feedback| all.push(feedback));
        all
    }

    #[test]
    fn a_compound_packet_tells_all_that_is_in_it() {
        let mut compound = vec![0x81, 201, 0, 7, 0, 0, 0, 1];
        compound.extend([0, 0, 0, 2, 64, 0xff, 0xff, 0xfe, 0, 1, 0, 9, 0, 0, 0, 5, 0, 0, 0, 6]);
        compound.extend([0, 0, 0, 7]);
        compound.extend([0x81, 205, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 8, 0x80, 1]);
        compound.extend([0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3]);
        compound.extend([0x84, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0]);
        let reception = Reception {
            source: 2,
            loss: 64,
            lost: -2,
            highest: 0x1_0009,
            jitter: 5,
            last_report: 6,
            delay: 7,
        };
        let expected = [
            Feedback::Reception(reception),
            Feedback::Missing { source: 2, first: 8, more: 0x8001 },
            Feedback::KeyFrame { source: 3 },
            Feedback::KeyFrame { source: 4 },
        ];
        assert_eq!(all(&compound), expected);
        // What is cut off is not there, and what came before it is.
        for end in 0..compound.len() {
            assert!(expected.starts_with(&all(&compound[..end])));
        }
    }

    #[test]
    fn the_most_that_it_wants_is_a_number_of_18_bits_and_an_exponent() {
        let told = |bytes: [u8; 4]| {
            let mut compound = vec![0x8f, 206, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0];
            compound.extend(b"REMB");
            compound.extend(bytes);
            compound.extend([0, 0, 0, 9]);
            all(&compound)
        };
        let most = |most| vec![Feedback::Bitrate { most }];
        assert_eq!(told([1, 0x03 << 2 | 1, 0, 5]), most((0x1_0005) << 3));
        assert_eq!(told([1, 0, 0, 0]), most(0));
        assert_eq!(told([1, 0xff, 0xff, 0xff]), most(0x3_ffff << 46));
        let mut other = vec![0x8f, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0];
        other.extend(b"REMA1234");
        assert_eq!(all(&other), []);
    }

    #[test]
    fn the_blocks_of_a_sender_are_behind_what_it_sent() {
        let mut compound = vec![0x81, 200, 0, 12, 0, 0, 0, 1];
        compound.extend([0; 20]);
        compound.extend([0, 0, 0, 2]);
        compound.extend([0; 20]);
        let reception = Reception { source: 2, ..Reception::default() };
        assert_eq!(all(&compound), [Feedback::Reception(reception)]);
    }

    proptest! {
        #[test]
        fn whatever_comes_does_no_harm(
            bytes in prop::collection::vec(any::<u8>(), 0..80),
            count in 0_u8..32,
            kind in 200_u8..208,
        ) {
            all(&bytes);
            let mut compound = vec![0x80 | count, kind, 0, u8::try_from(bytes.len() / 4).unwrap()];
            compound.extend(bytes);
            all(&compound);
        }
    }
}
