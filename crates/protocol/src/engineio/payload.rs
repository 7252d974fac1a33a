//! Several packets in the body of one HTTP request or answer.

use std::borrow::Cow;

use bytes::Bytes;

use super::{Data, Malformed, Packet, decode_binary, decode_text};

/// Packets that one body may hold.
const MAX_PACKETS: usize = 4096;
/// Digits that a length may have: a body of 10 GB is none of ours.
const MAX_DIGITS: usize = 10;

/// How a client writes text bodies. engine.io-client 1.x (that is socket.io-client 1.4.8 and 1.7.4,
/// as measured) encodes each packet as UTF-8, takes the bytes for characters, and lets XHR encode
/// these once more; 3.x (socket.io-client 2.0.3, 2.5.0) does not. Nothing in a request tells them
/// apart, so the first text beyond ASCII decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Charset {
    /// There was nothing but ASCII until now.
    #[default]
    Unknown,
    /// UTF-8.
    Utf8,
    /// UTF-8 of UTF-8.
    Twice,
}

impl Charset {
    /// Learns from a body.
    fn learn(&mut self, body: &str) {
        if *self != Self::Unknown || body.is_ascii() {
            return;
        }
        *self = if decoded_once(body).is_some() { Self::Twice } else { Self::Utf8 };
    }
}

/// The text whose UTF-8 bytes stand in `text` as characters, if there is one.
fn decoded_once(text: &str) -> Option<String> {
    let bytes: Option<Vec<u8>> =
        text.chars().map(|character| u8::try_from(u32::from(character)).ok()).collect();
    String::from_utf8(bytes?).ok()
}

/// The packets of a text body.
pub fn decode_body_text<'a>(
    body: &'a str,
    charset: &mut Charset,
) -> Result<Vec<Packet<'a>>, Malformed> {
    charset.learn(body);
    let mut packets = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        if packets.len() == MAX_PACKETS {
            return Err(Malformed::TooMany);
        }
        let (digits, behind) = rest.split_once(':').ok_or(Malformed::Length)?;
        let units = parse_length(digits.bytes().map(|digit| digit.wrapping_sub(b'0')))?;
        let end = units_end(behind, units).ok_or(Malformed::Length)?;
        let (packet, behind) = behind.split_at(end);
        packets.push(decode_part(packet, *charset)?);
        rest = behind;
    }
    Ok(packets)
}

fn decode_part(part: &str, charset: Charset) -> Result<Packet<'_>, Malformed> {
    let mut packet = decode_text(part)?;
    if charset == Charset::Twice
        && let Data::Text(text) = &mut packet.data
        && !text.is_ascii()
        && let Some(decoded) = decoded_once(text)
    {
        *text = Cow::Owned(decoded);
    }
    Ok(packet)
}

/// The packets of a binary body.
pub fn decode_body_bytes(mut body: Bytes) -> Result<Vec<Packet<'static>>, Malformed> {
    const END_OF_LENGTH: u8 = 0xff;
    let mut packets = Vec::new();
    while let Some(&form) = body.first() {
        if packets.len() == MAX_PACKETS {
            return Err(Malformed::TooMany);
        }
        let head = &body[1..body.len().min(MAX_DIGITS + 2)];
        let digits = head.iter().position(|byte| *byte == END_OF_LENGTH);
        let digits = digits.ok_or(Malformed::Length)?;
        let length = parse_length(head[..digits].iter().copied())?;
        let mut packet = body.split_off(digits + 2);
        if length > packet.len() {
            return Err(Malformed::Length);
        }
        body = packet.split_off(length);
        packets.push(match form {
            0 => {
                // Half a surrogate pair, which JavaScript can hold, is no reason to lose the rest.
                let text = String::from_utf8_lossy(&packet);
                let Packet { kind, data } = decode_text(&text)?;
                match data {
                    Data::Text(text) => Packet::text(kind, text.into_owned()),
                    Data::Binary(bytes) => Packet { kind, data: Data::Binary(bytes) },
                }
            }
            1 => decode_binary(packet)?,
            _ => return Err(Malformed::Type),
        });
    }
    Ok(packets)
}

fn parse_length(digits: impl ExactSizeIterator<Item = u8>) -> Result<usize, Malformed> {
    if digits.len() == 0 || digits.len() > MAX_DIGITS {
        return Err(Malformed::Length);
    }
    digits.into_iter().try_fold(0_usize, |length, digit| {
        let length = length.checked_mul(10).and_then(|it| it.checked_add(digit.into()));
        length.filter(|_| digit < 10).ok_or(Malformed::Length)
    })
}

/// Where in a text so many UTF-16 units end.
fn units_end(text: &str, units: usize) -> Option<usize> {
    // Most bodies are ASCII, where units are bytes.
    let head = text.as_bytes().get(..units)?;
    if head.is_ascii() {
        return Some(units);
    }
    let mut left = units;
    for (at, character) in text.char_indices() {
        if left == 0 {
            return Some(at);
        }
        left = left.checked_sub(character.len_utf16())?;
    }
    (left == 0).then_some(text.len())
}

/// A body to answer a poll with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// `text/plain; charset=UTF-8`.
    Text(String),
    /// `application/octet-stream`.
    Bytes(Vec<u8>),
}

/// Longest text body for a client that takes binary. In browsers engine.io-client 1.x (socket.io-client
/// 1.4.8, 1.7.4) reads text by a call with as many arguments as there are characters, which throws
/// when there are too many; what comes as bytes it reads one by one.
const LONGEST_TEXT: usize = 16 * 1024;

/// The body of a poll's answer. Its texts should be ASCII, which clients of either [`Charset`] read
/// alike.
pub fn encode_body(packets: &[Packet<'_>], takes_binary: bool) -> Body {
    let binary = packets.iter().any(|packet| matches!(packet.data, Data::Binary(_)));
    let long = || packets.iter().map(|it| it.data.len()).sum::<usize>() > LONGEST_TEXT;
    if takes_binary && (binary || long()) { encode_bytes(packets) } else { encode_text(packets) }
}

fn encode_text(packets: &[Packet<'_>]) -> Body {
    let mut body = String::new();
    let mut part = String::new();
    for packet in packets {
        part.clear();
        packet.encode_text(&mut part);
        body.push_str(&utf16_len(&part).to_string());
        body.push(':');
        body.push_str(&part);
    }
    Body::Text(body)
}

fn utf16_len(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().map(char::len_utf16).sum() }
}

fn encode_bytes(packets: &[Packet<'_>]) -> Body {
    let mut body = Vec::with_capacity(packets.iter().map(|packet| packet.data.len() + 16).sum());
    for packet in packets {
        let (form, kind) = match packet.data {
            Data::Text(_) => (0, packet.kind.digit() as u8),
            Data::Binary(_) => (1, packet.kind.number()),
        };
        body.push(form);
        let length = packet.data.len() + 1;
        body.extend(length.to_string().bytes().map(|digit| digit - b'0'));
        body.extend([0xff, kind]);
        match &packet.data {
            Data::Text(text) => body.extend_from_slice(text.as_bytes()),
            Data::Binary(bytes) => body.extend_from_slice(bytes),
        }
    }
    Body::Bytes(body)
}
