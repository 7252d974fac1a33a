//! What the engine does not tell of a VP8 payload (RFC 7741, section 4; RFC 6386, section 9.1).

/// The size of a picture, where a key frame begins.
pub(super) fn size(payload: &[u8]) -> Option<(u16, u16)> {
    // Three bytes of tag, three that are always the same, then width and height with two bits of scaling.
    let &[tag, _, _, 0x9d, 0x01, 0x2a, a, b, c, d, ..] = payload.get(descriptor(payload)?..)?
    else {
        return None;
    };
    let is_key = tag & 1 == 0;
    let dimension = |bytes| u16::from_le_bytes(bytes) & 0x3fff;
    is_key.then(|| (dimension([a, b]), dimension([c, d])))
}

/// How long the descriptor before the picture's own bytes is.
fn descriptor(payload: &[u8]) -> Option<usize> {
    if payload.first()? & 0x80 == 0 {
        return Some(1);
    }
    let extension = payload.get(1)?;
    let mut at = 2;
    if extension & 0x80 != 0 {
        at += if payload.get(at)? & 0x80 != 0 { 2 } else { 1 };
    }
    at += usize::from(extension & 0x40 != 0);
    at += usize::from(extension & 0x30 != 0);
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_frame_tells_its_size() {
        let frame = [0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0xe0, 0x41];
        let mut payload = vec![0x90, 0xe0, 0x81, 0x00, 0x05, 0x00];
        payload.extend(frame);
        assert_eq!(size(&payload), Some((640, 480)));
        let mut short = vec![0x10];
        short.extend(frame);
        assert_eq!(size(&short), Some((640, 480)));
        for end in 0..payload.len() {
            assert_eq!(size(&payload[..end]), None);
        }
        payload[6] |= 1;
        assert_eq!(size(&payload), None, "predicted");
    }
}
