//! What a data channel's codec does beyond the plain way: pieces out of order, remotes of the past, and
//! remotes that mean harm.

use peerway_protocol::Value;
use peerway_protocol::binarypack::{self, Dialect, MAX_DEPTH};
use peerway_protocol::data::{
    DataCodec, DecodeError, EncodeError, Generation, Incoming, Limits, MTU, Message, Serialization,
    UnknownSerialization,
};
use peerway_protocol::value::Bytes;

#[test]
fn pieces_in_any_order_make_the_value() {
    let value = Value::from(noise(3 * MTU));
    let pieces = encoded(&mut binary(), &value);
    assert_eq!(pieces.len(), 4);
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]] {
        let mut codec = binary();

        let arrived = order.map(|n| read(&mut codec, &pieces[n]));

        let (last, before) = arrived.split_last().unwrap();
        assert!(before.iter().all(Vec::is_empty));
        assert_eq!(last, &[Incoming::Value(value.clone())]);
    }
}

#[test]
fn pieces_of_several_values_may_be_mixed() {
    let (mut sender, mut receiver) = (binary(), binary());
    let values = [Value::from(noise(MTU)), Value::from(noise(2 * MTU))];
    let [first, second] = values.each_ref().map(|value| encoded(&mut sender, value));

    let mut arrived = Vec::new();
    for piece in [&second[0], &first[0], &second[2], &first[1], &second[1]] {
        arrived.extend(read(&mut receiver, piece));
    }

    assert_eq!(arrived, values.map(Incoming::Value));
}

#[test]
fn a_piece_that_comes_twice_counts_once() {
    let value = Value::from(noise(2 * MTU));
    let pieces = encoded(&mut binary(), &value);
    let mut codec = binary();

    let order = [0, 0, 2, 2, 1, 1, 0];
    let arrived: Vec<_> = order.iter().flat_map(|n| read(&mut codec, &pieces[*n])).collect();

    assert_eq!(arrived, [Incoming::Value(value)]);
}

#[test]
fn a_piece_that_contradicts_another_is_refused() {
    let mut codec = binary();
    read(&mut codec, &piece(1, 0, 3, 10));

    for contradiction in [piece(1, 1, 4, 10), piece(2, 3, 3, 10), piece(3, 0, 0, 10)] {
        let refused = codec.decode(true, contradiction.data);
        assert!(matches!(refused, Err(DecodeError::Chunk(_))), "{refused:?}");
    }
}

#[test]
fn a_value_that_grows_beyond_the_limit_is_refused() {
    let limits = Limits { max_message: 50_000, ..Limits::default() };
    for order in [[0, 1, 2, 3], [3, 2, 1, 0]] {
        let mut codec = DataCodec::new(Serialization::Binary, Generation::Modern, limits.clone());

        let results = order.map(|n| codec.decode(true, piece(1, n, 5, MTU).data));

        assert!(results[..3].iter().all(Result::is_ok));
        assert!(matches!(results[3], Err(DecodeError::Chunk(_))), "{:?}", results[3]);
    }
}

#[test]
fn unfinished_values_are_bounded() {
    let limits = Limits { max_partial: 100_000, ..Limits::default() };
    let mut codec = DataCodec::new(Serialization::Binary, Generation::Modern, limits.clone());
    let full = (1..=200).find(|id| codec.decode(true, piece(*id, 0, 2, 0).data).is_err());
    assert!(full.is_some_and(|id| id > 50), "a value without bytes is not for free: {full:?}");

    let mut codec = DataCodec::new(Serialization::Binary, Generation::Modern, limits);
    let full = (1..=200).find(|id| codec.decode(true, piece(*id, 1, 2, MTU).data).is_err());
    assert_eq!(full, Some(6));
    // What was there is still there.
    assert_eq!(codec.decode(true, piece(3, 0, 2, MTU).data).map(|arrived| arrived.len()), Ok(1));
}

