//! AV1 sequence headers (its specification, section 5.5) and units.

use std::borrow::Cow;

use super::Format;
use crate::bits::Bits;

const SEQUENCE_HEADER: u8 = 1;
const TEMPORAL_DELIMITER: u8 = 2;
const TILE_LIST: u8 = 8;
const PADDING: u8 = 15;

pub(super) fn format(data: &[u8]) -> Option<Format> {
    let unit = units(data).find(|unit| unit.kind == SEQUENCE_HEADER)?;
    let Sequence { width, height, mut private } = read(unit.payload)?;
    private.extend_from_slice(unit.whole);
    Some(Format { width, height, private })
}

/// A file with blocks of its own has no use for delimiters, and forbids them.
pub(super) fn without_delimiters(data: &[u8]) -> Cow<'_, [u8]> {
    let superfluous =
        |unit: &Unit<'_>| matches!(unit.kind, TEMPORAL_DELIMITER | TILE_LIST | PADDING);
    if !units(data).any(|unit| superfluous(&unit)) {
        return Cow::Borrowed(data);
    }
    Cow::Owned(
        units(data)
            .filter(|unit| !superfluous(unit))
            .flat_map(|unit| unit.whole)
            .copied()
            .collect(),
    )
}

struct Unit<'a> {
    kind: u8,
    whole: &'a [u8],
    payload: &'a [u8],
}

/// The units up to the first that is cut or says no size.
fn units(mut data: &[u8]) -> impl Iterator<Item = Unit<'_>> {
    std::iter::from_fn(move || {
        let first = *data.first()?;
        let (has_extension, has_size) = (first & 4 != 0, first & 2 != 0);
        let header = 1 + usize::from(has_extension);
        let (size, digits) = if has_size { leb128(data.get(header..)?)? } else { return None };
        let start = header + digits;
        let whole = data.get(..start.checked_add(size)?)?;
        data = &data[whole.len()..];
        Some(Unit { kind: first >> 3 & 15, whole, payload: &whole[start..] })
    })
}

fn leb128(data: &[u8]) -> Option<(usize, usize)> {
    let mut number = 0;
    for (index, byte) in data.iter().take(4).enumerate() {
        number |= usize::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((number, index + 1));
        }
    }
    None
}

struct Sequence {
    width: u32,
    height: u32,
    /// The record that a decoder starts with (`av1C`), without the header itself.
    private: Vec<u8>,
}

fn read(payload: &[u8]) -> Option<Sequence> {
    let mut bits = Bits::new(payload);
    let profile = bits.number(3)?;
    bits.skip(1); // still_picture
    let reduced = bits.flag()?;
    let (level, tier) =
        if reduced { (bits.number(5)?, false) } else { operating_points(&mut bits)? };
    let (width_bits, height_bits) = (bits.number(4)? + 1, bits.number(4)? + 1);
    let width = bits.number(width_bits)? + 1;
    let height = bits.number(height_bits)? + 1;
    skip_tools(&mut bits, reduced)?;
    let color = color(&mut bits, profile)?;
    let byte = |number: u32| u8::try_from(number).ok();
    let private = vec![0x81, byte(profile << 5 | level)?, u8::from(tier) << 7 | color, 0];
    Some(Sequence { width, height, private })
}

/// Gives level and tier of the first, which has all layers.
fn operating_points(bits: &mut Bits<'_>) -> Option<(u32, bool)> {
    let mut delay_bits = None;
    if bits.flag()? {
        bits.skip(64);
        if bits.flag()? {
            bits.golomb()?;
        }
        if bits.flag()? {
            delay_bits = Some(bits.number(5)? + 1);
            bits.skip(32 + 5 + 5);
        }
    }
    let display_delay = bits.flag()?;
    let mut first = None;
    for _ in 0..=bits.number(5)? {
        bits.skip(12);
        let level = bits.number(5)?;
        let tier = level > 7 && bits.flag()?;
        first.get_or_insert((level, tier));
        if let Some(delay_bits) = delay_bits
            && bits.flag()?
        {
            bits.skip(2 * usize::try_from(delay_bits).ok()? + 1);
        }
        if display_delay && bits.flag()? {
            bits.skip(4);
        }
    }
    first
}

