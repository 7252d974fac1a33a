//! VP8 key frames (RFC 6386, section 9.1).

use super::Format;

pub(super) fn format(data: &[u8]) -> Option<Format> {
    let &[tag, _, _, 0x9D, 0x01, 0x2A, w0, w1, h0, h1, ..] = data else { return None };
    // The two high bits ask the player to scale.
    let size = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3FFF);
    (tag & 1 == 0).then(|| Format {
        width: size(w0, w1),
        height: size(h0, h1),
        private: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_without_the_scale() {
        let key = [0x10, 0, 0, 0x9D, 0x01, 0x2A, 0x80, 0x42, 0x68, 0x81];
        let Format { width, height, private } = format(&key).unwrap();
        assert_eq!((width, height, private.len()), (640, 360, 0));
        assert_eq!(format(&[0x11, 0, 0, 0x9D, 0x01, 0x2A, 0x80, 2, 0x68, 1]), None);
        assert_eq!(format(&key[..9]), None);
    }
}
