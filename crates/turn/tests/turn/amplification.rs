//! What an attacker gets out of the server who writes somebody else's address as the sender.
//!
//! All that is answered without a credential, and how long the answer is (realm `peerway`):
//!
//! | request | bytes in | answer | bytes out | factor |
//! |---|---|---|---|---|
//! | Binding | 20 | address, IPv4 | 32 | 1.6 |
//! | Binding | 20 | address, IPv6 | 44 | 2.2 |
//! | Binding with an unknown attribute | 24 | 420 | 56 | 2.4 |
//! | any other | 20 | 401 with realm and nonce | 72 | 3.6 |
//! | signed, nothing else | 44 | 400 | 40 | 0.9 |
//! | signed, old nonce | 56 | 438 with realm and nonce | 72 | 1.3 |
//!
//! On the wire each of them has the headers of IP and UDP around it, 28 bytes or more, which makes
//! 100 bytes of 48: a factor of 2.1.

use peerway_turn::{Command, FiveTuple, Refusal, Server, Shared};
use proptest::prelude::*;
use stun_types::message::Method;

use crate::draft::{Draft, Login, allocate, binding};
use crate::random::Random;
use crate::stage::{REALM, Stage, alice, any_instant, settings, udp};

/// The most bytes that come back for one byte, in tenths.
const FACTOR: usize = 36;
/// The same with the headers of IPv4 and UDP around both.
const FACTOR_ON_THE_WIRE: usize = 21;
const HEADERS: usize = 28;

fn answered(server: &mut Server, from: &FiveTuple, bytes: &[u8], now: peerway_turn::Now) -> usize {
    assert_eq!(server.handle_client(from, bytes, now), None);
    let mut out = 0;
    while let Some(command) = server.next_command() {
        match command {
            Command::Reply { to, bytes } => {
                assert_eq!(to, *from, "nobody else is answered");
                out += bytes.len();
            }
            Command::Report(_) => {}
            other => unreachable!("{other:?} without a credential"),
        }
    }
    out
}

/// Bytes out for these bytes in, checked against the factors.
fn probe(stage: &mut Stage, from: FiveTuple, bytes: &[u8]) -> usize {
    let now = stage.now();
    let out = answered(&mut stage.server, &from, bytes, now);
    assert!(out * 10 <= bytes.len() * FACTOR, "{} in, {out} out: {bytes:?}", bytes.len());
    if out > 0 {
        let wire = (out + HEADERS) * 10;
        assert!(wire <= (bytes.len() + HEADERS) * FACTOR_ON_THE_WIRE, "{out}: {bytes:?}");
    }
    out
}

#[test]
fn the_table_is_true() {
    let mut stage = Stage::new();
    let joe = Login::new("joe", "pw");
    let empty = Draft::new(turn_types::message::ALLOCATE);
    let v6 = udp("[2001:db8::7]:1");
    for (from, bytes, length, answer) in [
        (alice(), binding().plain(), 20, 32),
        (v6, binding().plain(), 20, 44),
        (alice(), binding().raw(0x0003, &[]).plain(), 24, 56),
        (alice(), empty.plain(), 20, 72),
        (v6, empty.plain(), 20, 72),
        (alice(), empty.clone().fingerprinted().plain(), 28, 80),
        (alice(), empty.integral(&joe), 44, 40),
        (alice(), empty.clone().raw(6, &[]).raw(20, &[]).raw(21, &[]).integral(&joe), 56, 72),
    ] {
        assert_eq!((bytes.len(), probe(&mut stage, from, &bytes)), (length, answer));
    }
}

#[test]
fn no_method_gives_more() {
    let mut stage = Stage::new();
    for number in 0..0x1000 {
        let draft = Draft::new(Method::new(number));
        probe(&mut stage, alice(), &draft.plain());
        probe(&mut stage, alice(), &draft.fingerprinted().plain());
    }
}

#[test]
fn no_number_of_unknown_demands_gives_more() {
    let mut stage = Stage::new();
    for count in (0..40).chain([100, 1000, 10_000, 16_378]) {
        let draft = |start: Draft| (0..count).fold(start, |draft, _| draft.raw(0x7abc, &[]));
        probe(&mut stage, alice(), &draft(binding()).plain());
        probe(&mut stage, alice(), &draft(allocate()).plain());
    }
}

#[test]
fn a_flood_of_every_size_gets_no_more_than_the_factor() {
    let mut stage = Stage::new();
    let joe = Login::new("joe", "guess");
    let mut chance = Random::new(5);
    let (mut bytes_in, mut bytes_out) = (0, 0);
    for size in (20..1500).step_by(4) {
        for number in [1, 3, 4, 8, 9, 10, 11] {
            let from = udp(&format!("198.51.{}.{}:9", chance.below(256), chance.below(256)));
            let filling = (size - 20_usize).saturating_sub(4);
            let kind = [0x0006, 0x7abc, 0x8022, 0x0013][chance.index(4)];
            let mut draft = Draft::new(Method::new(number));
            if size > 20 {
                draft = draft.raw(kind, &vec![b'x'; filling]);
            }
            let bytes = if size > 100 && chance.percent(50) {
                draft.signed(&joe, "AAAAAAAAAAAAAAAA")
            } else {
                draft.plain()
            };
            bytes_in += bytes.len();
            bytes_out += probe(&mut stage, from, &bytes);
        }
    }
    assert!(bytes_out * 4 < bytes_in, "{bytes_out} of {bytes_in}: with size it is no gain at all");
}