/// From the frame ids to `enable_restoration`.
fn skip_tools(bits: &mut Bits<'_>, reduced: bool) -> Option<()> {
    if !reduced && bits.flag()? {
        bits.skip(7);
    }
    bits.skip(3);
    if !reduced {
        bits.skip(4);
        let order_hint = bits.flag()?;
        if order_hint {
            bits.skip(2);
        }
        let may_choose = bits.flag()?;
        let screen_content = may_choose || bits.flag()?;
        if screen_content && !bits.flag()? {
            bits.skip(1);
        }
        if order_hint {
            bits.skip(3);
        }
    }
    bits.skip(3);
    Some(())
}

/// The low seven bits of the record's third byte.
fn color(bits: &mut Bits<'_>, profile: u32) -> Option<u8> {
    const SRGB: [u32; 3] = [1, 13, 0];
    let high_depth = bits.flag()?;
    let twelve = profile == 2 && high_depth && bits.flag()?;
    let mono = profile != 1 && bits.flag()?;
    let mut description = [2; 3];
    if bits.flag()? {
        for code in &mut description {
            *code = bits.number(8)?;
        }
    }
    let (mut x, mut y, mut position) = (true, true, 0);
    if mono {
        bits.skip(1);
    } else if description == SRGB {
        (x, y) = (false, false);
    } else {
        bits.skip(1);
        (x, y) = match profile {
            0 => (true, true),
            1 => (false, false),
            _ if twelve => {
                let x = bits.flag()?;
                (x, x && bits.flag()?)
            }
            _ => (true, false),
        };
        if x && y {
            position = u8::try_from(bits.number(2)?).ok()?;
        }
    }
    let flags = [high_depth, twelve, mono, x, y];
    let flags = flags.iter().fold(0, |flags, flag| flags << 1 | u8::from(*flag));
    Some(flags << 2 | position)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By libaom in real time: 322x182.
    const SEQUENCE: [u8; 13] = *b"\x0A\x0B\0\0\0\x04\x3D\x06\xD4\xDA\xF9\0\x40";

    #[test]
    fn the_record_is_that_of_other_writers() {
        // By ffmpeg for libaom, SVT-AV1 with 10 bits, libaom with RGB and 320x180.
        let deep = b"\x0A\x0B\0\0\0\x04\x3D\x06\xD4\x02\xF8\x40\x40";
        let rgb = b"\x0A\x0D\x20\0\0\x04\x3C\xFE\xCC\xDA\xF9\x20\x21\xA0\x04";
        for (sequence, head, size) in [
            (&SEQUENCE[..], [0x81, 0, 0x0C, 0], (322, 182)),
            (deep, [0x81, 0, 0x4C, 0], (322, 182)),
            (rgb, [0x81, 0x20, 0, 0], (320, 180)),
        ] {
            let Format { width, height, private } = format(sequence).unwrap();
            assert_eq!((width, height), size);
            assert_eq!(private, [&head[..], sequence].concat());
        }
    }

    #[test]
    fn units_are_told_apart() {
        let data = [&[0x12, 0][..], &SEQUENCE, &[0x32, 2, 7, 8]].concat();
        let kinds: Vec<_> = units(&data).map(|unit| unit.kind).collect();
        assert_eq!(kinds, [2, 1, 6]);
        assert_eq!(*without_delimiters(&data), data[2..]);
        assert!(matches!(without_delimiters(&data[2..]), Cow::Borrowed(_)));
    }

    #[test]
    fn a_cut_unit_is_none() {
        assert_eq!(format(&SEQUENCE[..12]), None);
        assert_eq!(units(&[0x32, 9, 7]).count(), 0);
        assert_eq!(units(&[0x30, 9, 7]).count(), 0, "without a size");
    }
}
