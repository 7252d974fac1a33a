//! What the engine's descriptions do not say as it should be said, put right in their text.

use super::slot::Label;
use crate::Codec;

/// Of one line; browsers have two.
const MOST_SOURCES: usize = 8;

/// What one line of an offer gets.
#[derive(Debug, Default)]
pub(super) struct Edit {
    /// The names of stream and track; none for what does not send.
    pub(super) label: Option<Label>,
    /// This codec's payload types first.
    pub(super) preferred: Option<Codec>,
    /// The most that may come on it, in bits per second.
    pub(super) bitrate: Option<u64>,
    /// The lines for its sources, where the engine does not know them any more.
    pub(super) sources: Option<String>,
    /// No transport-wide numbers: nobody would look at the receiver's reports, twenty a second. And no
    /// estimates of its own (REMB), which are not heeded: Chromium 148 tells what came of video, less a part,
    /// wherever packets come unevenly.
    pub(super) uncounted: bool,
}

/// The offer with its version and with what each line gets; and the lines' names.
pub(super) fn edit(sdp: &str, version: u64, of: impl Fn(&str) -> Edit) -> (String, Vec<String>) {
    let mut edited = String::with_capacity(sdp.len() + 256);
    let mut names = Vec::new();
    for section in sections(sdp) {
        match attribute(section, "a=mid:") {
            None => session(&mut edited, section, version),
            Some(mid) => {
                names.push(mid.to_owned());
                media(&mut edited, section, &of(mid), names.len() == 1);
            }
        }
    }
    (edited, names)
}

/// Whether an answer has the lines of its offer.
pub(super) fn check(answer: &str, lines: &[String]) -> Result<(), String> {
    let mut count = 0;
    for section in sections(answer).filter(|section| section.starts_with("m=")) {
        let offered = lines.get(count);
        count += 1;
        let mid = attribute(section, "a=mid:");
        // A refused line may come without its name (RFC 9143, section 7.3.3).
        if let (Some(mid), Some(offered)) = (mid, offered)
            && mid != offered
        {
            return Err(format!("line {count} is {mid} and not {offered}"));
        }
    }
    if count != lines.len() {
        return Err(format!("it has {count} media lines and not {}", lines.len()));
    }
    Ok(())
}

/// The sources that a line of an answer declares (`a=ssrc`, RFC 5576). None where there are sizes: those
/// say themselves which they are.
pub(super) fn sources(answer: &str, mid: &str) -> Vec<u32> {
    let line = sections(answer).find(|section| attribute(section, "a=mid:") == Some(mid));
    let Some(line) = line.filter(|line| attribute(line, "a=simulcast:").is_none()) else {
        return Vec::new();
    };
    let mut sources: Vec<u32> = Vec::new();
    for attribute in line.lines().filter_map(|line| line.strip_prefix("a=ssrc:")) {
        let Some(Ok(source)) = attribute.split(' ').next().map(str::parse) else { continue };
        if sources.len() < MOST_SOURCES && !sources.contains(&source) {
            sources.push(source);
        }
    }
    sources
}

/// What tells a line's sources (RFC 5576).
pub(super) fn describe_sources(source: u32, repairs: Option<u32>, name: &str) -> String {
    let own = format!("a=ssrc:{source} cname:{name}\r\n");
    let Some(repairs) = repairs else { return own };
    format!("{own}a=ssrc:{repairs} cname:{name}\r\na=ssrc-group:FID {source} {repairs}\r\n")
}

fn session(edited: &mut String, section: &str, version: u64) {
    for line in section.split_inclusive('\n') {
        // o=<user> <id> <version> <net> <type> <address> (RFC 8866, section 5.2)
        if let Some(origin) = line.strip_prefix("o=") {
            let mut fields: Vec<&str> = origin.split(' ').collect();
            let version = version.to_string();
            if let Some(field) = fields.get_mut(2) {
                *field = &version;
            }
            edited.push_str("o=");
            edited.push_str(&fields.join(" "));
        } else if line.starts_with("a=msid-semantic") {
            // Not the engine's names: the lines have others.
            edited.push_str("a=msid-semantic:WMS *\r\n");
        } else {
            edited.push_str(line);
        }
    }
}

