//! The bytes of `BinaryPack`: `MessagePack` of before 2013, its raw family cut in two. All numbers are
//! big-endian. Integers, arrays and maps are the same in `MessagePack` today.

pub(crate) const NULL: u8 = 0xc0;
pub(crate) const UNDEFINED: u8 = 0xc1;
pub(crate) const FALSE: u8 = 0xc2;
pub(crate) const TRUE: u8 = 0xc3;
pub(crate) const FLOAT: u8 = 0xca;
pub(crate) const DOUBLE: u8 = 0xcb;

/// The first form that fits, in the order in which JavaScript tries them: positive numbers from 2^32
/// on are signed, which is the one difference to what [`crate::msgpack`] writes.
pub(crate) fn integer(out: &mut Vec<u8>, number: i64) {
    if let Ok(byte @ (-0x20..=0x7f)) = i8::try_from(number) {
        out.push(byte.cast_unsigned());
    } else if let Ok(number) = u8::try_from(number) {
        tagged(out, 0xcc, number.to_be_bytes());
    } else if let Ok(number) = i8::try_from(number) {
        tagged(out, 0xd0, number.to_be_bytes());
    } else if let Ok(number) = u16::try_from(number) {
        tagged(out, 0xcd, number.to_be_bytes());
    } else if let Ok(number) = i16::try_from(number) {
        tagged(out, 0xd1, number.to_be_bytes());
    } else if let Ok(number) = u32::try_from(number) {
        tagged(out, 0xce, number.to_be_bytes());
    } else if let Ok(number) = i32::try_from(number) {
        tagged(out, 0xd2, number.to_be_bytes());
    } else {
        tagged(out, 0xd3, number.to_be_bytes());
    }
}

pub(crate) fn array(out: &mut Vec<u8>, length: u32) {
    head(out, length, 0x90, 0xdc, 0xdd);
}

pub(crate) fn map(out: &mut Vec<u8>, length: u32) {
    head(out, length, 0x80, 0xde, 0xdf);
}

pub(crate) fn bytes(out: &mut Vec<u8>, length: u32) {
    head(out, length, 0xa0, 0xda, 0xdb);
}

/// `length` counts bytes.
pub(crate) fn text(out: &mut Vec<u8>, length: u32) {
    head(out, length, 0xb0, 0xd8, 0xd9);
}

/// Short lengths stand in the tag.
fn head(out: &mut Vec<u8>, length: u32, short: u8, tag16: u8, tag32: u8) {
    match u16::try_from(length) {
        #[expect(clippy::cast_possible_truncation, reason = "it has four bits")]
        Ok(length @ 0..=15) => out.push(short | length as u8),
        Ok(length) => tagged(out, tag16, length.to_be_bytes()),
        Err(_) => tagged(out, tag32, length.to_be_bytes()),
    }
}

pub(crate) fn tagged<const N: usize>(out: &mut Vec<u8>, tag: u8, rest: [u8; N]) {
    out.push(tag);
    out.extend_from_slice(&rest);
}

/// Whole numbers below -2^31 that a double holds exactly. Every `PeerJS` reads them wrong as 64-bit
/// integers, for it adds up the unsigned bits as a double, and right as doubles.
const MISREAD: std::ops::Range<i64> = -(1 << 53)..-(1 << 31);

/// The double to write in the place of such a number.
#[expect(clippy::cast_precision_loss, reason = "they are exact up to 2^53")]
pub(super) fn misread(number: i64) -> Option<f64> {
    MISREAD.contains(&number).then_some(number as f64)
}

/// Reads such a double as the whole number it stands for.
#[expect(clippy::cast_possible_truncation, reason = "the range and the fraction are checked")]
pub(super) fn misread_back(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && MISREAD.contains(&(number as i64))).then_some(number as i64)
}
