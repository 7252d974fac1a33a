//! How soon paths are found out: what they carry, and that they carry more or less than before.

mod support;

use std::time::Duration;

use peerway_media::{Kind, LegId, LegOptions, Reception, VideoWish};
use support::client::{BOTH, NOTHING, Simulcast, VIDEO};
use support::{GOOD, Path, World};

const SECOND: Duration = Duration::from_secs(1);

fn config() -> str0m::RtcConfig {
    str0m::RtcConfig::new()
}

fn viewer(world: &mut World, leg: u64, path: Path) -> LegId {
    // As the server has it.
    let options = LegOptions { first_bitrate: Some(10_000_000), ..LegOptions::default() };
    world.join_with(leg, NOTHING, path, options, config())
}

fn camera(world: &mut World, leg: u64) -> LegId {
    let options = LegOptions { simulcast: true, ..LegOptions::default() };
    let leg = world.join_with(leg, VIDEO, GOOD, options, config());
    world.client_mut(leg).simulcast = Some(Simulcast::default());
    leg
}

/// Packets in each second.
fn seconds(world: &World, to: LegId, from: LegId, kind: Kind) -> Vec<usize> {
    let packets = world.client(to).track(from, kind).map_or(&[][..], |it| &it.packets);
    let of = |second: u64| {
        packets.iter().filter(|it| it.at.duration_since(world.start).as_secs() == second).count()
    };
    (0..=world.elapsed().as_secs()).map(of).collect()
}

fn narrow(bandwidth: u64) -> Path {
    Path { bandwidth: Some(bandwidth), ..GOOD }
}

fn size(world: &World, to: LegId, from: LegId) -> Option<u8> {
    let packets = &world.client(to).track(from, Kind::Video)?.packets;
    packets.last().map(|packet| packet.payload[11])
}

#[test]
fn a_burst_of_loss_on_a_wide_path_pauses_nothing_for_long() {
    for lost in [300, 600, 1000] {
        let mut world = World::default();
        let publishers = [1, 2, 3].map(|leg| world.join(leg, BOTH, GOOD));
        let bob = viewer(&mut world, 9, GOOD);
        let address = world.client(bob).address;
        world.run(SECOND);
        world.paths.insert(address, Path { loss: lost, ..GOOD });
        world.run(Duration::from_millis(600));
        world.paths.insert(address, GOOD);
        world.run(SECOND * 8);
        for from in publishers {
            let pictures = world.client(bob).pictures(from);
            let gap = pictures.windows(2).map(|pair| pair[1].at - pair[0].at).max().unwrap();
            assert!(gap < SECOND * 2, "{lost}: {gap:?}");
        }
    }
}

#[test]
fn a_path_for_sound_only_is_not_tried_again_and_again() {
    let mut world = World::default();
    let ann = world.join(1, BOTH, GOOD);
    let bob = viewer(&mut world, 2, narrow(300_000));
    world.run(SECOND * 60);
    let video = seconds(&world, bob, ann, Kind::Video);
    let sound = seconds(&world, bob, ann, Kind::Audio);
    // Trains delay it by some packets, and nothing is lost. At the beginning one may say that there is room.
    let shown = video[10..60].iter().filter(|packets| **packets > 0).count();
    let heard: usize = sound[10..60].iter().sum();
    assert!(shown < 6 && heard > 2380, "{video:?} {sound:?}");
    assert!(sound[20..60].iter().all(|packets| *packets > 42), "{sound:?}");
}

#[test]
fn of_three_sizes_a_path_of_a_megabit_carries_two() {
    let mut world = World::default();
    let ann = camera(&mut world, 1);
    let bob = viewer(&mut world, 2, narrow(1_000_000));
    world.run(SECOND * 40);
    let packets = seconds(&world, bob, ann, Kind::Video);
    // The middle one has sixty.
    assert!(packets[2..40].iter().all(|it| *it > 55), "{packets:?}");
    let middle = packets[10..40].iter().filter(|it| **it < 65).count();
    assert!(middle > 14, "{packets:?}");
}

#[test]
fn a_path_that_widens_carries_the_full_picture_soon() {
    // Short or long, and whenever reports come.
    for narrow_for in [8000, 15_900, 30_600] {
        let mut world = World::default();
        let ann = camera(&mut world, 1);
        let bob = viewer(&mut world, 2, narrow(500_000));
        world.run(Duration::from_millis(narrow_for));
        let address = world.client(bob).address;
        world.paths.insert(address, narrow(5_000_000));
        world.run_until(SECOND * 6, |world| size(world, bob, ann) == Some(2));
    }
}

