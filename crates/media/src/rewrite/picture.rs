//! The picture numbers inside VP8 and VP9 payloads (RFC 7741, section 4.2; RFC 9628, section 4.2).

use super::Continuity;

/// The numbers of a picture, as they are in the payload descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PictureNumbers {
    /// 7 or 15 bits, up by one with each picture.
    pub picture_id: Option<u16>,
    /// 8 bits, up by one with each picture of the lowest temporal layer.
    pub tl0_pic_idx: Option<u8>,
}

/// What goes out instead.
#[derive(Debug, Clone, Default)]
pub(super) struct Pictures {
    ids: Numbers<15>,
    base_layer: Numbers<8>,
}

impl Pictures {
    /// Another source begins with this picture.
    pub(super) fn begin(&mut self, numbers: PictureNumbers) {
        self.ids.begin(numbers.picture_id);
        self.base_layer.begin(numbers.tl0_pic_idx.map(u16::from));
    }

    /// `None`: the picture is from before the source, or too late.
    pub(super) fn forward(&mut self, numbers: PictureNumbers) -> Option<PictureNumbers> {
        let picture_id = self.ids.forward(numbers.picture_id)?;
        let tl0_pic_idx = self.base_layer.forward(numbers.tl0_pic_idx.map(u16::from))?;
        Some(PictureNumbers {
            picture_id,
            tl0_pic_idx: tl0_pic_idx.map(|number| u8::try_from(number).unwrap_or_default()),
        })
    }

    /// A picture of a higher temporal layer is left out: the ids behind it close up.
    pub(super) fn omit(&mut self, numbers: PictureNumbers) {
        self.ids.omit(numbers.picture_id);
    }
}

/// One of the two, with its number of bits.
#[derive(Debug, Clone, Default)]
struct Numbers<const BITS: u32> {
    continuity: Continuity,
    newest: Option<u64>,
    /// Of the picture that was left out last: its packets are many, it counts once.
    omitted: Option<u64>,
}

impl<const BITS: u32> Numbers<BITS> {
    const MASK: u16 = if BITS >= 16 { u16::MAX } else { (1 << BITS) - 1 };

    fn begin(&mut self, number: Option<u16>) {
        self.newest = None;
        self.omitted = None;
        if let Some(number) = number {
            let number = self.unwrap(number);
            self.continuity.begin(number);
        }
    }

    #[expect(clippy::option_option, reason = "no place for the number, or no number for the place")]
    fn forward(&mut self, number: Option<u16>) -> Option<Option<u16>> {
        let Some(number) = number else { return Some(None) };
        let number = self.unwrap(number);
        let out = self.continuity.forward(number)?;
        Some(Some(u16::try_from(out & u64::from(Self::MASK)).unwrap_or_default()))
    }

    fn omit(&mut self, number: Option<u16>) {
        let Some(number) = number else { return };
        let number = self.unwrap(number);
        if self.omitted.is_none_or(|omitted| number > omitted) {
            self.omitted = Some(number);
            self.continuity.omit(number);
        }
    }

    /// The number without the wrap: the one nearest to the newest so far.
    fn unwrap(&mut self, number: u16) -> u64 {
        let modulus = u64::from(Self::MASK) + 1;
        let number = u64::from(number & Self::MASK);
        // Far from zero, so that there is room for what comes before the first one.
        let newest = self.newest.unwrap_or(number + 4 * modulus);
        let base = newest - newest % modulus + number;
        let unwrapped = if base > newest + modulus / 2 {
            base - modulus
        } else if base + modulus / 2 < newest {
            base + modulus
        } else {
            base
        };
        self.newest = Some(newest.max(unwrapped));
        unwrapped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(picture_id: u16, tl0_pic_idx: u8) -> PictureNumbers {
        PictureNumbers { picture_id: Some(picture_id), tl0_pic_idx: Some(tl0_pic_idx) }
    }

    #[test]
    fn ids_go_on_over_a_switch_and_over_their_wrap() {
        let mut pictures = Pictures::default();
        pictures.begin(numbers(32_766, 255));
        let first = pictures.forward(numbers(32_766, 255)).unwrap();
        let second = pictures.forward(numbers(32_767, 0)).unwrap();
        let third = pictures.forward(numbers(0, 1)).unwrap();
        assert_eq!((first, second, third), (numbers(0, 0), numbers(1, 1), numbers(2, 2)));
        pictures.begin(numbers(9, 9));
        assert_eq!(pictures.forward(numbers(9, 9)), Some(numbers(3, 3)));
        assert_eq!(pictures.forward(numbers(8, 8)), None);
    }

    #[test]
    fn all_packets_of_a_picture_have_its_number() {
        let mut pictures = Pictures::default();
        pictures.begin(numbers(5, 5));
        assert_eq!(pictures.forward(numbers(5, 5)), pictures.forward(numbers(5, 5)));
    }

    #[test]
    fn a_picture_left_out_counts_once() {
        let mut pictures = Pictures::default();
        pictures.begin(numbers(5, 5));
        pictures.forward(numbers(5, 5));
        pictures.omit(numbers(6, 5));
        pictures.omit(numbers(6, 5));
        assert_eq!(pictures.forward(numbers(7, 6)), Some(numbers(1, 1)));
    }

    #[test]
    fn a_stream_without_numbers_gets_none() {
        let mut pictures = Pictures::default();
        pictures.begin(PictureNumbers::default());
        assert_eq!(pictures.forward(PictureNumbers::default()), Some(PictureNumbers::default()));
    }
}
