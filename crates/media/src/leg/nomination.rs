//! Which of a member's addresses is sent to: the one that it nominated last (RFC 8445, section 8.1.2).
//! Of several the engine's ICE (`is` 0.12.0) takes that of the highest priority until no check has come
//! from it for 15 s, and who has moved to another network would get nothing for as long. Towards a lite
//! agent browsers nominate only what they use themselves.
//!
//! The priority of a path is first that of the end that has the lower one (RFC 8445, section 6.1.2.3), so ours are
//! above all of theirs: else who moves from IPv6 to IPv4, or from UDP to TCP, would not be followed.
//!
//! Before the first nomination it is where the member begins DTLS: it does so where one of its checks was
//! answered, so the path is good both ways, and nobody without the password has answers. Browsers nominate with
//! the next check only (Chromium 148 50 ms later), and the engine would answer nothing until then.

use std::net::SocketAddr;

use str0m::Candidate;
use str0m::ice::StunMessage;

use super::{Leg, header};
use crate::router::{Datagram, LocalAddress, Transport, ice_attribute};

/// Set by who controls, in checks of the path that it uses.
const USE_CANDIDATE: u16 = 0x0025;
/// More than any candidate of a client has: their types end at 126 (RFC 8445, section 5.1.2.2).
const FIRST_PRIORITY: u32 = 127 << 24;
/// Of our own candidates, the first of them.
const OWN_PRIORITY: u32 = i32::MAX.cast_unsigned();
/// The engine remembers each. Whoever moves more often waits until the old path is forgotten.
const MOST: u32 = 64;
/// Paths that a member may check before it uses one.
const MOST_CHECKED: usize = 16;

/// A user name is at most 512 bytes.
const LONGEST: usize = 640;

/// The other side of a path.
type Source = (Transport, SocketAddr);

/// See the module documentation.
#[derive(Debug, Default)]
pub(super) struct Nomination {
    latest: Option<Source>,
    changes: u32,
    /// Paths that none was nominated of yet, and the last check of each.
    checked: Vec<(Source, Vec<u8>)>,
    /// One of them is in use.
    anticipated: bool,
}

/// One of our own addresses, of which so many stand before it.
pub(super) fn candidate(address: LocalAddress, before: usize) -> Result<Candidate, String> {
    let LocalAddress { transport, address } = address;
    // Refuses what nobody can send to.
    Candidate::host(address, "udp").map_err(|error| error.to_string())?;
    let priority = OWN_PRIORITY - u32::try_from(before).unwrap_or_default();
    describe(transport, address, priority, "typ host", "passive")
}

/// `role`: that of a TCP candidate (RFC 6544).
fn describe(
    transport: Transport,
    address: SocketAddr,
    priority: u32,
    kind: &str,
    role: &str,
) -> Result<Candidate, String> {
    let (ip, port) = (address.ip(), address.port());
    let description = match transport {
        Transport::Udp => format!("candidate:{priority} 1 udp {priority} {ip} {port} {kind}"),
        Transport::Tcp => {
            format!("candidate:{priority} 1 tcp {priority} {ip} {port} {kind} tcptype {role}")
        }
    };
    Candidate::from_sdp_string(&description).map_err(|error| error.to_string())
}

impl Leg {
    /// Before a datagram goes to the engine: if it nominates another address than the last one did, that
    /// has the highest priority from now on. Checks without the right password do not come so far
    /// (see [`Leg::accepts`]).
    pub(super) fn heed_nomination(&mut self, datagram: &Datagram<'_>) {
        let nomination = &mut self.nomination;
        let source = (datagram.transport, datagram.source);
        if nomination.latest == Some(source) || !header::is_check(datagram.data) {
            return;
        }
        if ice_attribute(datagram.data, USE_CANDIDATE).is_none() {
            nomination.remember(source, datagram.data);
            return;
        }
        if nomination.changes == MOST {
            return;
        }
        let changes = nomination.changes;
        *nomination =
            Nomination { latest: Some(source), changes: changes + 1, ..Nomination::default() };
        // The engine overlooks one that it knows; the related address makes it new.
        let unspecified = if source.1.is_ipv4() { "0.0.0.0" } else { "::" };
        let kind = format!("typ srflx raddr {unspecified} rport {changes}");
        match describe(source.0, source.1, FIRST_PRIORITY + changes, &kind, "active") {
            Ok(candidate) => self.rtc.add_remote_candidate(candidate),
            Err(error) => tracing::debug!(%error, ?source, "a nominated address is no candidate"),
        }
    }

    /// The nomination that a member owes who begins DTLS on a path: its last check there, with it.
    pub(super) fn anticipated_nomination(&mut self, datagram: &Datagram<'_>) -> Option<Vec<u8>> {
        let nomination = &mut self.nomination;
        if nomination.latest.is_some() || nomination.anticipated || !header::is_dtls(datagram.data)
        {
            return None;
        }
        let source = (datagram.transport, datagram.source);
        let (_, check) = nomination.checked.iter().find(|(path, _)| *path == source)?;
        let check = StunMessage::parse(check).ok()?;
        let nominating = StunMessage::binding_request(
            check.username()?,
            check.trans_id(),
            true,
            check.ice_controlling()?,
            check.prio()?,
            true,
        );
        let password = self.rtc.direct_api().local_ice_credentials().pass;
        let hmac = peerway_dtls::crypto().sha1_hmac_provider;
        let hmac = |key: &[u8], payloads: &[&[u8]]| hmac.sha1_hmac(key, payloads);
        let mut bytes = vec![0; LONGEST];
        let length = nominating.to_bytes(Some(password.as_bytes()), &mut bytes, hmac).ok()?;
        bytes.truncate(length);
        nomination.anticipated = true;
        Some(bytes)
    }
}

impl Nomination {
    fn remember(&mut self, source: Source, check: &[u8]) {
        if self.latest.is_some() || self.anticipated {
            return;
        }
        self.checked.retain(|(path, _)| *path != source);
        if self.checked.len() == MOST_CHECKED {
            self.checked.remove(0);
        }
        self.checked.push((source, check.to_vec()));
    }
}
