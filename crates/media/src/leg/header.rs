//! What an RTP packet says of itself before anybody knows that it is genuine (RFC 3550, section 5.1; RFC 8285).

/// The numbers of the extensions in every leg's offers.
pub(super) const MID: u8 = 4;
pub(super) const RID: u8 = 10;
pub(super) const REPAIRED_RID: u8 = 11;

/// Who a packet says that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Claim<'a> {
    pub(super) source: u32,
    pub(super) payload_type: u8,
    pub(super) mid: Option<&'a str>,
    pub(super) rid: Option<&'a str>,
    pub(super) repaired_rid: Option<&'a str>,
}

/// Whether a datagram is RTCP (RFC 5761, section 4: these second bytes are no RTP).
pub(super) fn is_report(datagram: &[u8]) -> bool {
    matches!(datagram, [first, second, ..] if first >> 6 == 2 && (192..=223).contains(second))
}

/// Whether a datagram is of ICE (RFC 7983, section 7).
pub(super) fn is_check(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| *first < 4)
}

/// Whether a datagram is of DTLS (the same).
pub(super) fn is_dtls(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| (20..64).contains(first))
}

/// `None`: it is no RTP packet.
pub(super) fn claim(datagram: &[u8]) -> Option<Claim<'_>> {
    let (head, rest) = datagram.split_first_chunk::<12>()?;
    if head[0] >> 6 != 2 || is_report(datagram) {
        return None;
    }
    let mut claim = Claim {
        source: u32::from_be_bytes([head[8], head[9], head[10], head[11]]),
        payload_type: head[1] & 0x7f,
        ..Claim::default()
    };
    if head[0] & 0x10 != 0 {
        let contributors = usize::from(head[0] & 0x0f) * 4;
        extensions(rest.get(contributors..)?, &mut claim)?;
    }
    Some(claim)
}

fn extensions<'a>(block: &'a [u8], claim: &mut Claim<'a>) -> Option<()> {
    let (&[profile, kind, high, low], rest) = block.split_first_chunk::<4>()?;
    let is_short = (profile, kind) == (0xbe, 0xde);
    let is_long = profile == 0x10 && kind >> 4 == 0;
    let mut rest = rest.get(..usize::from(u16::from_be_bytes([high, low])) * 4)?;
    if !is_short && !is_long {
        return Some(());
    }
    while let [first, behind @ ..] = rest {
        let (id, length, behind) = match (*first, is_short) {
            // Between two of them.
            (0, _) => {
                rest = behind;
                continue;
            }
            (first, true) if first >> 4 == 15 => return Some(()),
            (first, true) => (first >> 4, usize::from(first & 0x0f) + 1, behind),
            (id, false) => {
                let (length, behind) = behind.split_first()?;
                (id, usize::from(*length), behind)
            }
        };
        let (value, behind) = behind.split_at_checked(length)?;
        let value = std::str::from_utf8(value).ok();
        match id {
            MID => claim.mid = value,
            RID => claim.rid = value,
            REPAIRED_RID => claim.repaired_rid = value,
            _ => {}
        }
        rest = behind;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet(extension: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x90, 0xe0 & 0x7f, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        packet.extend(extension);
        packet
    }

    #[test]
    fn names_are_found_in_both_forms() {
        let short = packet(&[0xbe, 0xde, 0, 2, 0x41, b'a', b'b', 0, 0xa0, b'q', 0xb0, b'h']);
        let found = claim(&short).unwrap();
        assert_eq!((found.source, found.payload_type), (3, 0x60));
        assert_eq!(found.mid, Some("ab"));
        assert_eq!((found.rid, found.repaired_rid), (Some("q"), Some("h")));
        let long = packet(&[0x10, 0, 0, 2, 4, 2, b'a', b'b', 10, 1, b'f', 0]);
        let found = claim(&long).unwrap();
        assert_eq!((found.mid, found.rid), (Some("ab"), Some("f")));
    }

    #[test]
    fn reports_are_no_packets() {
        assert_eq!(claim(&[0x80, 200, 0, 6, 0, 0, 0, 1, 0, 0, 0, 0]), None);
        assert_eq!(claim(&[0x80, 0x60]), None);
    }

    proptest! {
        #[test]
        fn whatever_comes_does_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            claim(&bytes);
            claim(&packet(&bytes));
            let mut short = vec![0xbe, 0xde, 0, 9];
            short.extend(&bytes);
            claim(&packet(&short));
        }
    }
}
