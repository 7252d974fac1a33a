//! What members of a room see of each other.

mod support;

use std::time::Duration;

use peerway_media::{CloseReason, Event, Kind, LegId, LegOptions};
use support::client::{BOTH, NOTHING, VIDEO};
use support::picture::Picture;
use support::{BAD, GOOD, Path, World};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Nothing between the pictures is missing, and their numbers go on as if there were one stream.
fn assert_smooth(pictures: &[Picture]) {
    assert!(pictures[0].key, "{:?}", pictures[0]);
    for pair in pictures.windows(2) {
        assert_eq!(pair[1].id, (pair[0].id + 1) & 0x7fff);
        assert_eq!(pair[1].number, pair[0].number + 1);
        assert_eq!(pair[1].timestamp, pair[0].timestamp + 3000);
    }
}

/// The longest time without a picture.
fn longest_gap(pictures: &[Picture]) -> Duration {
    pictures.windows(2).map(|pair| pair[1].at - pair[0].at).max().unwrap_or_default()
}

/// A browser asks for a key frame when it cannot decode.
fn run_as_decoders_do(world: &mut World, to: LegId, from: LegId, duration: Duration) {
    let end = world.now + duration;
    while world.now < end {
        world.run(millis(200));
        let latest = world.client(to).pictures(from).last().map(|picture| picture.at);
        if latest.is_none_or(|latest| world.now - latest > millis(300)) {
            world.client_mut(to).ask_for_key_frame(from);
        }
    }
}

#[test]
fn what_one_sends_comes_to_the_other_in_order_and_complete() {
    let mut world = World::default();
    let ann = world.join(1, BOTH, GOOD);
    let bob = world.join(2, NOTHING, GOOD);
    world.run(seconds(3));
    assert!(world.happened(&Event::Published { leg: ann, kind: Kind::Audio }));
    assert!(world.happened(&Event::Published { leg: ann, kind: Kind::Video }));
    let bob = world.client(bob);
    let pictures = bob.pictures(ann);
    assert!(pictures.len() > 70, "{}", pictures.len());
    assert_smooth(&pictures);
    let sound = bob.track(ann, Kind::Audio).unwrap();
    assert!(sound.packets.len() > 120, "{}", sound.packets.len());
    assert!(sound.packets.windows(2).all(|pair| pair[1].sequence == pair[0].sequence + 1));
    assert_eq!(sound.packets[0].audio_level, Some(-20));
}

#[test]
fn three_send_to_three() {
    let mut world = World::default();
    let all = [1, 2, 3].map(|leg| world.join(leg, BOTH, GOOD));
    world.run(seconds(3));
    for to in all {
        for from in all.into_iter().filter(|from| *from != to) {
            let pictures = world.client(to).pictures(from);
            assert!(pictures.len() > 60, "{from:?} to {to:?}: {}", pictures.len());
            assert_smooth(&pictures);
            assert!(world.client(to).track(from, Kind::Audio).unwrap().packets.len() > 100);
        }
        assert!(world.client(to).stream_of(to).is_empty(), "nobody hears himself");
    }
}

#[test]
fn a_late_joiner_has_a_picture_within_half_a_second() {
    let mut world = World::default();
    let ann = world.join(1, VIDEO, GOOD);
    world.run(seconds(5));
    let before = world.client(ann).key_frames_asked();
    let joined = world.now;
    let bob = world.join(2, NOTHING, GOOD);
    world.run(seconds(1));
    let first = world.client(bob).pictures(ann)[0];
    assert!(first.key);
    assert!(first.at - joined < millis(500), "{:?}", first.at - joined);
    assert_eq!(world.client(ann).key_frames_asked(), before + 1);
}

#[test]
fn a_crowd_that_joins_at_once_asks_for_a_few_key_frames() {
    let mut world = World::default();
    let ann = world.join(1, VIDEO, GOOD);
    world.run(seconds(1));
    let before = world.client(ann).key_frames_asked();
    for leg in 2..32 {
        world.join(leg, NOTHING, GOOD);
        world.run(millis(7));
    }
    world.run(seconds(1));
    let asked = world.client(ann).key_frames_asked() - before;
    assert!(asked <= 3, "{asked}");
    for leg in 2..32 {
        assert!(world.client(LegId(leg)).pictures(ann).len() > 10, "{leg}");
    }
}

