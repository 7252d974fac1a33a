//! Values and serde.

use std::collections::BTreeMap;

use peerway_protocol::value::{Bytes, to_value};
use peerway_protocol::{Date, Value};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Everything {
    unit: (),
    truth: bool,
    byte: u8,
    long: i64,
    float: f64,
    letter: char,
    text: String,
    none: Option<u8>,
    some: Option<u8>,
    bytes: Bytes,
    date: Date,
    dates: BTreeMap<u32, Date>,
    tuple: (u8, String),
    list: Vec<Shape>,
    value: Value,
    #[serde(flatten)]
    more: More,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct More {
    wrapped: Wrapped,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Wrapped(i32);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Shape {
    Point,
    Circle(f64),
    Line(i32, i32),
    Square { side: u8 },
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Plain {
    Two,
}

fn everything() -> Everything {
    let date = Date::from_millis(1_795_277_398_123);
    Everything {
        unit: (),
        truth: true,
        byte: 255,
        long: i64::MIN,
        float: 1.5,
        letter: '😀',
        text: "hé".into(),
        none: None,
        some: Some(7),
        bytes: Bytes::from_static(b"\x00\xff"),
        date,
        dates: BTreeMap::from([(1, Date::from_millis(0))]),
        tuple: (1, "x".into()),
        list: vec![Shape::Point, Shape::Circle(2.0), Shape::Line(1, -1), Shape::Square { side: 3 }],
        value: Value::from([Value::from(date), Value::from(vec![1_u8]), Value::Null]),
        more: More { wrapped: Wrapped(-1) },
    }
}

#[test]
fn a_type_goes_into_a_value_and_out_again() {
    let thing = everything();

    let value = to_value(&thing).unwrap();

    assert_eq!(value.get("date").and_then(Value::as_date), Some(thing.date));
    assert!(matches!(value.get("date"), Some(Value::Date(_))));
    assert!(matches!(value.get("bytes"), Some(Value::Bytes(_))));
    assert_eq!(value.get("unit"), Some(&Value::Null));
    let shapes = Value::from([
        Value::from("Point"),
        Value::map([("Circle", Value::from(2.0))]),
        Value::map([("Line", Value::from([1, -1]))]),
        Value::map([("Square", Value::map([("side", Value::from(3))]))]),
    ]);
    assert_eq!(value.get("list"), Some(&shapes));
    assert_eq!(value.deserialize::<Everything>().unwrap(), thing);
}

#[test]
fn numbers_are_as_lenient_as_in_javascript() {
    assert_eq!(Value::from(3.0).deserialize::<u8>(), Ok(3));
    assert_eq!(Value::from(3).deserialize::<f64>(), Ok(3.0));
    assert!(Value::from(3.5).deserialize::<u8>().is_err());
    assert!(Value::from(1e30).deserialize::<i64>().is_err());
    assert!(Value::from(256).deserialize::<u8>().is_err());
    assert_eq!(Value::from(u64::MAX), Value::Float(18_446_744_073_709_551_615.0));
    assert!(to_value(&u64::MAX).is_err(), "serde does not lose digits");
    assert_eq!(to_value(&5_u128), Ok(Value::from(5)));
}

#[test]
fn a_buffer_is_also_a_list_of_bytes() {
    let buffer = Value::from(vec![1_u8, 2]);
    assert_eq!(buffer.clone().deserialize::<Vec<u8>>(), Ok(vec![1, 2]));
    assert_eq!(buffer.deserialize::<Bytes>(), Ok(Bytes::from_static(&[1, 2])));
    assert_eq!(Value::from([1, 2]).deserialize::<Bytes>(), Ok(Bytes::from_static(&[1, 2])));
}

#[test]
fn a_date_is_read_from_all_that_it_may_have_become() {
    let date = Date::from_millis(1_795_277_398_000);
    for form in [
        Value::from(date),
        Value::from(date.to_string()),
        Value::from("Sat Nov 21 2026 17:09:58 GMT+0100 (CET)"),
        Value::from(date.millis()),
    ] {
        assert_eq!(form.clone().deserialize::<Date>(), Ok(date), "{form:?}");
    }
    assert_eq!(Value::from(date).deserialize::<String>(), Ok("2026-11-21T16:09:58.000Z".into()));
    assert_eq!(Value::from(date).deserialize::<i64>(), Ok(date.millis()));
    assert_eq!(serde_json::to_string(&date).unwrap(), r#""2026-11-21T16:09:58.000Z""#);
    assert_eq!(serde_json::from_str::<Date>("1795277398000").unwrap(), date);
}

#[test]
fn json_becomes_a_value_with_its_members_in_order() {
    let text = r#"{"b":[1,2.5,-3,18446744073709551615,"x",null,true],"a":{"b":1,"b":2}}"#;

    let value: Value = serde_json::from_str(text).unwrap();

    let names: Vec<_> = value.as_map().unwrap().iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["b", "a"]);
    // Of repeated members the last one counts.
    assert_eq!(value.get("a").unwrap().get("b"), Some(&Value::from(2)));
    assert_eq!(
        value.get("b").unwrap().as_array().unwrap()[3],
        Value::Float(1.844_674_407_370_955_2e19)
    );
    assert_eq!(value.get("missing"), None);
    assert_eq!(Value::Null.get("b"), None);
}

#[test]
fn names_of_members_may_be_numbers() {
    let value = to_value(&BTreeMap::from([(1, 'a'), (-2, 'b')])).unwrap();
    assert_eq!(value, Value::map([("-2", Value::from("b")), ("1", Value::from("a"))]));
    assert_eq!(value.deserialize(), Ok(BTreeMap::from([(1, 'a'), (-2, 'b')])));
    let value = to_value(&BTreeMap::from([(Plain::Two, 2)])).unwrap();
    assert_eq!(value, Value::map([("Two", Value::from(2))]));
    assert_eq!(value.deserialize(), Ok(BTreeMap::from([(Plain::Two, 2)])));
    assert!(to_value(&BTreeMap::from([(Some(vec![1]), 1)])).is_err());
}

#[test]
fn a_value_is_shown_without_its_bytes() {
    let value = Value::map([
        ("data", Value::from(vec![0_u8; 5000])),
        ("at", Value::from(Date::from_millis(0))),
        ("list", Value::from([Value::Null, 1.into(), 2.0.into(), "x".into(), true.into()])),
    ]);
    let shown = r#"{"data": <5000 bytes>, "at": <1970-01-01T00:00:00.000Z>, "list": [null, 1, 2.0, "x", true]}"#;
    assert_eq!(format!("{value:?}"), shown);
}
