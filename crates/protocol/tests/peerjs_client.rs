//! The client's end of the dialect: frames of real clients and servers, as they were seen on the wire.

#![expect(clippy::panic, reason = "a helper that finds nothing fails its test")]

use std::fs;
use std::path::{Path, PathBuf};

use peerway_protocol::PeerId;
use peerway_protocol::data::Generation;
use peerway_protocol::peerjs::Handshake;
use peerway_protocol::peerjs::client::{
    FrameError, ServerFrame, decode_server, encode_answer, encode_candidate, encode_offer,
    handshake_query,
};
use peerway_protocol::peerjs::payload::{Answer, Candidate, Kind, Offer, PayloadError};
use serde::Deserialize;
use serde_json::{Value as Json, json};

#[derive(Deserialize)]
struct Client {
    #[serde(rename = "client")]
    name: String,
    frames: Vec<Frame>,
}

#[derive(Deserialize)]
struct Frame {
    what: String,
    #[serde(rename = "frame")]
    text: String,
    from: Option<String>,
    to: Option<String>,
    /// What the receiver is told.
    told: Option<String>,
}

#[test]
fn every_captured_signal_is_understood() {
    let mut understood = 0;
    for Client { name, frames } in clients() {
        for frame in &frames {
            let (Some(told), Some(sender)) = (&frame.told, &frame.from) else { continue };
            let what = format!("{name}: {}", frame.what);
            let payload = &serde_json::from_str::<Json>(told).expect(&what)["payload"];

            let decoded = decode_server(told).expect(&what);

            let (from, kind, id) = match decoded {
                ServerFrame::Offer { from, payload: offer } => {
                    assert_eq!(payload["sdp"]["sdp"], offer.sdp, "{what}");
                    assert_eq!(payload.get("metadata"), offer.metadata.as_ref(), "{what}");
                    assert_eq!(payload["serialization"].as_str(), offer.serialization.as_deref());
                    assert_eq!(payload["label"].as_str(), offer.label.as_deref(), "{what}");
                    assert_eq!(offer.generation(), generation(&name), "{what}");
                    (from, offer.kind, offer.connection_id)
                }
                ServerFrame::Answer { from, payload: answer } => {
                    assert_eq!(payload["sdp"]["sdp"], answer.sdp, "{what}");
                    assert_eq!(answer.generation(), generation(&name), "{what}");
                    (from, answer.kind, answer.connection_id)
                }
                ServerFrame::Candidate { from, payload: candidate } => {
                    let inner = &payload["candidate"];
                    assert_eq!(inner["candidate"], candidate.candidate, "{what}");
                    assert_eq!(inner["sdpMid"].as_str(), candidate.sdp_mid.as_deref(), "{what}");
                    (from, candidate.kind, candidate.connection_id)
                }
                ServerFrame::Leave { from } | ServerFrame::Expire { from } => {
                    assert_eq!(from.as_str(), sender, "{what}");
                    continue;
                }
                other => panic!("{what}: {other:?}"),
            };
            assert_eq!(from.as_str(), sender, "{what}");
            assert_eq!(payload["connectionId"], *id, "{what}");
            assert_eq!(payload["type"], json!(kind), "{what}");
            understood += 1;
        }
    }
    assert!(understood > 25, "only {understood} signals in all fixtures");
}

#[test]
fn our_frames_are_those_of_1_5_byte_for_byte() {
    let mut compared = 0;
    for Client { name, frames } in clients() {
        if name != "peerjs 1.5.5" && name != "peerjs 1.4.7" {
            continue;
        }
        for frame in &frames {
            let (Some(told), Some(to)) = (&frame.told, &frame.to) else { continue };
            let to = PeerId::new(to).unwrap();

            let ours = match decode_server(told) {
                Ok(ServerFrame::Offer { payload, .. }) => encode_offer(&to, &payload),
                Ok(ServerFrame::Answer { payload, .. }) => encode_answer(&to, &payload),
                Ok(ServerFrame::Candidate { payload, .. }) => encode_candidate(&to, &payload),
                other => panic!("{other:?}"),
            };

            assert_eq!(ours, frame.text, "{name}: {}", frame.what);
            compared += 1;
        }
    }
    assert!(compared >= 12, "only {compared} frames in the fixtures");
}

