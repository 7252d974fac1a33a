//! An OFFER frame as the dialect's client writes it, of a chosen size, carrying the time it was due to be sent.

use std::time::Duration;

use crate::clock;
use crate::dialect::Dialect;
use crate::frame::MaskedFrame;
use crate::identity::ID_LENGTH;

/// Thirteen digits of nanoseconds last for 2.7 hours.
pub(crate) const STAMP_LENGTH: usize = 13;
/// What stands before a stamp: the last of these in a frame is the one.
const MARK: &[u8] = b"dc_";

/// What Chromium offers for one data channel; line ends as JSON escapes them.
const SESSION: &str = concat!(
    r"v=0\r\no=- 4611733054762223410 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n",
    r"a=group:BUNDLE 0\r\na=extmap-allow-mixed\r\na=msid-semantic: WMS\r\n",
    r"m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n",
    r"a=ice-ufrag:Xq3k\r\na=ice-pwd:0p2J1mZzq8sRkY7uT5vW4xB6\r\na=ice-options:trickle\r\n",
    r"a=fingerprint:sha-256 7B:8B:F0:65:5F:78:E2:51:3B:AC:6F:F3:3F:46:1B:35:",
    r"DC:B8:5F:64:1A:24:C2:43:F0:A1:58:D0:A1:2C:19:08\r\n",
    r"a=setup:actpass\r\na=mid:0\r\na=sctp-port:5000\r\na=max-message-size:262144\r\n",
);
/// Candidates and one last line of padding bring the offer to its size.
const CANDIDATE: &str = concat!(
    r"a=candidate:3098175849 1 udp 2113937151 3e5a6c1e-54b2-4f0c-9d1a-0c8f2b7d6e11.local 54321 ",
    r"typ host generation 0 network-cost 999\r\n",
);
const PADDING: &str = "a=x-padding:";

#[derive(Clone)]
pub(crate) struct Offer {
    frame: MaskedFrame,
    stamp_at: usize,
    destination_at: usize,
}

impl Offer {
    /// An OFFER to `destination` of `size` bytes of JSON, or of the least possible size if that is more.
    pub(crate) fn new(dialect: Dialect, destination: &str, size: usize) -> Self {
        let least = json(dialect, destination, SESSION).len();
        let mut session = SESSION.to_owned();
        let mut missing = size.saturating_sub(least);
        while missing > CANDIDATE.len() + PADDING.len() + 4 {
            session.push_str(CANDIDATE);
            missing -= CANDIDATE.len();
        }
        if let Some(padding) = missing.checked_sub(PADDING.len() + 4) {
            session.extend([PADDING, &"x".repeat(padding), r"\r\n"]);
        }
        let json = json(dialect, destination, &session);
        let [_, _, before_destination, after_destination] = dialect.offer();
        let destination_at = json.len() - after_destination.len() - ID_LENGTH;
        let stamp_at = destination_at - before_destination.len() - STAMP_LENGTH;
        Self { frame: MaskedFrame::text(json.as_bytes()), stamp_at, destination_at }
    }

    pub(crate) fn stamped(&mut self, stamp: u64) -> &[u8] {
        self.frame.overwrite(self.stamp_at, format!("{stamp:0STAMP_LENGTH$}").as_bytes());
        self.frame.as_bytes()
    }

    pub(crate) fn addressed(&mut self, destination: &str) -> &[u8] {
        self.frame.overwrite(self.destination_at, destination.as_bytes());
        self.frame.as_bytes()
    }
}

/// How long ago what is in this frame was due, if it is one of ours.
pub(crate) fn latency(relayed: &[u8]) -> Option<Duration> {
    let now = clock::stamp(clock::now());
    Some(Duration::from_nanos(now.saturating_sub(stamp(relayed)?)))
}

fn stamp(relayed: &[u8]) -> Option<u64> {
    let mark = relayed.windows(MARK.len()).rposition(|window| window == MARK)?;
    let stamp = relayed[mark + MARK.len()..].first_chunk::<STAMP_LENGTH>()?;
    std::str::from_utf8(stamp).ok()?.parse().ok()
}

fn json(dialect: Dialect, destination: &str, session: &str) -> String {
    let [start, before_stamp, before_destination, end] = dialect.offer();
    let stamp = "0".repeat(STAMP_LENGTH);
    [start, session, before_stamp, &stamp, before_destination, destination, end].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity;

    #[test]
    fn an_offer_has_the_size_asked_for_and_is_json() {
        let id = identity::peer_id();
        for size in [1000, 1021, 2048, 2049, 16_384] {
            let offer = Offer::new(Dialect::Peerjs, &id, size);
            let json = unmasked(&offer);
            assert!(json.len().abs_diff(size) < 20, "{} for {size}", json.len());
            serde_json::from_slice::<serde_json::Value>(&json).unwrap();
        }
        assert_eq!(unmasked(&Offer::new(Dialect::Peerjs, &id, 2048)).len(), 2048);
    }

    #[test]
    fn a_stamp_survives_the_relay() {
        let mut offer = Offer::new(Dialect::Peerjs, &identity::peer_id(), 2048);
        offer.stamped(1_234_567_890);
        let sent: serde_json::Value = serde_json::from_slice(&unmasked(&offer)).unwrap();
        let label = sent["payload"]["label"].as_str().unwrap();
        assert_eq!(label, "dc_0001234567890");
        let relayed =
            format!(r#"{{"type":"OFFER","payload":{{"label":"{label}","reliable":false}}}}"#);
        assert_eq!(stamp(relayed.as_bytes()), Some(1_234_567_890));
        assert_eq!(stamp(br#"{"type":"OPEN"}"#), None);
    }

    #[test]
    fn an_offer_of_skyway_is_a_socket_io_event() {
        let mut offer = Offer::new(Dialect::Skyway, &identity::peer_id(), 2048);
        offer.stamped(77);
        let text = unmasked(&offer);
        assert_eq!(stamp(&text), Some(77));
        let event: serde_json::Value =
            serde_json::from_slice(text.strip_prefix(b"42").unwrap()).unwrap();
        assert_eq!(event[0], "SEND_OFFER");
        assert_eq!(event[1]["label"], "dc_0000000000077");
    }

    fn unmasked(offer: &Offer) -> Vec<u8> {
        let bytes = offer.frame.as_bytes();
        let header = if bytes[1] & 0x7f == 126 { 4 } else { 10 };
        let (mask, masked) = bytes[header..].split_at(4);
        masked.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect()
    }
}
