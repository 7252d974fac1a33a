//! What the offers of a forwarding unit say of their lines (`docs/reference/room-frames.md`, "Media").

use crate::engine::TrackId;
use crate::media::TrackKind;

/// One line of an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) track: TrackId,
    pub(super) kind: TrackKind,
    pub(super) purpose: Purpose,
}

/// What a line is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Our own track.
    Ours,
    /// A track of another member, of this stream.
    Theirs { stream: String },
    /// Nothing at the moment.
    Idle,
}

/// The lines of sound and pictures, in their order. The first two are ours.
pub(super) fn read(sdp: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    for section in sdp.split("\nm=").skip(1) {
        let kind = match section.split(' ').next() {
            Some("audio") => TrackKind::Audio,
            Some("video") => TrackKind::Video,
            _ => continue,
        };
        let attribute = |name| value(section, name);
        let Some(mid) = attribute("a=mid:") else { continue };
        let sends = has(section, "a=sendonly") || has(section, "a=sendrecv");
        let stream = attribute("a=msid:").and_then(|msid| msid.split(' ').next());
        let purpose = match stream {
            _ if lines.len() < 2 => Purpose::Ours,
            Some(stream) if sends => Purpose::Theirs { stream: stream.to_owned() },
            _ => Purpose::Idle,
        };
        lines.push(Line { track: TrackId::named(mid), kind, purpose });
    }
    lines
}

/// What names the transport of an offer: another one is another transport.
pub(super) fn transport(sdp: &str) -> &str {
    value(sdp, "a=ice-ufrag:").unwrap_or_default()
}

fn value<'a>(section: &'a str, name: &str) -> Option<&'a str> {
    section.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

fn has(section: &str, attribute: &str) -> bool {
    section.lines().any(|line| line.trim() == attribute)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\na=ice-lite\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=ice-ufrag:one\r\na=mid:a\r\na=recvonly\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=ice-ufrag:one\r\na=mid:b\r\na=inactive\r\n\
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:x\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:c\r\na=msid:s-7 t-8\r\na=sendonly\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:d\r\na=msid:s-7 t-9\r\na=inactive\r\n";

    #[test]
    fn the_first_two_lines_are_ours_and_inactive_ones_are_idle() {
        let line = |mid, kind, purpose| Line { track: TrackId::named(mid), kind, purpose };
        let expected = [
            line("a", TrackKind::Audio, Purpose::Ours),
            line("b", TrackKind::Video, Purpose::Ours),
            line("c", TrackKind::Video, Purpose::Theirs { stream: "s-7".to_owned() }),
            line("d", TrackKind::Audio, Purpose::Idle),
        ];
        assert_eq!(read(OFFER), expected);
        assert_eq!(transport(OFFER), "one");
    }

    #[test]
    fn what_is_no_offer_has_no_lines() {
        for sdp in ["", "m=", "v=0\r\nm=audio", "v=0\nm=audio 9\na=mid:"] {
            assert!(read(sdp).iter().all(|line| line.purpose == Purpose::Ours), "{sdp}");
        }
    }
}
