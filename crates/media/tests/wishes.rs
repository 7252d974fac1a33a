//! What members may, and what they want.

mod support;

use std::time::Duration;

use peerway_media::{Event, Kind, LegId, LegOptions, Quality, Reception, VideoWish};
use support::client::{BOTH, NOTHING, Sends, Simulcast, VIDEO};
use support::{BAD, GOOD, Path, World};

const SECOND: Duration = Duration::from_secs(1);
const AUDIO: Sends = Sends { audio: true, video: false };
const TWO_LINES: LegOptions = LegOptions {
    first_bitrate: None,
    bitrate_limit: None,
    simulcast: false,
    two_lines: true,
    data: false,
    publishers: None,
    owner: None,
    sends_only: false,
};

fn config() -> str0m::RtcConfig {
    str0m::RtcConfig::new()
}

#[test]
fn one_publisher_too_many_listens_and_is_told_so_once() {
    let mut world = World::default();
    let options = LegOptions { publishers: Some(2), ..LegOptions::default() };
    let [ann, bob, carol] =
        [1, 2, 3].map(|leg| world.join_with(leg, BOTH, GOOD, options, config()));
    world.run(SECOND * 2);
    let refused: Vec<LegId> = refused(&world);
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(refused, [carol]);
    assert!(world.client(carol).pictures(ann).len() > 30);
    assert!(world.client(ann).pictures(bob).len() > 30);
    assert!(world.client(ann).stream_of(carol).is_empty());
    let sent = world.client(carol).video_sent();
    world.run(SECOND);
    assert_eq!(world.client(carol).video_sent(), sent, "it would go nowhere");
}

#[test]
fn who_was_one_too_many_publishes_when_another_goes() {
    let mut world = World::default();
    let options = LegOptions { publishers: Some(1), ..LegOptions::default() };
    let ann = world.join_with(1, BOTH, GOOD, options, config());
    world.run(SECOND);
    let bob = world.join_with(2, VIDEO, GOOD, options, config());
    let carol = world.join_with(3, NOTHING, GOOD, options, config());
    world.run(SECOND);
    assert_eq!(refused(&world), [bob]);
    world.leave(ann);
    world.run(SECOND * 2);
    assert!(world.client(carol).pictures(bob).len() > 30);
    assert_eq!(refused(&world), [bob]);
}

#[test]
fn what_a_member_does_not_want_has_no_line_until_it_wants_it_again() {
    let mut world = World::default();
    let ann = world.join(1, BOTH, GOOD);
    let bob = world.join(2, NOTHING, GOOD);
    world.run(SECOND);
    let wish = |audio, video| Reception { audio, video };
    world.router.handle_reception(world.now, bob, ann, wish(true, VideoWish::Off));
    world.run(SECOND);
    let shown = world.client(bob).pictures(ann).len();
    let heard = world.client(bob).track(ann, Kind::Audio).unwrap().packets.len();
    world.run(SECOND);
    assert_eq!(world.client(bob).pictures(ann).len(), shown);
    assert!(world.client(bob).track(ann, Kind::Audio).unwrap().packets.len() > heard + 40);
    let offer = world.client(bob).offers.last().unwrap();
    assert_eq!(offer.matches("a=inactive").count(), 1, "{offer}");

    world.router.handle_reception(world.now, bob, ann, Reception::default());
    world.run(SECOND);
    assert!(world.client(bob).pictures(ann).len() > shown + 20);
    assert_eq!(world.client(bob).offers.last().unwrap().matches("\r\nm=").count(), 4);
}

#[test]
fn of_three_sizes_a_member_gets_the_one_that_it_shows() {
    let mut world = World::default();
    let options = LegOptions { simulcast: true, ..LegOptions::default() };
    let ann = world.join_with(1, VIDEO, GOOD, options, config());
    world.client_mut(ann).simulcast = Some(Simulcast::default());
    let bob = world.join(2, NOTHING, GOOD);
    world.run(SECOND * 4);
    let newest = |world: &World| {
        let packets = &world.client(bob).track(ann, Kind::Video).unwrap().packets;
        (packets.len(), packets.last().unwrap().payload[11])
    };
    for (height, size) in [(180, 0), (400, 1), (1, 0), (10_000, 2)] {
        let wish = Reception { audio: true, video: VideoWish::UpTo(height) };
        world.router.handle_reception(world.now, bob, ann, wish);
        let before = newest(&world).0;
        world.run(SECOND);
        let (packets, got) = newest(&world);
        assert_eq!(got, size, "{height}");
        assert!(packets > before + 20, "{height}: {}", packets - before);
    }
    let pictures = world.client(bob).pictures(ann);
    let gap = pictures.windows(2).map(|pair| pair[1].at - pair[0].at).max().unwrap();
    assert!(gap < Duration::from_millis(150), "{gap:?}");
}

