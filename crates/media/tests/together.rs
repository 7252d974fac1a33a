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
    let packets = world.client(ben).track(ann, Kind::Video).map_or(&[][..], |it| &it.packets);
    for packet in packets {
        arrivals.entry(packet.timestamp).or_default().push(packet.at);
    }
    assert!(arrivals.len() > 50, "{}", arrivals.len());
    arrivals
}

#[test]
fn a_picture_whose_packets_come_one_by_one_goes_on_at_once() {
    let path = Path { jitter: Duration::from_micros(800), ..GOOD };
    let arrivals = arrivals(path);
    // What comes behind a later one does not wait.
    let together = arrivals.values().filter(|moments| {
        let mut moments = (*moments).clone();
        moments.dedup();
        moments.len() < 4
    });
    let together = together.count();
    assert!(together > arrivals.len() / 2, "{together} of {}", arrivals.len());
}

#[test]
fn a_picture_whose_end_does_not_come_waits_a_millisecond() {
    let arrivals = arrivals(Path { loss: 100, ..GOOD });
    let (first, moments) = arrivals.first_key_value().unwrap();
    let base = moments[0];
    // In microseconds, from when the picture was sent, but for an unknown constant.
    let times = arrivals.iter().flat_map(|(timestamp, moments)| {
        let sent = u128::from(timestamp - first) * 100 / 9;
        moments.iter().map(move |at| (*at - base).as_micros() + 1_000_000 - sent)
    });
    let times: Vec<u128> = times.collect();
    let least = times.iter().min().unwrap();
    let late = times.iter().map(|time| time - least);
    // What came again, because it was lost on its way to the server, takes a round trip more.
    let late: Vec<u128> = late.filter(|late| *late < 15_000).collect();
    assert!(late.iter().all(|late| *late < 1100), "{late:?}");
    let waited = late.iter().filter(|late| **late > 900).count();
    assert!(waited > 5, "{waited}");
}
