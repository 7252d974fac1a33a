//! Who gets how much of a path.

mod support;

use std::time::Duration;

use peerway_media::{Kind, LegId, LegOptions};
use support::client::{BOTH, NOTHING, Simulcast, VIDEO};
use support::{BAD, GOOD, Path, World};

const SECOND: Duration = Duration::from_secs(1);

fn camera(world: &mut World, leg: u64) -> LegId {
    let options = LegOptions { simulcast: true, ..LegOptions::default() };
    let leg = world.join_with(leg, VIDEO, GOOD, options, str0m::RtcConfig::new());
    world.client_mut(leg).simulcast = Some(Simulcast::default());
    leg
}

fn viewer(world: &mut World, leg: u64, path: Path) -> LegId {
    let options = LegOptions { first_bitrate: Some(1_000_000), ..LegOptions::default() };
    world.join_with(leg, NOTHING, path, options, str0m::RtcConfig::new())
}

/// Packets of pictures that came after a time.
fn received(world: &World, to: LegId, from: LegId, after: Duration) -> usize {
    let track = world.client(to).track(from, Kind::Video);
    let packets = track.map_or(&[][..], |track| &track.packets);
    packets.iter().filter(|packet| packet.at > world.start + after).count()
}

#[test]
fn two_members_behind_one_narrow_line_share_it() {
    let mut world = World::default();
    let ann = camera(&mut world, 1);
    let narrow = Path { bandwidth: Some(1_300_000), network: Some(1), ..GOOD };
    let bob = viewer(&mut world, 2, narrow);
    let carol = viewer(&mut world, 3, narrow);
    let dave = viewer(&mut world, 4, GOOD);
    world.run(SECOND * 40);
    let of = |leg| received(&world, leg, ann, SECOND * 10);
    let (bob, carol, dave) = (of(bob), of(carol), of(dave));
    // The smallest size is one packet of each picture: 900 in thirty seconds.
    for shared in [bob, carol] {
        assert!(shared > 700, "{bob} and {carol}");
    }
    assert!(bob < carol * 3 && carol < bob * 3, "{bob} and {carol}");
    assert!(dave > 3400, "{dave} of 3600");
}

#[test]
fn a_path_for_two_small_pictures_gets_both() {
    let mut world = World::default();
    let (ann, bob) = (camera(&mut world, 1), camera(&mut world, 2));
    let narrow = Path { bandwidth: Some(900_000), ..GOOD };
    let carol = viewer(&mut world, 3, narrow);
    world.run(SECOND * 30);
    for from in [ann, bob] {
        let got = received(&world, carol, from, SECOND * 10);
        assert!(got > 400, "of {from:?}: {got} of 600");
    }
}

#[test]
fn where_one_picture_has_room_it_is_of_who_speaks() {
    let mut world = World::default();
    let ann = camera(&mut world, 1);
    let options = LegOptions { simulcast: true, ..LegOptions::default() };
    let bob = world.join_with(2, BOTH, GOOD, options, str0m::RtcConfig::new());
    world.client_mut(bob).simulcast = Some(Simulcast::default());
    let carol = viewer(&mut world, 3, Path { bandwidth: Some(450_000), ..GOOD });
    world.run(SECOND * 40);
    let of = |leg| received(&world, carol, leg, SECOND * 10);
    let (silent, speaks) = (of(ann), of(bob));
    // It is asked again and again whether there is room for both, and that costs the one that is there next to nothing.
    assert!(speaks > 850 && silent < 100, "{speaks} and {silent}");
}

#[test]
fn sound_comes_through_whatever_pictures_do() {
    let mut world = World::default();
    let ann = world.join(1, BOTH, GOOD);
    let bob = world.join(2, BOTH, GOOD);
    let carol = viewer(&mut world, 3, Path { bandwidth: Some(400_000), ..GOOD });
    world.run(SECOND * 30);
    for from in [ann, bob] {
        let packets = &world.client(carol).track(from, Kind::Audio).unwrap().packets;
        let late = packets.iter().filter(|packet| packet.at > world.start + SECOND * 10);
        let heard = late.count();
        assert!(heard > 990, "{from:?}: {heard} of 1000");
    }
}

#[test]
fn a_lossy_path_keeps_its_pictures() {
    let mut world = World::default();
    let ann = world.join(1, BOTH, BAD);
    let options = LegOptions { first_bitrate: Some(2_500_000), ..LegOptions::default() };
    let bob = world.join_with(2, BOTH, BAD, options, str0m::RtcConfig::new());
    world.run(SECOND * 20);
    // Four packets each, of which two ways lose a tenth and repeat nearly all.
    let got = received(&world, bob, ann, SECOND * 10);
    assert!(got > 1100, "{got} of 1200");
    let report = world.router.reports(world.now).swap_remove(1);
    assert!(!report.subscriptions.iter().any(|it| it.paused), "{report:?}");
}

#[test]
fn a_path_that_becomes_wide_again_gets_large_pictures_again() {
    let mut world = World::default();
    let ann = camera(&mut world, 1);
    let bob = viewer(&mut world, 2, GOOD);
    let address = world.client(bob).address;
    let size = |world: &World| {
        let packets = &world.client(bob).track(ann, Kind::Video).unwrap().packets;
        packets.last().unwrap().payload[11]
    };
    world.run(SECOND * 10);
    assert_eq!(size(&world), 2);
    world.paths.insert(address, Path { bandwidth: Some(400_000), ..GOOD });
    world.run(SECOND * 10);
    assert_eq!(size(&world), 0);
    world.paths.insert(address, GOOD);
    world.run_until(SECOND * 6, |world| size(world) == 2);
}
