//! Members and strangers who mean no good, or are broken: others do not notice.
#![allow(
    clippy::cast_possible_truncation,
    clippy::unwrap_used,
    clippy::unchecked_time_subtraction,
    reason = "the helpers are tests too, and their numbers are small"
)]

mod support;

use std::time::Duration;

use peerway_media::{Event, Kind, LegId, Reception, VideoWish};
use support::client::{BOTH, NOTHING};
use support::{GOOD, World};

const SECOND: Duration = Duration::from_secs(1);

/// Ann sends to Bob.
fn pair() -> (World, LegId, LegId) {
    let mut world = World::default();
    let ann = world.join(1, BOTH, GOOD);
    let bob = world.join(2, NOTHING, GOOD);
    world.run(SECOND * 2);
    (world, ann, bob)
}

/// In the last so many seconds nothing was missing.
fn assert_undisturbed(world: &World, from: LegId, to: LegId, seconds: u64) {
    let since = world.now - SECOND * u32::try_from(seconds).unwrap();
    let pictures = world.client(to).pictures(from);
    let shown = pictures.iter().filter(|picture| picture.at > since).count();
    assert!(shown as u64 >= seconds * 29, "{shown} pictures in {seconds} s");
    let sound = &world.client(to).track(from, Kind::Audio).unwrap().packets;
    let heard = sound.iter().filter(|packet| packet.at > since).count();
    assert!(heard as u64 >= seconds * 49, "{heard} packets of sound in {seconds} s");
    for pair in sound.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence + 1);
    }
}

fn closed(world: &World) -> Vec<LegId> {
    let legs = world.events.iter().filter_map(|(_, event)| match event {
        Event::Closed { leg, .. } => Some(*leg),
        _ => None,
    });
    legs.collect()
}

#[test]
fn packets_that_come_again_and_again_count_once() {
    let (mut world, ann, bob) = pair();
    world.replays = 3;
    world.run(SECOND * 3);
    world.kept = Some(Vec::new());
    world.replays = 0;
    world.run(SECOND);
    let kept = world.kept.take().unwrap();
    assert!(kept.len() > 150);
    for (source, data) in &kept {
        world.inject(*source, data);
    }
    world.run(SECOND * 2);
    for (source, data) in &kept {
        world.inject(*source, data);
    }
    world.run(SECOND);
    assert_undisturbed(&world, ann, bob, 7);
    let mut sequences: Vec<u64> = world
        .client(bob)
        .track(ann, Kind::Video)
        .unwrap()
        .packets
        .iter()
        .map(|it| it.sequence)
        .collect();
    let count = sequences.len();
    sequences.dedup();
    assert_eq!(sequences.len(), count);
    assert!(closed(&world).is_empty());
}

#[test]
fn forged_packets_of_any_source_change_nothing() {
    forge(false);
}

#[test]
fn forged_packets_change_nothing_where_no_source_was_declared() {
    forge(true);
}

fn forge(undeclared: bool) {
    let mut world = World::default();
    let ann = world.join(1, BOTH, GOOD);
    world.client_mut(ann).undeclared = undeclared;
    let bob = world.join(2, NOTHING, GOOD);
    world.run(SECOND * 2);
    let source = world.client(ann).address;
    let mids: Vec<String> = world.client(ann).offers[0]
        .lines()
        .filter_map(|line| line.strip_prefix("a=mid:").map(str::to_owned))
        .collect();
    let types: Vec<u8> = world.client(ann).offers[0]
        .lines()
        .filter(|line| line.starts_with("m="))
        .flat_map(|line| line.split(' ').skip(3))
        .map(|payload_type| payload_type.parse().unwrap())
        .collect();
    for number in 0..20_000_u32 {
        let chance = world.random(1 << 32) as u32;
        let mid = mids[number as usize % 2].as_bytes();
        let payload_type = types[chance as usize % types.len()];
        let mut datagram = vec![0x90, payload_type];
        datagram.extend((number as u16).to_be_bytes());
        datagram.extend(chance.to_be_bytes());
        datagram.extend((number * 7919).to_be_bytes());
        // One-byte extensions (RFC 8285): the line's name.
        let mut extension = vec![4 << 4 | (mid.len() as u8 - 1)];
        extension.extend(mid);
        extension.resize(extension.len().next_multiple_of(4), 0);
        datagram.extend([0xbe, 0xde, 0, extension.len() as u8 / 4]);
        datagram.extend(extension);
        datagram.extend([0x55; 60]);
        world.inject(source, &datagram);
        if number % 1000 == 0 {
            world.run(Duration::from_millis(100));
        }
    }
    world.run(SECOND * 3);
    assert_undisturbed(&world, ann, bob, 5);
    assert!(closed(&world).is_empty());
}

