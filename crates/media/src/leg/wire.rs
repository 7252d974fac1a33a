//! The headers of what is sent (RFC 3550, section 5.1; RFC 8285, section 4.2).

/// What a header says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header<'a> {
    pub(super) payload_type: u8,
    pub(super) marker: bool,
    pub(super) sequence: u64,
    pub(super) timestamp: u32,
    pub(super) source: u32,
    /// Those that were agreed on, with their numbers.
    pub(super) mid: Option<(u8, &'a [u8])>,
    pub(super) audio_level: Option<(u8, u8)>,
    pub(super) orientation: Option<(u8, u8)>,
}

/// Of one extension in the short form.
const LONGEST: usize = 16;
const SHORT_FORM: [u8; 2] = [0xbe, 0xde];
const HAS_EXTENSIONS: u8 = 0x10;

impl Header<'_> {
    /// Writes it to the end of a packet.
    pub(super) fn write(&self, packet: &mut Vec<u8>) {
        let begin = packet.len();
        packet.push(0x80);
        packet.push(u8::from(self.marker) << 7 | (self.payload_type & 0x7f));
        #[expect(clippy::cast_possible_truncation, reason = "it wraps")]
        packet.extend_from_slice(&(self.sequence as u16).to_be_bytes());
        packet.extend_from_slice(&self.timestamp.to_be_bytes());
        packet.extend_from_slice(&self.source.to_be_bytes());
        let extensions = packet.len();
        packet.extend_from_slice(&[SHORT_FORM[0], SHORT_FORM[1], 0, 0]);
        if let Some((id, mid)) = self.mid {
            extension(packet, id, mid);
        }
        for (id, value) in [self.audio_level, self.orientation].into_iter().flatten() {
            extension(packet, id, &[value]);
        }
        let length = packet.len() - extensions - 4;
        if length == 0 {
            packet.truncate(extensions);
            return;
        }
        packet[begin] |= HAS_EXTENSIONS;
        let words = length.div_ceil(4);
        packet.resize(extensions + 4 + words * 4, 0);
        // Three extensions of at most 17 bytes.
        packet[extensions + 3] = u8::try_from(words).unwrap_or_default();
    }
}

fn extension(packet: &mut Vec<u8>, id: u8, value: &[u8]) {
    // 15 and long ones have no short form; every leg's own numbers are below.
    if (1..15).contains(&id) && (1..=LONGEST).contains(&value.len()) {
        let length = u8::try_from(value.len() - 1).unwrap_or_default();
        packet.push(id << 4 | length);
        packet.extend_from_slice(value);
    }
}

#[cfg(test)]
mod tests {
    use super::super::header::claim;
    use super::*;

    const HEADER: Header<'_> = Header {
        payload_type: 96,
        marker: true,
        sequence: 0x1_0203,
        timestamp: 5,
        source: 9,
        mid: None,
        audio_level: None,
        orientation: None,
    };

    fn written(header: Header<'_>) -> Vec<u8> {
        let mut packet = Vec::new();
        header.write(&mut packet);
        packet
    }

    #[test]
    fn a_header_without_extensions_is_short() {
        let packet = written(HEADER);
        assert_eq!(packet, [0x80, 0xe0, 2, 3, 0, 0, 0, 5, 0, 0, 0, 9]);
    }

    #[test]
    fn extensions_are_found_again() {
        let header = Header { mid: Some((4, b"abc")), audio_level: Some((1, 0x94)), ..HEADER };
        let packet = written(header);
        let expected = [0xbe, 0xde, 0, 2, 0x42, b'a', b'b', b'c', 0x10, 0x94, 0, 0];
        assert_eq!((packet[0], &packet[12..]), (0x90, &expected[..]));
        let found = claim(&packet).unwrap();
        assert_eq!((found.source, found.payload_type, found.mid), (9, 96, Some("abc")));
    }

    #[test]
    fn what_has_no_short_form_is_left_out() {
        let long = [b'a'; 17];
        assert_eq!(written(Header { mid: Some((4, &long)), ..HEADER }).len(), 12);
        assert_eq!(written(Header { mid: Some((15, b"a")), ..HEADER }).len(), 12);
        assert_eq!(written(Header { mid: Some((4, &long[..16])), ..HEADER }).len(), 12 + 4 + 20);
    }
}
