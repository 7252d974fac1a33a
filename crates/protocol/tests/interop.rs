//! Clients of two dialects talk to each other: what is translated, and what is refused.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use peerway_protocol::interop::check;
use peerway_protocol::skyway::{Message, Packet, Session};
use peerway_protocol::{
    Dialect, Event, Json, MediaProfile, PeerId, Request, Signal, SignalKind, peerjs,
};
use serde_json::value::RawValue;
use serde_json::{Value, json};

#[test]
fn a_data_offer_of_peerjs_1_5_reaches_skyway() {
    let offer = from_peerjs(
        "OFFER",
        r#"{"sdp":{"type":"offer","sdp":"v=0"},"type":"data","connectionId":"dc_1","metadata":{"z":1,"a":2},"label":"l","reliable":true,"serialization":"raw"}"#,
    );
    assert_eq!(check(&offer, Dialect::SkyWay), Ok(()));
    assert_eq!(
        to_skyway(offer),
        Some((
            "OFFER",
            r#"{"offer":{"type":"offer","sdp":"v=0"},"connectionId":"dc_1","connectionType":"data","metadata":{"z":1,"a":2},"serialization":"none","label":"l","dcInit":{"ordered":true},"src":"peer"}"#.to_owned()
        ))
    );
}

#[test]
fn a_data_offer_of_skyway_reaches_peerjs() {
    let offer = from_skyway(
        "SEND_OFFER",
        r#"{"offer":{"sdp":"v=0","type":"offer"},"dst":"peer","connectionId":"dc_1","connectionType":"data","metadata":5,"serialization":"none","label":"l","dcInit":{}}"#,
    );
    assert_eq!(check(&offer, Dialect::PeerJs), Ok(()));
    assert_eq!(
        to_peerjs(offer),
        r#"{"type":"OFFER","src":"sky","dst":"peer","payload":{"sdp":{"sdp":"v=0","type":"offer"},"type":"data","connectionId":"dc_1","metadata":5,"browser":"Chrome","label":"l","reliable":true,"serialization":"raw"}}"#
    );
}

#[test]
fn media_offers_pass_both_ways_with_what_the_other_side_knows() {
    let offer = from_peerjs(
        "OFFER",
        r#"{"sdp":{"type":"offer","sdp":"v"},"type":"media","connectionId":"mc_1","metadata":null}"#,
    );
    assert_eq!(check(&offer, Dialect::SkyWay), Ok(()));
    let (_, told) = to_skyway(offer).unwrap();
    assert_eq!(
        told,
        r#"{"offer":{"type":"offer","sdp":"v"},"connectionId":"mc_1","connectionType":"media","metadata":null,"src":"peer"}"#
    );
    let offer = from_skyway(
        "SEND_OFFER",
        r#"{"offer":{"sdp":"v","type":"offer"},"dst":"peer","connectionId":"mc_1","connectionType":"media","browser":{"name":"chrome"}}"#,
    );
    assert_eq!(check(&offer, Dialect::PeerJs), Ok(()));
    assert_eq!(
        payload(&to_peerjs(offer)),
        json!({"sdp": {"type": "offer", "sdp": "v"}, "type": "media", "connectionId": "mc_1", "browser": "Chrome"})
    );
}

#[test]
fn answers_pass_both_ways() {
    let answer = r#"{"sdp":{"type":"answer","sdp":"v"},"type":"media","connectionId":"mc_1"}"#;
    let (name, told) = to_skyway(from_peerjs("ANSWER", answer)).unwrap();
    assert_eq!(
        (name, told.as_str()),
        (
            "ANSWER",
            r#"{"answer":{"type":"answer","sdp":"v"},"connectionId":"mc_1","connectionType":"media","src":"peer"}"#
        )
    );
    let answer = r#"{"answer":{"sdp":"v","type":"answer"},"dst":"peer","connectionId":"mc_1","connectionType":"media"}"#;
    assert_eq!(
        payload(&to_peerjs(from_skyway("SEND_ANSWER", answer))),
        json!({"sdp": {"type": "answer", "sdp": "v"}, "type": "media", "connectionId": "mc_1", "browser": "Chrome"})
    );
}

