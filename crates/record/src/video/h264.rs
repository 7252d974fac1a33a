//! H.264 byte streams (ISO/IEC 14496-10): parameter sets, and the form of ISO/IEC 14496-15.

use super::Format;
use crate::bits::Bits;

const SEQUENCE_PARAMETERS: u8 = 7;
const PICTURE_PARAMETERS: u8 = 8;
const DELIMITER: u8 = 9;

pub(super) fn format(data: &[u8]) -> Option<Format> {
    let of = |wanted| units(data).filter(move |unit| kind(unit) == wanted);
    let sequence = of(SEQUENCE_PARAMETERS).next()?;
    let (width, height) = size(sequence)?;
    let private = configuration(
        &of(SEQUENCE_PARAMETERS).collect::<Vec<_>>(),
        &of(PICTURE_PARAMETERS).collect::<Vec<_>>(),
    )?;
    Some(Format { width, height, private })
}

/// Each unit behind its length in four bytes. Parameter sets stay: they may change.
pub(super) fn with_lengths(data: &[u8]) -> Vec<u8> {
    let mut sample = Vec::with_capacity(data.len() + 16);
    for unit in units(data).filter(|unit| kind(unit) != DELIMITER) {
        if let Ok(length) = u32::try_from(unit.len()) {
            sample.extend_from_slice(&length.to_be_bytes());
            sample.extend_from_slice(unit);
        }
    }
    sample
}

fn kind(unit: &[u8]) -> u8 {
    unit.first().map_or(0, |first| first & 0x1F)
}

/// What stands between start codes (00 00 01), without the zeros around them.
fn units(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let start = |data: &[u8]| data.windows(3).position(|code| code == [0, 0, 1]);
    let mut rest = start(data).map(|at| &data[at + 3..]);
    std::iter::from_fn(move || {
        let data = rest?;
        let end = start(data);
        rest = end.map(|at| &data[at + 3..]);
        let unit = &data[..end.unwrap_or(data.len())];
        let zeros = unit.iter().rev().take_while(|byte| **byte == 0).count();
        Some(&unit[..unit.len() - zeros])
    })
    .filter(|unit| !unit.is_empty())
}

/// The record that a decoder starts with (`avcC`).
fn configuration(sequences: &[&[u8]], pictures: &[&[u8]]) -> Option<Vec<u8>> {
    let [_, profile, compatibility, level, ..] = *sequences.first()? else { return None };
    let mut record = vec![1, *profile, *compatibility, *level, 0xFF];
    for (sets, mask) in [(sequences, 0xE0), (pictures, 0)] {
        let count = u8::try_from(sets.len()).ok().filter(|count| (1..32).contains(count))?;
        record.push(count | mask);
        for set in sets {
            record.extend_from_slice(&u16::try_from(set.len()).ok()?.to_be_bytes());
            record.extend_from_slice(set);
        }
    }
    if !matches!(profile, 66 | 77 | 88) {
        let Sequence { chroma, luma_depth, chroma_depth, .. } = read(sequences.first()?)?;
        let low = |number: u32| u8::try_from(number & 7).unwrap_or_default();
        record.extend([0xFC | low(chroma), 0xF8 | low(luma_depth), 0xF8 | low(chroma_depth), 0]);
    }
    Some(record)
}

struct Sequence {
    chroma: u32,
    /// More than 8.
    luma_depth: u32,
    chroma_depth: u32,
    width: u32,
    height: u32,
}

fn size(sequence: &[u8]) -> Option<(u32, u32)> {
    read(sequence).map(|Sequence { width, height, .. }| (width, height))
}

/// Section 7.3.2.1.1 up to the cropping.
fn read(unit: &[u8]) -> Option<Sequence> {
    let payload = without_escapes(unit);
    let mut bits = Bits::new(&payload);
    bits.skip(8);
    let profile = bits.number(8)?;
    bits.skip(16);
    bits.golomb()?; // seq_parameter_set_id
    let (mut chroma, mut luma_depth, mut chroma_depth) = (1, 0, 0);
    let mut planes_apart = false;
    if matches!(profile, 44 | 83 | 86 | 100 | 110 | 118 | 122 | 128 | 134 | 135 | 138 | 139 | 244) {
        chroma = bits.golomb()?;
        planes_apart = chroma == 3 && bits.flag()?;
        luma_depth = bits.golomb()?;
        chroma_depth = bits.golomb()?;
        bits.skip(1);
        if bits.flag()? {
            skip_scaling(&mut bits, if chroma == 3 { 12 } else { 8 })?;
        }
    }
    bits.golomb()?; // log2_max_frame_num
    match bits.golomb()? {
        0 => drop(bits.golomb()?),
        1 => {
            bits.skip(1);
            bits.signed_golomb()?;
            bits.signed_golomb()?;
            let cycle = bits.golomb()?;
            for _ in 0..cycle.min(255) {
                bits.signed_golomb()?;
            }
        }
        _ => {}
    }
    bits.golomb()?; // max_num_ref_frames
    bits.skip(1);
    let columns = bits.golomb()?.checked_add(1)?;
    let rows = bits.golomb()?.checked_add(1)?;
    let fields = u32::from(!bits.flag()?);
    bits.skip(usize::from(fields == 1) + 1);
    let mut crop = [0; 4];
    if bits.flag()? {
        for side in &mut crop {
            *side = bits.golomb()?;
        }
    }
    let subsampled = |wanted: &[u32]| if wanted.contains(&chroma) && !planes_apart { 2 } else { 1 };
    let (unit_x, unit_y) = (subsampled(&[1, 2]), subsampled(&[1]) * (1 + fields));
    let [left, right, top, bottom] = crop;
    let cropped = |whole: u32, unit: u32, a: u32, b: u32| {
        whole.checked_sub(unit.checked_mul(a.checked_add(b)?)?)
    };
    let width = cropped(columns.checked_mul(16)?, unit_x, left, right)?;
    let height = cropped(rows.checked_mul(16 * (1 + fields))?, unit_y, top, bottom)?;
    Some(Sequence { chroma, luma_depth, chroma_depth, width, height })
}

