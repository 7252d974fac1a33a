//! What the forwarding unit is told of a room, and what its members hear of it.

mod support;

use peerway_broker::{AppPolicy, LegId, MediaCommand, MediaEvent};
use peerway_protocol::RoomRequest::{Join, Leave};
use peerway_protocol::{
    Event, MediaProfile, MediaRequest, MediaStream, PeerAddress, Reception, Refusal, RoomEvent,
    RoomMode, RoomRequest, StreamName, VideoWish,
};
use support::hall::{Hall, event, joined, name, room_address};
use support::{app, peer, settings};

const PROFILE: MediaProfile =
    MediaProfile { two_lines: false, simulcast: true, data: false, restart: false };

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
    open_again(leg, id, leg)
}

/// Of a member whose first leg was `owner`.
fn open_again(leg: u64, id: &str, owner: u64) -> MediaCommand {
    open_for(None, leg, id, owner)
}

fn open_for(stream: Option<StreamName>, leg: u64, id: &str, owner: u64) -> MediaCommand {
    let peer = PeerAddress { app: app(), peer: peer(id) };
    let (leg, owner, room) = (LegId(leg), LegId(owner), room_address("r"));
    MediaCommand::Open { leg, room, peer, stream, owner, profile: PROFILE }
}

fn screen() -> Option<StreamName> {
    StreamName::new("screen")
}

fn offer_for(stream: Option<StreamName>) -> RoomRequest {
    RoomRequest::Media { stream, request: MediaRequest::Offer(PROFILE) }
}

fn wants_offer(hall: &mut Hall, session: u64) -> Vec<MediaCommand> {
    assert_eq!(hall.ask(session, "r", RoomRequest::media(MediaRequest::Offer(PROFILE))), []);
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
    hall.ask(1, "r", RoomRequest::media(MediaRequest::Answer("v=0".into())));
    assert_eq!(hall.all_media(), [], "to no offer");
    wants_offer(&mut hall, 1);

    hall.ask(1, "r", RoomRequest::media(MediaRequest::Answer("v=0".into())));
    hall.ask(1, "r", RoomRequest::media(MediaRequest::Candidate("candidate:1".into())));

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

    let stream = MediaStream { id: "stream-1".into(), peer: peer("alice"), name: None };
    let offer = RoomEvent::Offer { stream: None, sdp: "v=0".into(), streams: [stream].into() };
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
    assert_eq!(told, [(1, event("r", RoomEvent::MediaClosed { stream: None, reason }))]);
    assert_eq!(
        wants_offer(&mut hall, 1),
        [open_again(2, "alice", 1), MediaCommand::Offer(LegId(2))]
    );
}

#[test]
fn who_hangs_up_knows_and_gets_another_leg_when_it_asks() {
    let mut hall = room_of(&["alice"]);
    wants_offer(&mut hall, 1);

    assert_eq!(hall.hear_media(LegId(1), MediaEvent::HungUp), []);

    assert_eq!(
        wants_offer(&mut hall, 1),
        [open_again(2, "alice", 1), MediaCommand::Offer(LegId(2))]
    );
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

    let told = hall.ask(1, "r", RoomRequest::media(MediaRequest::Offer(PROFILE)));

    assert_eq!(told, [(1, Event::Refused(Refusal::MeshRoom(name("r"))))]);
    assert_eq!(hall.all_media(), []);
}

