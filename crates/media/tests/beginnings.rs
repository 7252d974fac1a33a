//! How soon the first picture comes.

mod support;

use std::time::Duration;

use peerway_media::LegId;
use support::client::{BOTH, NOTHING};
use support::{GOOD, World};

/// The end of DTLS goes there, and then the picture comes.
const ROUND_TRIP: Duration = Duration::from_millis(20);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn milliseconds(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// How long a member that is connected waits for the first picture of another one.
fn wait(world: &World, of: LegId, from: LegId) -> Duration {
    let of = world.client(of);
    of.pictures(from)[0].at - of.connected_at.unwrap()
}

/// Pictures follow each other as the wall's clock does, but for those that were there before.
fn assert_clock(world: &World, of: LegId, from: LegId) {
    let pictures = world.client(of).pictures(from);
    let (first, last) = (pictures[0], pictures[pictures.len() - 1]);
    let passed = (last.at - first.at).as_secs_f64();
    let told = (last.timestamp - first.timestamp) as f64 / 90_000.0;
    assert!((told - passed).abs() < 0.05, "{told} s in {passed} s");
    assert!(pictures.windows(2).all(|two| two[1].id == (two[0].id + 1) & 0x7fff), "all are shown");
}

#[test]
fn the_key_frame_is_there_when_who_joins_is_connected() {
    let mut world = World::default();
    let ann = world.join(1, BOTH, GOOD);
    world.run(seconds(3));
    let bob = world.join(2, NOTHING, GOOD);
    world.run(seconds(3));
    let waited = wait(&world, bob, ann);
    assert!(waited <= ROUND_TRIP, "{waited:?}");
    assert_clock(&world, bob, ann);
}

#[test]
fn who_joins_shortly_after_another_begins_with_the_same_key_frame() {
    let mut world = World::default();
    let ann = world.join(1, BOTH, GOOD);
    world.run(seconds(3));
    let asked = world.client(ann).key_frames_asked();
    let bob = world.join(2, NOTHING, GOOD);
    world.run(milliseconds(150));
    let carol = world.join(3, NOTHING, GOOD);
    world.run(seconds(3));
    for viewer in [bob, carol] {
        let waited = wait(&world, viewer, ann);
        assert!(waited <= ROUND_TRIP, "{waited:?}");
        assert_clock(&world, viewer, ann);
    }
    assert_eq!(world.client(ann).key_frames_asked() - asked, 1);
}

#[test]
fn all_who_join_within_a_second_see_something_at_once() {
    let mut world = World::default();
    let ann = world.join(1, BOTH, GOOD);
    world.run(seconds(3));
    let asked = world.client(ann).key_frames_asked();
    let viewers: Vec<LegId> = (2..12)
        .map(|leg| {
            world.run(milliseconds(97));
            world.join(leg, NOTHING, GOOD)
        })
        .collect();
    world.run(seconds(3));
    let waits: Vec<Duration> = viewers.iter().map(|viewer| wait(&world, *viewer, ann)).collect();
    assert!(waits.iter().all(|waited| *waited < milliseconds(60)), "{waits:?}");
    let asked = world.client(ann).key_frames_asked() - asked;
    assert!(asked <= 5, "{asked} key frames");
}
