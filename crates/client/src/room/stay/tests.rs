use std::sync::Arc;

use super::*;
use crate::room::RoomErrorKind as Kind;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn peer(id: &str) -> PeerId {
    PeerId::new(id).unwrap()
}

fn peers(ids: &[&str]) -> Arc<[PeerId]> {
    ids.iter().map(|id| peer(id)).collect()
}

fn own(members: &[&str]) -> Told {
    Told::Joined { peer: peer("me"), members: peers(members) }
}

fn offer() -> Told {
    Told::Offer { stream: None, sdp: "v=0".into(), streams: [].into() }
}

/// What a stay wants, in short words.
fn said(stay: &mut Stay) -> Vec<String> {
    let mut words = Vec::new();
    while let Some(command) = stay.next_command() {
        words.push(match command {
            Command::Say(RoomRequest::Join(mode)) => format!("join {}", mode.name()),
            Command::Say(RoomRequest::Leave) => "leave".to_owned(),
            Command::Say(RoomRequest::Log) => "log?".to_owned(),
            Command::Say(RoomRequest::Media { request: MediaRequest::Offer(_), .. }) => {
                "offer?".to_owned()
            }
            Command::Say(RoomRequest::Media {
                request: MediaRequest::Receive { from, reception },
                ..
            }) => {
                format!("receive {from} {:?}", reception.video)
            }
            Command::Say(other) => format!("{other:?}"),
            Command::Tell(RoomEvent::Open) => "open".to_owned(),
            Command::Tell(RoomEvent::Joined { peer }) => format!("+{peer}"),
            Command::Tell(RoomEvent::Left { peer }) => format!("-{peer}"),
            Command::Tell(RoomEvent::Error(error)) => format!("error {}", error.kind),
            Command::Tell(event) => format!("{event:?}"),
            Command::Answer(_) => "answer".to_owned(),
            Command::EndMedia { reason } => format!("media over: {reason}"),
            Command::Unpublish(error) => format!("unpublish {}", error.kind),
            Command::Log(entries) => format!("log of {}", entries.len()),
            Command::End => "end".to_owned(),
        });
    }
    words
}

/// A stay that has begun.
fn inside(mode: RoomMode) -> (Stay, Instant) {
    let now = crate::clock::now();
    let mut stay = Stay::new(mode, true);
    stay.handle_session(now);
    stay.handle_told(own(&["ann", "me"]), now);
    said(&mut stay);
    (stay, now)
}

#[test]
fn a_member_comes_in_and_sees_others_come_and_go() {
    let now = crate::clock::now();
    let mut stay = Stay::new(RoomMode::Mesh, true);
    assert_eq!(said(&mut stay), [""; 0]);
    stay.handle_session(now);
    assert_eq!(said(&mut stay), ["join mesh"]);
    stay.handle_told(own(&["ann", "me"]), now);
    stay.handle_told(Told::Joined { peer: peer("bob"), members: peers(&[]) }, now);
    stay.handle_told(Told::Left { peer: peer("ann") }, now);
    // Once more says nothing new.
    stay.handle_told(Told::Left { peer: peer("ann") }, now);
    assert_eq!(said(&mut stay), ["open", "+bob", "-ann"]);
    assert_eq!(stay.members(), &*peers(&["me", "bob"]));
    assert!(stay.is_in());
}

#[test]
fn who_comes_back_joins_again_and_hears_the_difference() {
    let (mut stay, now) = inside(RoomMode::Sfu);
    stay.receive(peer("ann"), Reception { audio: true, video: peerway_protocol::VideoWish::Off });
    stay.ask_for_log();
    said(&mut stay);
    stay.handle_session_lost();
    assert!(!stay.is_in());
    stay.handle_session(now);
    assert_eq!(said(&mut stay), ["join sfu"]);
    stay.handle_told(own(&["ann", "bob", "me"]), now);
    assert_eq!(said(&mut stay), ["+bob", "receive ann Off", "log?", "offer?"]);
    stay.handle_told(own(&["bob", "me"]), now);
    assert_eq!(said(&mut stay)[0], "-ann");
}

#[test]
fn a_server_that_does_not_answer_ends_the_stay() {
    let now = crate::clock::now();
    let mut stay = Stay::new(RoomMode::Mesh, false);
    stay.handle_session(now);
    said(&mut stay);
    stay.handle_timeout(now + seconds(14));
    assert!(!stay.is_over());
    let due = stay.poll_timeout().unwrap();
    stay.handle_timeout(due);
    assert_eq!(said(&mut stay), ["error no_answer", "end"]);
    assert!(stay.is_over());
    assert_eq!(stay.poll_timeout(), None);
}

