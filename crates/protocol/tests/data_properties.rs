//! What holds for every value and for every message of a data channel, tried with inputs that nobody
//! wrote down.

#[path = "../../../fuzz/src/data.rs"]
mod data;

use peerway_protocol::binarypack::{self, Dialect};
use peerway_protocol::data::{
    DataCodec, EncodeError, Generation, Incoming, Limits, Message, Serialization,
};
use peerway_protocol::value::{Bytes, to_value};
use peerway_protocol::{Date, Value, msgpack};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

proptest! {
    #[test]
    fn a_value_arrives_as_it_was_sent(
        value in value(), serialization in select(&STRUCTURED[..]), remote in remote()
    ) {
        let mut sender = DataCodec::new(serialization, remote, Limits::default());
        let mut receiver = DataCodec::new(serialization, remote, Limits::default());

        let sent = sender.encode(&value);

        if serialization == Serialization::Json && holds_bytes(&value) {
            let refused =
                EncodeError::Unsupported { what: "bytes", serialization: Serialization::Json };
            prop_assert_eq!(sent.err(), Some(refused));
        } else {
            let arrived = read(&mut receiver, sent.unwrap());
            prop_assert_eq!(arrived, [Incoming::Value(expected(value, serialization))]);
        }
    }

    #[test]
    fn a_long_value_arrives_with_its_pieces_in_any_order(
        bytes in vec(any::<u8>(), 16_000..70_000), more in value(), seed in any::<u64>()
    ) {
        let value = Value::from([Value::from(bytes), more]);
        let mut codec = codec(Serialization::Binary);
        let mut pieces: Vec<Message> = codec.encode(&value).unwrap().collect();
        let mut random = seed;
        for last in (1..pieces.len()).rev() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            pieces.swap(last, usize::try_from(random >> 33).unwrap() % (last + 1));
        }

        let arrived = read(&mut codec, pieces);

        prop_assert_eq!(arrived, [Incoming::Value(expected(value, Serialization::Binary))]);
    }

    #[test]
    fn a_stream_is_read_however_it_is_cut(values in vec(value(), 0..6), cuts in vec(any::<Index>(), 0..8)) {
        let stream: Vec<u8> =
            values.iter().flat_map(|value| msgpack::pack(value).unwrap().into_vec()).collect();
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        places.extend([0, stream.len()]);
        places.sort_unstable();
        let mut receiver = msgpack::Stream::new(1 << 20, 10_000);

        let mut arrived = Vec::new();
        for cut in places.windows(2) {
            arrived.extend(receiver.feed(Bytes::copy_from_slice(&stream[cut[0]..cut[1]])).unwrap());
        }

        prop_assert_eq!(arrived, values);
    }

    #[test]
    fn what_old_clients_write_is_read(value in value()) {
        let value = expected(value, Serialization::Binary);
        let mut sent = Vec::new();
        as_up_to_1_4(&value, &mut sent);
        let mut receiver =
            DataCodec::new(Serialization::Binary, Generation::Legacy, Limits::default());

        let arrived = receiver.decode(true, sent);

        prop_assert_eq!(arrived, Ok(vec![Incoming::Value(value)]));
    }

    #[test]
    fn a_value_is_itself_to_serde(value in value()) {
        prop_assert_eq!(&to_value(&value).unwrap(), &value);
        prop_assert_eq!(&value.clone().deserialize::<Value>().unwrap(), &value);
    }

    #[test]
    fn a_value_goes_through_json_of_others(value in value()) {
        let text = serde_json::to_string(&value).unwrap();

        let read: Value = serde_json::from_str(&text).unwrap();

        let bytes_as_numbers = Value::from(serde_json::from_str::<serde_json::Value>(&text).unwrap());
        prop_assert_eq!(sorted(read), sorted(bytes_as_numbers));
    }

    #[test]
    fn a_date_is_read_as_it_is_written(millis in -8_640_000_000_000_000_i64..=8_640_000_000_000_000) {
        let date = Date::from_millis(millis);

        prop_assert_eq!(date.to_string().parse(), Ok(date));
        prop_assert_eq!(Value::from(date.to_string()).as_date(), Some(date));
    }

    #[test]
    fn any_message_is_read_without_a_panic(input in vec(any::<u8>(), 0..400)) {
        data::data_channel(&input);
    }

    #[test]
    fn a_broken_message_is_read_without_a_panic(
        value in value(), form in any::<u8>(), at in any::<Index>(), flip in any::<u8>()
    ) {
        let mut input = vec![form, 255];
        input.extend(binarypack::pack(&value, Dialect::Modern).unwrap().into_vec());
        let at = at.index(input.len());
        input[at] ^= flip;

        data::data_channel(&input);
    }
}

