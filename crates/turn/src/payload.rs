//! The bytes around a payload: what is looked at for every packet, without allocating.
//!
//! ```text
//! channel data (RFC 8656 section 12.4)      indication (sections 11.1, 11.5)
//! 0        2        4                       0      2      4        8              20
//! | number | length | payload (pad on TCP)  | type | len  | cookie | transaction  | attributes
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Length of a STUN header.
pub(crate) const HEADER: usize = 20;
/// Length of the header of channel data.
const CHANNEL_HEADER: usize = 4;
const COOKIE: [u8; 4] = 0x2112_A442_u32.to_be_bytes();
const SEND_INDICATION: [u8; 2] = [0x00, 0x16];
const DATA_INDICATION: [u8; 2] = [0x00, 0x17];
const XOR_PEER_ADDRESS: u16 = 0x0012;
const DATA: u16 = 0x0013;

/// The first look at what a client sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind<'a> {
    /// To the peer of a channel.
    Channel { number: u16, payload: &'a [u8] },
    /// To a peer that is named.
    Send { peer: SocketAddr, payload: &'a [u8] },
    /// A STUN message that is not a Send indication.
    Stun,
    /// Nothing of ours.
    Noise,
}

/// Looks at a datagram, or at a frame of a stream.
pub(crate) fn classify(data: &[u8]) -> Kind<'_> {
    match data {
        [0x40..=0x7f, ..] => channel_data(data).unwrap_or(Kind::Noise),
        [0x00..=0x3f, ..] if data.len() >= HEADER && data[4..8] == COOKIE => {
            if data[..2] == SEND_INDICATION {
                send_indication(data).unwrap_or(Kind::Noise)
            } else {
                Kind::Stun
            }
        }
        _ => Kind::Noise,
    }
}

fn channel_data(data: &[u8]) -> Option<Kind<'_>> {
    let [a, b, c, d, rest @ ..] = data else { return None };
    let length = usize::from(u16::from_be_bytes([*c, *d]));
    let payload = rest.get(..length)?;
    Some(Kind::Channel { number: u16::from_be_bytes([*a, *b]), payload })
}

fn send_indication(data: &[u8]) -> Option<Kind<'_>> {
    let length = usize::from(u16::from_be_bytes([data[2], data[3]]));
    let mut rest = data.get(HEADER..HEADER + length)?;
    let transaction = &data[4..HEADER];
    let (mut peer, mut payload) = (None, None);
    while let [a, b, c, d, after @ ..] = rest {
        let kind = u16::from_be_bytes([*a, *b]);
        let length = usize::from(u16::from_be_bytes([*c, *d]));
        let value = after.get(..length)?;
        match kind {
            XOR_PEER_ADDRESS => peer = peer.or(Some(xor_address(value, transaction)?)),
            DATA => payload = payload.or(Some(value)),
            // Comprehension-required and not known, DONT-FRAGMENT too: discarded (section 11.2).
            0..=0x7fff => return None,
            _ => {}
        }
        // The last padding may be missing.
        rest = after.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(Kind::Send { peer: peer?, payload: payload? })
}

/// Decodes XOR-PEER-ADDRESS; `mask` is cookie and transaction id.
fn xor_address(value: &[u8], mask: &[u8]) -> Option<SocketAddr> {
    let [_, family, high, low, address @ ..] = value else { return None };
    let port = u16::from_be_bytes([high ^ mask[0], low ^ mask[1]]);
    let ip: IpAddr = match (family, address.len()) {
        (1, 4) => IpAddr::V4(Ipv4Addr::from(xor::<4>(address, mask))),
        (2, 16) => IpAddr::V6(Ipv6Addr::from(xor::<16>(address, mask))),
        _ => return None,
    };
    Some(SocketAddr::new(ip.to_canonical(), port))
}

fn xor<const N: usize>(bytes: &[u8], mask: &[u8]) -> [u8; N] {
    std::array::from_fn(|index| bytes[index] ^ mask[index])
}

/// What goes before a payload on its way to the client, and how much padding after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope {
    bytes: [u8; 48],
    length: usize,
    /// Zero bytes after the payload.
    pub padding: usize,
}

