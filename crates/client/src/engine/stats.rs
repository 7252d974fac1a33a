//! The engine's numbers in this crate's words.

use std::net::SocketAddr;
use std::time::Duration;

use str0m::stats::{MediaEgressStats, MediaIngressStats, PeerStats};

use super::{Event, TrackId};

/// The numbers of one connection. Byte counts include headers and retransmissions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Traffic {
    pub(crate) bytes_sent: u64,
    pub(crate) bytes_received: u64,
    pub(crate) round_trip_time: Option<Duration>,
    pub(crate) available_bitrate: Option<u64>,
    pub(crate) pair: Option<(SocketAddr, SocketAddr)>,
    pub(crate) tracks: Vec<TrackTraffic>,
}

/// The numbers of one direction of one track.
#[derive(Debug, Clone)]
pub(crate) struct TrackTraffic {
    pub(crate) track: TrackId,
    pub(crate) sent: bool,
    pub(crate) bytes: u64,
    pub(crate) packets: u64,
    pub(crate) loss: Option<f32>,
    pub(crate) key_frame_requests: u64,
    pub(crate) nacks: u64,
}

/// Keeps the tracks' numbers until the connection's come, once a second.
#[derive(Debug, Default)]
pub(super) struct Collector {
    tracks: Vec<TrackTraffic>,
}

impl Collector {
    pub(super) fn peer(&self, stats: &PeerStats) -> Traffic {
        let pair = stats.selected_candidate_pair.as_ref();
        Traffic {
            // The engine's documentation has the two exchanged; rx is what arrived.
            bytes_sent: stats.peer_bytes_tx,
            bytes_received: stats.peer_bytes_rx,
            round_trip_time: pair.and_then(|pair| pair.current_round_trip_time).or(stats.rtt),
            available_bitrate: stats.bwe_tx.map(|bitrate| bitrate.as_u64()),
            pair: pair.map(|pair| (pair.local.addr, pair.remote.addr)),
            tracks: self.tracks.clone(),
        }
    }

    pub(super) fn ingress(&mut self, stats: &MediaIngressStats) -> Option<Event> {
        self.put(TrackTraffic {
            track: TrackId(stats.mid),
            sent: false,
            bytes: stats.bytes,
            packets: stats.packets,
            loss: stats.loss,
            key_frame_requests: stats.plis + stats.firs,
            nacks: stats.nacks,
        })
    }

    pub(super) fn egress(&mut self, stats: &MediaEgressStats) -> Option<Event> {
        self.put(TrackTraffic {
            track: TrackId(stats.mid),
            sent: true,
            bytes: stats.bytes,
            packets: stats.packets,
            loss: stats.loss,
            key_frame_requests: stats.plis + stats.firs,
            nacks: stats.nacks,
        })
    }

    fn put(&mut self, traffic: TrackTraffic) -> Option<Event> {
        let known = self
            .tracks
            .iter_mut()
            .find(|known| known.track == traffic.track && known.sent == traffic.sent);
        match known {
            Some(known) => *known = traffic,
            None => self.tracks.push(traffic),
        }
        None
    }
}
