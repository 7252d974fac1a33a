//! Whole histories from seeds: nodes with a slow backplane between them, clients at random, and
//! a model that knows what may come of it.
//!
//! A failing seed is printed; `PEERWAY_SEED=<seed> cargo test -p peerway-broker --test simulation`
//! replays it alone and aloud, and `PEERWAY_SEEDS=<count>` tries more of them.

mod sim;
mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use peerway_broker::{AppPolicy, MailLimit, RoomLimits, Settings};
use sim::{Fate, Random, Shape, World};

const SEEDS: u64 = 600;
const ACTS: usize = 150;
const HOUR: u64 = 3_600_000;

#[test]
fn every_offer_has_one_fate_and_every_id_one_place() {
    let given = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let replayed = given("PEERWAY_SEED");
    let count = given("PEERWAY_SEEDS").unwrap_or(SEEDS);
    let seeds = replayed.map_or(0..count, |seed| seed..seed + 1);
    let (mut fates, mut turns) = (BTreeSet::new(), BTreeSet::new());
    for seed in seeds {
        let _shown = ShowOnPanic(seed);
        let mut chance = Random::new(seed ^ 0xfeed);
        let mut world = World::new(seed, &shape(&mut chance, replayed.is_some()));
        let pause = 1 + chance.below(400);
        for _ in 0..ACTS {
            world.pass(chance.below(pause));
            world.act();
        }

        world.pass(60_000);
        fates.extend(world.assert_quiescent());
        world.close_all();
        world.pass(60_000);
        world.assert_empty();
        turns.extend(world.turns_of_rooms());
    }
    let all = [Fate::Delivered, Fate::Expired, Fate::Refused, Fate::Overflowed];
    assert!(replayed.is_some() || fates == all.into(), "only {fates:?} came about");
    let all = [
        "joined",
        "other joined",
        "left",
        "data",
        "members",
        "log",
        "offer",
        "media closed",
        "speaker",
        "mesh_room",
        "room_mode",
        "room_full",
        "not_in_room",
        "too_many_rooms",
        "app_rooms_full",
    ];
    assert!(replayed.is_some() || turns == all.into(), "only {turns:?} came about");
}

#[test]
fn a_day_of_traffic_leaves_nothing_behind() {
    for nodes in [1, 3] {
        let mut chance = Random::new(24);
        let shape = Shape { nodes, max_delay: 30, settings: settings(true), aloud: false };
        let mut world = World::new(7, &shape);
        for _ in 0..24 {
            for _ in 0..600 {
                world.pass(chance.below(11_000));
                world.act();
            }
            world.pass(60_000);
            world.assert_quiescent();
            world.close_all();
            world.pass(HOUR / 60);
            world.assert_empty();
        }
    }
}

fn shape(chance: &mut Random, aloud: bool) -> Shape {
    let nodes = chance.pick(&[1, 2, 3]).unwrap_or(1);
    let max_delay = chance.pick(&[1, 20, 300]).unwrap_or(1);
    Shape { nodes, max_delay, settings: settings(chance.percent(50)), aloud }
}

/// Limits near enough to be met.
fn settings(leaving: bool) -> Settings {
    let leave_after = leaving.then_some(Duration::from_millis(800));
    Settings {
        other_apps: AppPolicy {
            concurrent_limit: 4,
            leave_after,
            sfu: true,
            members_per_room: if leaving { 2 } else { 4 },
        },
        messages_per_second: 20,
        message_burst: 30,
        mail_per_sender: MailLimit { messages: 4, bytes: 10_000 },
        mail_per_app: MailLimit { messages: 10, bytes: 10_000 },
        contacts_per_peer: 3,
        remembered_departures: 3,
        probe_timeout: Duration::from_millis(700),
        resume_grace: Duration::from_millis(1500),
        session_grace: Duration::from_secs(4),
        rooms: RoomLimits { per_peer: 2, per_app: 2, data_size: 100, log_entries: 3 },
        ..support::settings()
    }
}

struct ShowOnPanic(u64);

impl Drop for ShowOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("replay with PEERWAY_SEED={}", self.0);
        }
    }
}
