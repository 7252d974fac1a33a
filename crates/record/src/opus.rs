//! What the first bytes of an Opus packet say (RFC 6716, section 3.1).

/// Samples at 48 kHz in a packet, over all its frames. `None`: it is not Opus.
pub(crate) fn samples(packet: &[u8]) -> Option<u32> {
    let toc = *packet.first()?;
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(packet.get(1)? & 0x3F),
    };
    let samples = frames * frame_samples(toc);
    (1..=MAX_SAMPLES).contains(&samples).then_some(samples)
}

/// A packet is at most 120 ms.
const MAX_SAMPLES: u32 = 5_760;

/// Packets that say "nothing was received" for as long as whole frames like those of `toc` fit.
/// A decoder conceals the gap as it would have live (RFC 7845, section 4.1).
pub(crate) fn fillers(toc: u8, mut samples: u64) -> impl Iterator<Item = ([u8; 2], u32)> {
    let frame = frame_samples(toc);
    std::iter::from_fn(move || {
        let fit = samples / u64::from(frame);
        let most = MAX_SAMPLES / frame;
        let count = u32::try_from(fit).map_or(most, |fit| fit.min(most));
        if count == 0 {
            return None;
        }
        samples -= u64::from(count * frame);
        Some(([toc | 3, u8::try_from(count).ok()?], count * frame))
    })
}

fn frame_samples(toc: u8) -> u32 {
    let config = toc >> 3;
    match config {
        // SILK, Hybrid, CELT
        0..12 => [480, 960, 1_920, 2_880][usize::from(config % 4)],
        12..16 => [480, 960][usize::from(config % 2)],
        _ => [120, 240, 480, 960][usize::from(config % 4)],
    }
}

/// The header of an Opus stream in Ogg, also Matroska's `CodecPrivate`: two channels, which
/// decode from either kind of packet, and nothing to skip, since a call is joined in the middle.
pub(crate) fn head() -> Vec<u8> {
    let mut head = b"OpusHead\x01\x02".to_vec();
    head.extend_from_slice(&0_u16.to_le_bytes());
    head.extend_from_slice(&48_000_u32.to_le_bytes());
    head.extend_from_slice(&[0, 0, 0]);
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_knows_how_long_it_is() {
        assert_eq!(samples(&[0xFC, 1, 2]), Some(960));
        assert_eq!(samples(&[0xFD, 1, 2]), Some(1_920));
        assert_eq!(samples(&[0x18]), Some(2_880));
        assert_eq!(samples(&[0xE3, 3, 9]), Some(360));
        assert_eq!(samples(&[]), None);
        assert_eq!(samples(&[0xFF, 63]), None, "longer than 120 ms");
        assert_eq!(samples(&[0xFF, 0]), None);
    }

    #[test]
    fn a_gap_is_filled_up_to_a_frame() {
        let packets: Vec<_> = fillers(0xFC, 960 * 8 + 100).collect();
        assert_eq!(packets, [([0xFF, 6], 5_760), ([0xFF, 2], 1_920)]);
        assert_eq!(samples(&packets[0].0), Some(5_760));
        assert_eq!(fillers(0xFC, 959).count(), 0);
    }
}