#[test]
fn a_question_for_a_key_frame_that_is_lost_is_asked_again() {
    let mut world = World::default();
    let ann = world.join(1, VIDEO, GOOD);
    world.run(seconds(1));
    let bob = world.join(2, NOTHING, GOOD);
    // Nothing reaches ann for a second: she sends on, but no key frame.
    let address = world.client(ann).address;
    world.paths.insert(address, Path { deaf: true, ..GOOD });
    world.run(seconds(1));
    assert!(world.client(bob).pictures(ann).is_empty());
    world.paths.insert(address, GOOD);
    world.run(seconds(2));
    assert!(!world.client(bob).pictures(ann).is_empty());
}

#[test]
fn losses_are_repaired_on_both_ways_and_pictures_go_on() {
    let mut world = World::default();
    let ann = world.join(1, BOTH, BAD);
    let bob = world.join(2, NOTHING, BAD);
    run_as_decoders_do(&mut world, bob, ann, seconds(10));
    let bob = world.client(bob);
    let pictures = bob.pictures(ann);
    let shown = pictures.len();
    assert!(shown > 200, "{shown} of 300");
    assert!(longest_gap(&pictures[5..]) < millis(1200), "{:?}", longest_gap(&pictures[5..]));
    // Two lossy ways of 5 % lose a tenth: nearly all of it came after all.
    let mut sequences: Vec<u64> =
        bob.track(ann, Kind::Video).unwrap().packets.iter().map(|it| it.sequence).collect();
    sequences.sort_unstable();
    let expected = sequences[sequences.len() - 1] - sequences[0] + 1;
    assert!(sequences.len() as u64 * 100 >= expected * 98, "{} of {expected}", sequences.len());
}

#[test]
fn after_an_outage_pictures_are_back_within_a_second() {
    let mut world = World::default();
    let ann = world.join(1, VIDEO, GOOD);
    let bob = world.join(2, NOTHING, GOOD);
    world.run(seconds(3));
    let address = world.client(bob).address;
    world.paths.insert(address, Path { down: true, ..GOOD });
    world.run(seconds(5));
    world.paths.insert(address, GOOD);
    let back = world.now;
    // What a browser does when it cannot decode.
    world.run(millis(100));
    world.client_mut(bob).ask_for_key_frame(ann);
    world.run(seconds(2));
    let pictures = world.client(bob).pictures(ann);
    let after = pictures.iter().find(|picture| picture.at > back && picture.key).unwrap();
    assert!(after.at - back < seconds(1), "{:?}", after.at - back);
}

#[test]
fn a_slow_subscriber_does_not_slow_the_others() {
    let mut world = World::default();
    let ann = world.join(1, VIDEO, GOOD);
    let bob = world.join(2, NOTHING, GOOD);
    let slow = Path { bandwidth: Some(300_000), ..GOOD };
    let carol = world.join(3, NOTHING, slow);
    world.run(seconds(10));
    let pictures = world.client(bob).pictures(ann);
    assert!(pictures.len() > 270, "{}", pictures.len());
    assert!(longest_gap(&pictures) < millis(80), "{:?}", longest_gap(&pictures));
    assert!(world.client(carol).connected_at.is_some());
}

#[test]
fn who_comes_and_goes_twenty_times_leaves_the_description_as_long_as_it_was() {
    let mut world = World::default();
    let ann = world.join(1, BOTH, GOOD);
    let mut longest = 0;
    for cycle in 0..20 {
        let bob = world.join(10 + cycle, BOTH, GOOD);
        world.run(seconds(1));
        assert!(closed(&world).is_empty(), "{:?}", world.events.last());
        let pictures = world.client(ann).pictures(bob);
        assert!(pictures.len() > 20, "cycle {cycle}: {}", pictures.len());
        assert_smooth(&pictures);
        world.leave(bob);
        world.run(millis(200));
        let last = world.client(ann).offers.last().unwrap();
        let lines = last.matches("\r\nm=").count();
        assert_eq!(lines, 4, "cycle {cycle}");
        if cycle == 0 {
            longest = last.len();
        }
        assert!(last.len() <= longest + 8, "{} and not {longest}", last.len());
    }
    let offers = &world.client(ann).offers;
    let mut texts: Vec<&String> = offers.iter().collect();
    texts.dedup();
    assert_eq!(texts.len(), offers.len(), "an offer that equals the last is ignored");
    world.leave(ann);
    world.run(seconds(1));
    assert!(world.router.is_idle(), "{:?}", world.router);
}