#[test]
fn with_two_lines_one_other_comes_at_a_time_and_the_next_when_it_goes() {
    let mut world = World::default();
    let ann = world.join_with(1, BOTH, GOOD, TWO_LINES, config());
    world.client_mut(ann).two_lines = true;
    world.run(SECOND);
    let bob = world.join(2, BOTH, GOOD);
    let carol = world.join(3, BOTH, GOOD);
    world.run(SECOND * 2);
    for other in [bob, carol] {
        assert!(world.client(other).pictures(ann).len() > 30, "{other:?}");
    }
    assert!(world.client(ann).pictures(bob).len() > 30);
    assert!(world.client(ann).track(bob, Kind::Audio).unwrap().packets.len() > 50);
    assert!(world.client(ann).stream_of(carol).is_empty());

    let before = world.client(ann).offers.len();
    world.leave(bob);
    world.run(SECOND * 2);
    assert!(world.client(ann).pictures(carol).len() > 30);
    let offers = &world.client(ann).offers;
    for offer in offers {
        assert_eq!(offer.matches("\r\nm=").count(), 2);
        assert!(offer.contains("a=mid:audio\r\n") && offer.contains("a=mid:video\r\n"), "{offer}");
        assert!(offer.contains("a=group:BUNDLE audio video\r\n"), "{offer}");
        assert!(!offer.contains("sdes:mid"), "packets would have names that nobody knows");
    }
    // Between two publishers nothing comes.
    assert_eq!(offers[before].matches("a=recvonly").count(), 2, "{}", offers[before]);
    assert_eq!(offers[before + 1].matches("a=sendrecv").count(), 2);
}

#[test]
fn with_two_lines_who_comes_second_gets_the_first() {
    let mut world = World::default();
    let bob = world.join(2, BOTH, GOOD);
    world.run(SECOND);
    let ann = world.join_with(1, BOTH, GOOD, TWO_LINES, config());
    world.client_mut(ann).two_lines = true;
    world.run(SECOND * 2);
    let offer = &world.client(ann).offers[0];
    assert_eq!(offer.matches("a=sendrecv").count(), 2, "{offer}");
    assert!(world.client(ann).pictures(bob).len() > 30);
    assert!(world.client(bob).pictures(ann).len() > 30);
}

#[test]
fn with_two_lines_who_speaks_for_long_is_there_after_a_while() {
    let mut world = World::default();
    let ann = world.join_with(1, NOTHING, GOOD, TWO_LINES, config());
    world.client_mut(ann).two_lines = true;
    let bob = world.join(2, VIDEO, GOOD);
    world.run(SECOND);
    let carol = world.join(3, AUDIO, GOOD);
    world.run(SECOND * 2);
    assert!(world.client(ann).stream_of(carol).is_empty(), "not for a word");
    world.run(SECOND * 4);
    assert!(world.client(ann).track(carol, Kind::Audio).unwrap().packets.len() > 50);
    assert!(world.client(ann).stream_of(bob).is_empty());
}

#[test]
fn reports_tell_what_goes_where() {
    let mut world = World::default();
    let ann = world.join(1, BOTH, GOOD);
    let bob = world.join(2, NOTHING, GOOD);
    world.run(SECOND * 3);
    let reports = world.router.reports(world.now);
    assert_eq!(reports.iter().map(|report| report.leg).collect::<Vec<_>>(), [ann, bob]);
    let (ann, bob) = (&reports[0], &reports[1]);
    assert!(ann.connected && bob.connected);
    assert_eq!(ann.publications.len(), 2);
    assert!(ann.publications.iter().all(|it| it.layers.len() == 1 && it.layers[0].active));
    assert!(ann.traffic.received > 300);
    assert_eq!(bob.subscriptions.len(), 2);
    for it in &bob.subscriptions {
        assert_eq!((it.publisher, it.layer, it.paused), (ann.leg, Some(0), false));
        assert!(it.packets > 100, "{it:?}");
    }
}

#[test]
fn reports_tell_of_lossy_paths() {
    let mut world = World::default();
    world.join(1, BOTH, BAD);
    world.join(2, NOTHING, BAD);
    world.run(SECOND * 20);
    let mut reports = world.router.reports(world.now);
    while world.elapsed() < SECOND * 25
        && (reports[0].incoming.loss == 0.0 || reports[1].outgoing.loss == 0.0)
    {
        // There are seconds without any.
        world.run(SECOND);
        reports = world.router.reports(world.now);
    }
    for report in &reports {
        let round_trip = report.round_trip.unwrap().as_millis();
        assert!((40..90).contains(&round_trip), "{round_trip}");
    }
    let (ann, bob) = (&reports[0], &reports[1]);
    // Sound is not repeated: a twentieth of a thousand packets.
    for (quality, lost) in [(ann.incoming, 20..100), (bob.outgoing, 20..300)] {
        assert!(quality.loss > 0.0 && quality.loss < 0.15, "{quality:?}");
        assert!(lost.contains(&quality.lost), "{quality:?}");
        assert!(quality.repairs_wanted > 20, "{quality:?}");
        let jitter = quality.jitter.as_millis();
        assert!((1..100).contains(&jitter), "{quality:?}");
    }
    assert_eq!(ann.outgoing, Quality::default());
    assert_eq!(bob.incoming, Quality::default());
}

#[test]
fn pictures_that_stand_still_are_counted_unless_they_were_meant_to() {
    let mut world = World::default();
    let ann = world.join(1, VIDEO, GOOD);
    world.join(2, NOTHING, GOOD);
    world.run(SECOND);
    let freezes = |world: &mut World| world.router.reports(world.now)[1].subscriptions[0].freezes;
    assert_eq!(freezes(&mut world), 0);
    let address = world.client(ann).address;
    world.paths.insert(address, Path { down: true, ..GOOD });
    world.run(SECOND);
    world.paths.insert(address, GOOD);
    world.run(SECOND);
    assert_eq!(freezes(&mut world), 1);
    // One picture a second, as a shared screen.
    world.client_mut(ann).set_interval(SECOND);
    world.run(SECOND * 5);
    assert_eq!(freezes(&mut world), 1);
}

fn refused(world: &World) -> Vec<LegId> {
    let legs = world.events.iter().filter_map(|(_, event)| match event {
        Event::PublishRefused { leg } => Some(*leg),
        _ => None,
    });
    legs.collect()
}
