use std::time::Duration;

use peerway_protocol::Value;
use peerway_protocol::data::Serialization;

use super::super::Event;
use super::world::{BAD, GOOD, World, data};
use crate::connection::ConnectionErrorKind;

const ALL: [Serialization; 5] = [
    Serialization::Binary,
    Serialization::BinaryUtf8,
    Serialization::Json,
    Serialization::Raw,
    Serialization::MsgPack,
];

#[test]
fn a_connection_opens_within_a_few_round_trips() {
    let world = World::open(GOOD, data(Serialization::Binary, true));
    assert!(world.elapsed() < Duration::from_millis(200), "{:?}", world.elapsed());
}

#[test]
fn values_of_every_serialization_arrive_in_order_over_a_bad_path() {
    for serialization in ALL {
        let mut world = World::open(BAD, data(serialization, true));
        let values: Vec<Value> = (0..50).map(|n| Value::from(format!("😀 {n}"))).collect();
        for value in &values {
            world.send(value);
        }
        world.drive_until(Duration::from_mins(1), |world| world.callee.values().len() == 50);
        let arrived: Vec<Value> = world.callee.values().into_iter().cloned().collect();
        assert_eq!(arrived, values, "{serialization:?}");
    }
}

#[test]
fn a_big_value_is_put_together_again_on_an_unordered_channel() {
    let mut world = World::open(BAD, data(Serialization::Binary, false));
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
    let value = Value::from(bytes);
    world.send(&value);
    world.drive_until(Duration::from_mins(2), |world| !world.callee.values().is_empty());
    assert_eq!(world.callee.values(), [&value]);
}

#[test]
fn what_waits_to_be_sent_stays_small() {
    let mut world = World::open(GOOD, data(Serialization::Binary, true));
    let value = Value::from(vec![7; 16_000]);
    world.down = true;
    let mut sent = 0;
    while world.caller.link.can_send() {
        world.caller.link.send(&value).unwrap();
        world.settle();
        sent += 1;
        assert!(sent < 100, "the link takes everything");
    }
    assert!(world.caller.link.buffered() <= 160 * 1024, "{}", world.caller.link.buffered());
}

#[test]
fn a_close_is_noticed_at_once_and_loses_nothing() {
    let mut world = World::open(GOOD, data(Serialization::Binary, true));
    let value = Value::from(vec![1; 100_000]);
    world.send(&value);
    let now = world.now;
    world.caller.link.close(now);
    world.drive_until(Duration::from_secs(1), |world| world.callee.is_closed());

    assert_eq!(world.callee.values(), [&value]);
    assert!(matches!(world.callee.events.last(), Some(Event::Closed(None))));
    world.drive_until(Duration::from_secs(5), |world| {
        !world.caller.link.is_alive() && !world.callee.link.is_alive()
    });
}

#[test]
fn sending_before_it_is_open_says_so() {
    let mut world = World::new(GOOD, data(Serialization::Binary, true));
    let error = world.caller.link.send(&Value::Null).unwrap_err();
    assert_eq!(error.kind, ConnectionErrorKind::NotOpenYet);
}

#[test]
fn a_raw_message_over_the_other_sides_limit_says_so() {
    let mut world = World::open(GOOD, data(Serialization::Raw, true));
    let error = world.caller.link.send(&Value::from(vec![0; 300_000])).unwrap_err();
    assert_eq!(error.kind, ConnectionErrorKind::MessageTooBig);
    // The connection goes on.
    let value = Value::from(vec![0; 200_000]);
    world.send(&value);
    world.drive_until(Duration::from_secs(5), |world| world.callee.values() == [&value]);
}

#[test]
fn datagrams_of_strangers_change_nothing() {
    let mut world = World::open(GOOD, data(Serialization::Json, true));
    let (stranger, to) = ("198.51.100.9:9".parse().unwrap(), world.callee.address);
    let now = world.now;
    for first in 0..=255 {
        world.callee.link.handle_datagram(now, stranger, to, &[first; 40]);
        world.settle();
        world.callee.link.handle_datagram(now, stranger, to, &[first]);
        world.settle();
    }
    world.callee.link.handle_datagram(now, stranger, to, &[]);
    world.send(&Value::from("still here"));
    world.drive_until(Duration::from_secs(5), |world| world.callee.values().len() == 1);
}
