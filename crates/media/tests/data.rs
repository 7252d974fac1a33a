//! Data channels between the members of a room.

mod support;

use std::time::Duration;

use peerway_media::{Event, LegId, LegOptions};
use str0m::channel::{ChannelConfig, Reliability};
use support::client::{BOTH, NOTHING};
use support::{BAD, GOOD, Path, World};

const SECOND: Duration = Duration::from_secs(1);

fn join(world: &mut World, leg: u64, path: Path) -> LegId {
    let options = LegOptions { data: true, ..LegOptions::default() };
    world.join_with(leg, NOTHING, path, options, str0m::RtcConfig::new())
}

fn open(world: &mut World, leg: LegId, label: &str) {
    let config = ChannelConfig { label: label.to_owned(), ..ChannelConfig::default() };
    world.client_mut(leg).open_channel(config);
    world.run(SECOND);
}

#[test]
fn what_one_says_comes_to_all_others_and_not_back() {
    let mut world = World::default();
    let [ann, bob, carol] = [1, 2, 3].map(|leg| join(&mut world, leg, BAD));
    world.run(SECOND);
    open(&mut world, ann, "chat");
    // SCTP waits for seconds when its first words are lost.
    world.run_until(SECOND * 30, |world| {
        [ann, bob, carol].iter().all(|leg| world.client(*leg).has_channel("chat"))
    });
    for number in 0..200_u32 {
        assert!(world.client_mut(ann).say("chat", &number.to_be_bytes()));
        world.run(Duration::from_millis(3));
    }
    world.run_until(SECOND * 30, |world| {
        [bob, carol].iter().all(|leg| world.client(*leg).messages.len() >= 200)
    });
    let expected: Vec<_> =
        (0..200_u32).map(|number| ("chat".to_owned(), number.to_be_bytes().to_vec())).collect();
    assert_eq!(world.client(bob).messages, expected);
    assert_eq!(world.client(carol).messages, expected);
    assert!(world.client(ann).messages.is_empty());
    assert!(world.client_mut(bob).say("chat", b"yes"));
    world.run_until(SECOND * 30, |world| {
        !world.client(ann).messages.is_empty() && world.client(carol).messages.len() > 200
    });
    assert_eq!(world.client(ann).messages, [("chat".to_owned(), b"yes".to_vec())]);
    assert_eq!(world.client(carol).messages.len(), 201);
}

#[test]
fn who_comes_later_and_who_sends_media_has_the_channels_too() {
    let mut world = World::default();
    let options = LegOptions { data: true, ..LegOptions::default() };
    let ann = world.join_with(1, BOTH, GOOD, options, str0m::RtcConfig::new());
    world.run(SECOND);
    open(&mut world, ann, "chat");
    open(&mut world, ann, "pointer");
    let bob = join(&mut world, 2, GOOD);
    // One without a line for data is no burden.
    let carol = world.join(3, BOTH, GOOD);
    world.run(SECOND);
    assert!(world.client_mut(ann).say("pointer", b"3,4"));
    assert!(world.client_mut(bob).say("chat", b"here"));
    world.run(SECOND);
    assert_eq!(world.client(bob).messages, [("pointer".to_owned(), b"3,4".to_vec())]);
    assert_eq!(world.client(ann).messages, [("chat".to_owned(), b"here".to_vec())]);
    assert!(world.client(bob).pictures(ann).len() > 20);
    assert!(world.client(carol).pictures(ann).len() > 20);
}

#[test]
fn a_channel_is_to_others_as_it_was_opened() {
    let mut world = World::default();
    let [ann, bob] = [1, 2].map(|leg| join(&mut world, leg, GOOD));
    world.run(SECOND);
    let config = ChannelConfig {
        label: "pointer".to_owned(),
        ordered: false,
        reliability: Reliability::MaxRetransmits { retransmits: 0 },
        negotiated: None,
        protocol: "xy".to_owned(),
    };
    world.client_mut(ann).open_channel(config.clone());
    world.run(SECOND);
    assert_eq!(world.client_mut(bob).channel("pointer"), Some(config));
}

#[test]
fn who_is_too_slow_loses_the_channel_and_nobody_else() {
    let mut world = World::default();
    let [ann, bob] = [1, 2].map(|leg| join(&mut world, leg, GOOD));
    let carol = join(&mut world, 3, Path { down: true, ..GOOD });
    let address = world.client(carol).address;
    world.paths.insert(address, GOOD);
    world.run(SECOND);
    open(&mut world, ann, "files");
    world.paths.insert(address, Path { down: true, ..GOOD });
    let mut sent = 0;
    while sent < 60 {
        sent += usize::from(world.client_mut(ann).say("files", &vec![7; 50_000]));
        world.run(Duration::from_millis(50));
    }
    world.paths.insert(address, GOOD);
    world.run(SECOND * 10);
    assert_eq!(world.client(bob).messages.len(), 60);
    assert!(world.client(carol).messages.len() < 60);
    assert!(world.client_mut(carol).channel("files").is_none());
    let traffic = world.router.traffic(carol).unwrap();
    assert!(traffic.messages_lost >= 1, "{traffic:?}");
    let closed = |(_, event): &(_, Event)| matches!(event, Event::Closed { .. });
    assert!(!world.events.iter().any(closed));
    // Anew, by its member.
    open(&mut world, carol, "files");
    assert!(world.client_mut(ann).say("files", b"again"));
    world.run(SECOND);
    assert_eq!(world.client(carol).messages.last().unwrap().1, b"again");
}

#[test]
fn channels_without_end_are_closed() {
    let mut world = World::default();
    let [ann, bob] = [1, 2].map(|leg| join(&mut world, leg, GOOD));
    world.run(SECOND);
    for number in 0..40 {
        open(&mut world, ann, &format!("channel {number}"));
    }
    open(&mut world, ann, &"long".repeat(100));
    let count = |world: &mut World, leg| {
        (0..40)
            .filter(|it| world.client_mut(leg).channel(&format!("channel {it}")).is_some())
            .count()
    };
    assert_eq!(count(&mut world, bob), 16);
    assert_eq!(count(&mut world, ann), 16);
    assert!(world.client_mut(bob).channel(&"long".repeat(100)).is_none());
}