#[test]
fn all_tracks_of_a_publisher_come_in_one_offer() {
    let mut world = World::default();
    let ann = world.join(1, NOTHING, GOOD);
    world.run(seconds(1));
    let bob = world.join(2, BOTH, GOOD);
    world.run(seconds(1));
    let ann = world.client(ann);
    assert_eq!(ann.offers.len(), 2);
    assert_eq!(ann.offers[1].matches("a=msid:stream-2 ").count(), 2);
    assert_eq!(ann.streams, [("stream-2".to_owned(), bob)]);
}

#[test]
fn changes_during_an_offer_wait_for_its_answer_and_come_together() {
    let mut world = World::default();
    world.signalling = millis(500);
    let ann = world.join(1, NOTHING, GOOD);
    world.run(seconds(2));
    for leg in 2..8 {
        world.join(leg, BOTH, GOOD);
        world.run(millis(50));
    }
    world.run(seconds(4));
    let ann = world.client(ann);
    assert!(ann.offers.len() <= 4, "{}", ann.offers.len());
    assert_eq!(ann.streams.len(), 6);
    for leg in 2..8 {
        assert!(!ann.pictures(LegId(leg)).is_empty(), "{leg}");
    }
}

#[test]
fn who_begins_to_send_later_asks_for_an_offer() {
    let mut world = World::default();
    let ann = world.join(1, NOTHING, GOOD);
    let bob = world.join(2, NOTHING, GOOD);
    world.run(seconds(1));
    world.client_mut(ann).sends = BOTH;
    world.router.handle_offer_wanted(world.now, ann);
    world.run(seconds(2));
    assert!(world.happened(&Event::Published { leg: ann, kind: Kind::Video }));
    assert!(world.client(bob).pictures(ann).len() > 30);
    // And again without any change, as `room.call()` does.
    world.router.handle_offer_wanted(world.now, ann);
    world.run(seconds(1));
    let offers = &world.client(ann).offers;
    assert_ne!(offers[offers.len() - 1], offers[offers.len() - 2]);
    assert_smooth(&world.client(bob).pictures(ann));
}

#[test]
fn who_stops_sending_is_unpublished_and_its_lines_go_to_the_next() {
    let mut world = World::default();
    let ann = world.join(1, BOTH, GOOD);
    let bob = world.join(2, NOTHING, GOOD);
    world.run(seconds(1));
    world.client_mut(ann).sends = NOTHING;
    world.router.handle_offer_wanted(world.now, ann);
    world.run(seconds(1));
    assert!(world.happened(&Event::Unpublished { leg: ann, kind: Kind::Video }));
    let carol = world.join(3, BOTH, GOOD);
    world.run(seconds(1));
    let bob = world.client(bob);
    assert_eq!(bob.offers.last().unwrap().matches("\r\nm=").count(), 4);
    assert!(bob.pictures(carol).len() > 15);
}

#[test]
fn a_leg_that_never_answers_ends_and_nobody_else() {
    let mut world = World::default();
    let ann = world.join(1, BOTH, GOOD);
    let bob = world.join(2, NOTHING, GOOD);
    world.run(seconds(1));
    let carol = world.join(3, NOTHING, GOOD);
    world.client_mut(carol).mute = true;
    world.run(seconds(40));
    assert!(world.happened(&Event::Closed { leg: carol, reason: CloseReason::NoAnswer }));
    assert_eq!(closed(&world), [carol]);
    assert!(longest_gap(&world.client(bob).pictures(ann)) < millis(80));
}

#[test]
fn a_leg_whose_answer_is_nonsense_ends_and_nobody_else() {
    let mut world = World::default();
    let ann = world.join(1, BOTH, GOOD);
    let bob = world.join(2, NOTHING, GOOD);
    world.run(seconds(1));
    let answers = ["", "v=0\r\n", "\u{0}\u{1}", "m=audio 9 x y\r\na=mid:none\r\n"];
    for (leg, answer) in (3..).zip(answers) {
        let leg = world.join(leg, NOTHING, GOOD);
        world.client_mut(leg).mute = true;
        world.router.handle_answer(world.now, leg, answer);
        world.run(millis(100));
        assert_eq!(closed(&world).last(), Some(&leg), "{answer:?}");
    }
    assert_eq!(closed(&world).len(), answers.len());
    world.run(seconds(1));
    assert!(longest_gap(&world.client(bob).pictures(ann)) < millis(80));
}

