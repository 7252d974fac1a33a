//! The SkyWay dialect, by what goes in and what comes out.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;

use bytes::Bytes;
use peerway_protocol::skyway::{
    CredentialError, ErrorType, FrameError, Message, Packet, Session, TurnCredential,
};
use peerway_protocol::{
    Dialect, Event, InvalidId, LogAction, LogEntry, MediaProfile, MediaRequest, MediaStream,
    PeerId, Refusal, Request, RoomData, RoomEvent, RoomMode, RoomName, RoomRequest, Signal,
    SignalKind,
};
use serde_json::value::RawValue;

const OFFER: &str = r#"{"offer":{"sdp":"v=0","type":"offer"},"dst":"bob","connectionId":"mc_1","connectionType":"media","future":{ "x": 1.0 }}"#;

#[test]
fn an_offer_passes_untouched_but_for_its_sender() {
    let (to, signal) = sent(&mut alice(), "SEND_OFFER", OFFER);
    assert_eq!((to.as_str(), signal.kind), ("bob", SignalKind::Offer));
    let told = session("bob").encode(&said("alice", signal)).unwrap();
    let stamped = format!(r#"{},"src":"alice"}}"#, OFFER.strip_suffix('}').unwrap());
    assert_eq!((told.name, told.json), ("OFFER", stamped));
}

#[test]
fn a_sender_that_the_payload_names_is_not_believed() {
    let payload = r#"{"src":"eve","dst":"bob","connectionId":"c","s\u0072c":"eve"}"#;
    let (_, signal) = sent(&mut alice(), "SEND_FORCE_CLOSE", payload);
    let told = session("bob").encode(&said("alice", signal)).unwrap();
    assert_eq!(told.name, "FORCE_CLOSE");
    assert_eq!(told.json, r#"{"dst":"bob","connectionId":"c","src":"alice"}"#);
}

#[test]
fn answers_and_candidates_are_signals_too() {
    for (name, kind, told) in [
        ("SEND_ANSWER", SignalKind::Answer, "ANSWER"),
        ("SEND_CANDIDATE", SignalKind::Candidate, "CANDIDATE"),
    ] {
        let (_, signal) = sent(&mut alice(), name, r#"{"dst":"bob"}"#);
        assert_eq!((signal.kind, signal.dialect), (kind, Dialect::SkyWay));
        assert_eq!(session("bob").encode(&said("alice", signal)).unwrap().name, told);
    }
}

#[test]
fn leave_is_a_bare_text() {
    for payload in [r#""bob""#, r#"{"dst":"bob"}"#] {
        let (to, signal) = sent(&mut alice(), "SEND_LEAVE", payload);
        assert_eq!((to.as_str(), signal.kind), ("bob", SignalKind::Leave));
        let told = session("bob").encode(&said("a \"b\"", signal)).unwrap();
        assert_eq!((told.name, told.json.as_str()), ("LEAVE", r#""a \"b\"""#));
    }
}

#[test]
fn a_number_names_a_peer_and_nothing_names_nobody() {
    let (to, _) = sent(&mut alice(), "SEND_OFFER", r#"{"dst":42}"#);
    assert_eq!(to.as_str(), "42");
    for payload in [r#"{"dst":null}"#, "{}", r#"{"dst":""}"#] {
        let error = refused(&mut alice(), "SEND_OFFER", payload);
        assert_eq!(error, FrameError::Receiver(InvalidId::Empty), "{payload}");
        assert_eq!(error.error_type(), ErrorType::PeerUnavailable);
    }
}

#[test]
fn what_is_no_message_is_refused_and_what_is_unknown_is_ignored() {
    for payload in ["null", "1", r#""text""#, "[]"] {
        let error = refused(&mut alice(), "SEND_OFFER", payload);
        assert_eq!(error.error_type(), ErrorType::ServerError, "{payload}: {error}");
    }
    assert_eq!(
        alice().decode("SEND_OFFER", None, Vec::new()).unwrap_err().error_type(),
        ErrorType::ServerError
    );
    assert_eq!(decoded(&mut alice(), "ROOM_BROADCAST", "{}"), Message::Ignored);
    assert_eq!(decoded(&mut alice(), "PING", "null"), Message::Ping);
}

#[test]
fn binary_metadata_cannot_be_brought_on() {
    let payload = raw(r#"{"dst":"bob","metadata":{"_placeholder":true,"num":0}}"#);
    let attachments = vec![Bytes::from_static(b"x")];
    let error = alice().decode("SEND_OFFER", Some(&payload), attachments).unwrap_err();
    assert_eq!(error, FrameError::Binary);
}

#[test]
fn rooms_are_joined_and_left() {
    let mut alice = alice();
    for (payload, mode) in [
        (r#"{"roomName":"r","roomType":"mesh"}"#, RoomMode::Mesh),
        (r#"{"roomName":"r","roomType":"sfu"}"#, RoomMode::Sfu),
        (r#"{"roomName":"r"}"#, RoomMode::Mesh),
    ] {
        let joined = decoded(&mut alice, "ROOM_JOIN", payload);
        assert_eq!(joined, asked("r", RoomRequest::Join(mode)));
    }
    let error = refused(&mut alice, "ROOM_JOIN", r#"{"roomName":"r","roomType":"p2p"}"#);
    assert_eq!(error.error_type(), ErrorType::ServerError);
    assert_eq!(refused(&mut alice, "ROOM_JOIN", "{}"), FrameError::Room(InvalidId::Empty));
    let left = decoded(&mut alice, "ROOM_LEAVE", r#"{"roomName":"r"}"#);
    assert_eq!(left, asked("r", RoomRequest::Leave));
    let logs = decoded(&mut alice, "ROOM_GET_LOGS", r#"{"roomName":"r"}"#);
    assert_eq!(logs, asked("r", RoomRequest::Log));
}

#[test]
fn a_room_that_was_named_by_a_number_is_told_by_the_number() {
    let mut alice = alice();
    let joined =
        decoded(&mut alice, "ROOM_JOIN", r#"{"roomName":1700000000000,"roomType":"mesh"}"#);
    assert_eq!(joined, asked("1700000000000", RoomRequest::Join(RoomMode::Mesh)));
    let event = in_room("1700000000000", RoomEvent::Left { peer: id("bob") });
    let told = alice.encode(&event).unwrap();
    assert_eq!(told.json, r#"{"roomName":1700000000000,"src":"bob"}"#);
    let told = session("carol").encode(&event).unwrap();
    assert_eq!(told.json, r#"{"roomName":"1700000000000","src":"bob"}"#);
}

#[test]
fn all_hear_who_is_in_a_room_when_somebody_comes() {
    let event =
        in_room("r", RoomEvent::Joined { peer: id("bob"), members: ids(&["alice", "bob"]) });
    let told = alice().encode(&event).unwrap();
    assert_eq!(told.name, "ROOM_USER_JOIN");
    assert_eq!(told.json, r#"{"roomName":"r","src":"bob","roomMembers":["alice","bob"]}"#);
}

#[test]
fn the_first_list_after_coming_in_has_those_who_were_there() {
    let mut bob = session("bob");
    decoded(&mut bob, "ROOM_JOIN", r#"{"roomName":"r","roomType":"mesh"}"#);
    let all = ids(&["alice", "bob", "carol"]);
    bob.encode(&in_room(
        "r",
        RoomEvent::Joined { peer: id("bob"), members: ids(&["alice", "bob"]) },
    ));
    let mut listed = |kind: &str| {
        let payload = format!(r#"{{"roomName":"r",{kind}}}"#);
        assert_eq!(decoded(&mut bob, "ROOM_GET_USERS", &payload), asked("r", RoomRequest::Members));
        bob.encode(&in_room("r", RoomEvent::Members(all.clone()))).unwrap().json
    };
    let first = listed(r#""type":"media""#);
    assert_eq!(first, r#"{"roomName":"r","type":"media","userList":["alice"]}"#);
    let second = listed(r#""type":"data""#);
    assert_eq!(second, r#"{"roomName":"r","type":"data","userList":["alice","bob","carol"]}"#);
    let gateway = listed(r#""roomType":"media""#);
    assert_eq!(gateway, r#"{"roomName":"r","type":"media","userList":["alice","bob","carol"]}"#);
}

#[test]
fn lists_come_with_the_types_in_the_order_of_the_requests() {
    let mut alice = alice();
    for kind in ["data", "media"] {
        let payload = format!(r#"{{"roomName":"r","type":"{kind}"}}"#);
        decoded(&mut alice, "ROOM_GET_USERS", &payload);
    }
    for kind in ["data", "media", "media"] {
        let told = alice.encode(&in_room("r", RoomEvent::Members(ids(&[])))).unwrap();
        assert_eq!(told.json, format!(r#"{{"roomName":"r","type":"{kind}","userList":[]}}"#));
    }
}

#[test]
fn room_data_keeps_its_json_and_its_binary_parts() {
    let parts = vec![Bytes::from_static(b"\x00\x01"), Bytes::from_static(b"\xff")];
    let json = r#"{ "a": {"_placeholder":true,"num":1},"b":{"_placeholder":true,"num":0} }"#;
    let payload = raw(&format!(r#"{{"roomName":"r","data":{json}}}"#));
    let message = alice().decode("ROOM_SEND_DATA", Some(&payload), parts.clone()).unwrap();
    let Message::Request(Request::Room { request: RoomRequest::Send(data), .. }) = message else {
        panic!("{message:?}");
    };
    let told = session("bob").encode(&in_room("r", RoomEvent::Data { from: id("alice"), data }));
    let told = told.unwrap();
    assert_eq!(told.name, "ROOM_DATA");
    assert_eq!(told.json, format!(r#"{{"roomName":"r","src":"alice","data":{json}}}"#));
    assert_eq!(*told.attachments, *parts);
}

#[test]
fn logs_are_texts_of_json() {
    let entry = |peer, action| LogEntry { timestamp: 1_700_000_000_001, peer: id(peer), action };
    let data = room_data(r#"{"t":"hé \"x\""}"#);
    let entries: Arc<[LogEntry]> = Arc::new([
        entry("alice", LogAction::Joined(RoomMode::Mesh)),
        entry("alice", LogAction::Data(data)),
        entry("alice", LogAction::Left),
    ]);
    let told = session("bob").encode(&in_room("r", RoomEvent::Log(entries))).unwrap();
    assert_eq!(told.name, "ROOM_LOGS");
    let told: serde_json::Value = serde_json::from_str(&told.json).unwrap();
    let texts: Vec<&str> =
        told["log"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    assert_eq!(
        texts,
        [
            r#"{"timestamp":1700000000001,"messageType":"ROOM_USER_JOIN","message":{"roomName":"r","roomType":"mesh","src":"alice"}}"#,
            r#"{"timestamp":1700000000001,"messageType":"ROOM_DATA","message":{"src":"alice","data":{"t":"hé \"x\""}}}"#,
            r#"{"timestamp":1700000000001,"messageType":"ROOM_USER_LEAVE","message":{"roomName":"r","src":"alice"}}"#,
        ]
    );
}

#[test]
fn open_has_a_turn_credential_only_if_there_is_one() {
    assert_eq!(alice().encode(&Event::Opened).unwrap().json, r#"{"peerId":"alice"}"#);
    let turn = TurnCredential { username: "1:k$a".into(), credential: "s+/=".into() };
    assert_eq!(
        alice().opened(Some(&turn)).json,
        r#"{"peerId":"alice","turnCredential":{"username":"1:k$a","credential":"s+/="}}"#
    );
}

#[test]
fn the_only_quoted_text_about_an_absent_peer_is_its_id() {
    let reason = r#""it says \"no\" to 'you'""#;
    let reject = Signal { kind: SignalKind::Reject, ..signal_of(reason) };
    for event in [
        Event::Expired { peer: id("bob") },
        said("bob", Signal::bare(SignalKind::Expire)),
        said("bob", reject),
    ] {
        let told = alice().encode(&event).unwrap();
        let error: serde_json::Value = serde_json::from_str(&told.json).unwrap();
        assert_eq!((told.name, error["type"].as_str()), ("ERROR", Some("peer-unavailable")));
        let message = error["message"].as_str().unwrap();
        let first = message.find('"').unwrap();
        let last = message.rfind('"').unwrap();
        assert_eq!(&message[first + 1..last], "bob", "{message}");
    }
}

#[test]
fn refusals_have_the_types_that_applications_know() {
    let room = || RoomName::new("r").unwrap();
    for (refusal, kind) in [
        (Refusal::UnknownKey, "invalid-key"),
        (Refusal::OriginNotAllowed("x".into()), "invalid-domain"),
        (Refusal::IdTaken, "unavailable-id"),
        (Refusal::InvalidId(InvalidId::Empty), "invalid-id"),
        (Refusal::TokenRefused("x".into()), "authentication"),
        (Refusal::RoomMode { room: room(), mode: RoomMode::Sfu }, "room-error"),
        (Refusal::NotInRoom(room()), "room-error"),
        (Refusal::NoSfu(room()), "room-error"),
        (Refusal::QuotaUsed(5), "signaling-limited"),
        (Refusal::TooManyMessages(5), "server-error"),
    ] {
        let told = alice().encode(&Event::Refused(refusal)).unwrap();
        assert!(told.json.starts_with(&format!(r#"{{"type":"{kind}","message":""#)), "{told:?}");
    }
}

#[test]
fn a_refused_room_is_forgotten() {
    let mut alice = alice();
    decoded(&mut alice, "ROOM_JOIN", r#"{"roomName":7,"roomType":"mesh"}"#);
    let room = RoomName::new("7").unwrap();
    alice.encode(&Event::Refused(Refusal::RoomFull(room, 1)));
    let told = alice.encode(&in_room("7", RoomEvent::Left { peer: id("bob") })).unwrap();
    assert_eq!(told.json, r#"{"roomName":"7","src":"bob"}"#);
}

#[test]
fn messages_for_the_forwarding_unit_are_read() {
    let asked = |name: &str, payload: &str| match decoded(&mut alice(), name, payload) {
        Message::Request(Request::Room { room, request: RoomRequest::Media { request, .. } }) => {
            assert_eq!(room.as_str(), "7");
            Some(request)
        }
        Message::Ignored => None,
        other => panic!("{other:?}"),
    };
    let profile = MediaProfile::default();
    let offer = asked("SFU_GET_OFFER", r#"{"roomName":7}"#);
    assert_eq!(offer, Some(MediaRequest::Offer(profile)));
    let answer =
        asked("SFU_ANSWER", r#"{"roomName":7,"answer":{"type":"answer","sdp":"v=0\r\n"}}"#);
    assert_eq!(answer, Some(MediaRequest::Answer("v=0\r\n".into())));
    let candidate =
        |value: &str| asked("SFU_CANDIDATE", &format!(r#"{{"roomName":7,"candidate":{value}}}"#));
    let text = "candidate:1 1 udp 1 192.0.2.1 1 typ host";
    let one = candidate(&format!(r#"{{"candidate":"{text}","sdpMid":"0","sdpMLineIndex":0}}"#));
    assert_eq!(one, Some(MediaRequest::Candidate(text.into())));
    for end in ["null", r#"{"candidate":"","sdpMid":"0"}"#] {
        assert_eq!(candidate(end), None, "there are no more");
    }
    for (name, payload) in [
        ("SFU_ANSWER", r#"{"roomName":7}"#),
        ("SFU_ANSWER", r#"{"roomName":7,"answer":{"type":"answer"}}"#),
        ("SFU_CANDIDATE", r#"{"roomName":7,"candidate":{}}"#),
        ("SFU_GET_OFFER", "{}"),
    ] {
        let payload = RawValue::from_string(payload.to_owned()).unwrap();
        assert!(alice().decode(name, Some(&payload), Vec::new()).is_err(), "{name} {payload}");
    }
}

#[test]
fn offers_of_the_forwarding_unit_name_the_publishers() {
    let mut alice = alice();
    decoded(&mut alice, "ROOM_JOIN", r#"{"roomName":7,"roomType":"sfu"}"#);
    let streams = [("stream-1", "bob"), ("stream-2", "carol")];
    let stream =
        |(stream, peer): (&str, _)| MediaStream { id: stream.into(), peer: id(peer), name: None };
    let streams = streams.map(stream).into();
    let offer = RoomEvent::Offer { stream: None, sdp: "v=0\r\n".into(), streams };
    let told = alice.encode(&in_room("7", offer)).unwrap();
    assert_eq!(told.name, "SFU_OFFER");
    assert_eq!(
        told.json,
        concat!(
            r#"{"roomName":7,"offer":{"type":"offer","sdp":"v=0\r\n"},"#,
            r#""msids":{"stream-1":"bob","stream-2":"carol"}}"#
        )
    );
    assert_eq!(alice.encode(&in_room("7", RoomEvent::Speaker(None))), None);
    let closed = RoomEvent::MediaClosed { stream: None, reason: "an offer got no answer".into() };
    let told = alice.encode(&in_room("7", closed)).unwrap();
    assert_eq!(told.name, "ERROR");
    assert!(told.json.starts_with(r#"{"type":"room-error""#), "{}", told.json);
}

#[test]
fn a_new_credential_is_read() {
    let payload = r#"{"timestamp":1,"ttl":600,"authToken":"x","peerId":"alice"}"#;
    let Message::Credential(Ok(credential)) = decoded(&mut alice(), "UPDATE_CREDENTIAL", payload)
    else {
        panic!("it is one");
    };
    assert_eq!(credential.ttl, 600);
    let bad = decoded(&mut alice(), "UPDATE_CREDENTIAL", "{}");
    assert_eq!(bad, Message::Credential(Err(CredentialError::Malformed)));
}

proptest::proptest! {
    #[test]
    fn no_payload_is_too_strange(name in "(SEND|ROOM|SFU)_[A-Z_]{3,12}|SEND_OFFER|ROOM_JOIN", text in ".{0,60}") {
        let mut alice = alice();
        for payload in [text.clone(), format!(r#"{{"roomName":{text:?},"dst":{text:?}}}"#)] {
            let Ok(payload) = RawValue::from_string(payload) else { continue };
            if let Ok(Message::Request(Request::Send { signal, .. })) = alice.decode(&name, Some(&payload), Vec::new()) {
                let told = session("bob").encode(&said("alice", signal));
                let told: Option<serde_json::Value> = told.map(|it| serde_json::from_str(&it.json).unwrap());
                if let Some(serde_json::Value::Object(told)) = told {
                    proptest::prop_assert_eq!(told["src"].as_str(), Some("alice"));
                }
            }
        }
    }
}

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

fn id(text: &str) -> PeerId {
    PeerId::new(text).unwrap()
}

fn ids(texts: &[&str]) -> Arc<[PeerId]> {
    texts.iter().map(|text| id(text)).collect()
}

fn session(me: &str) -> Session {
    Session::new(id(me), MediaProfile::default())
}

fn alice() -> Session {
    session("alice")
}

fn decoded(session: &mut Session, name: &str, payload: &str) -> Message {
    session.decode(name, Some(&raw(payload)), Vec::new()).unwrap()
}

fn refused(session: &mut Session, name: &str, payload: &str) -> FrameError {
    session.decode(name, Some(&raw(payload)), Vec::new()).unwrap_err()
}

fn sent(session: &mut Session, name: &str, payload: &str) -> (PeerId, Signal) {
    let message = decoded(session, name, payload);
    let Message::Request(Request::Send { to, signal }) = message else { panic!("{message:?}") };
    (to, signal)
}

fn said(from: &str, signal: Signal) -> Event {
    Event::Signal { from: id(from), signal }
}

fn asked(room: &str, request: RoomRequest) -> Message {
    Message::Request(Request::Room { room: RoomName::new(room).unwrap(), request })
}

fn in_room(room: &str, event: RoomEvent) -> Event {
    Event::Room { room: RoomName::new(room).unwrap(), event }
}

/// Room data as a member would have sent it.
fn room_data(json: &str) -> RoomData {
    let message =
        decoded(&mut alice(), "ROOM_SEND_DATA", &format!(r#"{{"roomName":"r","data":{json}}}"#));
    let Message::Request(Request::Room { request: RoomRequest::Send(data), .. }) = message else {
        panic!("{message:?}");
    };
    data
}

/// A signal of this dialect with some payload.
fn signal_of(json: &str) -> Signal {
    let RoomData { json, .. } = room_data(json);
    Signal { kind: SignalKind::Offer, payload: Some(json), dialect: Dialect::SkyWay }
}

#[test]
fn a_packet_of_an_error_is_one_object() {
    let Packet { name, json, attachments } = Packet::error(ErrorType::RoomError, "a \"b\"");
    assert_eq!((name, json.as_str()), ("ERROR", r#"{"type":"room-error","message":"a \"b\""}"#));
    assert!(attachments.is_empty());
}
