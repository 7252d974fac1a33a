//! What a VP9 payload tells of itself (RFC 9628, section 4.2).
//!
//! ```text
//!   I P L F B E V Z | M, picture id | TID U SID D | TL0PICIDX
//!                     if I            if L          if L, unless F
//! ```

use super::picture::{Place, Places};
use crate::PictureNumbers;

/// A packet's descriptor, up to what is of use here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Descriptor {
    /// A picture begins, with its lowest spatial layer.
    pub(super) first: bool,
    pub(super) numbers: PictureNumbers,
    pub(super) places: Places,
}

/// `None`: it is cut off. Numbers are told only where the picture's has 15 bits.
pub(super) fn parse(payload: &[u8]) -> Option<Descriptor> {
    let required = *payload.first()?;
    let mut descriptor = Descriptor { first: required & 0x08 != 0, ..Descriptor::default() };
    let mut at = 1;
    if required & 0x80 != 0 {
        if let Some((id, place)) = Place::of_long_id(payload, at)? {
            descriptor.numbers.picture_id = Some(id);
            descriptor.places.picture_id = Some(place);
            at += 1;
        }
        at += 1;
    }
    if required & 0x20 != 0 {
        descriptor.first &= payload.get(at)? & 0x0e == 0;
        at += 1;
        if required & 0x10 == 0 {
            let index = *payload.get(at)?;
            if descriptor.numbers.picture_id.is_some() {
                descriptor.numbers.tl0_pic_idx = Some(index);
                descriptor.places.tl0_pic_idx = Some(Place::at(at)?);
            }
        }
    }
    Some(descriptor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_numbers_are_found_and_changed() {
        let mut payload = [0xa8, 0x81, 0x02, 0x40, 0x07, 0xaa];
        let parsed = parse(&payload).unwrap();
        let numbers = PictureNumbers { picture_id: Some(0x0102), tl0_pic_idx: Some(7) };
        assert_eq!((parsed.numbers, parsed.first), (numbers, true));
        let others = PictureNumbers { picture_id: Some(3), tl0_pic_idx: Some(255) };
        parsed.places.write(others, &mut payload);
        assert_eq!(payload, [0xa8, 0x80, 0x03, 0x40, 0xff, 0xaa]);
    }

    #[test]
    fn what_is_not_there_is_not_told() {
        // Flexible mode: no index.
        let flexible = parse(&[0xb8, 0x81, 0x02, 0x40, 0x07]).unwrap();
        let numbers = PictureNumbers { picture_id: Some(0x0102), tl0_pic_idx: None };
        assert_eq!(flexible.numbers, numbers);
        // A short number.
        assert_eq!(parse(&[0xa8, 0x11, 0x40, 0x07]).unwrap().numbers, PictureNumbers::default());
        assert_eq!(parse(&[0x08]).unwrap().numbers, PictureNumbers::default());
        let whole = [0xa8, 0x81, 0x02, 0x40, 0x07];
        for end in 0..whole.len() {
            assert_eq!(parse(&whole[..end]), None);
        }
    }
}