#[test]
fn who_is_not_let_in_stays_outside_and_who_is_in_stays_in() {
    let now = crate::clock::now();
    let mut stay = Stay::new(RoomMode::Sfu, true);
    stay.handle_session(now);
    said(&mut stay);
    stay.handle_refused("room_mode", "no".to_owned(), now);
    assert_eq!(said(&mut stay), ["error room_mode", "end"]);

    let (mut stay, now) = inside(RoomMode::Sfu);
    stay.handle_refused("room_data", "too big".to_owned(), now);
    assert_eq!(said(&mut stay), ["error room_data"]);
    stay.handle_refused("publishers_full", "no".to_owned(), now);
    assert_eq!(said(&mut stay), ["unpublish publishers_full", "error publishers_full"]);
    stay.handle_refused("a new word", "no".to_owned(), now);
    assert_eq!(said(&mut stay), ["error other"]);
    assert!(stay.is_in());
}

#[test]
fn a_room_whose_node_is_gone_is_joined_again() {
    let (mut stay, now) = inside(RoomMode::Mesh);
    stay.handle_refused("not_in_room", "gone".to_owned(), now);
    assert_eq!(said(&mut stay), ["error not_in_room", "join mesh"]);
    stay.handle_told(own(&["me"]), now);
    assert_eq!(said(&mut stay), ["-ann"]);
}

#[test]
fn media_are_asked_for_once_and_again_ever_more_slowly_when_they_end() {
    let (mut stay, mut now) = inside(RoomMode::Sfu);
    let mut waits = Vec::new();
    for _ in 0..9 {
        stay.handle_told(offer(), now);
        stay.handle_told(Told::MediaClosed { stream: None, reason: "lost".into() }, now);
        assert_eq!(said(&mut stay), ["answer", "media over: lost"]);
        let due = stay.poll_timeout().unwrap();
        waits.push(due - now);
        now = due;
        stay.handle_timeout(now);
        assert_eq!(said(&mut stay), ["offer?"]);
    }
    assert_eq!((waits[0], waits[1]), (FIRST_RETRY, FIRST_RETRY * 2));
    assert_eq!((waits[7], waits[8]), (LONGEST_RETRY, LONGEST_RETRY));
    // One that stood makes the next attempt quick.
    stay.handle_told(offer(), now);
    stay.handle_media_open();
    stay.handle_media_ended(now);
    assert_eq!(stay.poll_timeout(), Some(now + FIRST_RETRY));
}

#[test]
fn an_offer_that_does_not_come_is_asked_for_again() {
    let (mut stay, now) = inside(RoomMode::Sfu);
    stay.handle_timeout(now + OFFER);
    assert_eq!(said(&mut stay), ["offer?"]);
}

#[test]
fn who_only_listens_to_data_has_no_media_until_something_is_published() {
    let now = crate::clock::now();
    let mut stay = Stay::new(RoomMode::Sfu, false);
    stay.handle_session(now);
    stay.handle_told(own(&["me"]), now);
    assert_eq!(said(&mut stay), ["join sfu", "open"]);
    stay.renegotiate(now);
    // It waits already.
    stay.renegotiate(now);
    assert_eq!(said(&mut stay), ["offer?"]);
    stay.handle_told(offer(), now);
    stay.renegotiate(now);
    assert_eq!(said(&mut stay), ["answer", "offer?"]);
}

#[test]
fn a_server_without_sfu_is_not_asked_again() {
    let (mut stay, now) = inside(RoomMode::Sfu);
    stay.handle_refused("no_sfu", "no".to_owned(), now);
    assert_eq!(said(&mut stay), ["unpublish no_sfu", "error no_sfu"]);
    assert_eq!(stay.poll_timeout(), None);
    assert_eq!(Kind::of_word("no_sfu"), Kind::NoSfu);
}

#[test]
fn leaving_is_said_once_and_only_to_a_server_that_is_there() {
    let (mut stay, now) = inside(RoomMode::Sfu);
    stay.leave();
    stay.leave();
    assert_eq!(said(&mut stay), ["leave", "end"]);
    stay.handle_told(offer(), now);
    stay.handle_refused("room_full", String::new(), now);
    stay.handle_session(now);
    stay.handle_media_ended(now);
    assert_eq!(said(&mut stay), [""; 0]);

    let (mut stay, _) = inside(RoomMode::Sfu);
    stay.handle_session_lost();
    stay.leave();
    assert_eq!(said(&mut stay), ["end"]);
}
