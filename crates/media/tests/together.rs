//! The packets of a picture go on together: what goes to one member at once is cheap to send.

mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use peerway_media::{Kind, LegId};
use support::client::{NOTHING, VIDEO};
use support::{GOOD, Path, World};

/// Two members, of whom one sends pictures of four packets, and when the other got which part.
fn arrivals(path: Path) -> BTreeMap<u64, Vec<Instant>> {
    let mut world = World::default();
    let ann: LegId = world.join(1, VIDEO, path);
    world.client_mut(ann).set_picture(4);
    let ben = world.join(2, NOTHING, GOOD);
    world.run(Duration::from_secs(10));
    let mut arrivals = BTreeMap::<u64, Vec<Instant>>::new();
    for packet in &world.client(ben).track(ann, Kind::Video).unwrap().packets {
        arrivals.entry(packet.timestamp).or_default().push(packet.at);
    }
    assert!(arrivals.len() > 200, "{}", arrivals.len());
    arrivals
}

#[test]
fn a_picture_whose_packets_come_one_by_one_goes_on_at_once() {
    let path = Path { jitter: Duration::from_micros(800), ..GOOD };
    for mut moments in arrivals(path).into_values() {
        moments.dedup();
        // Those that come after the end are one group more.
        assert!(moments.len() <= 2, "{moments:?}");
    }
}

#[test]
fn a_picture_whose_end_does_not_come_waits_a_millisecond() {
    let arrivals = arrivals(Path { loss: 100, ..GOOD });
    let (first, _) = arrivals.first_key_value().unwrap();
    let ticks = |timestamp: &u64| Duration::from_secs_f64((timestamp - first) as f64 / 90_000.0);
    let sent = |(timestamp, moments): (&u64, &Vec<Instant>)| moments[0] - ticks(timestamp);
    let start = arrivals.iter().map(sent).min().unwrap();
    let late = arrivals.iter().flat_map(|(timestamp, moments)| {
        moments.iter().map(move |at| at.saturating_duration_since(start + ticks(timestamp)))
    });
    // What came again, because it was lost on its way to the server, takes a round trip more.
    let late: Vec<_> = late.filter(|late| *late < Duration::from_millis(15)).collect();
    let [at_once, waited] = [0..500, 900..1100]
        .map(|range| late.iter().filter(|late| range.contains(&late.as_micros())).count());
    assert_eq!(at_once + waited, late.len(), "{late:?}");
    assert!(waited > 20, "{waited}");
}