#[test]
fn an_answer_with_a_line_less_ends_its_leg() {
    let mut world = World::default();
    world.join(1, BOTH, GOOD);
    world.run(seconds(1));
    let bob = world.join(2, NOTHING, GOOD);
    world.client_mut(bob).mute = true;
    world.run(millis(20));
    let offer = world.client(bob).offers[0].clone();
    let client = world.client_mut(bob);
    client.mute = false;
    let streams = vec![("stream-1".to_owned(), LegId(1))];
    let answer = client.answer(&offer, streams).unwrap();
    let cut = answer.rfind("\r\nm=").unwrap() + 2;
    world.router.handle_answer(world.now, bob, &answer[..cut]);
    world.run(millis(100));
    let Some((_, Event::Closed { reason: CloseReason::BadAnswer(why), .. })) =
        world.events.iter().find(|(_, event)| matches!(event, Event::Closed { .. }))
    else {
        panic!("{:?}", closed(&world));
    };
    assert!(why.contains("3 media lines and not 4"), "{why}");
}

#[test]
fn a_member_that_vanishes_is_removed() {
    let mut world = World::default();
    let ann = world.join(1, BOTH, GOOD);
    let bob = world.join(2, BOTH, GOOD);
    world.run(seconds(2));
    let address = world.client(bob).address;
    world.paths.insert(address, Path { down: true, ..GOOD });
    world.run(seconds(60));
    assert!(world.happened(&Event::Closed { leg: bob, reason: CloseReason::Lost }));
    assert_eq!(closed(&world), [bob]);
    assert!(world.happened(&Event::Unpublished { leg: bob, kind: Kind::Video }));
    assert!(world.client(ann).streams.is_empty());
    world.leave(ann);
    world.run(seconds(1));
    assert!(world.router.is_idle(), "{:?}", world.router);
}

#[test]
fn a_publisher_that_stalls_is_no_burden() {
    let mut world = World::default();
    let ann = world.join(1, VIDEO, GOOD);
    world.run(seconds(1));
    world.client_mut(ann).stalled = true;
    let bob = world.join(2, NOTHING, GOOD);
    world.run(seconds(60));
    assert!(world.client(bob).pictures(ann).is_empty());
    assert!(world.client(ann).key_frames_asked() < 30, "{}", world.client(ann).key_frames_asked());
    world.client_mut(ann).stalled = false;
    world.run(seconds(1));
    assert!(world.client(bob).pictures(ann).len() > 20);
}

#[test]
fn a_publisher_that_rests_pauses_its_subscriptions_and_comes_back_with_a_key_frame() {
    let mut world = World::default();
    let ann = world.join(1, BOTH, GOOD);
    let bob = world.join(2, NOTHING, GOOD);
    world.run(seconds(3));
    let states = |world: &mut World| {
        let reports = world.router.reports(world.now);
        let stalled: Vec<bool> = reports[0].publications.iter().map(|it| it.stalled).collect();
        let paused: Vec<bool> = reports[1].subscriptions.iter().map(|it| it.paused).collect();
        (stalled, paused)
    };
    assert_eq!(states(&mut world), (vec![false; 2], vec![false; 2]));
    world.client_mut(ann).stalled = true;
    let asked = world.client(ann).key_frames_asked();
    world.run(seconds(10));
    assert_eq!(states(&mut world), (vec![true; 2], vec![true; 2]));
    assert_eq!(world.client(ann).key_frames_asked(), asked, "nothing comes of it");
    let shown = world.client(bob).pictures(ann).len();
    world.client_mut(ann).stalled = false;
    world.run(seconds(1));
    assert_eq!(states(&mut world), (vec![false; 2], vec![false; 2]));
    let pictures = world.client(bob).pictures(ann);
    assert!(pictures[shown].key);
    assert!(pictures.len() > shown + 20, "{}", pictures.len() - shown);
    assert_eq!(pictures[shown].id, (pictures[shown - 1].id + 1) & 0x7fff);
    assert_eq!(world.client(ann).key_frames_asked(), asked + 1);
}

