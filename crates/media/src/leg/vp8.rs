//! What the engine does not tell of a VP8 payload (RFC 7741, section 4; RFC 6386, section 9.1).

use super::packet::Temporal;

/// A packet's descriptor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Descriptor {
    /// How long it is.
    length: usize,
    pub(super) temporal: Temporal,
}

pub(super) fn parse(payload: &[u8]) -> Option<Descriptor> {
    let required = *payload.first()?;
    let temporal = Temporal { first: required & 0x17 == 0x10, ..Temporal::default() };
    let mut descriptor = Descriptor { length: 1, temporal };
    if required & 0x80 == 0 {
        return Some(descriptor);
    }
    let extension = payload.get(1)?;
    let mut at = 2;
    if extension & 0x80 != 0 {
        at += if payload.get(at)? & 0x80 != 0 { 2 } else { 1 };
    }
    at += usize::from(extension & 0x40 != 0);
    if extension & 0x30 != 0 {
        let layer = payload.get(at)?;
        if extension & 0x20 != 0 {
            descriptor.temporal.layer = layer >> 6;
            descriptor.temporal.sync = layer & 0x20 != 0;
        }
        at += 1;
    }
    descriptor.length = at;
    Some(descriptor)
}

/// The size of a picture, where a key frame begins.
pub(super) fn size(payload: &[u8]) -> Option<(u16, u16)> {
    let frame = payload.get(parse(payload)?.length..)?;
    // Three bytes of tag, three that are always the same, then width and height with two bits of scaling.
    let &[tag, _, _, 0x9d, 0x01, 0x2a, a, b, c, d, ..] = frame else { return None };
    let is_key = tag & 1 == 0;
    let dimension = |bytes| u16::from_le_bytes(bytes) & 0x3fff;
    is_key.then(|| (dimension([a, b]), dimension([c, d])))
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

    #[test]
    fn a_descriptor_tells_the_temporal_layer() {
        let parsed = parse(&[0x90, 0xe0, 0x81, 0x00, 0x05, 0xa0, 0x01]).unwrap();
        assert_eq!(parsed.length, 6);
        assert_eq!(parsed.temporal, Temporal { first: true, layer: 2, sync: true });
        let parsed = parse(&[0x80, 0x20, 0x40]).unwrap();
        assert_eq!(parsed.length, 3);
        assert_eq!(parsed.temporal, Temporal { first: false, layer: 1, sync: false });
        // Only a key index.
        assert_eq!(parse(&[0x90, 0x10, 0xff]).unwrap().temporal.layer, 0);
        assert_eq!(parse(&[0x80, 0xe0, 0x81]), None);
    }
}