fn skip_scaling(bits: &mut Bits<'_>, lists: usize) -> Option<()> {
    for list in 0..lists {
        if !bits.flag()? {
            continue;
        }
        let (mut last, mut next) = (8, 8);
        for _ in 0..if list < 6 { 16 } else { 64 } {
            if next != 0 {
                next = bits.signed_golomb()?.checked_add(last)?.rem_euclid(256);
            }
            last = if next == 0 { last } else { next };
        }
    }
    Some(())
}

/// A 3 behind two zeros is there only so that no start code appears.
fn without_escapes(unit: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(unit.len());
    let mut zeros = 0;
    for byte in unit {
        if zeros >= 2 && *byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        payload.push(*byte);
    }
    payload
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Constrained baseline, level 3.1, 640x360 (368 cropped).
    const SEQUENCE: [u8; 10] = [0x67, 0x42, 0xC0, 0x1F, 0xDA, 0x02, 0x80, 0xBF, 0xE5, 0xC0];
    const PICTURE: [u8; 4] = [0x68, 0xCE, 0x3C, 0x80];

    fn key_frame() -> Vec<u8> {
        [&[0, 0, 0, 1][..], &SEQUENCE, &[0, 0, 1], &PICTURE, &[0, 0, 0, 1], &[0x65, 1, 2]].concat()
    }

    #[test]
    fn the_size_is_what_cropping_leaves() {
        let Format { width, height, private } = format(&key_frame()).unwrap();
        assert_eq!((width, height), (640, 360));
        let head = [1, 0x42, 0xC0, 0x1F, 0xFF, 0xE1, 0, 10];
        assert_eq!(private, [&head[..], &SEQUENCE, &[1, 0, 4], &PICTURE].concat());
    }

    #[test]
    fn the_record_is_that_of_other_writers() {
        // By x264 and ffmpeg: High, and High 4:4:4 with fields; 322x182.
        let high = b"\x67\x64\0\x0D\xAC\xB2\x02\xA3\x3C\x44\xD8\x08\x80\0\0\x03\0\x80\0\0\x19\x07\
            \x8A\x15\x24";
        let fields = b"\x67\xF4\0\x15\x91\x9C\x80\xA9\x9E\x3E\x6C\x04\x40\0\0\x03\0\x40\0\0\x0C\
            \x87\xC5\x0A\x92";
        for (sequence, head, tail) in [
            (high, [1, 0x64, 0, 0x0D, 0xFF, 0xE1, 0, 25], [0xFD, 0xF8, 0xF8, 0]),
            (fields, [1, 0xF4, 0, 0x15, 0xFF, 0xE1, 0, 25], [0xFF, 0xF8, 0xF8, 0]),
        ] {
            let frame = [&[0, 0, 0, 1][..], sequence, &[0, 0, 0, 1], &PICTURE].concat();
            let Format { width, height, private } = format(&frame).unwrap();
            assert_eq!((width, height), (322, 182));
            assert_eq!(private, [&head[..], sequence, &[1, 0, 4], &PICTURE, &tail].concat());
        }
    }

    #[test]
    fn a_key_frame_without_parameters_does_not_start_a_track() {
        assert_eq!(format(&[0, 0, 0, 1, 0x65, 1, 2]), None);
        assert_eq!(format(&[&[0, 0, 1][..], &SEQUENCE].concat()), None);
    }

    #[test]
    fn start_codes_become_lengths() {
        let stream = [0, 0, 0, 1, 9, 0x10, 0, 0, 1, 0x41, 5, 0, 0, 0, 1, 0x41, 6, 7];
        assert_eq!(with_lengths(&stream), [0, 0, 0, 2, 0x41, 5, 0, 0, 0, 3, 0x41, 6, 7]);
        assert!(with_lengths(&[1, 2, 3]).is_empty());
    }
}
