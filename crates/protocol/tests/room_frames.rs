//! The examples of `docs/reference/room-frames.md`, read and written as they stand there.

use std::sync::Arc;

use bytes::Bytes;
use peerway_protocol::peerjs::{ClientFrame, FrameError, decode, encode};
use peerway_protocol::{
    Event, InvalidId, LogAction, LogEntry, MediaProfile, MediaRequest, MediaStream, PeerId,
    Reception, Refusal, Request, RoomData, RoomEvent, RoomMode, RoomName, RoomRequest, StreamName,
    VideoWish,
};

const PAGE: &str = include_str!("../../../docs/reference/room-frames.md");

/// The lines of the block of this kind.
fn examples(kind: &str) -> Vec<&'static str> {
    let opening = format!("```json {kind}\n");
    let (_, block) = PAGE.split_once(&opening).expect("the page has such a block");
    block.split_once("```").expect("the block ends").0.lines().collect()
}

fn request(frame: &str) -> (String, RoomRequest) {
    match decode(frame) {
        Ok(ClientFrame::Request(Request::Room { room, request })) => {
            (room.as_str().to_owned(), request)
        }
        other => unreachable!("{frame} is {other:?}"),
    }
}

fn data(frame: &str) -> RoomData {
    let RoomRequest::Send(data) = request(frame).1 else { unreachable!("{frame}") };
    data
}

fn written(event: &Event, me: &str) -> String {
    let mut text = String::new();
    encode(event, &peer(me), &mut text);
    text
}

fn peer(id: &str) -> PeerId {
    PeerId::new(id).expect("a valid id")
}

fn peers(ids: &[&str]) -> Arc<[PeerId]> {
    ids.iter().map(|id| peer(id)).collect()
}

fn lobby() -> RoomName {
    RoomName::new("lobby").expect("a valid name")
}

fn of_lobby(event: RoomEvent) -> Event {
    Event::Room { room: lobby(), event }
}

