//! How soon the first picture comes.

mod support;

use std::time::Duration;

use peerway_media::{LegId, LegOptions};
use str0m::RtcConfig;
use support::client::{BOTH, NOTHING};
use support::{GOOD, Path, World};

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
    of.pictures(from)[0].at - of.connected_at.expect("it is connected")
}

/// Pictures follow each other as the wall's clock does, but for those that were there before.
fn assert_clock(world: &World, of: LegId, from: LegId) {
    let pictures = world.client(of).pictures(from);
    let (first, last) = (pictures[0], pictures[pictures.len() - 1]);
    let passed = last.at - first.at;
    let told = Duration::from_micros((last.timestamp - first.timestamp) * 100 / 9);
    assert!(told.abs_diff(passed) < milliseconds(50), "{told:?} in {passed:?}");
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

#[test]
fn what_is_too_much_to_keep_or_for_a_path_is_asked_for_anew() {
    let narrow = LegOptions { first_bitrate: Some(200_000), ..LegOptions::default() };
    // In a third of a second there are 100 packets, or 40 for a path that carries 7.
    for (packets, options) in [(10, LegOptions::default()), (4, narrow)] {
        let mut world = World::default();
        let ann = world.join(1, BOTH, GOOD);
        world.client_mut(ann).set_picture(packets);
        world.run(seconds(3));
        let bob = world.join(2, NOTHING, GOOD);
        world.run(milliseconds(330));
        let asked = world.client(ann).key_frames_asked();
        let carol = world.join_with(3, NOTHING, GOOD, options, RtcConfig::new());
        world.run(seconds(2));
        assert!(world.client(ann).key_frames_asked() > asked);
        assert!(wait(&world, carol, ann) < milliseconds(400));
        assert_clock(&world, bob, ann);
    }
}

#[test]
fn a_key_frame_of_which_something_was_lost_is_nobodys_beginning() {
    let mut world = World::default();
    let ann = world.join(1, BOTH, GOOD);
    world.run(seconds(3));
    let home = world.client(ann).address;
    let bob = world.join(2, NOTHING, GOOD);
    world.run_until(seconds(1), |world| !world.client(bob).pictures(ann).is_empty());
    world.paths.insert(home, Path { down: true, ..GOOD });
    world.run(milliseconds(50));
    world.paths.insert(home, GOOD);
    let carol = world.join(3, NOTHING, GOOD);
    world.run(seconds(2));
    assert!(world.client(carol).pictures(ann)[0].key);
    assert_clock(&world, carol, ann);
}
