//! The few things that are done to an SDP or a candidate as text.

/// Takes the candidates out of a description, for they may bear names that the engine cannot read.
pub(super) fn split(sdp: &str) -> (String, Vec<String>) {
    let mut candidates = Vec::new();
    let mut rest = String::with_capacity(sdp.len());
    for line in sdp.split_inclusive('\n') {
        match line.strip_prefix("a=candidate:") {
            Some(candidate) => candidates.push(format!("candidate:{}", candidate.trim_end())),
            // We ask for no end: more may always come.
            None if line.starts_with("a=end-of-candidates") => {}
            None => rest.push_str(line),
        }
    }
    (rest, candidates)
}

/// The address or name of a candidate (RFC 8839, 5.1: the fifth word).
pub(super) fn host(candidate: &str) -> Option<&str> {
    candidate.split(' ').nth(4).filter(|host| !host.is_empty())
}

/// The port of a candidate.
pub(super) fn port(candidate: &str) -> Option<u16> {
    candidate.split(' ').nth(5)?.parse().ok()
}

/// Whether a candidate waits for TCP connections (RFC 6544, section 4.5).
pub(super) fn listens(candidate: &str) -> bool {
    let mut words = candidate.split(' ');
    let is_tcp = words.nth(2).is_some_and(|word| word.eq_ignore_ascii_case("tcp"));
    is_tcp && words.any(|word| word == "tcptype") && candidate.contains("tcptype passive")
}

/// The same candidate with another address.
pub(super) fn with_host(candidate: &str, host: &str) -> String {
    let mut words: Vec<&str> = candidate.split(' ').collect();
    if let Some(word) = words.get_mut(4) {
        *word = host;
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANDIDATE: &str = "candidate:1 1 udp 2113937151 4f.local 51234 typ host generation 0";

    #[test]
    fn candidates_are_taken_out_of_a_description() {
        let sdp = format!("v=0\r\na={CANDIDATE}\r\na=end-of-candidates\r\na=mid:0\r\n");
        assert_eq!(split(&sdp), ("v=0\r\na=mid:0\r\n".to_owned(), vec![CANDIDATE.to_owned()]));
    }

    #[test]
    fn a_name_is_replaced_by_its_address() {
        assert_eq!(host(CANDIDATE), Some("4f.local"));
        assert_eq!(port(CANDIDATE), Some(51234));
        assert_eq!(
            with_host(CANDIDATE, "192.0.2.7"),
            "candidate:1 1 udp 2113937151 192.0.2.7 51234 typ host generation 0"
        );
    }

    #[test]
    fn only_passive_ends_of_tcp_listen() {
        let of = |tcptype: &str| {
            listens(&format!("candidate:1 1 TCP 7 192.0.2.7 9001 typ host tcptype {tcptype}"))
        };
        assert!(of("passive"));
        assert!(!of("active"));
        assert!(!listens(CANDIDATE));
    }

    #[test]
    fn an_empty_candidate_has_no_host() {
        assert_eq!(host(""), None);
    }
}