/// Whether the last second has all pictures.
fn assert_shown(world: &World, from: LegId, to: LegId) {
    let since = world.now - SECOND;
    let pictures = world.client(to).pictures(from);
    let shown = pictures.iter().filter(|picture| picture.at > since).count();
    assert!(shown >= 29, "{shown}");
}

/// The world looks at each number that is sent.
#[test]
fn a_new_source_that_an_answer_tells_goes_on_with_new_numbers() {
    let (mut world, ann, bob) = pair();
    for source in 1..4 {
        world.client_mut(ann).change_source(source);
        // Who comes makes offers to all.
        world.join(10 + u64::from(source), BOTH, GOOD);
        world.run(SECOND * 3);
        assert_shown(&world, ann, bob);
    }
}

#[test]
fn a_new_source_after_a_silence_goes_on_with_new_numbers() {
    let mut world = World::default();
    let ann = world.join(1, BOTH, GOOD);
    world.client_mut(ann).undeclared = true;
    let bob = world.join(2, NOTHING, GOOD);
    world.run(SECOND * 2);
    for source in 1..4 {
        world.client_mut(ann).stalled = true;
        world.run(SECOND * 3);
        world.client_mut(ann).stalled = false;
        world.client_mut(ann).change_source(source);
        world.run(SECOND * 3);
        assert_shown(&world, ann, bob);
    }
}

#[test]
fn noise_from_a_members_address_changes_nothing() {
    let (mut world, ann, bob) = pair();
    let source = world.client(ann).address;
    for number in 0..5000_usize {
        let length = world.random(200) as usize;
        let mut datagram: Vec<u8> = (0..length).map(|_| world.random(256) as u8).collect();
        // Each kind of packet in turn: STUN, DTLS, RTP, RTCP (RFC 7983).
        if let Some(first) = datagram.first_mut() {
            *first = [0, 22, 0x80, 0x81][number % 4];
        }
        if let (Some(second), 3) = (datagram.get_mut(1), number % 4) {
            *second = 200 + (number / 4 % 8) as u8;
        }
        world.inject(source, &datagram);
        if number % 500 == 0 {
            world.run(Duration::from_millis(200));
        }
    }
    world.run(SECOND);
    assert_undisturbed(&world, ann, bob, 3);
    assert!(closed(&world).is_empty(), "{:?}", world.events.last());
}

#[test]
fn a_flood_of_questions_for_key_frames_reaches_nobody() {
    let (mut world, ann, bob) = pair();
    let before = world.client(ann).key_frames_asked();
    for _ in 0..2000 {
        world.client_mut(bob).ask_for_key_frame(ann);
        world.run(Duration::from_millis(1));
    }
    let asked = world.client(ann).key_frames_asked() - before;
    assert!(asked <= 8, "{asked} in two seconds");
    assert_undisturbed(&world, ann, bob, 2);
}

