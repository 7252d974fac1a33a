//! The newest key frame of an encoding and what has come since, for who begins to get it shortly after: its
//! publisher would not make another one so soon.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::member::{Key, Subscriber, Turn};
use super::{MediaRouter, forward, key_frames};
use crate::Kind;
use crate::leg::Packet;
use crate::rewrite::Incoming;

/// As long as no other is asked for.
const KEPT_FOR: Duration = key_frames::APART;
/// At 2 Mbit/s as many come in that time.
const MOST: usize = 96;
/// Between pictures that have waited here, so that the receiver finds them as old as those that come next.
const PICTURE: Duration = Duration::from_millis(1);

/// See the module documentation. Empty, if something is missing or there was too much.
#[derive(Debug, Default)]
pub(super) struct Recent {
    packets: Vec<Arc<Packet>>,
}

impl Recent {
    /// A packet came.
    pub(super) fn push(&mut self, packet: &Arc<Packet>) {
        let first = self.packets.first();
        // The packets of one key frame may each be a beginning.
        if packet.begins && first.is_none_or(|first| first.timestamp != packet.timestamp) {
            self.packets.clear();
            self.packets.push(packet.clone());
            return;
        }
        let (Some(first), Some(last)) = (first, self.packets.last()) else { return };
        if packet.ssrc == last.ssrc
            && packet.sequence == last.sequence + 1
            && packet.arrival <= first.arrival + KEPT_FOR
            && self.packets.len() < MOST
        {
            self.packets.push(packet.clone());
        } else {
            self.packets = Vec::new();
        }
    }

    /// All from the beginning of a key frame on, if that is not long ago.
    fn packets(&self, now: Instant) -> Option<&[Arc<Packet>]> {
        let first = self.packets.first()?;
        (now <= first.arrival + KEPT_FOR).then_some(&self.packets)
    }

    /// Whether somebody can begin with it now.
    pub(super) fn is_there(&self, now: Instant) -> bool {
        self.packets(now).is_some()
    }
}

impl MediaRouter {
    /// Lets a new subscriber of a video begin with the newest key frame, if there is one and its path carries what
    /// has come since in about the time that it took to come.
    pub(super) fn catch_up(&mut self, publisher: Key, subscriber: &mut Subscriber) -> bool {
        let (Some(now), Some(layer)) = (self.now, subscriber.wanted) else { return false };
        let publication = self.members[publisher].publications[Kind::Video.index()].as_ref();
        let Some(publication) = publication.filter(|it| !it.excess.stopped) else { return false };
        let Some(packets) = publication.layers[layer].recent.packets(now) else { return false };
        let (packets, source) = (packets.to_vec(), publication.source(layer));
        let member = &self.members[subscriber.member];
        let bytes: usize = packets.iter().map(|packet| packet.len()).sum();
        let carried = |bandwidth: u64| u128::from(bandwidth) * KEPT_FOR.as_millis() / 8000;
        if member.bandwidth.is_some_and(|it| bytes as u128 > carried(it)) {
            return false;
        }
        subscriber.current = Some(layer);
        let (key, slot) = (subscriber.member, subscriber.slot);
        let mut incoming = Incoming { arrival: now, ..forward::incoming(source, &packets[0]) };
        for packet in &packets {
            let arrival = incoming.arrival;
            let is_next = packet.timestamp != incoming.timestamp;
            incoming = Incoming { arrival, ..forward::incoming(source, packet) };
            if is_next {
                incoming.arrival += PICTURE;
                self.members[key].leg.restart_clock(slot, &incoming);
            }
            // All temporal layers flow at the beginning.
            subscriber.takes(packet);
            if self.send(key, slot, packet, &incoming) {
                subscriber.packets += 1;
                subscriber.bytes += packet.len() as u64;
            }
        }
        if subscriber.packets == 0 {
            // In a format that it cannot decode, as before a change.
            subscriber.current = None;
            return false;
        }
        self.enqueue(key, Turn::Send);
        true
    }
}
