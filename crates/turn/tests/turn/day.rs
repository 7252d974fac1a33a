//! A day by a hand-cranked clock: thousands of clients come, talk, and go in every way there is,
//! and nothing of them stays. One seed is one day.
//!
//! A failing seed is printed; `DAY_SEED=<seed> cargo test -p peerway-turn a_day` replays it alone.

mod acts;
mod checks;
mod driver;
mod person;
mod world;

use peerway_turn::Limits;

use crate::draft::Login;
use crate::stage::{tcp, udp};
use world::{HOUR, MINUTE, World};

const SEEDS: u64 = 1;

/// Near enough to be met.
const LIMITS: Limits = Limits { per_user: 5, per_app: 40, per_source: 8, total: 90 };

#[test]
fn a_day_of_allocations_leaves_nothing_behind() {
    let replayed = std::env::var("DAY_SEED").ok().and_then(|seed| seed.parse::<u64>().ok());
    for seed in replayed.map_or(0..SEEDS, |seed| seed..seed + 1) {
        let _shown = ShowOnPanic(seed);
        let mut world = World::new(seed, LIMITS);
        for hour in 1..=24 {
            while world.elapsed < hour * HOUR {
                let pause = world.random.below(2000);
                world.pass(pause);
                world.act();
            }
            world.assert_no_growth();
        }
        world.assert_eventful();

        world.everybody_goes();
        world.pass(2 * HOUR);
        world.assert_empty();
        assert_room_for_everybody(&mut world);
    }
}

/// Every limit has all of its room again, for names and sources that were there before.
fn assert_room_for_everybody(world: &mut World) {
    let joe = || Login::new("joe", "pw");
    let sources = |count: usize| {
        (0..count).map(|number| udp(&format!("198.51.100.{}:7000", number % 250 + 1)))
    };
    assert_eq!(world.count_admitted(sources(20).map(|from| (from, joe()))), LIMITS.per_user);

    let of_app = |world: &World, tag: usize| world.login("shop", &format!("user{tag}"));
    let asked: Vec<_> =
        sources(60).enumerate().map(|(tag, from)| (from, of_app(world, tag))).collect();
    assert_eq!(world.count_admitted(asked.into_iter()), LIMITS.per_app);

    let one_source = |port| tcp(&format!("198.51.100.7:{port}"));
    let asked: Vec<_> = (0..20).map(|tag| (one_source(7000 + tag), of_app(world, tag))).collect();
    assert_eq!(world.count_admitted(asked.into_iter()), LIMITS.per_source);

    let apps = ["shop", "chat", "nobody's"];
    let asked: Vec<_> = sources(200)
        .enumerate()
        .map(|(tag, from)| (from, world.login(apps[tag % 3], &format!("user{tag}"))))
        .collect();
    assert_eq!(world.count_admitted(asked.into_iter()), LIMITS.total);

    world.pass(2 * HOUR + MINUTE);
    world.assert_empty();
}

struct ShowOnPanic(u64);

impl Drop for ShowOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("replay with DAY_SEED={}", self.0);
        }
    }
}