#[test]
fn a_thousand_wishes_in_a_second_make_a_few_offers() {
    let (mut world, ann, bob) = pair();
    let offers = world.client(bob).offers.len();
    for number in 0..1000 {
        let video = [VideoWish::Off, VideoWish::Any, VideoWish::UpTo(90)][number % 3];
        world.router.handle_reception(
            world.now,
            bob,
            ann,
            Reception { audio: number % 2 == 0, video },
        );
        world.router.handle_offer_wanted(world.now, bob);
        world.run(Duration::from_millis(1));
    }
    world.router.handle_reception(world.now, bob, ann, Reception::default());
    world.run(SECOND * 2);
    let offers = &world.client(bob).offers[offers..];
    assert!(offers.len() < 120, "{}", offers.len());
    let lines = offers.last().unwrap().matches("\r\nm=").count();
    assert_eq!(lines, 4, "its own two, and two of the other's");
    assert!(closed(&world).is_empty());
    let pictures = world.client(bob).pictures(ann);
    assert!(pictures.iter().filter(|it| it.at > world.now - SECOND).count() > 25);
}

#[test]
fn answers_with_any_mistake_end_their_leg_at_most() {
    let (mut world, ann, bob) = pair();
    let valid = {
        let carol = world.join(3, BOTH, GOOD);
        world.client_mut(carol).mute = true;
        world.run(Duration::from_millis(50));
        let client = world.client_mut(carol);
        client.mute = false;
        let (offer, streams) = (client.offers[0].clone(), client.streams.clone());
        let answer = client.answer(&offer, streams).unwrap();
        world.leave(carol);
        answer
    };
    for number in 0..400_u64 {
        let leg = world.join(10 + number, NOTHING, GOOD);
        world.client_mut(leg).mute = true;
        let answer = mutate(&mut world, &valid, number);
        world.router.handle_answer(world.now, leg, &answer);
        world.router.handle_candidate(world.now, leg, &answer);
        world.run(Duration::from_millis(5));
        world.leave(leg);
        assert!(!closed(&world).iter().any(|leg| [ann, bob].contains(leg)), "{answer}");
        let panicked = world.events.iter().any(|(_, event)| {
            matches!(event, Event::Closed { reason: peerway_media::CloseReason::Panicked, .. })
        });
        assert!(!panicked, "{answer}");
    }
    world.run(SECOND);
    assert_undisturbed(&world, ann, bob, 2);
}

fn mutate(world: &mut World, valid: &str, number: u64) -> String {
    let mut lines: Vec<String> = valid.lines().map(str::to_owned).collect();
    for _ in 0..=number % 3 {
        let at = world.random(lines.len() as u64) as usize;
        match world.random(5) {
            0 => {
                lines.remove(at);
            }
            1 => lines.insert(at, lines[at].clone()),
            2 => {
                let other = world.random(lines.len() as u64) as usize;
                lines.swap(at, other);
            }
            3 => {
                let keep = world.random(lines[at].len() as u64 + 1) as usize;
                lines[at].truncate(keep);
            }
            _ => {
                let mut bytes = lines[at].clone().into_bytes();
                let place = world.random(bytes.len() as u64) as usize;
                if let Some(byte) = bytes.get_mut(place) {
                    *byte = b"09aZ:/ =-"[world.random(9) as usize];
                }
                lines[at] = String::from_utf8(bytes).unwrap();
            }
        }
    }
    lines.iter().flat_map(|line| [line.as_str(), "\r\n"]).collect()
}

#[test]
fn candidates_without_end_are_no_burden() {
    let (mut world, ann, bob) = pair();
    for number in 0..5000_u32 {
        let [_, _, high, low] = number.to_be_bytes();
        let candidate = format!("candidate:1 1 udp 1 192.0.{high}.{low} 9 typ host");
        world.router.handle_candidate(world.now, bob, &candidate);
        world.router.handle_candidate(world.now, bob, "candidate:\u{0}");
    }
    world.run(SECOND * 2);
    assert_undisturbed(&world, ann, bob, 2);
}

#[test]
fn a_question_for_a_key_frame_of_sound_does_not_stop_the_router() {
    let mut world = World::default();
    let ann = world.join(1, BOTH, GOOD);
    let bob = world.join(2, NOTHING, GOOD);
    world.run(Duration::from_secs(1));
    world.client_mut(bob).ask_for_key_frame_of(ann, Kind::Audio);
    world.run(Duration::from_secs(1));
    assert!(world.client(bob).pictures(ann).len() > 45);
}