#[test]
fn what_is_no_request_gets_nothing() {
    let mut stage = Stage::new();
    for first in 0..=255_u8 {
        for size in [0, 1, 2, 3, 4, 19, 20, 21, 28, 100, 1400] {
            let mut bytes = vec![0; size];
            if let Some(byte) = bytes.first_mut() {
                *byte = first;
            }
            assert_eq!(probe(&mut stage, alice(), &bytes), 0);
        }
    }
}

#[test]
fn a_source_gets_a_bounded_number_of_bytes_per_second() {
    const RATE: u32 = 200;
    let mut stage = Stage::with(|settings| settings.answers_per_source = RATE);
    let smallest = Draft::new(turn_types::message::ALLOCATE).plain();
    let mut per_second = Vec::new();
    for second in 0..10 {
        let mut answers = 0;
        for step in 0..2000_u32 {
            stage.set_clock(f64::from(second) + f64::from(step) / 2000.0);
            // The victim's ports are all the same.
            let from = udp(&format!("198.51.100.7:{}", 1024 + step));
            answers += usize::from(probe(&mut stage, from, &smallest) > 0);
        }
        per_second.push(answers);
    }
    let burst = RATE as usize * 5;
    assert!(per_second[0] <= burst + RATE as usize, "{per_second:?}");
    assert!(per_second[1..].iter().all(|count| *count <= RATE as usize + 1), "{per_second:?}");
    let unanswered = 10 * 2000 - per_second.iter().sum::<usize>();
    assert!(stage.refusals().contains(&(
        "other".to_owned(),
        Refusal::AnswerRate,
        unanswered as u64
    )));
}

#[test]
fn many_invented_sources_get_the_factor_and_leave_no_trace() {
    let mut stage = Stage::with(|settings| settings.answers_per_source = 200);
    let mut chance = Random::new(9);
    let (mut bytes_in, mut bytes_out) = (0, 0);
    let smallest = Draft::new(turn_types::message::ALLOCATE).plain();
    for _ in 0..50_000 {
        let address = chance.below(u64::from(u32::MAX));
        let address = std::net::Ipv4Addr::from(u32::try_from(address).unwrap());
        let from = FiveTuple { client: (address, 9).into(), ..alice() };
        bytes_in += smallest.len();
        bytes_out += probe(&mut stage, from, &smallest);
    }
    assert!(bytes_out * 10 <= bytes_in * FACTOR);
    assert!(stage.server.is_empty());
    assert_eq!(stage.server.poll_timeout(), None);
}

#[test]
fn whoever_proved_to_be_somebody_is_answered_all_the_same() {
    let mut stage = Stage::with(|settings| settings.answers_per_source = 1);
    let joe = Login::new("joe", "pw");
    stage.allocated(alice(), &joe);
    while !stage.try_ask(alice(), &binding()).is_empty() {}
    for _ in 0..100 {
        assert_eq!(stage.ask(alice(), &joe, &crate::draft::refresh()).len(), 1);
    }
}

#[test]
fn a_long_realm_makes_the_challenge_as_much_longer() {
    for realm in ["a", "turn.example.org", &"r".repeat(128)] {
        let mut settings = settings();
        settings.realm = realm.into();
        let mut server = Server::new(Shared::new(settings, &[7; 32], any_instant()));
        let now = Stage::new().now();
        let smallest = Draft::new(turn_types::message::ALLOCATE).plain();
        let out = answered(&mut server, &alice(), &smallest, now);
        let padded = |text: &str| text.len().next_multiple_of(4);
        assert_eq!(out, 72 + padded(realm) - padded(REALM));
    }
}

/// Any attribute but those that the draft ends with.
fn kind() -> impl Strategy<Value = u16> {
    any::<u16>()
        .prop_map(|kind| kind & 0x80ff)
        .prop_filter("written last", |kind| ![0x0008, 0x001c, 0x8028].contains(kind))
}

proptest! {
    #[test]
    fn no_message_without_a_credential_gets_more(
        method in 0_u16..0x10,
        attributes in prop::collection::vec(
            (kind(), prop::collection::vec(any::<u8>(), 0..40)),
            0..8,
        ),
        marked: bool,
        signed: bool,
    ) {
        let mut stage = Stage::new();
        let mut draft = Draft::new(Method::new(method));
        for (kind, value) in &attributes {
            draft = draft.raw(*kind, value);
        }
        if marked {
            draft = draft.fingerprinted();
        }
        let joe = Login::new("joe", "guess");
        let bytes = if signed { draft.signed(&joe, "nonce") } else { draft.plain() };
        probe(&mut stage, alice(), &bytes);
    }
}