#[test]
fn candidates_pass_both_ways_and_their_end_does_not() {
    let inner = json!({"candidate": "candidate:1", "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "u"});
    let peerjs = json!({"candidate": inner, "type": "data", "connectionId": "dc_1"});
    let skyway = json!({"candidate": inner, "connectionId": "dc_1", "connectionType": "data"});
    let (_, told) = to_skyway(from_peerjs("CANDIDATE", &peerjs.to_string())).unwrap();
    let mut told: Value = serde_json::from_str(&told).unwrap();
    told.as_object_mut().unwrap().remove("src");
    assert_eq!(told, skyway);
    let mut sent = skyway.clone();
    sent["dst"] = "peer".into();
    let told = to_peerjs(from_skyway("SEND_CANDIDATE", &sent.to_string()));
    assert_eq!(payload(&told), peerjs);

    let end = json!({"candidate": null, "type": "data", "connectionId": "dc_1"});
    assert_eq!(to_skyway(from_peerjs("CANDIDATE", &end.to_string())), None);
    let end = json!({"candidate": {"candidate": ""}, "dst": "peer", "connectionType": "data", "connectionId": "dc_1"});
    assert_eq!(to_peerjs(from_skyway("SEND_CANDIDATE", &end.to_string())), "");
}

#[test]
fn a_connection_of_a_mesh_room_stays_one() {
    let offer = r#"{"offer":{"sdp":"v","type":"offer"},"dst":"peer","connectionId":"mc_1","connectionType":"media","roomName":7}"#;
    let told = payload(&to_peerjs(from_skyway("SEND_OFFER", offer)));
    assert_eq!(told["room"], 7);
    let answer =
        r#"{"sdp":{"type":"answer","sdp":"v"},"type":"media","connectionId":"mc_1","room":7}"#;
    let (_, told) = to_skyway(from_peerjs("ANSWER", answer)).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&told).unwrap()["roomName"], 7);
}

