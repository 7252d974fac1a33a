//! EBML (RFC 8794): elements of an id, a length and a value.

/// The length of an element that ends where the file or its parent does.
pub(super) const UNKNOWN: u64 = (1 << 56) - 1;

/// Appends elements.
pub(super) trait Ebml {
    fn id(&mut self, id: u32);
    /// In as few bytes as there are.
    fn length(&mut self, length: u64);
    /// In eight bytes, so that it can be replaced by any other.
    fn wide_length(&mut self, length: u64);
    fn binary(&mut self, id: u32, value: &[u8]);
    fn text(&mut self, id: u32, value: &str);
    /// In as few bytes as there are.
    fn number(&mut self, id: u32, value: u64);
    /// In so many bytes.
    fn wide_number(&mut self, id: u32, value: u64, width: usize);
    fn float(&mut self, id: u32, value: f64);
    fn master(&mut self, id: u32, fill: impl FnOnce(&mut Vec<u8>));
    /// Takes that many bytes, at least two.
    fn void(&mut self, length: usize);
}

impl Ebml for Vec<u8> {
    fn id(&mut self, id: u32) {
        self.extend(id.to_be_bytes().into_iter().skip_while(|byte| *byte == 0));
    }

    fn length(&mut self, length: u64) {
        // All ones mean unknown.
        let width = (1..8).find(|width| length < (1 << (7 * width)) - 1).unwrap_or(8);
        let marked = length | 1 << (7 * width);
        self.extend_from_slice(&marked.to_be_bytes()[8 - width..]);
    }

    fn wide_length(&mut self, length: u64) {
        self.extend_from_slice(&(length.min(UNKNOWN) | 1 << 56).to_be_bytes());
    }

    fn binary(&mut self, id: u32, value: &[u8]) {
        self.id(id);
        self.length(value.len() as u64);
        self.extend_from_slice(value);
    }

    fn text(&mut self, id: u32, value: &str) {
        self.binary(id, value.as_bytes());
    }

    fn number(&mut self, id: u32, value: u64) {
        let bits = 64 - value.leading_zeros() as usize;
        self.wide_number(id, value, bits.div_ceil(8).max(1));
    }

    fn wide_number(&mut self, id: u32, value: u64, width: usize) {
        self.binary(id, &value.to_be_bytes()[8 - width.min(8)..]);
    }

    fn float(&mut self, id: u32, value: f64) {
        self.binary(id, &value.to_be_bytes());
    }

    fn master(&mut self, id: u32, fill: impl FnOnce(&mut Vec<u8>)) {
        let mut value = Vec::new();
        fill(&mut value);
        self.binary(id, &value);
    }

    fn void(&mut self, length: usize) {
        const VOID: u32 = 0xEC;
        self.id(VOID);
        if length < 9 {
            self.length(length.saturating_sub(2) as u64);
        } else {
            self.wide_length(length as u64 - 9);
        }
        self.resize(self.len() + length - if length < 9 { 2 } else { 9 }, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(fill: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut bytes = Vec::new();
        fill(&mut bytes);
        bytes
    }

    #[test]
    fn lengths_are_short_and_never_look_unknown() {
        assert_eq!(bytes(|b| b.length(126)), [0xFE]);
        assert_eq!(bytes(|b| b.length(127)), [0x40, 0x7F]);
        assert_eq!(bytes(|b| b.length(16_382)), [0x7F, 0xFE]);
        assert_eq!(bytes(|b| b.length(16_383)), [0x20, 0x3F, 0xFF]);
        assert_eq!(bytes(|b| b.wide_length(UNKNOWN)), [1, 255, 255, 255, 255, 255, 255, 255]);
    }

    #[test]
    fn elements_are_nested() {
        let track = bytes(|b| b.master(0xAE, |b| b.number(0xD7, 300)));
        assert_eq!(track, [0xAE, 0x84, 0xD7, 0x82, 1, 44]);
        assert_eq!(bytes(|b| b.number(0xD7, 0)), [0xD7, 0x81, 0]);
    }

    #[test]
    fn a_void_takes_as_much_as_asked() {
        for length in [2, 8, 9, 10, 500] {
            assert_eq!(bytes(|b| b.void(length)).len(), length);
        }
    }
}
