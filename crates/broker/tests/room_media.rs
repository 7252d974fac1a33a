//! What the forwarding unit is told of a room, and what its members hear of it.

mod support;

use peerway_broker::{AppPolicy, LegId, MediaCommand, MediaEvent};
use peerway_protocol::RoomRequest::{Join, Leave, Media};
use peerway_protocol::{
    Event, MediaProfile, MediaRequest, PeerAddress, Reception, Refusal, RoomEvent, RoomMode,
    VideoWish,
};
use support::hall::{Hall, event, joined, name, room_address};
use support::{app, peer, settings};

const PROFILE: MediaProfile = MediaProfile { two_lines: false, simulcast: true, data: false };

/// Sessions 1, 2, .. in the room `r`.
fn room_of(ids: &[&str]) -> Hall {
    let mut own = settings();
    own.other_apps = AppPolicy { sfu: true, ..own.other_apps };
    let mut hall = Hall::with(own);
    for (session, id) in (1..).zip(ids) {
        hall.enter(session, id);
        hall.ask(session, "r", Join(RoomMode::Sfu));
    }
    hall
}

fn open(leg: u64, id: &str) -> MediaCommand {
    let peer = PeerAddress { app: app(), peer: peer(id) };
    MediaCommand::Open { leg: LegId(leg), room: room_address("r"), peer, profile: PROFILE }
}

fn wants_offer(hall: &mut Hall, session: u64) -> Vec<MediaCommand> {
    assert_eq!(hall.ask(session, "r", Media(MediaRequest::Offer(PROFILE))), []);
    hall.all_media()
}

#[test]
fn a_member_has_no_leg_before_it_asks_for_an_offer_and_one_after() {
    let mut hall = room_of(&["alice"]);
    assert_eq!(hall.all_media(), []);

    assert_eq!(wants_offer(&mut hall, 1), [open(1, "alice"), MediaCommand::Offer(LegId(1))]);
    assert_eq!(wants_offer(&mut hall, 1), [MediaCommand::Offer(LegId(1))]);
}

#[test]
fn answers_and_candidates_go_to_the_leg() {
    let mut hall = room_of(&["alice"]);
    hall.ask(1, "r", Media(MediaRequest::Answer("v=0".into())));
    assert_eq!(hall.all_media(), [], "to no offer");
    wants_offer(&mut hall, 1);

    hall.ask(1, "r", Media(MediaRequest::Answer("v=0".into())));
    hall.ask(1, "r", Media(MediaRequest::Candidate("candidate:1".into())));

    let answer = MediaCommand::Answer(LegId(1), "v=0".into());
    let candidate = MediaCommand::Candidate(LegId(1), "candidate:1".into());
    assert_eq!(hall.all_media(), [answer, candidate]);
}

#[test]
fn an_offer_names_peers_where_the_forwarding_unit_names_legs() {
    let mut hall = room_of(&["alice", "bob"]);
    wants_offer(&mut hall, 1);
    wants_offer(&mut hall, 2);

    let streams = vec![("stream-1".into(), LegId(1)), ("stream-9".into(), LegId(9))];
    let offer = MediaEvent::Offer { sdp: "v=0".into(), streams };
    let told = hall.hear_media(LegId(2), offer);

    let streams = [("stream-1".into(), peer("alice"))].into();
    let offer = RoomEvent::Offer { sdp: "v=0".into(), streams };
    assert_eq!(told, [(2, event("r", offer))], "and nothing of who is gone");
}

#[test]
fn the_leg_of_who_leaves_is_closed_after_the_others_were_told() {
    for leaves in [true, false] {
        let mut hall = room_of(&["alice", "bob"]);
        wants_offer(&mut hall, 1);
        let told = if leaves { hall.ask(1, "r", Leave) } else { hall.close(1) };
        assert_eq!(told.len(), 1);
        assert_eq!(hall.all_media(), [MediaCommand::Close(LegId(1))]);
        assert_eq!(hall.hear_media(LegId(1), MediaEvent::HungUp), []);

        hall.close(2);
        hall.close(1);
        assert_eq!(hall.all_media(), []);
        assert!(hall.stage.broker.is_idle(), "{:?}", hall.stage.broker);
    }
}

