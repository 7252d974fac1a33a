//! Bits of a header, the highest of a byte first.

pub(crate) struct Bits<'a> {
    data: &'a [u8],
    position: usize,
}

impl<'a> Bits<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self { data, position: 0 }
    }

    pub(crate) fn flag(&mut self) -> Option<bool> {
        let byte = *self.data.get(self.position / 8)?;
        let bit = byte >> (7 - self.position % 8) & 1;
        self.position += 1;
        Some(bit == 1)
    }

    /// Up to 32 bits.
    pub(crate) fn number(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0, |number, _| Some(number << 1 | u32::from(self.flag()?)))
    }

    pub(crate) fn skip(&mut self, count: usize) {
        self.position += count;
    }

    /// Exp-Golomb, as `ue(v)` in H.264 and `uvlc()` in AV1.
    pub(crate) fn golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let rest = self.number(zeros)?;
        Some((1 << zeros) - 1 + rest)
    }

    /// Exp-Golomb with sign, as `se(v)` in H.264.
    pub(crate) fn signed_golomb(&mut self) -> Option<i32> {
        let code = i64::from(self.golomb()?);
        let magnitude = (code + 1) / 2;
        i32::try_from(if code % 2 == 1 { magnitude } else { -magnitude }).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_over_bytes() {
        let mut bits = Bits::new(&[0b1010_0000, 0b0001_1111]);
        assert_eq!(bits.number(3), Some(0b101));
        assert_eq!(bits.number(9), Some(1));
        assert_eq!(bits.number(4), Some(0b1111));
        assert_eq!(bits.flag(), None);
    }

    #[test]
    fn golomb_codes_have_signs_in_turn() {
        // 1, 010, 011, 00100
        let data = [0b1010_0110, 0b0100_0000];
        let mut bits = Bits::new(&data);
        assert_eq!([(); 4].map(|()| bits.golomb()), [Some(0), Some(1), Some(2), Some(3)]);
        let mut bits = Bits::new(&data);
        assert_eq!([(); 4].map(|()| bits.signed_golomb()), [Some(0), Some(1), Some(-1), Some(2)]);
        assert_eq!(Bits::new(&[0; 9]).golomb(), None);
    }
}