#[test]
fn a_path_too_narrow_for_all_pictures_gets_every_second_or_fourth() {
    let mut world = World::default();
    let ann = world.join(1, VIDEO, GOOD);
    world.client_mut(ann).set_temporal();
    let bob = world.join(2, NOTHING, GOOD);
    let options = LegOptions { first_bitrate: Some(500_000), ..LegOptions::default() };
    // All pictures take 900 kbit/s.
    let slow = Path { bandwidth: Some(650_000), ..GOOD };
    let carol = world.join_with(3, NOTHING, slow, options, str0m::RtcConfig::new());
    run_as_decoders_do(&mut world, carol, ann, seconds(20));
    assert!(world.client(bob).pictures(ann).len() > 550);
    let late = world.start + seconds(8);
    let pictures = world.client(carol).pictures(ann);
    let pictures: Vec<_> = pictures.into_iter().filter(|picture| picture.at > late).collect();
    assert!((80..270).contains(&pictures.len()), "{} of 360", pictures.len());
    assert!(longest_gap(&pictures) < millis(500), "{:?}", longest_gap(&pictures));
    let skips = pictures.windows(2).filter(|pair| pair[1].number > pair[0].number + 1).count();
    assert!(skips * 2 > pictures.len(), "{skips}");
    // What is left out leaves no gap, neither of packets nor of pictures.
    let breaks = pictures.windows(2).filter(|pair| pair[1].id != (pair[0].id + 1) & 0x7fff);
    assert!(breaks.count() < 5);
}

#[test]
fn sound_and_pictures_keep_the_distance_that_they_had_at_their_sender() {
    let mut world = World::default();
    let ann = world.join(1, BOTH, BAD);
    world.client_mut(ann).set_encoding_time(millis(200));
    let bob = world.join(2, NOTHING, BAD);
    // Reports on sound come every five seconds, on both ways.
    world.run(seconds(20));
    let start = world.start;
    // How long each was on its way, but for a constant.
    let delays = |kind| -> Vec<f64> {
        let packets = &world.client(bob).track(ann, kind).unwrap().packets;
        let late = packets.iter().filter(|packet| packet.at > start + seconds(14));
        late.map(|packet| {
            (packet.at - start).as_secs_f64() - packet.captured.unwrap().as_secs_f64()
        })
        .collect()
    };
    let shortest = |kind| delays(kind).into_iter().fold(f64::MAX, f64::min);
    let distance = shortest(Kind::Video) - shortest(Kind::Audio);
    assert!((0.19..0.23).contains(&distance), "{distance}");
}

#[test]
fn the_speaker_is_told() {
    let mut world = World::default();
    let ann = world.join(1, BOTH, GOOD);
    world.join(2, NOTHING, GOOD);
    world.run(seconds(2));
    assert!(world.happened(&Event::ActiveSpeaker { room: support::ROOM, leg: Some(ann) }));
    world.leave(ann);
    world.run(seconds(2));
}

#[test]
fn datagrams_of_strangers_are_dropped_and_counted() {
    let mut world = World::default();
    let ann = world.join(1, BOTH, GOOD);
    world.run(seconds(1));
    for byte in [0_u8, 22, 128, 200, 255] {
        let datagram = peerway_media::Datagram {
            transport: peerway_media::Transport::Udp,
            source: "203.0.113.9:9".parse().unwrap(),
            destination: world.address,
            data: &[byte; 60],
        };
        world.router.handle_datagram(world.now, datagram);
    }
    assert_eq!(world.router.strays(), 5);
    assert!(closed(&world).is_empty());
    world.leave(ann);
}

fn closed(world: &World) -> Vec<LegId> {
    let legs = world.events.iter().filter_map(|(_, event)| match event {
        Event::Closed { leg, .. } => Some(*leg),
        _ => None,
    });
    legs.collect()
}

