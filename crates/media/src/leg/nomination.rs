//! Which of a member's addresses is sent to: the one that it nominated last (RFC 8445, section 8.1.2).
//! Of several the engine's ICE (`is` 0.12.0) takes that of the highest priority until no check has come
//! from it for 15 s, and who has moved to another network would get nothing for as long. Towards a lite
//! agent browsers nominate only what they use themselves.

use std::net::SocketAddr;

use str0m::Candidate;

use super::Leg;
use crate::router::{Datagram, Transport, ice_attribute};

/// Set by who controls, in checks of the path that it uses.
const USE_CANDIDATE: u16 = 0x0025;
/// More than any candidate of a client has: their types end at 126 (RFC 8445, section 5.1.2.2).
const FIRST_PRIORITY: u32 = 127 << 24;
/// The engine remembers each. Whoever moves more often waits until the old path is forgotten.
const MOST: u32 = 64;

/// See the module documentation.
#[derive(Debug, Default)]
pub(super) struct Nomination {
    latest: Option<SocketAddr>,
    changes: u32,
}

impl Leg {
    /// Before a datagram goes to the engine: if it nominates another address than the last one did, that
    /// has the highest priority from now on. Checks without the right password do not come so far
    /// (see [`Leg::accepts`]).
    pub(super) fn heed_nomination(&mut self, datagram: &Datagram<'_>) {
        let Nomination { latest, changes } = self.nomination;
        let source = datagram.source;
        if datagram.transport != Transport::Udp
            || latest == Some(source)
            || changes == MOST
            || ice_attribute(datagram.data, USE_CANDIDATE).is_none()
        {
            return;
        }
        self.nomination = Nomination { latest: Some(source), changes: changes + 1 };
        let (ip, port, priority) = (source.ip(), source.port(), FIRST_PRIORITY + changes);
        // The engine overlooks one that it knows; the related address makes it new.
        let unspecified = if ip.is_ipv4() { "0.0.0.0" } else { "::" };
        let candidate = format!(
            "candidate:{priority} 1 udp {priority} {ip} {port} typ srflx raddr {unspecified} rport {changes}"
        );
        match Candidate::from_sdp_string(&candidate) {
            Ok(candidate) => self.rtc.add_remote_candidate(candidate),
            Err(error) => tracing::debug!(%error, candidate, "a nominated address is no candidate"),
        }
    }
}