#[test]
fn wishes_wait_for_both_legs_and_end_with_their_peer() {
    let mut hall = room_of(&["alice", "bob"]);
    let reception = Reception { audio: true, video: VideoWish::UpTo(360) };
    let wish = |of: &str, reception| {
        RoomRequest::media(MediaRequest::Receive { from: peer(of), reception })
    };
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
    assert_eq!(told, [open_again(3, "alice", 1), receive(3, 2), MediaCommand::Offer(LegId(3))]);

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

#[test]
fn a_stream_with_a_name_has_a_leg_of_its_own() {
    let mut hall = room_of(&["alice", "bob"]);
    wants_offer(&mut hall, 1);
    wants_offer(&mut hall, 2);

    assert_eq!(hall.ask(1, "r", offer_for(screen())), []);
    let offered = [open_for(screen(), 3, "alice", 1), MediaCommand::Offer(LegId(3))];
    assert_eq!(hall.all_media(), offered);
    let request = MediaRequest::Answer("v=0".into());
    hall.ask(1, "r", RoomRequest::Media { stream: screen(), request });
    assert_eq!(hall.all_media(), [MediaCommand::Answer(LegId(3), "v=0".into())]);

    let own = MediaEvent::Offer { sdp: "v=1".into(), streams: Vec::new() };
    let told = hall.hear_media(LegId(3), own);
    let own = RoomEvent::Offer { stream: screen(), sdp: "v=1".into(), streams: [].into() };
    assert_eq!(told, [(1, event("r", own))]);

    let streams = vec![("stream-1".into(), LegId(1)), ("stream-3".into(), LegId(3))];
    let told = hall.hear_media(LegId(2), MediaEvent::Offer { sdp: "v=2".into(), streams });
    let of = |id: &str, name| MediaStream { id: id.into(), peer: peer("alice"), name };
    let streams = [of("stream-1", None), of("stream-3", screen())].into();
    let theirs = RoomEvent::Offer { stream: None, sdp: "v=2".into(), streams };
    assert_eq!(told, [(2, event("r", theirs))]);

    let told = hall.hear_media(LegId(3), MediaEvent::Closed("lost".into()));
    let closed = RoomEvent::MediaClosed { stream: screen(), reason: "lost".into() };
    assert_eq!(told, [(1, event("r", closed))]);
    assert_eq!(wants_offer(&mut hall, 1), [MediaCommand::Offer(LegId(1))], "the first goes on");
}

#[test]
fn what_is_wanted_of_a_member_is_wanted_of_all_its_streams() {
    let mut hall = room_of(&["alice", "bob"]);
    wants_offer(&mut hall, 1);
    hall.ask(1, "r", offer_for(screen()));
    wants_offer(&mut hall, 2);
    let reception = Reception { audio: false, video: VideoWish::Off };
    let receive = |from| MediaCommand::Receive { leg: LegId(3), from: LegId(from), reception };

    hall.ask(2, "r", RoomRequest::media(MediaRequest::Receive { from: peer("alice"), reception }));
    assert_eq!(hall.all_media(), [receive(1), receive(2)]);

    hall.ask(1, "r", offer_for(StreamName::new("slides")));
    let media = hall.all_media();
    assert!(media.contains(&receive(4)), "{media:?}");
}

#[test]
fn the_streams_of_a_member_are_counted_and_end_with_it() {
    let mut hall = room_of(&["alice"]);
    for name in ["a", "b", "c"] {
        assert_eq!(hall.ask(1, "r", offer_for(StreamName::new(name))), []);
    }
    let told = hall.ask(1, "r", offer_for(StreamName::new("d")));
    assert_eq!(told, [(1, Event::Refused(Refusal::TooManyStreams(name("r"), 3)))]);
    assert_eq!(hall.ask(1, "r", offer_for(StreamName::new("a"))), []);
    wants_offer(&mut hall, 1);

    hall.close(1);

    let closed = [4, 1, 2, 3].map(|leg| MediaCommand::Close(LegId(leg)));
    assert_eq!(hall.all_media(), closed);
    assert!(hall.stage.broker.is_idle(), "{:?}", hall.stage.broker);
}

#[test]
fn who_lost_its_connection_need_not_wait_until_it_is_known_here() {
    let mut hall = room_of(&["alice"]);
    wants_offer(&mut hall, 1);
    let profile = MediaProfile { restart: true, ..PROFILE };

    hall.ask(1, "r", RoomRequest::media(MediaRequest::Offer(profile)));

    let media = hall.all_media();
    assert_eq!(media[0], MediaCommand::Close(LegId(1)));
    assert!(matches!(media[1], MediaCommand::Open { leg: LegId(2), owner: LegId(1), .. }));
    assert_eq!(media[2..], [MediaCommand::Offer(LegId(2))]);
    assert_eq!(hall.hear_media(LegId(1), MediaEvent::Closed("late".into())), []);
}