#[test]
fn the_requests_of_the_page_are_read() {
    let [join, plain, sfu, leave, members, log, hello, file] = &examples("client")[..] else {
        unreachable!("the page has eight requests");
    };

    let in_lobby = |request| ("lobby".to_owned(), request);
    assert_eq!(request(join), in_lobby(RoomRequest::Join(RoomMode::Mesh)));
    assert_eq!(request(plain), in_lobby(RoomRequest::Join(RoomMode::Mesh)));
    assert_eq!(request(sfu), ("studio".to_owned(), RoomRequest::Join(RoomMode::Sfu)));
    assert_eq!(request(leave), in_lobby(RoomRequest::Leave));
    assert_eq!(request(members), in_lobby(RoomRequest::Members));
    assert_eq!(request(log), in_lobby(RoomRequest::Log));
    assert_eq!((data(hello).json.as_str(), data(hello).attachments.len()), ("\"hello\"", 0));
    let file = data(file);
    assert_eq!(file.json.as_str(), r#"{"file":{"_placeholder":true,"num":0}}"#);
    assert_eq!(file.attachments[..], [Bytes::from_static(&[0, 1, 2, 255])]);
}

#[test]
fn the_events_of_the_page_are_written() {
    let [.., hello, file] = examples("client")[..] else { unreachable!() };
    let (hello, file) = (data(hello), data(file));
    let entry = |timestamp, action| LogEntry { timestamp, peer: peer("alice"), action };
    let log = [
        entry(1_700_000_000_000, LogAction::Joined(RoomMode::Mesh)),
        entry(1_700_000_000_100, LogAction::Data(hello.clone())),
        entry(1_700_000_000_200, LogAction::Left),
    ];
    let joined = |who: &str, members: &[&str]| RoomEvent::Joined {
        peer: peer(who),
        members: peers(members),
    };
    let said = |data: &RoomData| RoomEvent::Data { from: peer("alice"), data: data.clone() };
    let events = [
        of_lobby(joined("bob", &["alice", "bob"])),
        of_lobby(joined("carol", &["alice", "bob", "carol"])),
        of_lobby(RoomEvent::Left { peer: peer("carol") }),
        of_lobby(RoomEvent::Members(peers(&["alice", "bob"]))),
        of_lobby(said(&hello)),
        of_lobby(said(&file)),
        of_lobby(RoomEvent::Log(log.into())),
        Event::Refused(Refusal::NotInRoom(lobby())),
    ];

    let written: Vec<String> = events.iter().map(|event| written(event, "bob")).collect();

    assert_eq!(written, examples("server"));
}

#[test]
fn what_the_page_says_about_media_is_read() {
    let asked = |frame: &&str| match request(frame) {
        (room, RoomRequest::Media { stream, request }) if room == "studio" => (stream, request),
        other => unreachable!("{frame} is {other:?}"),
    };
    let requests: Vec<(Option<StreamName>, MediaRequest)> =
        examples("media client").iter().map(asked).collect();

    let offer = |simulcast, restart| {
        MediaRequest::Offer(MediaProfile { simulcast, restart, ..Default::default() })
    };
    let candidate = "candidate:1 1 udp 2122260223 192.0.2.1 50000 typ host";
    let receive = |video| {
        let reception = Reception { audio: true, video };
        MediaRequest::Receive { from: peer("bob"), reception }
    };
    let expected = [
        (None, offer(true, false)),
        (None, offer(false, false)),
        (None, offer(false, true)),
        (None, MediaRequest::Answer("v=0\r\n".into())),
        (None, MediaRequest::Candidate(candidate.into())),
        (None, receive(VideoWish::UpTo(360))),
        (None, receive(VideoWish::Off)),
        (StreamName::new("screen"), offer(false, false)),
        (StreamName::new("screen"), MediaRequest::Answer("v=0\r\n".into())),
    ];
    assert_eq!(requests, expected);
}

fn screen() -> Option<StreamName> {
    StreamName::new("screen")
}

#[test]
fn what_the_page_says_about_media_is_written() {
    let in_studio = |event| Event::Room { room: RoomName::new("studio").unwrap(), event };
    let events = [
        RoomEvent::Offer {
            stream: None,
            sdp: "v=0\r\n".into(),
            streams: [
                MediaStream { id: "stream-7".into(), peer: peer("bob"), name: None },
                MediaStream { id: "stream-8".into(), peer: peer("bob"), name: screen() },
            ]
            .into(),
        },
        RoomEvent::Offer { stream: screen(), sdp: "v=0\r\n".into(), streams: [].into() },
        RoomEvent::MediaClosed { stream: None, reason: "the connection was lost".into() },
        RoomEvent::MediaClosed { stream: screen(), reason: "the connection was lost".into() },
        RoomEvent::Speaker(Some(peer("bob"))),
        RoomEvent::Speaker(None),
    ];
    let written: Vec<String> =
        events.map(|event| written(&in_studio(event), "alice")).into_iter().collect();
    assert_eq!(written, examples("media server"));
}

#[test]
fn media_frames_that_are_none_are_told() {
    for (kind, payload) in [
        ("ROOM-ANSWER", "{}"),
        ("ROOM-ANSWER", r#"{"sdp":7}"#),
        ("ROOM-CANDIDATE", "null"),
        ("ROOM-RECEIVE", r#"{"peer":""}"#),
        ("ROOM-RECEIVE", r#"{"peer":"bob","video":"small"}"#),
        ("ROOM-GET-OFFER", r#"{"simulcast":1}"#),
    ] {
        let frame = format!(r#"{{"type":"{kind}","room":"r","payload":{payload}}}"#);
        assert!(decode(&frame).is_err(), "{frame}");
    }
    assert!(decode(r#"{"type":"ROOM-ANSWER","room":"r"}"#).is_err());
}

#[test]
fn every_error_of_the_page_is_written_as_one() {
    let room = lobby;
    let refusals = [
        Refusal::RoomMode { room: room(), mode: RoomMode::Sfu },
        Refusal::NotInRoom(room()),
        Refusal::RoomFull(room(), 1),
        Refusal::TooManyRooms(room(), 1),
        Refusal::AppRoomsFull(room(), 1),
        Refusal::NoSfu(room()),
        Refusal::MeshRoom(room()),
        Refusal::PublishersFull(room(), 1),
        Refusal::TooManyStreams(room(), 3),
        Refusal::RoomDataTooBig(room(), 1),
        Refusal::InvalidRoom(InvalidId::Empty),
    ];
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let (_, errors) = PAGE.split_once("### Errors").unwrap();
    for refusal in &refusals {
        let name = refusal.name();
        assert!(errors.contains(&format!("| `{name}` | ")), "the page lacks {name}");
        let start = match refusal {
            Refusal::InvalidRoom(_) => r#"{"type":"ROOM-ERROR","payload":{"type":""#,
            _ => r#"{"type":"ROOM-ERROR","room":"lobby","payload":{"type":""#,
        };
        let frame = written(&Event::Refused(refusal.clone()), "bob");
        assert!(frame.starts_with(&format!("{start}{name}\"")), "{frame}");
    }
    let of_errors = rows.filter(|(name, _)| errors.contains(&format!("| `{name}`"))).count();
    assert_eq!(of_errors, refusals.len(), "the page has no others");
}

#[test]
fn a_name_may_be_a_number_and_needs_escaping_may_be() {
    assert_eq!(request(r#"{"type":"ROOM-LEAVE","room":1700000000000}"#).0, "1700000000000");
    let odd = "a\"\\\u{1}é/";
    let room = RoomName::new(odd).unwrap();
    let left = Event::Room { room, event: RoomEvent::Left { peer: peer("x\"y") } };
    let text = written(&left, "bob");
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((value["room"].as_str(), value["src"].as_str()), (Some(odd), Some("x\"y")));
}

#[test]
fn frames_that_are_none_are_told() {
    let error = |frame: &str| decode(frame).unwrap_err();
    for frame in [
        r#"{"type":"ROOM-JOIN","room":{}}"#,
        r#"{"type":"ROOM-JOIN","room":"r","payload":{"mode":"ring"}}"#,
        r#"{"type":"ROOM-JOIN","room":"r","payload":7}"#,
        r#"{"type":"ROOM-DATA","room":"r","payload":1,"attachments":["?"]}"#,
        r#"{"type":"ROOM-DATA","room":"r","payload":1,"attachments":[1]}"#,
    ] {
        assert!(matches!(error(frame), FrameError::NotAMessage(_)), "{frame}");
    }
    assert_eq!(error(r#"{"type":"ROOM-LOG","room":""}"#), FrameError::Room(InvalidId::Empty));
    let long = format!(r#"{{"type":"ROOM-LOG","room":"{}"}}"#, "x".repeat(257));
    assert_eq!(error(&long), FrameError::Room(InvalidId::TooLong(256)));
    let refusal = Refusal::from(error(&long));
    assert_eq!(refusal, Refusal::InvalidRoom(InvalidId::TooLong(256)));
    let roomless = decode(r#"{"type":"ROOM-JOIN"}"#);
    assert_eq!(roomless, Ok(ClientFrame::Ignored), "a stock page may send any type");
    let unknown = decode(r#"{"type":"ROOM-DANCE","room":"r"}"#);
    assert_eq!(unknown, Ok(ClientFrame::Ignored), "of a newer client");
}