#[test]
fn what_the_server_says_is_understood() {
    for (frame, expected) in [
        (r#"{"type":"OPEN"}"#, ServerFrame::Open),
        (
            r#"{"type":"ERROR","payload":{"msg":"Server has reached its concurrent user limit"}}"#,
            ServerFrame::Error { message: "Server has reached its concurrent user limit".into() },
        ),
        (r#"{"type":"ERROR"}"#, ServerFrame::Error { message: "the server gave no reason".into() }),
        (
            r#"{"type":"ID-TAKEN","payload":{"msg":"ID is taken"}}"#,
            ServerFrame::IdTaken { message: "ID is taken".into() },
        ),
        (
            r#"{"type":"INVALID-KEY","payload":{"msg":"Invalid key provided"}}"#,
            ServerFrame::InvalidKey { message: "Invalid key provided".into() },
        ),
        (
            r#"{"type":"EXPIRE","src":"bob","dst":"me"}"#,
            ServerFrame::Expire { from: PeerId::new("bob").unwrap() },
        ),
        (
            r#"{"type":"LEAVE","src":"old","src":"bob","payload":null}"#,
            ServerFrame::Leave { from: PeerId::new("bob").unwrap() },
        ),
        (r#"{"type":"PING"}"#, ServerFrame::Ignored),
        (r#"{"type":"HTTP-ERROR"}"#, ServerFrame::Ignored),
        (
            r#"{"type":"OFFER","src":"b","payload":{"sdp":{"sdp":""},"type":"x"}}"#,
            ServerFrame::Ignored,
        ),
    ] {
        assert_eq!(decode_server(frame).as_ref(), Ok(&expected), "{frame}");
    }
}

#[test]
fn what_is_no_frame_is_said() {
    for frame in ["", "[]", "{}", r#"{"type":5}"#, "OPEN"] {
        assert!(matches!(decode_server(frame), Err(FrameError::NotAMessage(_))), "{frame}");
    }
    for frame in [r#"{"type":"LEAVE"}"#, r#"{"type":"EXPIRE","src":""}"#] {
        assert!(matches!(decode_server(frame), Err(FrameError::Sender(_))), "{frame}");
    }
    for (payload, missing) in [
        (r#"{"type":"data","connectionId":"c"}"#, "sdp"),
        (r#"{"sdp":"v=0","type":"data","connectionId":"c"}"#, "sdp"),
        (r#"{"sdp":{"sdp":"v=0"},"connectionId":"c"}"#, "type"),
        (r#"{"sdp":{"sdp":"v=0"},"type":"data"}"#, "connectionId"),
        (r#"{"sdp":{"sdp":"v=0"},"type":"data","connectionId":""}"#, "connectionId"),
    ] {
        let frame = format!(r#"{{"type":"OFFER","src":"b","payload":{payload}}}"#);
        let error = FrameError::Payload(PayloadError::Missing(missing));
        assert_eq!(decode_server(&frame), Err(error), "{frame}");
    }
}

#[test]
fn payloads_are_read_as_leniently_as_javascript_reads_them() {
    let offer = Offer::from_json(json!({
        "sdp": {"type": "offer", "sdp": "v=0", "x": 1},
        "type": "data",
        "connectionId": 7,
        "metadata": null,
        "label": 5,
        "reliable": "yes",
        "serialization": {"a": 1},
        "more": [1, 2],
    }));

    let expected = Offer {
        sdp: "v=0".into(),
        kind: Kind::Data,
        connection_id: "7".into(),
        metadata: Some(Json::Null),
        label: Some("5".into()),
        reliable: None,
        serialization: None,
        browser: None,
        peerway: false,
        restart: false,
    };
    assert_eq!(offer, Ok(expected));
}

#[test]
fn our_own_members_come_behind_those_of_peerjs() {
    let offer = Offer {
        sdp: "v=0".into(),
        kind: Kind::Media,
        connection_id: "mc_1".into(),
        metadata: None,
        label: None,
        reliable: None,
        serialization: None,
        browser: None,
        peerway: true,
        restart: true,
    };

    let text = serde_json::to_string(&offer).unwrap();

    assert_eq!(
        text,
        concat!(
            r#"{"sdp":{"sdp":"v=0","type":"offer"},"type":"media","connectionId":"mc_1","#,
            r#""peerway":1,"restart":true}"#
        )
    );
    assert_eq!(Offer::from_json(serde_json::from_str(&text).unwrap()), Ok(offer));
}

#[test]
fn candidates_come_in_several_forms() {
    let read = |inner: Json| {
        Candidate::from_json(json!({"candidate": inner, "type": "media", "connectionId": "mc_1"}))
    };
    let bare = Candidate {
        candidate: String::new(),
        sdp_mid: None,
        sdp_m_line_index: None,
        username_fragment: None,
        kind: Kind::Media,
        connection_id: "mc_1".into(),
    };

    assert_eq!(read(Json::Null), Ok(bare.clone()), "the end of candidates of 0.3");
    assert_eq!(read(json!({"candidate": null, "sdpMLineIndex": 70_000})), Ok(bare.clone()));
    let full = Candidate { candidate: "candidate:1".into(), sdp_m_line_index: Some(0), ..bare };
    assert_eq!(read(json!({"sdpMLineIndex": 0, "candidate": "candidate:1"})), Ok(full));
    let missing = Candidate::from_json(json!({"type": "data", "connectionId": "c"}));
    assert_eq!(missing, Err(PayloadError::Missing("candidate")));
}

#[test]
fn an_answer_needs_little() {
    let answer = Answer::from_json(
        json!({"sdp": {"sdp": "v=0"}, "type": "data", "connectionId": "dc_1", "browser": "Chrome"}),
    );

    let answer = answer.unwrap();
    assert_eq!((answer.kind, answer.generation()), (Kind::Data, Generation::Legacy));
}

#[test]
fn servers_read_our_handshake() {
    for (key, id, token) in [("peerjs", "alice", "t0k3n"), ("k&=?", "a b+c", "é#%/\"")] {
        let read = Handshake::from_query(&handshake_query(key, id, token, Some("1.5.5")));

        let version = Some("1.5.5".into());
        assert_eq!(
            read,
            Handshake {
                key: key.into(),
                id: id.into(),
                token: token.into(),
                version,
                ..Handshake::default()
            }
        );
    }
}

fn generation(client: &str) -> Generation {
    // 2.0 beta is of the old generation, and does not say so.
    let modern = client.contains("1.5.5") || client.contains("2.0");
    if modern { Generation::Modern } else { Generation::Legacy }
}

fn clients() -> Vec<Client> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/peerjs");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the fixtures are beside the tests")
        .map(|entry| entry.expect("a folder can be listed").path())
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains('-')))
        .collect();
    files.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a fixture can be read");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    files.into_iter().map(read).filter(|client: &Client| !client.name.contains("0.2.8")).collect()
}