#[test]
fn a_path_that_narrows_is_full_for_a_moment_only() {
    // Of the largest size there are 120 packets in a second, which take 1.1 Mbit/s.
    // A queue of a hundred milliseconds takes a second where an eighth too much is sent.
    let cases = [(1_000_000, 3300), (700_000, 2000), (400_000, 2300)];
    for ((bandwidth, within), tenth) in cases.into_iter().zip([6, 3, 0]) {
        let mut world = World::default();
        let ann = camera(&mut world, 1);
        let bob = viewer(&mut world, 2, narrow(5_000_000));
        world.run(SECOND * 10 + SECOND / 10 * tenth);
        assert_eq!(size(&world, bob, ann), Some(2));
        let address = world.client(bob).address;
        world.paths.insert(address, narrow(bandwidth));
        let within = Duration::from_millis(within);
        world.run_until(within, |world| size(world, bob, ann) < Some(2));
    }
}

#[test]
fn a_publisher_sends_what_the_only_path_carries() {
    for (bandwidth, least) in [(300_000, 120_000), (600_000, 150_000)] {
        let mut world = World::default();
        let ann = world.join(1, BOTH, GOOD);
        world.client_mut(ann).set_picture(4);
        world.client_mut(ann).heeds = true;
        let bob = viewer(&mut world, 2, narrow(bandwidth));
        world.run(SECOND * 40);
        let video = seconds(&world, bob, ann, Kind::Video);
        // Smaller, and rarely paused.
        let few = video[6..40].iter().filter(|it| **it < 16).count();
        assert!(few < 5, "{video:?}");
        let rate = bits(&world, bob, ann, 30);
        assert!(rate > least, "{rate}");

        let address = world.client(bob).address;
        world.paths.insert(address, GOOD);
        world.run(SECOND * 30);
        let rate = bits(&world, bob, ann, 68);
        assert!(rate > 500_000, "{rate}");
    }
}

#[test]
fn a_publisher_sends_what_the_widest_path_carries() {
    let mut world = World::default();
    let ann = world.join(1, BOTH, GOOD);
    world.client_mut(ann).heeds = true;
    viewer(&mut world, 2, narrow(300_000));
    let carol = viewer(&mut world, 3, GOOD);
    world.run(SECOND * 20);
    let rate = bits(&world, carol, ann, 18);
    assert!(rate > 850_000, "{rate}");
}

#[test]
fn two_publishers_share_a_path_and_both_move() {
    let mut world = World::default();
    let publishers = [1, 2].map(|leg| world.join(leg, BOTH, GOOD));
    for from in publishers {
        world.client_mut(from).set_picture(4);
        world.client_mut(from).heeds = true;
    }
    // They see nobody, or there would be two wide paths.
    let off = Reception { audio: true, video: VideoWish::Off };
    for (member, other) in [(publishers[0], publishers[1]), (publishers[1], publishers[0])] {
        world.router.handle_reception(world.now, member, other, off);
    }
    let bob = viewer(&mut world, 3, narrow(900_000));
    world.run(SECOND * 40);
    for from in publishers {
        let rate = bits(&world, bob, from, 39);
        assert!(rate > 100_000, "{rate}");
    }
}

#[test]
fn who_sends_far_more_than_it_may_is_told_and_then_stopped() {
    let mut world = World::default();
    let options = LegOptions { bitrate_limit: Some(400_000), ..LegOptions::default() };
    let ann = world.join_with(1, BOTH, GOOD, options, config());
    let bob = world.join_with(2, BOTH, GOOD, options, config());
    world.client_mut(bob).heeds = true;
    let carol = world.join(3, NOTHING, GOOD);
    world.run(SECOND * 10);
    let (anns, bobs) =
        (seconds(&world, carol, ann, Kind::Video), seconds(&world, carol, bob, Kind::Video));
    assert!(anns[7..10].iter().all(|it| *it == 0), "{anns:?}");
    assert!(bobs[3..10].iter().all(|it| *it > 20), "{bobs:?}");
    let sound = seconds(&world, carol, ann, Kind::Audio);
    assert!(sound[2..10].iter().all(|it| *it > 48), "{sound:?}");
    let report = world.router.reports(world.now).swap_remove(0);
    assert_eq!(report.traffic.excesses, 1);
    assert!(report.publications.iter().any(|it| it.kind == Kind::Video && it.stalled));

    world.client_mut(ann).heeds = true;
    world.run(SECOND * 5);
    let pictures = world.client(carol).pictures(ann);
    assert!(pictures.iter().filter(|it| it.at > world.start + SECOND * 13).count() > 50);
}

/// Payload in one second.
fn bits(world: &World, to: LegId, from: LegId, second: u64) -> u64 {
    let packets = world.client(to).track(from, Kind::Video).map_or(&[][..], |it| &it.packets);
    let packets = packets.iter().filter(|it| it.at.duration_since(world.start).as_secs() == second);
    packets.map(|it| it.payload.len() as u64 * 8).sum()
}
