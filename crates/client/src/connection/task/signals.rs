//! What the two sides say to each other through the server: answers, candidates, restarts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use peerway_protocol::peerjs::payload;

use super::core::Core;
use super::{Front, Names, Task};
use crate::clock;
use crate::connection::context::{Inbound, Outgoing, RoomOffer};
use crate::connection::{ConnectionError, ConnectionErrorKind, description};
use crate::link::Link;
use crate::transport::{LocalCandidate, NetworkOptions};

/// What 0.3 and 1.0 want to hear before they cut big values into pieces, without which Firefox cannot
/// send them.
const BROWSER: &str = "Chrome";

/// `.local` names that are being looked up at a time; the network has 16 in flight.
const NAMES: usize = 16;

impl<F: Front> Task<F> {
    pub(super) async fn handle_inbound(&mut self, inbound: Inbound) {
        let now = clock::now();
        match inbound {
            Inbound::Answer(answer) => {
                let (sdp, candidates) = description::split(&answer.sdp);
                self.core.remote_restarts = answer.peerway;
                if let Err(error) = self.core.link.handle_answer(now, &sdp, answer.generation()) {
                    // A second answer changes nothing that works.
                    if self.core.open {
                        tracing::debug!(%error, "an answer is left out");
                        return;
                    }
                    self.core.front.handle_failure(error);
                    self.core.link.close(now);
                    return;
                }
                for candidate in candidates {
                    self.remote_candidate(candidate);
                }
            }
            Inbound::Candidate(candidate) => self.remote_candidate(candidate.candidate),
            Inbound::Offer(offer) => {
                let Core { link, front, .. } = &mut self.core;
                match answer_room(now, &self.names, link, front, &offer) {
                    Ok((signal, _)) => self.signals.push_back(signal),
                    Err(error) => {
                        self.core.front.handle_failure(error);
                        self.core.link.close(now);
                    }
                }
            }
            // Both at the same time: the caller's counts, and the other side answers it.
            Inbound::Restart(_) if self.core.caller && self.core.link.is_restarting() => {}
            Inbound::Restart(offer) => {
                let (sdp, candidates) = description::split(&offer.sdp);
                if let Err(error) = self.network.restart(&self.options()).await {
                    tracing::debug!(%error, "an ICE restart without new sockets");
                }
                match self.core.link.handle_restart(&sdp) {
                    Ok(sdp) => {
                        let answer = answer(&self.names, sdp);
                        self.signals.push_back(Outgoing::Answer(answer));
                        for candidate in candidates {
                            self.remote_candidate(candidate);
                        }
                    }
                    Err(error) => tracing::debug!(%error, "an ICE restart is left out"),
                }
            }
            Inbound::Unreachable if !self.core.open => {
                let error = ConnectionError::new(
                    ConnectionErrorKind::PeerUnavailable,
                    format!("could not connect to peer {}", self.names.peer),
                );
                self.core.front.handle_failure(error);
                self.core.link.close(now);
            }
            Inbound::Unreachable => {}
            Inbound::Leave | Inbound::Destroyed => {
                self.core.front.handle_end();
                self.core.link.close(now);
            }
        }
    }

    /// What there is to gather with now.
    pub(super) fn options(&self) -> Arc<NetworkOptions> {
        Arc::clone(&self.context.network.borrow())
    }

    /// Offers other ways than the one that is lost.
    pub(super) async fn restart(&mut self) {
        let Some(sdp) = self.core.link.restart(clock::now()) else { return };
        tracing::debug!(connection = self.names.id, "ICE restart");
        // What an earlier attempt had to say is of no use any more.
        self.signals.clear();
        self.signals.push_back(Outgoing::Offer(payload::Offer {
            sdp,
            restart: true,
            ..offer(&self.names)
        }));
        if let Err(error) = self.network.restart(&self.options()).await {
            tracing::debug!(%error, "an ICE restart without new sockets");
        }
    }

    pub(super) fn local_candidate(&mut self, candidate: &LocalCandidate) {
        let Some(attribute) = self.core.link.add_local(candidate) else { return };
        self.signals.push_back(Outgoing::Candidate(payload::Candidate {
            candidate: attribute,
            // Every section is bundled into the first, and 0.3 knows only the index.
            sdp_mid: None,
            sdp_m_line_index: Some(0),
            username_fragment: None,
            kind: self.names.kind,
            connection_id: self.names.id.clone(),
        }));
    }

    pub(super) fn remote_candidate(&mut self, candidate: String) {
        let Some(host) = description::host(&candidate) else { return };
        if let Ok(address) = host.parse() {
            if let Some(port) = description::port(&candidate) {
                let address = SocketAddr::new(address, port);
                self.network.allow(address);
                // Not for a peer, which could make us connect to anything.
                if self.of_room && description::listens(&candidate) {
                    self.network.connect(address);
                }
            }
            self.core.link.handle_candidate(candidate);
        } else if self.unresolved.len() < NAMES {
            let name = host.to_owned();
            self.network.resolve(&name);
            self.unresolved.push((name, candidate));
        }
    }

    pub(super) fn resolved(&mut self, name: &str, addresses: &[std::net::IpAddr]) {
        let (done, waiting): (Vec<_>, Vec<_>) = std::mem::take(&mut self.unresolved)
            .into_iter()
            .partition(|(wanted, _)| wanted == name);
        self.unresolved = waiting;
        for (_, candidate) in done {
            for address in addresses {
                self.remote_candidate(description::with_host(&candidate, &address.to_string()));
            }
        }
    }
}

/// What to say to the offer of a room's forwarding unit, and its candidates.
pub(super) fn answer_room<F: Front>(
    now: Instant,
    names: &Names,
    link: &mut Link,
    front: &mut F,
    offer: &RoomOffer,
) -> Result<(Outgoing, Vec<String>), ConnectionError> {
    let (sdp, candidates) = description::split(&offer.sdp);
    let offer = RoomOffer { sdp: sdp.into(), streams: Arc::clone(&offer.streams) };
    let sdp = front.handle_offer(now, link, &offer)?;
    Ok((Outgoing::Answer(answer(names, sdp)), candidates))
}

/// An offer without its SDP.
pub(in crate::connection) fn offer(names: &Names) -> payload::Offer {
    payload::Offer {
        sdp: String::new(),
        kind: names.kind,
        connection_id: names.id.clone(),
        metadata: None,
        label: None,
        reliable: None,
        serialization: None,
        browser: Some(BROWSER.to_owned()),
        peerway: true,
        restart: false,
    }
}

pub(super) fn answer(names: &Names, sdp: String) -> payload::Answer {
    payload::Answer {
        sdp,
        kind: names.kind,
        connection_id: names.id.clone(),
        browser: Some(BROWSER.to_owned()),
        peerway: true,
    }
}