fn media(edited: &mut String, section: &str, edit: &Edit, first: bool) {
    for line in section.split_inclusive('\n') {
        if line.starts_with("m=") {
            media_line(edited, section, line, edit.preferred);
        } else if line.starts_with("a=msid:") {
            if let Some(label) = &edit.label {
                push_all(edited, &["a=msid:", &label.stream, " ", &label.track, "\r\n"]);
            }
        } else if edit.uncounted && is_about_bandwidth(line) {
            // Neither the extension nor feedback.
        } else if line.starts_with("a=ssrc:") && line.contains(" msid:") {
            // Only Plan B reads it.
        } else {
            edited.push_str(line);
            if let (true, Some(bitrate)) = (line.starts_with("c="), edit.bitrate) {
                // Alone: str0m 0.25.0, which our own clients have, reads one such line at most and
                // nothing after a second one; TIAS is unknown to Chromium before 87.
                push_all(edited, &["b=AS:", &(bitrate / 1000).to_string(), "\r\n"]);
            }
        }
    }
    if let Some(sources) = &edit.sources {
        edited.push_str(sources);
    }
    if first && section.contains("a=candidate:") && !section.contains("a=end-of-candidates") {
        edited.push_str("a=end-of-candidates\r\n");
    }
}

fn is_about_bandwidth(line: &str) -> bool {
    let line = line.trim_end();
    (line.starts_with("a=extmap:") && line.contains("transport-wide-cc"))
        || (line.starts_with("a=rtcp-fb:")
            && (line.ends_with(" transport-cc") || line.ends_with(" goog-remb")))
}

/// `m=video 9 UDP/TLS/RTP/SAVPF 96 97 ..` with the preferred payload types in front.
fn media_line(edited: &mut String, section: &str, line: &str, preferred: Option<Codec>) {
    let Some(preferred) = preferred else { return edited.push_str(line) };
    let fields: Vec<&str> = line.trim_end().split(' ').collect();
    let (head, types) = fields.split_at(fields.len().min(3));
    let is_preferred = |payload_type: &&&str| {
        let name = rtpmap(section, payload_type);
        let name = match name {
            // A retransmission goes with what it repeats (RFC 4588, section 8.6).
            Some("rtx") => {
                associated(section, payload_type).and_then(|original| rtpmap(section, original))
            }
            name => name,
        };
        name.is_some_and(|name| name.eq_ignore_ascii_case(encoding(preferred)))
    };
    let (front, back): (Vec<&str>, Vec<&str>) =
        types.iter().partition(|payload_type| is_preferred(payload_type));
    let fields: Vec<&str> = head.iter().copied().chain(front).chain(back).collect();
    push_all(edited, &[&fields.join(" "), "\r\n"]);
}

fn encoding(codec: Codec) -> &'static str {
    match codec {
        Codec::Opus => "opus",
        Codec::Pcmu => "PCMU",
        Codec::Pcma => "PCMA",
        Codec::Vp8 => "VP8",
        Codec::H264 => "H264",
        Codec::Vp9 => "VP9",
        Codec::Av1 => "AV1",
    }
}

/// `a=rtpmap:96 VP8/90000`
fn rtpmap<'a>(section: &'a str, payload_type: &str) -> Option<&'a str> {
    let mapped = of_payload_type(section, "a=rtpmap:", payload_type)?;
    mapped.split('/').next()
}

/// `a=fmtp:97 apt=96`
fn associated<'a>(section: &'a str, payload_type: &str) -> Option<&'a str> {
    of_payload_type(section, "a=fmtp:", payload_type)?.strip_prefix("apt=")
}

fn of_payload_type<'a>(section: &'a str, name: &str, payload_type: &str) -> Option<&'a str> {
    section.lines().find_map(|line| {
        line.strip_prefix(name)?.strip_prefix(payload_type)?.strip_prefix(' ').map(str::trim)
    })
}

fn attribute<'a>(section: &'a str, name: &str) -> Option<&'a str> {
    section.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

/// The session's part, then one for each media line.
fn sections(sdp: &str) -> impl Iterator<Item = &str> {
    let mut rest = sdp;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.find("\nm=").map_or(rest.len(), |at| at + 1);
        let (section, behind) = rest.split_at(end);
        rest = behind;
        Some(section)
    })
}

fn push_all(text: &mut String, parts: &[&str]) {
    for part in parts {
        text.push_str(part);
    }
}