#[test]
fn data_that_skyway_cannot_read_is_refused() {
    const LEGACY: &str = r#","browser":"chrome""#;
    const OURS: &str = r#","peerway":1"#;
    for (serialization, more, advice) in [
        (r#""raw""#, "", None),
        (r#""none""#, LEGACY, None),
        (r#""json""#, LEGACY, None),
        (r#""json""#, OURS, None),
        (r#""json""#, "", Some("its json")),
        (r#""json""#, "", Some("'raw'")),
        (r#""binary""#, "", Some("binary format")),
        (r#""binary-utf8""#, LEGACY, Some("binary format")),
        ("null", "", Some("binary format")),
        (r#""MsgPack""#, "", Some("does not know this serialization")),
        (r#""my-own""#, "", Some("does not know this serialization")),
    ] {
        let offer = format!(
            r#"{{"sdp":{{"sdp":"v"}},"type":"data","connectionId":"c","serialization":{serialization}{more}}}"#
        );
        let judged = check(&from_peerjs("OFFER", &offer), Dialect::SkyWay);
        let advice =
            advice.map(|it| it.replace("its json", "whose json is not that of PeerJS 1.5"));
        match advice {
            None => assert_eq!(judged, Ok(()), "{offer}"),
            Some(advice) => assert!(judged.as_ref().unwrap_err().contains(&advice), "{judged:?}"),
        }
    }
}

#[test]
fn data_that_peerjs_cannot_read_is_refused() {
    for (serialization, fine) in [
        (r#""none""#, true),
        (r#""json""#, true),
        (r#""binary""#, false),
        (r#""binary-utf8""#, false),
        ("null", false),
    ] {
        let offer = format!(
            r#"{{"offer":{{"sdp":"v"}},"dst":"peer","connectionType":"data","connectionId":"c","serialization":{serialization}}}"#
        );
        let judged = check(&from_skyway("SEND_OFFER", &offer), Dialect::PeerJs);
        assert_eq!(judged.is_ok(), fine, "{offer}");
        assert!(judged.err().is_none_or(|why| why.contains("'none' or 'json'")));
    }
}

#[test]
fn what_is_said_in_one_dialect_is_never_judged() {
    let offer = from_peerjs("OFFER", r#"{"sdp":{"sdp":"v"},"type":"data","connectionId":"c"}"#);
    assert_eq!(check(&offer, Dialect::PeerJs), Ok(()));
    let nonsense = from_peerjs("OFFER", "5");
    assert_eq!(check(&nonsense, Dialect::SkyWay), Ok(()));
    assert_eq!(to_skyway(nonsense), None);
}

#[test]
fn json_offered_to_peerjs_1_5_is_refused_when_it_answers() {
    const OFFER: &str = r#"{"offer":{"sdp":"v"},"dst":"peer","connectionType":"data","connectionId":"dc_1","serialization":"json"}"#;
    let answered = |more: &str| {
        let mut caller = Session::new(id("sky"), MediaProfile::default());
        decode(&mut caller, "SEND_OFFER", OFFER);
        let answer = format!(
            r#"{{"sdp":{{"sdp":"v","type":"answer"}},"type":"data","connectionId":"dc_1"{more}}}"#
        );
        let event = || Event::Signal { from: id("peer"), signal: from_peerjs("ANSWER", &answer) };
        let first = caller.encode(&event()).unwrap();
        // A second answer is not held against it.
        assert_eq!(caller.encode(&event()).unwrap().name, "ANSWER");
        first
    };
    let Packet { name, json, .. } = answered("");
    assert_eq!(name, "ERROR");
    assert!(json.contains("version 1.5 or later") && json.contains("'none'"), "{json}");
    assert_eq!(answered(r#","browser":"chrome""#).name, "ANSWER");
    assert_eq!(answered(r#","peerway":1"#).name, "ANSWER");
}

#[test]
fn a_refused_caller_hears_why_and_from_whom() {
    let payload = Some(Json::string("it is \"this\""));
    let signal = Signal { kind: SignalKind::Reject, payload, dialect: Dialect::default() };
    let event = Event::Signal { from: id("sky"), signal };
    let mut told = String::new();
    peerjs::encode(&event, &id("peer"), &mut told);
    assert_eq!(
        told,
        r#"{"type":"EXPIRE","src":"sky: it is \"this\"","dst":"peer","payload":{"peer":"sky","msg":"it is \"this\""}}"#
    );
}

#[test]
fn the_close_of_one_connection_has_no_word_in_peerjs() {
    let close = from_skyway("SEND_FORCE_CLOSE", r#"{"dst":"peer","connectionId":"c"}"#);
    assert_eq!(to_peerjs(close), "");
}

proptest::proptest! {
    #[test]
    fn no_payload_is_too_strange(kind in "OFFER|ANSWER|CANDIDATE", text in ".{0,40}", number: f64) {
        for payload in [
            format!("{text:?}"),
            format!(r#"{{"sdp":{{"sdp":{text:?}}},"type":"data","connectionId":{text:?},"reliable":{text:?},"metadata":[{number}]}}"#),
            format!(r#"{{"offer":{{"sdp":{text:?}}},"dst":"peer","connectionType":"data","connectionId":{text:?},"dcInit":{text:?},"candidate":{{"sdpMLineIndex":{number}}}}}"#),
        ] {
            let Ok(raw) = RawValue::from_string(payload) else { continue };
            let _ = to_skyway(from_peerjs(&kind, raw.get()));
            let mut session = Session::new(id("sky"), MediaProfile::default());
            if let Ok(Message::Request(Request::Send { signal, .. })) = session.decode(&format!("SEND_{kind}"), Some(&raw), Vec::new()) {
                let _ = check(&signal, Dialect::PeerJs);
                let frame = to_peerjs(signal);
                proptest::prop_assert!(frame.is_empty() || serde_json::from_str::<Value>(&frame).is_ok());
            }
        }
    }
}

fn id(text: &str) -> PeerId {
    PeerId::new(text).unwrap()
}

fn from_peerjs(kind: &str, payload: &str) -> Signal {
    let frame = format!(r#"{{"type":"{kind}","dst":"sky","payload":{payload}}}"#);
    let decoded = peerjs::decode(&frame).unwrap();
    let peerjs::ClientFrame::Request(Request::Send { signal, .. }) = decoded else {
        panic!("{decoded:?}");
    };
    signal
}

fn decode(session: &mut Session, name: &str, payload: &str) -> Signal {
    let payload = RawValue::from_string(payload.to_owned()).unwrap();
    let decoded = session.decode(name, Some(&payload), Vec::new()).unwrap();
    let Message::Request(Request::Send { signal, .. }) = decoded else { panic!("{decoded:?}") };
    signal
}

fn from_skyway(name: &str, payload: &str) -> Signal {
    decode(&mut Session::new(id("sky"), MediaProfile::default()), name, payload)
}

fn to_skyway(signal: Signal) -> Option<(&'static str, String)> {
    let event = Event::Signal { from: id("peer"), signal };
    Session::new(id("sky"), MediaProfile::default())
        .encode(&event)
        .map(|packet| (packet.name, packet.json))
}

fn to_peerjs(signal: Signal) -> String {
    let mut told = String::new();
    peerjs::encode(&Event::Signal { from: id("sky"), signal }, &id("peer"), &mut told);
    told
}

fn payload(frame: &str) -> Value {
    serde_json::from_str::<Value>(frame).unwrap()["payload"].take()
}
