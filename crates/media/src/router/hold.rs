//! The packets of a picture wait for its last one, for a moment: what goes to a member together costs the
//! kernel little more than one datagram, and a part of a picture is of no use to anybody.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::layer::Remarks;
use crate::leg::Packet;

/// A picture that takes longer to come is sent on in parts.
const LONGEST: Duration = Duration::from_millis(1);
/// More do not go as segments of one datagram.
const MOST: usize = 64;

/// Of one publication.
#[derive(Debug, Default)]
pub(super) struct Hold {
    packets: Vec<(Arc<Packet>, Remarks)>,
    pub(super) due: Option<Instant>,
}

impl Hold {
    /// A packet more. Whether all are to go on now: what comes late has waited enough.
    pub(super) fn push(&mut self, now: Instant, packet: Arc<Packet>, remarks: Remarks) -> bool {
        let ends = packet.ends_picture() || remarks.late || self.packets.len() + 1 >= MOST;
        self.packets.push((packet, remarks));
        self.due.get_or_insert(now + LONGEST);
        ends
    }

    /// Takes what waits; [`Hold::put_back`] keeps the room for the next ones.
    pub(super) fn take(&mut self) -> Vec<(Arc<Packet>, Remarks)> {
        self.due = None;
        std::mem::take(&mut self.packets)
    }

    pub(super) fn put_back(&mut self, mut packets: Vec<(Arc<Packet>, Remarks)>) {
        packets.clear();
        self.packets = packets;
    }
}