#[test]
fn with_an_estimated_bandwidth_a_good_path_gets_everything() {
    let mut world = World::default();
    let ann = world.join(1, BOTH, GOOD);
    let options = LegOptions { first_bitrate: Some(2_000_000), ..LegOptions::default() };
    let bob = world.join_with(2, NOTHING, GOOD, options, str0m::RtcConfig::new());
    world.run(seconds(10));
    let pictures = world.client(bob).pictures(ann);
    assert!(pictures.len() > 280, "{}", pictures.len());
    assert_smooth(&pictures);
    assert!(longest_gap(&pictures) < millis(80), "{:?}", longest_gap(&pictures));
}

#[test]
fn a_path_too_narrow_for_a_picture_gets_sound_and_no_frozen_picture() {
    let mut world = World::default();
    let ann = world.join(1, BOTH, GOOD);
    let options = LegOptions { first_bitrate: Some(1_000_000), ..LegOptions::default() };
    let slow = Path { bandwidth: Some(300_000), ..GOOD };
    let bob = world.join_with(2, NOTHING, slow, options, str0m::RtcConfig::new());
    world.run(seconds(20));
    let late = world.start + seconds(15);
    let bob = world.client(bob);
    let sound = &bob.track(ann, Kind::Audio).unwrap().packets;
    let sound = sound.iter().filter(|packet| packet.at > late).count();
    assert!(sound > 235, "{sound} of 250");
    let video = &bob.track(ann, Kind::Video).unwrap().packets;
    let video = video.iter().filter(|packet| packet.at > late).count();
    assert!(video < 300, "{video} of 600");
}

#[test]
fn of_three_sizes_everybody_gets_what_its_path_carries() {
    let mut world = World::default();
    let options = LegOptions { simulcast: true, ..LegOptions::default() };
    let ann = world.join_with(1, VIDEO, GOOD, options, str0m::RtcConfig::new());
    world.client_mut(ann).simulcast = Some(support::client::Simulcast::default());
    let bob = world.join(2, NOTHING, GOOD);
    let options = LegOptions { first_bitrate: Some(600_000), ..LegOptions::default() };
    let slow = Path { bandwidth: Some(700_000), ..GOOD };
    let carol = world.join_with(3, NOTHING, slow, options, str0m::RtcConfig::new());
    world.run(seconds(20));
    let sizes = |leg| -> Vec<u8> {
        let packets = &world.client(leg).track(ann, Kind::Video).unwrap().packets;
        packets.iter().map(|packet| packet.payload[11]).collect()
    };
    let (bobs, carols) = (sizes(bob), sizes(carol));
    assert_eq!(bobs.last(), Some(&2), "the largest");
    assert_eq!(bobs.first(), Some(&0), "the smallest was there first");
    let large = carols.iter().rev().take(300).filter(|size| **size == 2).count();
    assert!(large < 30, "{large}");
    // Over every switch it is one stream.
    for (leg, most) in [(bob, 0), (carol, 40)] {
        let packets = &world.client(leg).track(ann, Kind::Video).unwrap().packets;
        let mut sequences: Vec<u64> = packets.iter().map(|packet| packet.sequence).collect();
        sequences.sort_unstable();
        let gaps = sequences.windows(2).filter(|pair| pair[1] != pair[0] + 1).count();
        // Carol's path loses some before its width is known.
        assert!(gaps <= most, "{leg:?}: {gaps}");
    }
    let pictures = world.client(bob).pictures(ann);
    assert!(longest_gap(&pictures) < millis(150), "{:?}", longest_gap(&pictures));
    assert!(pictures.windows(2).all(|pair| pair[1].timestamp > pair[0].timestamp));
}

#[test]
fn the_legs_of_one_member_do_not_get_each_other_and_others_get_both() {
    let mut world = World::default();
    let of = |sends_only| LegOptions { sends_only, owner: Some(1), ..LegOptions::default() };
    let first = world.join_with(1, BOTH, GOOD, of(false), str0m::RtcConfig::new());
    let screen = world.join_with(2, VIDEO, GOOD, of(true), str0m::RtcConfig::new());
    let bob = world.join(3, BOTH, GOOD);
    world.run(seconds(3));
    let pictures = |to, from| world.client(to).pictures(from).len();
    for from in [first, screen] {
        assert!(pictures(bob, from) > 60, "{from:?}: {}", pictures(bob, from));
    }
    assert!(pictures(first, bob) > 60);
    assert_eq!(world.client(first).stream_of(screen), "");
    for from in [first, bob] {
        assert_eq!(world.client(screen).stream_of(from), "", "it only sends");
    }
}