#[test]
fn a_leg_that_ended_is_told_and_made_anew_when_asked_for() {
    let mut hall = room_of(&["alice"]);
    wants_offer(&mut hall, 1);

    let told = hall.hear_media(LegId(1), MediaEvent::Closed("the connection was lost".into()));

    let reason = "the connection was lost".into();
    assert_eq!(told, [(1, event("r", RoomEvent::MediaClosed { reason }))]);
    assert_eq!(wants_offer(&mut hall, 1), [open(2, "alice"), MediaCommand::Offer(LegId(2))]);
}

#[test]
fn who_hangs_up_knows_and_gets_another_leg_when_it_asks() {
    let mut hall = room_of(&["alice"]);
    wants_offer(&mut hall, 1);

    assert_eq!(hall.hear_media(LegId(1), MediaEvent::HungUp), []);

    assert_eq!(wants_offer(&mut hall, 1), [open(2, "alice"), MediaCommand::Offer(LegId(2))]);
}

#[test]
fn who_publishes_too_many_is_told_so_and_stays() {
    let mut hall = room_of(&["alice"]);
    wants_offer(&mut hall, 1);

    let told = hall.hear_media(LegId(1), MediaEvent::PublishRefused(7));

    assert_eq!(told, [(1, Event::Refused(Refusal::PublishersFull(name("r"), 7)))]);
}

#[test]
fn all_hear_who_speaks() {
    let mut hall = room_of(&["alice", "bob"]);
    wants_offer(&mut hall, 2);
    for (speaks, speaker) in [(true, Some(peer("bob"))), (false, None)] {
        let told = hall.hear_media(LegId(1), MediaEvent::Speaker { speaks });
        let told_to = |session| (session, event("r", RoomEvent::Speaker(speaker.clone())));
        assert_eq!(told, [told_to(1), told_to(2)]);
    }
}

#[test]
fn a_mesh_room_has_no_media() {
    let mut hall = Hall::of(&["alice"]);
    hall.join(1, "r");

    let told = hall.ask(1, "r", Media(MediaRequest::Offer(PROFILE)));

    assert_eq!(told, [(1, Event::Refused(Refusal::MeshRoom(name("r"))))]);
    assert_eq!(hall.all_media(), []);
}

#[test]
fn wishes_wait_for_both_legs_and_end_with_their_peer() {
    let mut hall = room_of(&["alice", "bob"]);
    let reception = Reception { audio: true, video: VideoWish::UpTo(360) };
    let wish = |of: &str, reception| Media(MediaRequest::Receive { from: peer(of), reception });
    let receive = |leg, from| {
        let (leg, from) = (LegId(leg), LegId(from));
        MediaCommand::Receive { leg, from, reception }
    };

    assert_eq!(hall.ask(1, "r", wish("bob", reception)), []);
    hall.ask(1, "r", wish("nobody", reception));
    assert_eq!(wants_offer(&mut hall, 1).len(), 2, "bob has no leg");
    let told = wants_offer(&mut hall, 2);
    assert_eq!(told, [open(2, "bob"), receive(1, 2), MediaCommand::Offer(LegId(2))]);

    hall.hear_media(LegId(1), MediaEvent::Closed("lost".into()));
    let told = wants_offer(&mut hall, 1);
    assert_eq!(told, [open(3, "alice"), receive(3, 2), MediaCommand::Offer(LegId(3))]);

    hall.ask(2, "r", Leave);
    hall.ask(2, "r", Join(RoomMode::Sfu));
    hall.all_media();
    let told = wants_offer(&mut hall, 2);
    assert_eq!(told, [open(4, "bob"), MediaCommand::Offer(LegId(4))], "another stay");
}

#[test]
fn a_client_that_comes_back_in_time_keeps_its_leg() {
    let mut own = settings();
    own.other_apps = AppPolicy { sfu: true, ..own.other_apps };
    own.session_grace = std::time::Duration::from_secs(30);
    let mut hall = Hall::with(own);
    hall.enter(1, "alice");
    hall.ask(1, "r", Join(RoomMode::Sfu));
    wants_offer(&mut hall, 1);

    hall.lose(1);
    hall.open(2, "alice", "alice");

    assert_eq!(wants_offer(&mut hall, 2), [MediaCommand::Offer(LegId(1))]);
    let again = hall.ask(2, "r", Join(RoomMode::Sfu));
    assert_eq!(again, [(2, joined("r", "alice", &["alice"]))]);
    assert_eq!(hall.all_media(), []);
}
