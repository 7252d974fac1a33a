//! The numbers of a call, for people and programs.

use std::fmt::Write;

use peerway::{ConnectionStats, TrackStats};
use serde_json::{Value as Json, json};

/// Members of an event, and lines; `seconds` is how long the call lasted.
pub(crate) fn told_stats(stats: &ConnectionStats, seconds: f64) -> (Json, String) {
    let round_trip = stats.round_trip_time.map(|time| time.as_secs_f64() * 1000.0);
    let tracks: Vec<_> = stats.tracks.iter().map(track_members).collect();
    let address = |it: Option<std::net::SocketAddr>| it.map(|it| it.to_string());
    let (local, remote) = (address(stats.local_address), address(stats.remote_address));
    let members = json!({
        "seconds": seconds, "bytes_sent": stats.bytes_sent, "bytes_received": stats.bytes_received,
        "round_trip_ms": round_trip, "local": local, "remote": remote, "tracks": tracks,
        "available_bitrate": stats.available_bitrate,
    });
    let mut lines = format!("  {seconds:.1} s");
    if let (Some(local), Some(remote)) = (local, remote) {
        let _ = write!(lines, ", {local} to {remote}");
    }
    if let Some(round_trip) = round_trip {
        let _ = write!(lines, ", round trip {round_trip:.1} ms");
    }
    for track in &stats.tracks {
        let _ = write!(lines, "\n  {}", track_line(track, seconds));
    }
    (members, lines)
}

fn track_members(track: &TrackStats) -> Json {
    json!({
        "kind": track.kind.name(), "sent": track.sent, "bytes": track.bytes,
        "packets": track.packets, "loss": track.loss, "nacks": track.nacks,
        "key_frame_requests": track.key_frame_requests,
    })
}

fn track_line(track: &TrackStats, seconds: f64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let rate = track.bytes as f64 * 8.0 / 1000.0 / seconds.max(0.001);
    let way = if track.sent { "sent" } else { "received" };
    let (kind, packets) = (track.kind.name(), track.packets);
    let mut line = format!("{kind} {way}: {packets} packets, {rate:.0} kbit/s");
    if let Some(loss) = track.loss {
        let _ = write!(line, ", {:.1} % lost", loss * 100.0);
    }
    line
}