impl Envelope {
    /// The bytes before the payload.
    pub fn header(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Channel data; `padded` on streams (RFC 8656 section 12.5).
    pub(crate) fn channel(number: u16, payload: u16, padded: bool) -> Self {
        let mut envelope = Self { bytes: [0; 48], length: 0, padding: 0 };
        envelope.push(&number.to_be_bytes());
        envelope.push(&payload.to_be_bytes());
        if padded {
            envelope.padding = padding(payload);
        }
        envelope
    }

    /// A Data indication.
    pub(crate) fn indication(peer: SocketAddr, payload: u16, transaction: [u8; 12]) -> Self {
        let mut envelope = Self { bytes: [0; 48], length: 0, padding: padding(payload) };
        let peer_size: u16 = if peer.is_ipv4() { 8 } else { 20 };
        // The longest payload that UDP carries leaves room: 65507 + 3 + 24 + 4 and no overflow
        // below, because longer ones are refused before.
        let size = usize::from(peer_size) + 8 + usize::from(payload) + envelope.padding;
        let size = u16::try_from(size).unwrap_or(u16::MAX);
        envelope.push(&DATA_INDICATION);
        envelope.push(&size.to_be_bytes());
        envelope.push(&COOKIE);
        envelope.push(&transaction);
        envelope.push(&XOR_PEER_ADDRESS.to_be_bytes());
        envelope.push(&peer_size.to_be_bytes());
        let mut mask = [0; 16];
        mask[..4].copy_from_slice(&COOKIE);
        mask[4..].copy_from_slice(&transaction);
        let [high, low] = peer.port().to_be_bytes();
        let family = if peer.is_ipv4() { 1 } else { 2 };
        envelope.push(&[0, family, high ^ mask[0], low ^ mask[1]]);
        match peer.ip() {
            IpAddr::V4(ip) => envelope.push(&xor::<4>(&ip.octets(), &mask)),
            IpAddr::V6(ip) => envelope.push(&xor::<16>(&ip.octets(), &mask)),
        }
        envelope.push(&DATA.to_be_bytes());
        envelope.push(&payload.to_be_bytes());
        envelope
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes[self.length..self.length + bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }
}

/// The longest payload whose Data indication still has a length that fits its field.
pub(crate) const LONGEST_PAYLOAD: usize = 65_500;

fn padding(payload: u16) -> usize {
    usize::from(payload).next_multiple_of(4) - usize::from(payload)
}

/// Length of the first frame in what a stream has brought, `None` if its head is not there yet.
/// `Err` if it is no frame of TURN, after which nothing of the stream can be understood.
pub fn frame_length(data: &[u8]) -> Result<Option<usize>, NotTurn> {
    let [first, _, c, d, ..] = data else {
        return if data.first().is_none_or(|first| *first < 0x80) {
            Ok(None)
        } else {
            Err(NotTurn)
        };
    };
    let length = usize::from(u16::from_be_bytes([*c, *d]));
    let cookie = data.get(4..8);
    match first {
        0x00..=0x3f if cookie.is_some_and(|it| it != COOKIE) => Err(NotTurn),
        0x00..=0x3f if length.is_multiple_of(4) => Ok(Some(HEADER + length)),
        0x40..=0x7f => Ok(Some(CHANNEL_HEADER + length.next_multiple_of(4))),
        _ => Err(NotTurn),
    }
}

/// What came is neither STUN nor channel data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither STUN nor channel data")]
pub struct NotTurn;

#[cfg(test)]
mod tests {
    use super::*;

    use stun_types::attribute::Software;
    use stun_types::message::{Message, MessageWriteVec};
    use stun_types::prelude::*;
    use turn_types::attribute::{Data, DontFragment, XorPeerAddress};

    const PEERS: [&str; 2] = ["192.0.2.7:4000", "[2001:db8::7]:4000"];

    #[test]
    fn send_indications_are_read_as_the_library_writes_them() {
        for peer in PEERS.map(|peer| peer.parse().unwrap()) {
            let mut message =
                Message::builder_indication(turn_types::message::SEND, MessageWriteVec::new());
            let transaction = message.transaction_id();
            message.add_attribute(&XorPeerAddress::new(peer, transaction)).unwrap();
            message.add_attribute(&Software::new("optional").unwrap()).unwrap();
            message.add_attribute(&Data::new(b"hello")).unwrap();
            message.add_fingerprint().unwrap();
            assert_eq!(classify(&message.finish()), Kind::Send { peer, payload: b"hello" });
        }
    }

    #[test]
    fn indications_with_unknown_demands_are_discarded() {
        let mut message =
            Message::builder_indication(turn_types::message::SEND, MessageWriteVec::new());
        let peer = PEERS[0].parse().unwrap();
        message.add_attribute(&XorPeerAddress::new(peer, message.transaction_id())).unwrap();
        message.add_attribute(&DontFragment::new()).unwrap();
        message.add_attribute(&Data::new(b"hello")).unwrap();
        assert_eq!(classify(&message.finish()), Kind::Noise);
    }

    #[test]
    fn data_indications_are_written_as_the_library_reads_them() {
        for peer in PEERS.map(|peer| peer.parse().unwrap()) {
            let envelope = Envelope::indication(peer, 5, [9; 12]);
            let mut bytes = envelope.header().to_vec();
            bytes.extend(b"hello");
            bytes.resize(bytes.len() + envelope.padding, 0);
            let message = Message::from_bytes(&bytes).unwrap();
            assert!(message.has_method(turn_types::message::DATA));
            let told: XorPeerAddress = message.attribute().unwrap();
            assert_eq!(told.addr(message.transaction_id()), peer);
            assert_eq!(message.attribute::<Data>().unwrap().data(), b"hello");
        }
    }

    #[test]
    fn channel_data_is_its_length_and_no_more() {
        let channel = |number, payload| Kind::Channel { number, payload };
        assert_eq!(classify(b"\x40\x00\x00\x02hi\x00\x00"), channel(0x4000, b"hi".as_slice()));
        assert_eq!(classify(b"\x7f\xff\x00\x00"), channel(0x7fff, b"".as_slice()));
        assert_eq!(classify(b"\x40\x00\x00\x03hi"), Kind::Noise);
        let envelope = Envelope::channel(0x4001, 5, true);
        assert_eq!((envelope.header(), envelope.padding), (b"\x40\x01\x00\x05".as_slice(), 3));
        assert_eq!(Envelope::channel(0x4001, 5, false).padding, 0);
    }

    #[test]
    fn frames_of_a_stream_are_cut_by_their_head() {
        assert_eq!(frame_length(b""), Ok(None));
        assert_eq!(frame_length(b"\x00\x01\x00"), Ok(None));
        assert_eq!(frame_length(b"\x00\x01\x00\x08"), Ok(Some(28)));
        assert_eq!(frame_length(b"\x40\x00\x00\x05"), Ok(Some(12)));
        assert_eq!(frame_length(b"\x00\x01\x00\x08\x21\x12\xa4\x42"), Ok(Some(28)));
        assert_eq!(frame_length(b"\x16\x03\x01\x02\x00\x01\x00\x01"), Err(NotTurn), "TLS");
        assert_eq!(frame_length(b"\x00\x01\x00\x07"), Err(NotTurn));
        assert_eq!(frame_length(b"\x80"), Err(NotTurn));
    }
}
