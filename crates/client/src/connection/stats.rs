//! A connection's numbers.

use std::net::SocketAddr;
use std::time::Duration;

use crate::engine::Traffic;
use crate::media::TrackKind;

/// Numbers of one connection, counted from its start. Bytes are those of the datagrams' contents:
/// with headers and retransmissions, without IP and UDP.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct ConnectionStats {
    /// Bytes sent.
    pub bytes_sent: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// The time to the other peer and back, as last measured by ICE.
    pub round_trip_time: Option<Duration>,
    /// What the path seems to carry, in bits per second; only for calls that send.
    pub available_bitrate: Option<u64>,
    /// Our address of the pair in use: of this machine or of a TURN server.
    pub local_address: Option<SocketAddr>,
    /// The other side's address of the pair in use.
    pub remote_address: Option<SocketAddr>,
    /// The numbers of each track and direction of a call.
    pub tracks: Vec<TrackStats>,
}

/// Numbers of one direction of one track.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TrackStats {
    /// Sound or picture.
    pub kind: TrackKind,
    /// What we send, or what we receive.
    pub sent: bool,
    /// Bytes of RTP, with retransmissions.
    pub bytes: u64,
    /// RTP packets, with retransmissions.
    pub packets: u64,
    /// Which part of the packets was lost of late, 0 to 1, where it is known.
    pub loss: Option<f32>,
    /// Requests for key frames (PLI and FIR): received where we send, sent where we receive.
    pub key_frame_requests: u64,
    /// Requests for lost packets (NACK), likewise.
    pub nacks: u64,
}

impl ConnectionStats {
    pub(crate) fn new(
        traffic: Traffic,
        kind: impl Fn(crate::engine::TrackId) -> TrackKind,
    ) -> Self {
        Self {
            bytes_sent: traffic.bytes_sent,
            bytes_received: traffic.bytes_received,
            round_trip_time: traffic.round_trip_time,
            available_bitrate: traffic.available_bitrate,
            local_address: traffic.pair.map(|(local, _)| local),
            remote_address: traffic.pair.map(|(_, remote)| remote),
            tracks: traffic
                .tracks
                .into_iter()
                .map(|track| TrackStats {
                    kind: kind(track.track),
                    sent: track.sent,
                    bytes: track.bytes,
                    packets: track.packets,
                    loss: track.loss,
                    key_frame_requests: track.key_frame_requests,
                    nacks: track.nacks,
                })
                .collect(),
        }
    }
}
