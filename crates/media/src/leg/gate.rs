//! Keeps packets of unknown sources from the engine. It would believe a packet's name for its line (MID)
//! before it knows that the packet is genuine: one forged packet, and the line belonged to a source that
//! does not exist (str0m 0.25.0, `map_dynamic_by_pt`).

use std::time::{Duration, Instant};

use super::header::{self, Claim};
use super::incoming::LAYERS;
use super::{Leg, sdp};
use crate::Kind;

/// A source that was heard within this time has no successor.
const ALIVE: Duration = Duration::from_secs(2);
/// Repetitions are rare, so it takes longer to know that their source is gone.
const ALIVE_REPAIRS: Duration = Duration::from_secs(10);

/// What is known of sources beside those that were heard (`Sources`).
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// In the member's last answer, by kind: its own, then their repetitions'.
    declared: [Vec<u32>; 2],
    /// Of repetitions, for each kind and size.
    repairs: Vec<(u32, (Kind, usize), Instant)>,
}

impl Leg {
    /// An answer came: the sources that it tells.
    pub(super) fn declare_sources(&mut self, answer: &str) {
        for line in &self.incoming {
            let Some(mid) = line.mid else { continue };
            self.gate.declared[line.kind().index()] = sdp::sources(answer, &mid);
        }
    }

    /// Whether a packet may go to the engine.
    pub(super) fn admits(&mut self, now: Instant, datagram: &[u8]) -> bool {
        let Some(claim) = header::claim(datagram) else { return true };
        let declared = self.gate.declared.iter().flatten().any(|it| *it == claim.source);
        // Source 0 only probes bandwidth, and has no line.
        if declared || claim.source == 0 {
            return true;
        }
        if let Some(source) = self.sources.find_mut(claim.source) {
            source.heard = now;
            self.restore(claim.source);
            return true;
        }
        if let Some(known) = self.gate.repairs.iter_mut().find(|it| it.0 == claim.source) {
            known.2 = now;
            return true;
        }
        let Some(place) = self.place(&claim) else { return false };
        let declared = self.gate.declared[place.0.index()].len();
        if !self.is_repair(&claim) {
            return declared == 0 && !self.sources.is_alive(place, now, ALIVE);
        }
        let known = self.gate.repairs.iter().position(|(_, known, _)| *known == place);
        let alive = known.is_some_and(|it| now < self.gate.repairs[it].2 + ALIVE_REPAIRS);
        if declared > 1 || alive {
            return false;
        }
        if let Some(known) = known {
            self.gate.repairs.swap_remove(known);
        }
        self.gate.repairs.push((claim.source, place, now));
        true
    }

    fn is_repair(&self, claim: &Claim<'_>) -> bool {
        claim.repaired_rid.is_some() || self.formats.is_repair(claim.payload_type)
    }

    /// Which track, and which of its sizes.
    fn place(&self, claim: &Claim<'_>) -> Option<(Kind, usize)> {
        let mid = claim.mid?;
        let line =
            self.incoming.iter().find(|line| line.mid.is_some_and(|known| &*known == mid))?;
        let layer = match claim.rid.or(claim.repaired_rid) {
            None => 0,
            Some(rid) => LAYERS.iter().position(|layer| *layer == rid)?,
        };
        Some((line.kind(), layer))
    }

    /// A source that was genuine comes, but the engine has given its line to another, forged one
    /// while it was silent.
    fn restore(&mut self, source: u32) {
        let Some((line, rid)) = self.sources.line(source) else { return };
        let mut api = self.rtc.direct_api();
        if api.stream_rx(&source.into()).is_some() {
            return;
        }
        let usurper = api.stream_rx_by_mid(line, rid).map(|stream| (stream.ssrc(), stream.rtx()));
        if let Some((usurper, repairs)) = usurper {
            api.remove_stream_rx(usurper);
            api.expect_stream_rx(source.into(), repairs, line, rid);
        }
    }
}
