//! What holds for every frame and every handshake, tried with inputs that nobody wrote down.

#[path = "../../../fuzz/src/lib.rs"]
mod targets;

use peerway_protocol::peerjs::{ClientFrame, Handshake, decode};
use peerway_protocol::{Json, Request};
use proptest::collection::{hash_map, vec};
use proptest::prelude::*;

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in any::<String>()) {
        targets::peerjs_frame(text.as_bytes());
        targets::peerjs_handshake(text.as_bytes());
    }

    #[test]
    fn a_broken_frame_is_read_without_a_panic(
        frame in frame(), cut in any::<prop::sample::Index>(), noise in "\\PC{0,3}"
    ) {
        let at = boundary(&frame.text, cut.index(frame.text.len()));

        targets::peerjs_frame(&frame.text.as_bytes()[..at]);
        let (left, right) = frame.text.split_at(at);
        targets::peerjs_frame(format!("{left}{noise}{right}").as_bytes());
    }

    #[test]
    fn a_signal_is_told_as_it_came(frame in frame()) {
        targets::peerjs_frame(frame.text.as_bytes());

        let decoded = decode(&frame.text);

        let Ok(ClientFrame::Request(Request::Send { to, signal })) = decoded else {
            panic!("{decoded:?} of {}", frame.text);
        };
        prop_assert_eq!(to.as_str(), frame.dst);
        prop_assert_eq!(signal.payload.as_ref().map(Json::as_str), frame.payload.as_deref());
    }

    #[test]
    fn of_repeated_handshake_members_the_last_one_counts(
        members in vec((prop::sample::select(vec!["key", "id", "token", "version"]), ".*"), 0..12)
    ) {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let mut expected = Handshake::default();
        for (name, value) in &members {
            query.append_pair(name, value);
            match *name {
                "key" => expected.key.clone_from(value),
                "id" => expected.id.clone_from(value),
                "token" => expected.token.clone_from(value),
                _ => expected.version = Some(value.clone()),
            }
        }

        let read = Handshake::from_query(&query.finish());

        prop_assert_eq!(read, expected);
    }
}

#[derive(Debug)]
struct Frame {
    text: String,
    dst: String,
    payload: Option<String>,
}

/// A signal with its members in any order, spaced anyhow, among members nobody knows.
fn frame() -> impl Strategy<Value = Frame> {
    let kind = prop::sample::select(vec!["OFFER", "ANSWER", "CANDIDATE", "LEAVE", "EXPIRE"]);
    let unknown = hash_map("[a-o]{1,4}", json(), 0..3);
    // An id may hold anything but control characters.
    (kind, "\\PC{1,20}", prop::option::of(json()), unknown, space()).prop_flat_map(
        |(kind, dst, payload, unknown, space)| {
            let mut members =
                vec![("type".to_owned(), quoted(kind)), ("dst".to_owned(), quoted(&dst))];
            members.extend(payload.clone().map(|json| ("payload".to_owned(), json)));
            members.extend(unknown);
            Just(members).prop_shuffle().prop_map(move |members| {
                let members: Vec<String> = members
                    .into_iter()
                    .map(|(name, value)| {
                        format!("{space}{}{space}:{space}{value}{space}", quoted(&name))
                    })
                    .collect();
                let text = format!("{space}{{{}}}{space}", members.join(","));
                Frame { text, dst: dst.clone(), payload: payload.clone() }
            })
        },
    )
}

/// JSON text, not as `serde_json` would print it.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just(r#""\u00e9\ud83d\ud83d\/""#.to_owned()),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,4})?",
        ".*".prop_map(|text| quoted(&text)),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            (vec(inner.clone(), 0..4), space()).prop_map(|(items, space)| format!(
                "[{space}{}{space}]",
                items.join(&format!("{space},"))
            )),
            (vec(("[a-c]{0,2}", inner), 0..4), space()).prop_map(|(members, space)| {
                let members: Vec<String> = members
                    .into_iter()
                    .map(|(name, value)| format!("{}{space}:{value}", quoted(&name)))
                    .collect();
                format!("{{{space}{}}}", members.join(","))
            }),
        ]
    })
}

fn space() -> impl Strategy<Value = String> {
    "[ \t\r\n]{0,2}"
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a string is always valid JSON")
}

/// The nearest place at or before `at` where a text can be cut.
fn boundary(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
