//! The boolean entropy encoder (RFC 6386, section 7).

/// Writes booleans, each in as many bits as it is surprising.
#[derive(Debug)]
pub(super) struct BoolEncoder {
    bytes: Vec<u8>,
    /// Bits that are not in `bytes` yet: 24, those of `pending`, and on top maybe a carry.
    low: u64,
    range: u64,
    pending: i32,
}

impl BoolEncoder {
    pub(super) fn new() -> Self {
        Self { bytes: Vec::new(), low: 0, range: 255, pending: -16 }
    }

    /// `zero`: how probable `false` is, of 256.
    pub(super) fn put(&mut self, value: bool, zero: u8) {
        let split = 1 + (((self.range - 1) * u64::from(zero)) >> 8);
        if value {
            self.low += split;
            self.range -= split;
        } else {
            self.range = split;
        }
        while self.range < 128 {
            self.range <<= 1;
            self.shift();
        }
    }

    /// A number as it is, the highest bit first.
    pub(super) fn literal(&mut self, value: u32, bits: u32) {
        for bit in (0..bits).rev() {
            self.put(value >> bit & 1 == 1, 128);
        }
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        (0..32).for_each(|_| self.shift());
        self.bytes
    }

    fn shift(&mut self) {
        self.low <<= 1;
        self.pending += 1;
        if self.pending < 8 {
            return;
        }
        let [.., carry, byte, _, _, _] = self.low.to_be_bytes();
        if carry != 0 {
            let full = self.bytes.iter().rev().take_while(|byte| **byte == 0xFF).count();
            let end = self.bytes.len() - full;
            self.bytes[end..].fill(0);
            if let Some(byte) = end.checked_sub(1).and_then(|at| self.bytes.get_mut(at)) {
                *byte += 1;
            }
        }
        self.bytes.push(byte);
        self.low &= 0xFF_FFFF;
        self.pending = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Section 7.3.
    struct BoolDecoder<'a> {
        bytes: std::slice::Iter<'a, u8>,
        value: u32,
        range: u32,
        bits: u32,
    }

    impl<'a> BoolDecoder<'a> {
        fn new(bytes: &'a [u8]) -> Self {
            let mut bytes = bytes.iter();
            let value = [(); 2].map(|()| *bytes.next().unwrap());
            Self { bytes, value: u16::from_be_bytes(value).into(), range: 255, bits: 0 }
        }

        fn next(&mut self, zero: u8) -> bool {
            let split = 1 + (((self.range - 1) * u32::from(zero)) >> 8);
            let value = self.value >= split << 8;
            if value {
                self.range -= split;
                self.value -= split << 8;
            } else {
                self.range = split;
            }
            while self.range < 128 {
                self.value <<= 1;
                self.range <<= 1;
                self.bits += 1;
                if self.bits == 8 {
                    self.bits = 0;
                    self.value |= u32::from(self.bytes.next().copied().unwrap_or(0));
                }
            }
            value
        }
    }

    #[test]
    fn what_goes_in_comes_out() {
        // Any sequence does; this one has every probability and long runs of each value.
        let bools: Vec<_> = (0..50_000_u32)
            .map(|n| {
                let mixed = n.wrapping_mul(2_654_435_761) >> 13;
                let [zero, ..] = (mixed % 255 + 1).to_le_bytes();
                (mixed & 0x100 != 0 || n % 1_000 > 900, zero)
            })
            .collect();
        let mut encoder = BoolEncoder::new();
        for (value, zero) in &bools {
            encoder.put(*value, *zero);
        }
        let bytes = encoder.finish();
        let mut decoder = BoolDecoder::new(&bytes);
        assert!(bools.iter().all(|(value, zero)| decoder.next(*zero) == *value));
    }

    #[test]
    fn a_carry_runs_through() {
        // Improbable ones only: the highest number there is.
        let mut encoder = BoolEncoder::new();
        encoder.put(false, 128);
        (0..200).for_each(|_| encoder.put(true, 255));
        let bytes = encoder.finish();
        let mut decoder = BoolDecoder::new(&bytes);
        assert!(!decoder.next(128));
        assert!((0..200).all(|_| decoder.next(255)));
    }
}
