//! Which way media go: before one is nominated, over TCP, and from one to another.

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use peerway_media::{Kind, LegId, Transport};
use support::client::{BOTH, NOTHING};
use support::{GOOD, Path, World};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([203, 0, 113, last], 4000))
}

/// Two who begin DTLS, and nominate no path.
fn unnominated() -> (World, LegId, LegId) {
    let mut world = World::default();
    world.unnominated = true;
    let [ann, ben] = [1, 2].map(|leg| {
        let id = world.join(leg, BOTH, GOOD);
        world.client_mut(id).begins = true;
        id
    });
    (world, ann, ben)
}

fn pictures(world: &World, of: LegId, from: LegId) -> usize {
    world.client(of).pictures(from).len()
}

/// Pictures, sound and questions go both ways between two.
fn assert_flows(world: &mut World, one: LegId, other: LegId) {
    for (of, from) in [(one, other), (other, one)] {
        let before = pictures(world, of, from);
        world.run_until(seconds(1), |world| pictures(world, of, from) > before + 10);
        let asked = world.client(from).key_frames_asked();
        world.client_mut(of).ask_for_key_frame(from);
        world.run_until(seconds(1), |world| world.client(from).key_frames_asked() > asked);
        assert!(world.client(of).track(from, Kind::Audio).is_some());
    }
}

#[test]
fn who_speaks_on_a_path_is_answered_there_before_it_nominates_one() {
    let (mut world, ann, ben) = unnominated();
    world.run_until(Duration::from_millis(500), |world| {
        world.clients.values().all(|client| client.connected_at.is_some())
    });
    assert_flows(&mut world, ann, ben);

    world.unnominated = false;
    world.run(seconds(30));
    assert_flows(&mut world, ann, ben);
}

#[test]
fn who_nominates_another_path_than_it_spoke_on_is_followed() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let (mut world, ann, ben) = unnominated();
        world.run(seconds(1));
        world.unnominated = false;
        world.relocate_with(ben, transport, address(1));
        assert_flows(&mut world, ann, ben);
    }
}

#[test]
fn who_has_no_udp_gets_and_gives_everything_over_tcp() {
    let mut world = World::default();
    let ann = world.join(1, BOTH, GOOD);
    let ben = world.join_over(Transport::Tcp, 2, BOTH, GOOD);
    world.run(seconds(3));
    assert_flows(&mut world, ann, ben);
    let report = world.client(ben).track(ann, Kind::Video).unwrap();
    assert!(report.packets.windows(2).all(|two| two[1].sequence == two[0].sequence + 1));
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
    }
}

#[test]
fn who_comes_back_to_an_earlier_address_is_followed_there() {
    let mut world = World::default();
    let ann = world.join(1, BOTH, GOOD);
    let ben = world.join(2, BOTH, GOOD);
    world.run(seconds(3));
    let home = world.client(ben).address;
    for there in [address(1), home, address(2), address(1), home] {
        world.relocate(ben, there);
        assert_flows(&mut world, ann, ben);
    }
}

#[test]
fn who_loses_udp_goes_on_over_tcp_and_back() {
    let mut world = World::default();
    let ann = world.join(1, BOTH, GOOD);
    let ben = world.join(2, BOTH, GOOD);
    world.run(seconds(3));
    let transports = [Transport::Tcp, Transport::Udp, Transport::Tcp, Transport::Tcp];
    for (number, transport) in (1..).zip(transports) {
        world.relocate_with(ben, transport, address(number));
        assert_flows(&mut world, ann, ben);
    }
}

#[test]
fn who_moves_between_the_versions_of_ip_is_followed() {
    let mut world = World::default();
    let ann = world.join(1, BOTH, GOOD);
    let ben = world.join(2, BOTH, GOOD);
    world.run(seconds(3));
    let there = "[2001:db8::2]:4000".parse().unwrap();
    for address in [there, address(1), there, address(2)] {
        world.relocate(ben, address);
        assert_flows(&mut world, ann, ben);
    }
}

#[test]
fn a_path_without_a_valid_check_is_nobodys() {
    let (mut world, ann, ben) = unnominated();
    // A DTLS record from where no check came.
    let record = [22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0];
    world.inject(address(9), &record);
    assert_eq!(world.router.strays(), 1);
    world.run(seconds(2));
    world.inject(address(9), &record);
    world.unnominated = false;
    world.run(seconds(1));
    let before = pictures(&world, ann, ben);
    world.run_until(seconds(1), |world| pictures(world, ann, ben) > before + 10);
}

#[test]
fn who_loses_a_tenth_of_all_datagrams_is_connected_soon() {
    let mut world = World::default();
    let path = Path { loss: 100, ..GOOD };
    let members: Vec<LegId> = (1..=100).map(|leg| world.join(leg, NOTHING, path)).collect();
    world.run(Duration::from_millis(700));
    let are_in = members.iter().filter(|leg| world.client(**leg).connected_at.is_some()).count();
    // 81 where DTLS waits for a second before it says something again.
    assert!(are_in > 88, "{are_in} of 100");
}
