//! Formats other than VP8 and Opus.

mod support;

use std::time::Duration;

use peerway_media::{Codec, Kind, LegId, LegOptions, Reception, VideoWish};
use str0m::RtcConfig;
use support::client::{BOTH, NOTHING, VIDEO};
use support::{GOOD, World};

const SECOND: Duration = Duration::from_secs(1);

fn only(codec: Codec) -> RtcConfig {
    let config = RtcConfig::new().clear_codecs();
    match codec {
        Codec::Opus => config.enable_opus(true, false),
        Codec::Pcmu => config.enable_pcmu(true, false),
        Codec::Pcma => config.enable_pcma(true, false),
        Codec::Vp8 => config.enable_vp8(true),
        Codec::H264 => config.enable_h264(true),
        Codec::Vp9 => config.enable_vp9(true),
        Codec::Av1 => config.enable_av1(true),
    }
}

/// Where in a payload the key mark is.
fn mark(codec: Codec) -> usize {
    if codec == Codec::Vp9 { 3 } else { 1 }
}

fn join(world: &mut World, leg: u64, codec: Codec, publishes: bool) -> LegId {
    let sends = if publishes { VIDEO } else { NOTHING };
    let leg = world.join_with(leg, sends, GOOD, LegOptions::default(), only(codec));
    world.client_mut(leg).set_codec(codec);
    leg
}

#[test]
fn pictures_of_every_format_begin_with_one_that_needs_no_other() {
    for codec in [Codec::H264, Codec::Vp9, Codec::Av1] {
        let mut world = World::default();
        let ann = join(&mut world, 1, codec, true);
        world.run(SECOND * 2);
        let bob = join(&mut world, 2, codec, false);
        world.run(SECOND * 2);
        assert_eq!(world.router.reports(world.now)[0].publications[0].codec, codec);
        let packets = &world.client(bob).track(ann, Kind::Video).unwrap().packets;
        let at = mark(codec);
        assert_eq!(packets[0].payload[at..at + 2], [1, 0], "{codec:?} begins with a key frame");
        assert!(packets.len() > 150, "{codec:?}: {}", packets.len());
        assert!(packets.windows(2).all(|it| it[1].sequence == it[0].sequence + 1), "{codec:?}");

        // Again, after it was away.
        let count = packets.len();
        let wish = |video| Reception { audio: true, video };
        world.router.handle_reception(world.now, bob, ann, wish(VideoWish::Off));
        world.run(SECOND);
        world.router.handle_reception(world.now, bob, ann, wish(VideoWish::Any));
        world.run(SECOND);
        let packets = &world.client(bob).track(ann, Kind::Video).unwrap().packets;
        assert!(packets.windows(2).all(|it| it[1].sequence == it[0].sequence + 1), "{codec:?}");
        let back = packets.windows(2).skip(count - 10).find(|it| it[1].at - it[0].at > SECOND / 2);
        let back = &back.unwrap()[1].payload;
        assert_eq!(back[at..at + 2], [1, 0], "{codec:?}");
    }
}

/// Of VP9, one for each picture.
fn picture_ids(world: &World, to: LegId, from: LegId) -> Vec<u16> {
    let track = world.client(to).track(from, Kind::Video);
    let packets = track.map_or(&[][..], |track| &track.packets);
    let id = |payload: &[u8]| u16::from_be_bytes([payload[1] & 0x7f, payload[2]]);
    let mut ids: Vec<u16> = packets.iter().map(|packet| id(&packet.payload)).collect();
    ids.dedup();
    ids
}

#[test]
fn numbers_of_vp9_pictures_go_on_over_a_pause_and_another_publisher() {
    let mut world = World::default();
    let ann = join(&mut world, 1, Codec::Vp9, true);
    let bob = join(&mut world, 2, Codec::Vp9, false);
    world.run(SECOND * 2);
    let wish = |video| Reception { audio: true, video };
    world.router.handle_reception(world.now, bob, ann, wish(VideoWish::Off));
    world.run(SECOND);
    world.router.handle_reception(world.now, bob, ann, wish(VideoWish::Any));
    world.run(SECOND);
    let ids = picture_ids(&world, bob, ann);
    assert!(ids.len() > 60, "{}", ids.len());
    assert_eq!(ids, (0..).take(ids.len()).collect::<Vec<u16>>());
    // Her line is for the next one.
    world.router.handle_leave(world.now, ann);
    world.run(SECOND);
    let carol = join(&mut world, 3, Codec::Vp9, true);
    world.run(SECOND * 2);
    let others = picture_ids(&world, bob, carol);
    assert!(others.len() > 30, "{}", others.len());
    assert!(others.windows(2).all(|pair| pair[1] == pair[0] + 1));
    let first = usize::from(others[0]);
    assert!((ids.len()..ids.len() + 3).contains(&first), "{first} after {}", ids.len());
}

#[test]
fn sound_of_telephones_goes_through() {
    for codec in [Codec::Pcmu, Codec::Pcma] {
        let mut world = World::default();
        let options = LegOptions::default();
        let ann = world.join_with(1, BOTH, GOOD, options, only(codec));
        let bob = world.join_with(2, NOTHING, GOOD, options, only(codec));
        world.run(SECOND * 2);
        let publications = world.router.reports(world.now)[0].publications.clone();
        assert_eq!(publications.iter().map(|it| it.codec).collect::<Vec<_>>(), [codec]);
        let packets = &world.client(bob).track(ann, Kind::Audio).unwrap().packets;
        assert!(packets.len() > 80, "{codec:?}: {}", packets.len());
        for pair in packets.windows(2) {
            assert_eq!(pair[1].sequence, pair[0].sequence + 1);
            assert_eq!(pair[1].timestamp, pair[0].timestamp + 960);
        }
    }
}

#[test]
fn a_member_gets_nothing_that_it_cannot_decode() {
    let mut world = World::default();
    let ann = join(&mut world, 1, Codec::H264, true);
    let bob = join(&mut world, 2, Codec::Vp8, true);
    let carol = world.join(3, NOTHING, GOOD);
    world.run(SECOND * 2);
    assert!(world.client(bob).stream_of(ann).is_empty());
    assert!(world.client(ann).stream_of(bob).is_empty());
    for other in [ann, bob] {
        let packets = &world.client(carol).track(other, Kind::Video).unwrap().packets;
        assert!(packets.len() > 100, "{other:?}");
    }
}

#[test]
fn a_room_asks_for_what_all_can_decode() {
    let mut world = World::default();
    let ann = world.join(1, VIDEO, GOOD);
    world.run(SECOND);
    let preferred = |world: &World| -> String {
        let offer = world.client(ann).offers.last().unwrap();
        let line = offer.lines().find(|line| line.starts_with("m=video")).unwrap();
        let first = line.split(' ').nth(3).unwrap();
        let map = offer.lines().find_map(|line| {
            line.strip_prefix("a=rtpmap:")?.strip_prefix(first)?.strip_prefix(' ')
        });
        map.unwrap().to_owned()
    };
    assert_eq!(preferred(&world), "VP8/90000");
    join(&mut world, 2, Codec::H264, false);
    world.run(SECOND);
    assert_eq!(preferred(&world), "H264/90000", "one has nothing else");
}
