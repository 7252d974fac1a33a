//! VP9 key frames (its bitstream specification, section 6.2), and what `WebM` says of them.

use super::Format;
use crate::bits::Bits;

const SYNC: u32 = 0x49_8342;
const SRGB: u32 = 7;

pub(super) fn format(data: &[u8]) -> Option<Format> {
    let mut bits = Bits::new(data);
    if bits.number(2)? != 2 {
        return None;
    }
    let profile = u8::from(bits.flag()?) | u8::from(bits.flag()?) << 1;
    let reserved = profile == 3 && bits.flag()?;
    let shows_existing = bits.flag()?;
    let inter = bits.flag()?;
    bits.skip(2); // show_frame, error_resilient_mode
    if reserved || shows_existing || inter || bits.number(24)? != SYNC {
        return None;
    }
    let mut depth = 8;
    if profile >= 2 {
        depth = if bits.flag()? { 12 } else { 10 };
    }
    let chroma = chroma(&mut bits, profile)?;
    let width = bits.number(16)? + 1;
    let height = bits.number(16)? + 1;
    // Numbered features, each with its length: profile, level, bit depth, chroma subsampling.
    let private = vec![1, 1, profile, 2, 1, level(width, height), 3, 1, depth, 4, 1, chroma];
    Some(Format { width, height, private })
}

/// The subsampling in the numbers of `WebM`.
fn chroma(bits: &mut Bits<'_>, profile: u8) -> Option<u8> {
    const COLOCATED_420: u8 = 1;
    const CHROMA_422: u8 = 2;
    const CHROMA_444: u8 = 3;
    let odd = profile % 2 == 1;
    let srgb = bits.number(3)? == SRGB;
    if srgb {
        bits.skip(usize::from(odd));
        return Some(CHROMA_444);
    }
    bits.skip(1); // color_range
    if !odd {
        return Some(COLOCATED_420);
    }
    let (x, y) = (bits.flag()?, bits.flag()?);
    bits.skip(1);
    Some(match (x, y) {
        (false, _) => CHROMA_444,
        (true, false) => CHROMA_422,
        (true, true) => COLOCATED_420,
    })
}

/// The lowest level that has room for the picture. How many there are in a second is not known.
fn level(width: u32, height: u32) -> u8 {
    const LEVELS: [(u64, u8); 8] = [
        (36_864, 10),
        (73_728, 11),
        (122_880, 20),
        (245_760, 21),
        (552_960, 30),
        (983_040, 31),
        (2_228_224, 40),
        (8_912_896, 50),
    ];
    let pixels = u64::from(width) * u64::from(height);
    LEVELS.iter().find(|(room, _)| pixels <= *room).map_or(60, |(_, level)| *level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_and_features_are_in_the_header() {
        // 2 bits marker, profile 0, key frame, shown; sync; BT.601; 639, 359 in 16 bits each.
        let key = [0x82, 0x49, 0x83, 0x42, 0x20, 0x27, 0xF0, 0x16, 0x70];
        let Format { width, height, private } = format(&key).unwrap();
        assert_eq!((width, height), (640, 360));
        assert_eq!(private, [1, 1, 0, 2, 1, 21, 3, 1, 8, 4, 1, 1]);
        assert_eq!(format(&[0x86, 0x49, 0x83, 0x42, 0x20, 0x27, 0xF0, 0x16, 0x70]), None);
        assert_eq!(format(&key[..8]), None);
    }
}
