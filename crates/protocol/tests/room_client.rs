//! The client's end of the frames of rooms: what one end writes the other end reads.

use std::sync::Arc;

use bytes::Bytes;
use peerway_protocol::peerjs::client::{ServerFrame, decode_server, encode_room};
use peerway_protocol::peerjs::{ClientFrame, decode, encode};
use peerway_protocol::{
    Event, LogAction, LogEntry, MediaProfile, MediaRequest, MediaStream, PeerId, Reception,
    Refusal, Request, RoomData, RoomEvent, RoomMode, RoomName, RoomRequest, StreamName, Value,
    VideoWish,
};

fn peer(id: &str) -> PeerId {
    PeerId::new(id).expect("a valid id")
}

fn peers(ids: &[&str]) -> Arc<[PeerId]> {
    ids.iter().map(|id| peer(id)).collect()
}

fn tea() -> RoomName {
    RoomName::new("tea \"1\"").expect("a valid name")
}

fn data() -> RoomData {
    let value = Value::map([("file", Value::from(Bytes::from_static(&[0, 1, 255])))]);
    RoomData::from_value(&value).expect("a plain value")
}

#[test]
fn the_server_reads_every_request_as_it_was_meant() {
    let receive = |audio, video| {
        let reception = Reception { audio, video };
        RoomRequest::media(MediaRequest::Receive { from: peer("bob"), reception })
    };
    let of_screen = |request| RoomRequest::Media { stream: StreamName::new("screen"), request };
    let profile = MediaProfile { simulcast: true, data: true, ..MediaProfile::default() };
    let requests = [
        RoomRequest::Join(RoomMode::Mesh),
        RoomRequest::Join(RoomMode::Sfu),
        RoomRequest::Leave,
        RoomRequest::Members,
        RoomRequest::Log,
        RoomRequest::Send(data()),
        RoomRequest::media(MediaRequest::Offer(MediaProfile::default())),
        RoomRequest::media(MediaRequest::Offer(profile)),
        RoomRequest::media(MediaRequest::Answer("v=0\r\n".into())),
        RoomRequest::media(MediaRequest::Candidate("candidate:1".into())),
        receive(true, VideoWish::Any),
        receive(false, VideoWish::Off),
        receive(true, VideoWish::UpTo(360)),
        of_screen(MediaRequest::Offer(MediaProfile { restart: true, ..MediaProfile::default() })),
        of_screen(MediaRequest::Answer("v=0\r\n".into())),
        of_screen(MediaRequest::Candidate("candidate:1".into())),
    ];
    for request in requests {
        let frame = encode_room(&tea(), &request);
        let expected = Request::Room { room: tea(), request };
        assert_eq!(decode(&frame), Ok(ClientFrame::Request(expected)), "{frame}");
    }
}

#[test]
fn the_client_reads_every_event_as_it_was_meant() {
    let entry = |timestamp, action| LogEntry { timestamp, peer: peer("ann"), action };
    let log = [
        entry(1, LogAction::Joined(RoomMode::Sfu)),
        entry(2, LogAction::Data(data())),
        entry(3, LogAction::Left),
    ];
    let stream = |id: &str, name| MediaStream { id: id.into(), peer: peer("ann"), name };
    let events = [
        RoomEvent::Joined { peer: peer("me"), members: peers(&["ann", "me"]) },
        RoomEvent::Joined { peer: peer("bob"), members: peers(&[]) },
        RoomEvent::Left { peer: peer("bob") },
        RoomEvent::Members(peers(&["ann", "me"])),
        RoomEvent::Data { from: peer("ann"), data: data() },
        RoomEvent::Log(log.into()),
        RoomEvent::Offer {
            stream: None,
            sdp: "v=0\r\n".into(),
            streams: [stream("s1", None), stream("s2", StreamName::new("screen"))].into(),
        },
        RoomEvent::Offer {
            stream: StreamName::new("screen"),
            sdp: "v=0\r\n".into(),
            streams: [].into(),
        },
        RoomEvent::MediaClosed { stream: None, reason: "lost".into() },
        RoomEvent::MediaClosed { stream: StreamName::new("screen"), reason: "lost".into() },
        RoomEvent::Speaker(Some(peer("ann"))),
        RoomEvent::Speaker(None),
    ];
    for event in events {
        let mut frame = String::new();
        let told = Event::Room { room: tea(), event: event.clone() };
        encode(&told, &peer("me"), &mut frame);
        assert_eq!(decode_server(&frame), Ok(ServerFrame::Room { room: tea(), event }), "{frame}");
    }
}

#[test]
fn a_refusal_keeps_its_word() {
    let mut frame = String::new();
    encode(&Event::Refused(Refusal::NoSfu(tea())), &peer("me"), &mut frame);
    let Ok(ServerFrame::RoomRefused { room, kind, message }) = decode_server(&frame) else {
        unreachable!("{frame}")
    };
    assert_eq!((room, kind.as_str()), (Some(tea()), "no_sfu"));
    assert!(message.contains("sfu"), "{message}");
}

#[test]
fn frames_that_make_no_sense_are_errors_and_unknown_ones_are_not() {
    for frame in [
        r#"{"type":"ROOM-JOINED","room":"tea"}"#,
        r#"{"type":"ROOM-JOINED","src":"bob"}"#,
        r#"{"type":"ROOM-LEFT","room":"tea","src":7}"#,
        r#"{"type":"ROOM-OFFER","room":"tea","payload":{"streams":{}}}"#,
        r#"{"type":"ROOM-OFFER","room":"tea","payload":{"sdp":"v=0","streams":{"a":""}}}"#,
        r#"{"type":"ROOM-LOG","room":"tea","payload":[{"timestamp":-1}]}"#,
        r#"{"type":"ROOM-DATA","room":"tea","src":"bob","payload":1,"attachments":["?"]}"#,
    ] {
        assert!(decode_server(frame).is_err(), "{frame}");
    }
    let newer = r#"{"type":"ROOM-WAVE","room":"tea"}"#;
    assert_eq!(decode_server(newer), Ok(ServerFrame::Ignored));
}
