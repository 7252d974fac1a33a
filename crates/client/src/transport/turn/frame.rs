//! Where a frame ends in a stream of STUN messages and channel data (RFC 8656 sections 12.4, 12.5).

/// The longest frame, with padding.
pub(in super::super) const LONGEST: usize = 20 + 65_535 + 3;

/// What is in a stream is not TURN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct NotTurn;

/// The length of the first frame with its padding, if its header is there.
pub(in super::super) fn length(received: &[u8]) -> Result<Option<usize>, NotTurn> {
    let [first, second, high, low, ..] = received else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    match first >> 6 {
        0 => Ok(Some(20 + length)),
        1 => Ok(Some(4 + length.next_multiple_of(4))),
        _ => {
            tracing::debug!(first, second, "this is not TURN");
            Err(NotTurn)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channel_data_is_padded_and_messages_are_not() {
        assert_eq!(length(&[0x40, 0, 0, 5]), Ok(Some(12)));
        assert_eq!(length(&[0x40, 0, 0, 8, 1]), Ok(Some(12)));
        assert_eq!(length(&[0x01, 0x03, 0, 8]), Ok(Some(28)));
        assert_eq!(length(&[0x4f, 0xff, 0xff, 0xff]), Ok(Some(4 + 65_536)));
        assert_eq!(length(&[0x40, 0, 0]), Ok(None));
        assert_eq!(length(b"HTTP/1.1 400"), Ok(Some(4 + 21_584)));
        assert_eq!(length(&[0x80, 0, 0, 0]), Err(NotTurn));
    }
}
