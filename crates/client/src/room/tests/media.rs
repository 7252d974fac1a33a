use std::time::Duration;

use peerway_media::{Reception, VideoWish};

use super::world::World;
use crate::media::TrackKind::{Audio, Video};
use crate::media::{Codec, EncodedFrame};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Each frame that came is one that was sent, byte for byte; how many there are.
fn came_through(sent: &[EncodedFrame], came: &[EncodedFrame]) -> usize {
    let known: std::collections::BTreeSet<&[u8]> = sent.iter().map(|it| &it.data[..]).collect();
    for frame in came {
        assert!(known.contains(&frame.data[..]), "a frame that nobody sent");
    }
    came.len()
}

#[test]
fn what_one_publishes_comes_to_the_other() {
    let mut world = World::new();
    let ann = world.join(1, "ann", &[Audio, Video]);
    let bob = world.join(2, "bob", &[]);
    world.run(seconds(3));
    let (ann, bob) = (&world.members[&ann], &world.members[&bob]);
    assert_eq!(bob.tracks(), ["ann audio", "ann video"]);
    assert_eq!(ann.tracks(), [""; 0]);
    let pictures = bob.frames("ann", Video);
    assert!(pictures[0].keyframe && pictures[0].codec == Codec::Vp8);
    assert!(pictures.iter().all(|it| it.contiguous));
    assert!(came_through(&ann.sent, &pictures) > 60, "{}", pictures.len());
    assert!(bob.frames("ann", Audio).len() > 100);
}

#[test]
fn three_publish_to_three_one_after_the_other() {
    let mut world = World::new();
    let all = [(1, "ann"), (2, "bob"), (3, "carol")].map(|(number, peer)| {
        let leg = world.join(number, peer, &[Audio, Video]);
        world.run(seconds(1));
        leg
    });
    world.run(seconds(2));
    for to in all {
        let member = &world.members[&to];
        assert_eq!(member.tracks().len(), 4, "{:?}", member.tracks());
        for from in all.into_iter().filter(|from| *from != to) {
            let from = &world.members[&from];
            let pictures = member.frames(&from.peer, Video);
            assert!(came_through(&from.sent, &pictures) > 45, "{}", pictures.len());
            assert!(pictures[0].keyframe);
            assert!(member.frames(&from.peer, Audio).len() > 60);
        }
    }
}

#[test]
fn a_track_can_be_published_later_taken_back_and_published_again() {
    let mut world = World::new();
    let ann = world.join(1, "ann", &[]);
    let bob = world.join(2, "bob", &[]);
    world.run(seconds(1));
    assert_eq!(world.members[&bob].tracks(), [""; 0]);
    for round in 1..=3 {
        world.publish(ann, Video);
        world.run(seconds(2));
        assert_eq!(world.members[&bob].tracks(), ["ann video"]);
        let pictures = world.members[&bob].frames("ann", Video).len();
        assert!(pictures > 40 * round, "round {round}: {pictures}");
        world.unpublish(ann, Video);
        world.run(seconds(1));
        assert_eq!(world.members[&bob].tracks(), [""; 0]);
    }
    // Lines come back: two of ours, one of hers.
    let offers = &world.members[&bob].offers;
    assert!(offers.iter().all(|offer| offer.matches("\nm=").count() <= 3));
}

#[test]
fn a_line_whose_member_left_serves_the_next_one() {
    let mut world = World::new();
    let bob = world.join(1, "bob", &[]);
    for number in 2..8 {
        let peer = format!("guest-{number}");
        let guest = world.join(number, &peer, &[Audio, Video]);
        world.run(seconds(2));
        let tracks = world.members[&bob].tracks();
        assert_eq!(tracks, [format!("{peer} audio"), format!("{peer} video")]);
        let guest = world.leave(guest);
        let pictures = world.members[&bob].frames(&peer, Video);
        assert!(came_through(&guest.sent, &pictures) > 30, "{peer}: {}", pictures.len());
        world.run(seconds(1));
        assert_eq!(world.members[&bob].tracks(), [""; 0]);
    }
    let offers = &world.members[&bob].offers;
    assert!(offers.iter().all(|offer| offer.matches("\nm=").count() <= 4));
}

#[test]
fn pictures_go_on_over_a_lossy_network() {
    let mut world = World::new();
    world.loss = 30;
    world.join(1, "ann", &[Audio, Video]);
    let bob = world.join(2, "bob", &[]);
    world.run(seconds(10));
    let pictures = world.members[&bob].frames("ann", Video);
    assert!(pictures.len() > 250, "{} of 300", pictures.len());
}

#[test]
fn what_is_not_wanted_does_not_come() {
    let mut world = World::new();
    let ann = world.join(1, "ann", &[Audio, Video]);
    let bob = world.join(2, "bob", &[]);
    world.run(seconds(1));
    world.reception(bob, ann, Reception { audio: true, video: VideoWish::Off });
    world.run(seconds(1));
    let before = world.members[&bob].frames("ann", Video).len();
    assert_eq!(world.members[&bob].tracks(), ["ann audio"]);
    world.run(seconds(1));
    assert_eq!(world.members[&bob].frames("ann", Video).len(), before);
    world.reception(bob, ann, Reception::default());
    world.run(seconds(2));
    assert_eq!(world.members[&bob].tracks(), ["ann audio", "ann video"]);
    assert!(world.members[&bob].frames("ann", Video).len() > before + 30);
}

#[test]
fn the_room_agrees_on_a_codec_that_all_have() {
    let mut world = World::new();
    let ann = world.join_with(1, "ann", &[], &[Codec::H264, Codec::Vp8, Codec::Opus]);
    world.join_with(2, "bob", &[], &[Codec::Vp8, Codec::Pcmu, Codec::Opus]);
    world.run(seconds(1));
    world.publish(ann, Video);
    world.run(seconds(1));
    let track = &world.members[&ann];
    assert!(track.sent.iter().all(|frame| frame.codec == Codec::Vp8));
    assert!(!track.sent.is_empty());
}

#[test]
fn a_member_whose_address_changes_goes_on() {
    let mut world = World::new();
    let ann = world.join(1, "ann", &[Video]);
    let bob = world.join(2, "bob", &[]);
    world.run(seconds(2));
    world.move_to(bob, "192.0.2.77:4000".parse().unwrap());
    world.move_to(ann, "192.0.2.78:4000".parse().unwrap());
    world.run(seconds(14));
    let before = world.members[&bob].frames("ann", Video).len();
    world.run(seconds(2));
    let after = world.members[&bob].frames("ann", Video).len();
    assert!(after > before + 40, "{before}, then {after}");
    assert_eq!(world.members[&bob].tracks(), ["ann video"]);
}