#[test]
fn on_a_lossy_channel_the_oldest_value_gives_way() {
    let limits = Limits { max_partial: 100_000, lossy: true, ..Limits::default() };
    let mut codec = DataCodec::new(Serialization::Binary, Generation::Modern, limits);
    for id in 1..=200 {
        assert_eq!(codec.decode(true, piece(id, 1, 2, MTU).data), Ok(Vec::new()));
    }

    assert_eq!(codec.decode(true, piece(200, 0, 2, MTU).data).map(|arrived| arrived.len()), Ok(1));
    assert_eq!(codec.decode(true, piece(1, 0, 2, MTU).data), Ok(Vec::new()));
}

#[test]
fn big_buffers_are_shared_on_both_ways() {
    let buffer = Bytes::from(noise(10_000));
    let value = Value::from(buffer.clone());

    let packed = binarypack::pack(&value, Dialect::Modern).unwrap();
    // Beside the packed value and the two of us nobody holds it.
    drop(value);
    assert!(!buffer.is_unique());
    drop(packed);
    assert!(buffer.is_unique());

    let message = encoded(&mut binary(), &Value::from(buffer)).remove(0);
    let data = Bytes::from(message.data);
    let Ok(Value::Bytes(read)) = binarypack::unpack(&data, 10) else { panic!("they are bytes") };
    assert!(data.as_ptr_range().contains(&read.as_ptr()));
}

#[test]
fn an_outgoing_value_knows_how_many_messages_it_is() {
    for (serialization, length, count) in [
        (Serialization::Binary, MTU - 3, 1),
        (Serialization::Binary, MTU - 2, 2),
        (Serialization::Binary, 10 * MTU - 5, 10),
        (Serialization::MsgPack, 32_768 - 3, 1),
        (Serialization::MsgPack, 32_768 - 2, 2),
        (Serialization::Raw, 1_000_000, 1),
    ] {
        let mut codec = codec(serialization, Generation::Modern);

        let mut outgoing = codec.encode(&Value::from(noise(length))).unwrap();

        assert_eq!(outgoing.len(), count, "{serialization} {length}");
        outgoing.next();
        assert_eq!(outgoing.len(), count - 1);
        assert_eq!(outgoing.count(), count - 1);
    }
}

#[test]
fn emoji_reach_and_leave_the_past() {
    let emoji = ["😀", "a😀b", "👩‍👩‍👧 日本 hé"].map(Value::from);
    let value = Value::map([("😀", Value::from(emoji)), ("long", Value::from("ab😀".repeat(300)))]);
    let mut sender = codec(Serialization::Binary, Generation::Legacy);

    for message in encoded(&mut sender, &value) {
        assert!(message.data.iter().all(|byte| *byte < 0xf0), "old clients read no four bytes");
        assert_eq!(read(&mut binary(), &message), [Incoming::Value(value.clone())]);
    }
}

#[test]
fn wrong_lengths_are_read_before_anybody_says_that_the_remote_is_old() {
    // [“😀”, {“😀”: “x😀”}, 7] of 2.0 beta, which does not announce itself.
    let sent = b"\x93\xb6\xf0\x9f\x98\x80\x81\xb6\xf0\x9f\x98\x80\xb7x\xf0\x9f\x98\x80\x07";
    let mut codec = binary();

    let read = codec.decode(true, sent.to_vec());

    let inner = Value::map([("😀", Value::from("x😀"))]);
    let value = Value::from([Value::from("😀"), inner, Value::from(7)]);
    assert_eq!(read, Ok(vec![Incoming::Value(value)]));
    assert_eq!(codec.remote(), Generation::Legacy);
}

#[test]
fn lengths_in_utf16_units_are_read() {
    // {“né”: “日本😀”, “x”: 1} of binary before 0.3.7.
    let sent = "\u{2}né\u{4}日本😀\u{1}x\u{1}".as_bytes();
    let mut sent: Vec<u8> = sent.to_vec();
    for place in [0, 4, 15] {
        sent[place] |= 0xb0;
    }
    sent.insert(0, 0x82);

    let read = binarypack::unpack(&sent.into(), 10);

    let members = [("né", Value::from("日本😀")), ("x", Value::from(1))];
    assert_eq!(read, Ok(Value::map(members)));
}

