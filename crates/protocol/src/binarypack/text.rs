//! The texts of `BinaryPack`, in the ways in which they were written over time.

use super::Dialect;

/// Up to this many UTF-16 units the legacy sender counts by itself, and wrongly.
const COUNTED: usize = 600;

/// How many characters beyond U+FFFF are in UTF-8 text.
pub(super) fn astral(utf8: &[u8]) -> usize {
    utf8.iter().filter(|byte| **byte >= 0xf0).count()
}

/// Writes each UTF-16 unit by itself, surrogates too: three bytes each (CESU-8).
pub(super) fn push_surrogates(out: &mut Vec<u8>, text: &str) {
    for char in text.chars() {
        let mut units = [0; 2];
        let mut utf8 = [0; 4];
        match char.encode_utf16(&mut units) {
            [high, low] => {
                for unit in [*high, *low] {
                    let [top, bottom] = unit.to_be_bytes();
                    let middle = 0x80 | ((top & 0x0f) << 2) | (bottom >> 6);
                    out.extend_from_slice(&[0xe0 | (top >> 4), middle, 0x80 | (bottom & 0x3f)]);
                }
            }
            _ => out.extend_from_slice(char.encode_utf8(&mut utf8).as_bytes()),
        }
    }
}

/// How many of these bytes are the text whose length was declared, or `None` if they are not enough.
pub(super) fn extent(bytes: &[u8], declared: usize, dialect: Dialect) -> Option<usize> {
    let extent = match dialect {
        Dialect::Modern => declared,
        Dialect::Legacy => legacy(bytes, declared).unwrap_or(declared),
        Dialect::Oldest => oldest(bytes, declared)?,
    };
    (extent <= bytes.len()).then_some(extent)
}

/// Where a text ends that was counted with six bytes for each character beyond U+FFFF. `None` if there
/// is no such character, or no such end, or a text that long would have been counted rightly.
fn legacy(bytes: &[u8], declared: usize) -> Option<usize> {
    let first = bytes.iter().take(declared).position(|byte| *byte >= 0xf0)?;
    let (mut at, mut counted) = (first, first);
    while counted < declared {
        let length = length_of(*bytes.get(at)?);
        at += length;
        counted += if length == 4 { 6 } else { length };
    }
    let fits = counted == declared && at <= bytes.len();
    (fits && units(&bytes[..at]) <= COUNTED).then_some(at)
}

/// Where a text ends that has so many UTF-16 units.
fn oldest(bytes: &[u8], declared: usize) -> Option<usize> {
    let (mut at, mut counted) = (0, 0);
    while counted < declared {
        let length = length_of(*bytes.get(at)?);
        at += length;
        counted += if length == 4 { 2 } else { 1 };
    }
    (counted == declared).then_some(at)
}

fn units(utf8: &[u8]) -> usize {
    utf8.iter().filter(|byte| **byte & 0xc0 != 0x80).count() + astral(utf8)
}

/// How many bytes the sequence takes that begins with this one.
fn length_of(first: u8) -> usize {
    match first {
        0..0xc0 => 1,
        0xc0..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0.. => 4,
    }
}

/// UTF-8 or CESU-8 to text; a surrogate without its other half becomes U+FFFD. `None` if it is
/// neither.
pub(crate) fn decode(bytes: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    loop {
        match std::str::from_utf8(rest) {
            Ok(last) => {
                text.push_str(last);
                return Some(text);
            }
            Err(error) => {
                let (valid, broken) = rest.split_at(error.valid_up_to());
                text.push_str(std::str::from_utf8(valid).expect("it was found valid"));
                let unit = surrogate(broken)?;
                let pair = surrogate(&broken[3..]).map(|other| [unit, other]);
                let pair = pair.and_then(|pair| char::decode_utf16(pair).next()?.ok());
                text.push(pair.unwrap_or(char::REPLACEMENT_CHARACTER));
                rest = &broken[if pair.is_some() { 6 } else { 3 }..];
            }
        }
    }
}

/// The surrogate that these bytes begin with.
fn surrogate(bytes: &[u8]) -> Option<u16> {
    let [0xed, second @ 0xa0..=0xbf, third @ 0x80..=0xbf, ..] = *bytes else { return None };
    Some(0xd000 | (u16::from(second & 0x3f) << 6) | u16::from(third & 0x3f))
}
