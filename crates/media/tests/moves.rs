//! Members whose address changes while media flow.

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use peerway_media::{Kind, LegId};
use support::client::{BOTH, NOTHING};
use support::{GOOD, World};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([203, 0, 113, last], 4000))
}

fn pictures(world: &World, of: LegId, from: LegId) -> usize {
    world.client(of).pictures(from).len()
}

/// Media come to `of` from `from` again within a second, and so does the question for a key frame.
fn assert_flows(world: &mut World, of: LegId, from: LegId) {
    let before = pictures(world, of, from);
    world.run_until(seconds(1), |world| pictures(world, of, from) > before + 10);
    let asked = world.client(from).key_frames_asked();
    world.client_mut(of).ask_for_key_frame(from);
    world.run_until(seconds(1), |world| world.client(from).key_frames_asked() > asked);
}

#[test]
fn who_moves_gets_and_gives_everything_at_once() {
    let mut world = World::default();
    let ann = world.join(1, BOTH, GOOD);
    let ben = world.join(2, BOTH, GOOD);
    world.run(seconds(3));
    for (number, mover) in [(1, ann), (2, ben), (3, ann), (4, ben)] {
        world.relocate(mover, address(number));
        assert_flows(&mut world, ann, ben);
        assert_flows(&mut world, ben, ann);
    }
    assert!(world.client(ann).track(ben, Kind::Audio).is_some());
}

#[test]
fn who_comes_back_to_an_earlier_address_is_followed_there() {
    let mut world = World::default();
    let ann = world.join(1, BOTH, GOOD);
    let ben = world.join(2, NOTHING, GOOD);
    world.run(seconds(3));
    let home = world.client(ben).address;
    for there in [address(1), home, address(2), address(1), home] {
        world.relocate(ben, there);
        assert_flows(&mut world, ben, ann);
    }
}