#[test]
fn json_goes_as_the_remote_reads_it_and_comes_in_any_way() {
    let value = Value::map([("a", Value::from([1, 2]))]);
    let text = br#"{"a":[1,2]}"#.to_vec();
    for (remote, binary) in [(Generation::Legacy, false), (Generation::Modern, true)] {
        let mut codec = codec(Serialization::Json, remote);

        assert_eq!(encoded(&mut codec, &value), [Message { binary, data: text.clone() }]);
        assert_eq!(codec.decode(true, text.clone()), Ok(vec![Incoming::Value(value.clone())]));
        assert_eq!(codec.decode(false, text.clone()), Ok(vec![Incoming::Value(value.clone())]));
        assert_eq!(codec.remote(), Generation::Legacy, "text comes from old clients alone");
    }
}

#[test]
fn json_of_1_5_is_refused_from_16300_bytes_on() {
    for (length, fits) in [(MTU - 3, true), (MTU - 2, false)] {
        let value = Value::from("x".repeat(length));
        assert_eq!(codec(Serialization::Json, Generation::Modern).encode(&value).is_ok(), fits);
        assert!(codec(Serialization::Json, Generation::Legacy).encode(&value).is_ok());
    }
}

#[test]
fn json_with_half_an_emoji_is_read() {
    let mut codec = codec(Serialization::Json, Generation::Modern);
    for (text, expected) in [
        (r#""a\ud83d""#, "a\u{fffd}"),
        (r#""\ude00\ud83d\ude00""#, "\u{fffd}😀"),
        (r#""\\ud83d\ud83d\n""#, "\\ud83d\u{fffd}\n"),
        (r#""\ud83d\ud83d\uDE00\\""#, "\u{fffd}😀\\"),
    ] {
        let read = codec.decode(true, text.as_bytes().to_vec());
        assert_eq!(read, Ok(vec![Incoming::Value(expected.into())]), "{text}");
    }
    assert!(codec.decode(true, br#""\ud83""#.to_vec()).is_err());
}

#[test]
fn what_a_serialization_cannot_carry_is_said() {
    let bytes = Value::from([Value::from(vec![1_u8])]);
    let refused = codec(Serialization::Json, Generation::Modern).encode(&bytes);
    assert_eq!(refused.unwrap_err().to_string(), "json cannot carry bytes");

    for value in
        [Value::Null, 1.into(), 0.5.into(), true.into(), bytes, Value::map([("a", 1.into())])]
    {
        let refused = codec(Serialization::Raw, Generation::Modern).encode(&value);
        assert!(matches!(refused, Err(EncodeError::Unsupported { .. })), "{value:?}");
    }
}

#[test]
fn what_peerjs_would_take_for_its_own_is_refused() {
    let close = Value::map([("__peerData", Value::map([("type", "close".into())]))]);
    let member = Value::map([("__peerData", Value::from(1)), ("x", Value::from(2))]);
    for serialization in [Serialization::Binary, Serialization::Json, Serialization::MsgPack] {
        let mut codec = codec(serialization, Generation::Modern);
        assert_eq!(codec.encode(&close).err(), Some(EncodeError::Reserved));
        let misread = serialization == Serialization::Binary;
        assert_eq!(codec.encode(&member).is_err(), misread, "{serialization}");
        // Inside of something it means nothing.
        assert!(codec.encode(&Value::from([close.clone()])).is_ok());
    }
}

#[test]
fn closing_is_said_where_it_is_understood() {
    for serialization in Serialization::ALL {
        assert_eq!(codec(serialization, Generation::Legacy).close_message(), None);
        let mut modern = codec(serialization, Generation::Modern);
        let Some(message) = modern.close_message() else {
            assert_eq!(serialization, Serialization::Raw);
            continue;
        };
        assert_eq!(read(&mut modern, &message), [Incoming::Close], "{serialization}");
    }
}

#[test]
fn a_stream_of_messagepack_may_be_cut_anywhere() {
    let mut sender = codec(Serialization::MsgPack, Generation::Modern);
    let values = [
        Value::map([("é😀", Value::from([Value::Null, 1e300.into(), (-70_000).into()]))]),
        Value::from(noise(300)),
        Value::from(peerway_protocol::Date::from_millis(-1)),
        Value::from(""),
        Value::from([Value::from([0; 0]), Value::map::<&str>([])]),
    ];
    let stream: Vec<u8> = values
        .iter()
        .flat_map(|value| encoded(&mut sender, value))
        .flat_map(|message| message.data)
        .collect();
    for size in [1, 2, 3, 7, 100, 1000] {
        let mut receiver = codec(Serialization::MsgPack, Generation::Modern);

        let arrived: Vec<_> = stream
            .chunks(size)
            .flat_map(|part| receiver.decode(true, part.to_vec()).unwrap())
            .collect();

        assert_eq!(arrived, values.clone().map(Incoming::Value), "in pieces of {size}");
    }
}

#[test]
fn a_broken_stream_stays_broken() {
    let mut codec = codec(Serialization::MsgPack, Generation::Modern);
    assert!(codec.decode(true, vec![0xc1]).is_err());
    assert!(codec.decode(true, vec![0x01]).is_err());
}

#[test]
fn a_message_that_cannot_be_read_harms_no_other() {
    let mut codec = binary();
    for broken in [&b"\xb5ab"[..], b"", b"\xc5", b"\xb2\xff\xfe", b"\x81\xc0\x01"] {
        assert!(codec.decode(true, broken.to_vec()).is_err(), "{broken:02x?}");
        assert_eq!(codec.decode(true, vec![7]), Ok(vec![Incoming::Value(7.into())]));
    }
    assert!(codec.decode(false, b"text".to_vec()).is_err());
}

#[test]
fn lengths_beyond_the_message_take_no_memory() {
    for hostile in ["ddffffffff", "dfffffffff", "dbffffffff", "d9ffffffff", "dcffff00", "deffff00"]
    {
        let read = binary().decode(true, bytes(hostile));
        assert!(matches!(read, Err(DecodeError::BinaryPack(_))), "{hostile}: {read:?}");
    }
    // In a stream they might be yet to come, but not beyond the limits.
    for hostile in ["ddffffffff", "dfffffffff", "dbffffffff", "c6ffffffff", "c9ffffffff"] {
        let read = codec(Serialization::MsgPack, Generation::Modern).decode(true, bytes(hostile));
        assert!(matches!(read, Err(DecodeError::MsgPack(_))), "{hostile}: {read:?}");
    }
}

#[test]
fn small_values_are_counted_before_there_is_room_for_them() {
    let limits = Limits { max_values: 1000, ..Limits::default() };
    for (serialization, message) in [
        (Serialization::Binary, [vec![0xdc, 0x04, 0x00], vec![0xc0; 1024]].concat()),
        (Serialization::MsgPack, [vec![0xdc, 0x04, 0x00], vec![0xc0; 1024]].concat()),
        (Serialization::Json, format!("[{}0]", "0,".repeat(1024)).into_bytes()),
        // Arrays inside of each other that all promise what is left.
        (Serialization::Binary, bytes(&"dc0300".repeat(300))),
    ] {
        let mut codec = DataCodec::new(serialization, Generation::Modern, limits.clone());
        let read = codec.decode(true, message);
        assert!(read.is_err(), "{serialization}: {read:?}");
    }
}

#[test]
fn nesting_has_a_limit_that_all_serializations_share() {
    let nested = |depth: usize| (0..depth).fold(Value::Null, |value, _| Value::from([value]));
    for serialization in [Serialization::Binary, Serialization::Json, Serialization::MsgPack] {
        let (mut sender, mut receiver) =
            (codec(serialization, Generation::Modern), codec(serialization, Generation::Modern));
        let deep = nested(MAX_DEPTH);

        let message = encoded(&mut sender, &deep).remove(0);

        assert_eq!(read(&mut receiver, &message), [Incoming::Value(deep)], "{serialization}");
        let deeper = sender.encode(&nested(MAX_DEPTH + 1));
        assert_eq!(deeper.err(), Some(EncodeError::TooDeep(MAX_DEPTH)));
        let opening = if serialization == Serialization::Json { b'[' } else { 0x91 };
        let mut hostile = vec![opening; 200_000];
        hostile.push(0);
        assert!(receiver.decode(true, hostile).is_err(), "{serialization}");
    }
}

#[test]
fn a_message_beyond_the_limit_neither_goes_nor_comes() {
    let limits = Limits { max_message: 1000, ..Limits::default() };
    let value = Value::from(noise(1000));
    for serialization in [Serialization::Binary, Serialization::MsgPack] {
        let mut codec = DataCodec::new(serialization, Generation::Modern, limits.clone());
        assert!(matches!(
            codec.encode(&value),
            Err(EncodeError::MessageTooBig { limit: 1000, .. })
        ));
        assert_eq!(codec.decode(true, noise(1001)), Err(DecodeError::TooBig(1000)));
    }
}

#[test]
fn a_serialization_is_known_by_its_names() {
    for serialization in Serialization::ALL {
        assert_eq!(serialization.as_str().parse(), Ok(serialization));
    }
    assert_eq!("none".parse(), Ok(Serialization::Raw));
    assert_eq!(Serialization::announced(None), Ok(Serialization::Binary));
    let unknown = Serialization::announced(Some("msgpack"));
    assert_eq!(unknown, Err(UnknownSerialization("msgpack".into())));
}

fn codec(serialization: Serialization, remote: Generation) -> DataCodec {
    DataCodec::new(serialization, remote, Limits::default())
}

fn binary() -> DataCodec {
    codec(Serialization::Binary, Generation::Modern)
}

fn encoded(codec: &mut DataCodec, value: &Value) -> Vec<Message> {
    codec.encode(value).expect("it can be sent").collect()
}

fn read(codec: &mut DataCodec, message: &Message) -> Vec<Incoming> {
    codec.decode(message.binary, message.data.clone()).expect("it can be read")
}

/// A piece of a value of zeros, in an envelope of its own.
fn piece(id: i64, n: u32, total: u32, length: usize) -> Message {
    // Together they make a buffer whose tag is in the first one.
    let mut data = vec![0; length];
    if n == 0 && length == MTU {
        data[..5].copy_from_slice(&[0xdb, 0, 0, 0x7f, 0x53]);
    }
    let envelope = Value::map([
        ("__peerData", Value::from(id)),
        ("n", Value::from(n)),
        ("data", Value::from(data)),
        ("total", Value::from(total)),
    ]);
    let data = binarypack::pack(&envelope, Dialect::Modern).expect("it is small").into_vec();
    Message { binary: true, data }
}

fn noise(length: usize) -> Vec<u8> {
    (0..length).map(|index| u8::try_from(index * 31 % 251).expect("it is below 251")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("it is hexadecimal");
    (0..hex.len()).step_by(2).map(byte).collect()
}

#[test]
#[expect(clippy::cast_precision_loss, reason = "they are exact up to 2^53")]
fn whole_numbers_that_pages_misread_go_as_doubles_and_come_back_whole() {
    for number in [-(1_i64 << 31) - 1, -5_000_000_000, -(1 << 53)] {
        let packed = binarypack::pack(&Value::from(number), Dialect::Modern).unwrap().to_vec();
        assert_eq!(packed[0], 0xcb, "{number}");
        assert_eq!(packed[1..], (number as f64).to_be_bytes());
        assert_eq!(binarypack::unpack(&packed.into(), 1).unwrap(), Value::from(number));
    }
    for number in [-(1_i64 << 31), 1 << 32, (1 << 53) - 1] {
        assert_ne!(
            binarypack::pack(&Value::from(number), Dialect::Modern).unwrap().to_vec()[0],
            0xcb
        );
    }
}
