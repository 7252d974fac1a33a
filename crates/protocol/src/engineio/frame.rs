//! One packet in one `WebSocket` frame.

use bytes::Bytes;

use super::{Data, Kind, Malformed, Packet};
use crate::base64;

/// The packet in a text frame, or in a text part of a body. A leading `b` says that what follows the
/// type is Base64, which clients without binary frames use.
pub fn decode_text(text: &str) -> Result<Packet<'_>, Malformed> {
    let first = *text.as_bytes().first().ok_or(Malformed::Empty)?;
    if first == b'b' {
        let (kind, digits) = split_kind(&text[1..])?;
        let bytes = base64::decode(digits).ok_or(Malformed::Base64)?;
        return Ok(Packet { kind, data: Data::Binary(bytes.into()) });
    }
    let (kind, text) = split_kind(text)?;
    Ok(Packet::text(kind, text))
}

fn split_kind(text: &str) -> Result<(Kind, &str), Malformed> {
    let first = *text.as_bytes().first().ok_or(Malformed::Empty)?;
    let kind = first.checked_sub(b'0').and_then(Kind::from_number).ok_or(Malformed::Type)?;
    Ok((kind, &text[1..]))
}

/// The packet in a binary frame, or in a binary part of a body.
pub fn decode_binary(mut bytes: Bytes) -> Result<Packet<'static>, Malformed> {
    let first = *bytes.first().ok_or(Malformed::Empty)?;
    let kind = Kind::from_number(first).ok_or(Malformed::Type)?;
    let data = Data::Binary(bytes.split_off(1));
    Ok(Packet { kind, data })
}

impl Packet<'_> {
    /// Appends it as text; bytes become Base64.
    pub fn encode_text(&self, out: &mut String) {
        match &self.data {
            Data::Text(text) => {
                out.push(self.kind.digit());
                out.push_str(text);
            }
            Data::Binary(bytes) => {
                out.push('b');
                out.push(self.kind.digit());
                base64::encode(bytes, out);
            }
        }
    }

    /// Appends a binary packet as it stands in a binary frame.
    pub fn encode_binary(kind: Kind, bytes: &[u8], out: &mut Vec<u8>) {
        out.reserve(bytes.len() + 1);
        out.push(kind.number());
        out.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_frames_are_read_and_written() {
        for (text, packet) in [
            ("2probe", Packet::text(Kind::Ping, "probe")),
            ("3probe", Packet::text(Kind::Pong, "probe")),
            ("5", Packet::text(Kind::Upgrade, "")),
            ("4é😀", Packet::text(Kind::Message, "é😀")),
            ("b4AQL/", Packet::binary(Bytes::from_static(&[1, 2, 255]))),
        ] {
            assert_eq!(decode_text(text), Ok(packet.clone()));
            let mut written = String::new();
            packet.encode_text(&mut written);
            assert_eq!(written, text);
        }
    }

    #[test]
    fn binary_frames_begin_with_their_type() {
        let frame = Bytes::from_static(&[4, 9, 8]);
        assert_eq!(decode_binary(frame), Ok(Packet::binary(Bytes::from_static(&[9, 8]))));
        let mut written = Vec::new();
        Packet::encode_binary(Kind::Message, &[9, 8], &mut written);
        assert_eq!(written, [4, 9, 8]);
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        for (text, error) in [
            ("", Malformed::Empty),
            ("b", Malformed::Empty),
            ("7", Malformed::Type),
            ("x", Malformed::Type),
            ("é", Malformed::Type),
            ("b4!", Malformed::Base64),
            ("bé", Malformed::Type),
        ] {
            assert_eq!(decode_text(text), Err(error), "{text}");
        }
        assert_eq!(decode_binary(Bytes::new()), Err(Malformed::Empty));
        assert_eq!(decode_binary(Bytes::from_static(b"4x")), Err(Malformed::Type));
    }
}