const STRUCTURED: [Serialization; 4] =
    [Serialization::Binary, Serialization::BinaryUtf8, Serialization::Json, Serialization::MsgPack];

fn remote() -> impl Strategy<Value = Generation> {
    select(&[Generation::Legacy, Generation::Modern][..])
}

/// Any value that can be compared: no NaN.
fn value() -> impl Strategy<Value = Value> {
    let name = || "[a-cé日😀]{0,3}";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-300_i64..300).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        "[a😀日]{0,40}".prop_map(Value::from),
        vec(any::<u8>(), 0..40).prop_map(Value::from),
        (-100_000_000_000_i64..10_000_000_000_000).prop_map(|ms| Date::from_millis(ms).into()),
    ];
    leaf.prop_recursive(4, 40, 18, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..18).prop_map(Value::from),
            vec((name(), inner), 0..18).prop_map(Value::map),
        ]
    })
}

/// What a serialization makes of a value: dates are text but for `MsgPack`, and to `BinaryPack` a zero has
/// no fraction.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
fn expected(value: Value, serialization: Serialization) -> Value {
    let binary = matches!(serialization, Serialization::Binary | Serialization::BinaryUtf8);
    match value {
        Value::Date(date) if serialization != Serialization::MsgPack => date.to_string().into(),
        Value::Float(number) if binary && number == 0.0 => 0.into(),
        // Such a number is written as a double if it is an integer, so it is read as one.
        Value::Float(number)
            if binary
                && number.fract() == 0.0
                && (-2f64.powi(53)..-2f64.powi(31)).contains(&number) =>
        {
            Value::Int(number as i64)
        }
        Value::Array(elements) => {
            elements.into_iter().map(|element| expected(element, serialization)).collect()
        }
        Value::Map(members) => Value::map(
            members.into_iter().map(|(name, member)| (name, expected(member, serialization))),
        ),
        other => other,
    }
}

/// BinaryPack of js-binarypack 0.x and 1.x: three bytes are counted for each half of an emoji in a text
/// of up to 600 units.
fn as_up_to_1_4(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Text(text) => {
            let units = text.encode_utf16().count();
            let wrong = 2 * text.chars().filter(|char| *char > '\u{ffff}').count();
            let length = text.len() + if units <= 600 { wrong } else { 0 };
            match u16::try_from(length).expect("it is short").to_be_bytes() {
                [0, length @ 0..=15] => out.push(0xb0 | length),
                [high, low] => out.extend([0xd8, high, low]),
            }
            out.extend_from_slice(text.as_bytes());
        }
        Value::Array(elements) => {
            out.extend([0xdc, 0, u8::try_from(elements.len()).expect("it is short")]);
            for element in elements {
                as_up_to_1_4(element, out);
            }
        }
        Value::Map(members) => {
            out.extend([0xde, 0, u8::try_from(members.len()).expect("it is short")]);
            for (name, member) in members {
                as_up_to_1_4(&Value::from(name.as_str()), out);
                as_up_to_1_4(member, out);
            }
        }
        other => {
            let packed = binarypack::pack(other, Dialect::Modern).expect("it is small");
            out.extend(packed.into_vec());
        }
    }
}

fn holds_bytes(value: &Value) -> bool {
    match value {
        Value::Bytes(_) => true,
        Value::Array(elements) => elements.iter().any(holds_bytes),
        Value::Map(members) => members.iter().any(|(_, member)| holds_bytes(member)),
        _ => false,
    }
}

/// With the members of objects in the order and number in which `serde_json` may keep them.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(elements) => elements.into_iter().map(sorted).collect(),
        Value::Map(members) => {
            let last: std::collections::BTreeMap<_, _> = members.into_iter().collect();
            Value::map(last.into_iter().map(|(name, member)| (name, sorted(member))))
        }
        other => other,
    }
}

fn codec(serialization: Serialization) -> DataCodec {
    DataCodec::new(serialization, Generation::Modern, Limits::default())
}

fn read(codec: &mut DataCodec, messages: impl IntoIterator<Item = Message>) -> Vec<Incoming> {
    messages
        .into_iter()
        .flat_map(|message| codec.decode(message.binary, message.data).expect("it can be read"))
        .collect()
}
