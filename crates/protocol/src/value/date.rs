//! Moments, as JavaScript's `Date` counts them.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use serde::de::{self, Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};
use thiserror::Error;

/// A moment: milliseconds since 1970-01-01T00:00:00Z, leap seconds left out.
///
/// `MsgPack` carries dates as such. `binary` and `json` turn them into text, and the other end cannot
/// know that it was a date: [`Value::as_date`](super::Value::as_date) reads such a text.
///
/// With serde it is a text in the form of `toISOString`; it can be read from that, from the form of `toString`, and
/// from a number of milliseconds.
///
/// ```
/// use peerway_protocol::Date;
///
/// let date: Date = "2026-11-21T16:09:58.123Z".parse()?;
/// assert_eq!(date.millis(), 1_795_277_398_123);
/// assert_eq!(date.to_string(), "2026-11-21T16:09:58.123Z");
/// assert_eq!("Sat Nov 21 2026 17:09:58 GMT+0100 (CET)".parse::<Date>()?.millis(), 1_795_277_398_000);
/// # Ok::<(), peerway_protocol::value::InvalidDate>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(i64);

/// A text that is not what JavaScript makes of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a date in the form of toISOString or toString")]
pub struct InvalidDate;

const SECOND: i64 = 1000;
const DAY: i64 = 86_400 * SECOND;
/// The years that JavaScript's dates reach, 100 million days around 1970.
const FARTHEST: i64 = 100_000_000 * DAY;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

impl Date {
    /// The moment so many milliseconds after (or before) 1970 began.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970 began, what `getTime` returns.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// What `toISOString` returns, or `None` beyond the years that JavaScript knows.
    pub fn to_iso(self) -> Option<String> {
        if self.0.abs_diff(0) > FARTHEST.unsigned_abs() {
            return None;
        }
        let (year, month, day) = civil(self.0.div_euclid(DAY));
        let time = self.0.rem_euclid(DAY);
        let (hour, minute) = (time / (3600 * SECOND), time / (60 * SECOND) % 60);
        let (second, milli) = (time / SECOND % 60, time % SECOND);
        let year = match year {
            0..=9999 => format!("{year:04}"),
            _ => format!("{year:+07}"),
        };
        Some(format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z"))
    }
}

/// What `toISOString` returns, or `Invalid Date`.
impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.to_iso().as_deref().unwrap_or("Invalid Date"))
    }
}

impl FromStr for Date {
    type Err = InvalidDate;

    fn from_str(text: &str) -> Result<Self, InvalidDate> {
        let mut parts = Parts(text);
        let date = if text.starts_with(|first: char| first.is_ascii_alphabetic()) {
            spoken(&mut parts)
        } else {
            iso(&mut parts)
        };
        date.filter(|date| date.0.abs_diff(0) <= FARTHEST.unsigned_abs()).ok_or(InvalidDate)
    }
}

/// `2026-11-21T16:09:58.123Z`, years beyond four digits with sign and six digits.
fn iso(parts: &mut Parts<'_>) -> Option<Date> {
    let year = match parts.sign() {
        Some(sign) => sign * parts.number(6)?,
        None => parts.number(4)?,
    };
    let month = parts.mark("-")?.number(2)?;
    let day = parts.mark("-")?.number(2)?;
    let time = parts.mark("T")?.time()?;
    let milli = parts.mark(".")?.number(3)?;
    parts.mark("Z")?.end()?;
    moment(year, month, day, time + milli)
}

/// `Sat Nov 21 2026 17:09:58 GMT+0100 (Central European Standard Time)`; the name may be missing.
fn spoken(parts: &mut Parts<'_>) -> Option<Date> {
    parts.one_of(&WEEKDAYS)?;
    let month = parts.mark(" ")?.one_of(&MONTHS)? + 1;
    let day = parts.mark(" ")?.number(2)?;
    parts.mark(" ")?;
    let sign = parts.sign().unwrap_or(1);
    let year = sign * parts.number(parts.0.find(' ').filter(|digits| (4..=6).contains(digits))?)?;
    let time = parts.mark(" ")?.time()?;
    let east = parts.mark(" GMT")?.sign()?;
    let (hours, minutes) = (parts.number(2)?, parts.number(2)?);
    if !(parts.0.is_empty() || parts.0.starts_with(" (") && parts.0.ends_with(')')) {
        return None;
    }
    let zone = east * (hours * 60 + minutes) * 60 * SECOND;
    moment(year, month, day, time - zone)
}

/// `month` and `day` count from 1, `time` is in milliseconds.
fn moment(year: i64, month: i64, day: i64, time: i64) -> Option<Date> {
    let index = usize::try_from(month - 1).ok()?;
    if !(1..=days_in(year).get(index).copied()?).contains(&day) {
        return None;
    }
    let before: i64 = days_in(year)[..index].iter().sum();
    Some(Date((first_day(year) + before + day - 1) * DAY + time))
}

/// What is left of a text that is read from the front.
struct Parts<'a>(&'a str);

impl Parts<'_> {
    fn mark(&mut self, mark: &str) -> Option<&mut Self> {
        self.0 = self.0.strip_prefix(mark)?;
        Some(self)
    }

    fn number(&mut self, digits: usize) -> Option<i64> {
        let (number, rest) = self.0.split_at_checked(digits)?;
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        self.0 = rest;
        number.parse().ok()
    }

    fn sign(&mut self) -> Option<i64> {
        if self.mark("+").is_some() {
            return Some(1);
        }
        self.mark("-").map(|_| -1)
    }

    /// Milliseconds since midnight.
    fn time(&mut self) -> Option<i64> {
        let hour = self.number(2)?;
        let minute = self.mark(":")?.number(2)?;
        let second = self.mark(":")?.number(2)?;
        let real = hour < 24 && minute < 60 && second < 60;
        real.then_some(((hour * 60 + minute) * 60 + second) * SECOND)
    }

    fn one_of(&mut self, words: &[&str]) -> Option<i64> {
        let place = words.iter().position(|word| self.0.starts_with(word))?;
        self.mark(words[place])?;
        i64::try_from(place).ok()
    }

    fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// The day on which a year begins, counted from the first one of 1970.
fn first_day(year: i64) -> i64 {
    // Leap days before the year, counted from the year 0, which was a leap year.
    let last = year - 1;
    let leap = last.div_euclid(4) - last.div_euclid(100) + last.div_euclid(400);
    let days = 365 * year + leap;
    days - (365 * 1970 + 1969 / 4 - 1969 / 100 + 1969 / 400)
}

fn days_in(year: i64) -> [i64; 12] {
    let leap = year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0);
    [31, 28 + i64::from(leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
}

/// Year, month and day (from 1) of a day that is counted from the first one of 1970.
fn civil(day: i64) -> (i64, i64, i64) {
    // 400 years have 146,097 days. The guess is at most one year off.
    let mut year = 1970 + (day * 400).div_euclid(146_097);
    while first_day(year) > day {
        year -= 1;
    }
    while first_day(year + 1) <= day {
        year += 1;
    }
    let mut left = day - first_day(year);
    let mut month = 1;
    for length in days_in(year) {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    (year, month, left + 1)
}

impl From<SystemTime> for Date {
    /// Rounded down to milliseconds.
    fn from(time: SystemTime) -> Self {
        let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => Self(millis(since)),
            Err(before) => {
                let before = before.duration();
                let rest = i64::from(!before.subsec_nanos().is_multiple_of(1_000_000));
                Self(-millis(before) - rest)
            }
        }
    }
}

/// The name under which [`Value`](super::Value)'s own serializer knows a date.
pub(super) const NAME: &str = "$peerway::Date";

/// What stands inside of the newtype: text that the own serializer reads back.
impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(NAME, &self.to_iso())
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Date;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a date, as text or in milliseconds")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(
                self,
                inner: D,
            ) -> Result<Date, D::Error> {
                inner.deserialize_any(self)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Date, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, millis: i64) -> Result<Date, E> {
                Ok(Date(millis))
            }

            fn visit_u64<E: de::Error>(self, millis: u64) -> Result<Date, E> {
                i64::try_from(millis).map(Date).map_err(E::custom)
            }

            #[expect(clippy::cast_possible_truncation, reason = "JavaScript's dates are whole")]
            fn visit_f64<E: de::Error>(self, millis: f64) -> Result<Date, E> {
                Ok(Date(millis as i64))
            }
        }

        deserializer.deserialize_newtype_struct(NAME, Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_and_read_as_javascript_does() {
        // new Date(n).toISOString() in Node 20.
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_795_277_398_123, "2026-11-21T16:09:58.123Z"),
            (253_402_300_800_000, "+010000-01-01T00:00:00.000Z"),
            (-62_167_219_200_001, "-000001-12-31T23:59:59.999Z"),
            (-62_135_596_800_000, "0001-01-01T00:00:00.000Z"),
            (FARTHEST, "+275760-09-13T00:00:00.000Z"),
            (-FARTHEST, "-271821-04-20T00:00:00.000Z"),
        ] {
            assert_eq!(Date(millis).to_iso().as_deref(), Some(text));
            assert_eq!(text.parse(), Ok(Date(millis)), "{text}");
        }
        assert_eq!(Date(FARTHEST + 1).to_string(), "Invalid Date");
        assert_eq!(Date(i64::MIN).to_iso(), None);
    }

    #[test]
    fn dates_are_read_in_the_form_of_to_string() {
        // new Date(n).toString() in Node 20, in several time zones.
        for (text, millis) in [
            ("Sat Nov 21 2026 16:09:58 GMT+0000 (Coordinated Universal Time)", 1_795_277_398_000),
            ("Sat Nov 21 2026 21:39:58 GMT+0530 (India Standard Time)", 1_795_277_398_000),
            ("Sat Nov 21 2026 12:39:58 GMT-0330", 1_795_277_398_000),
            (
                "Fri Dec 31 -0001 23:59:59 GMT+0000 (Coordinated Universal Time)",
                -62_167_219_201_000,
            ),
            (
                "Sat Jan 01 10000 00:00:00 GMT+0000 (Coordinated Universal Time)",
                253_402_300_800_000,
            ),
        ] {
            assert_eq!(text.parse(), Ok(Date(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_stays_text() {
        for text in [
            "",
            "2026",
            "2026-11-21",
            "2026-02-29T00:00:00.000Z",
            "2026-11-21T24:00:00.000Z",
            "2026-11-21T16:09:58.123Z ",
            "+275760-09-13T00:00:00.001Z",
            "Sat",
            "Sat Nov 31 2026 17:09:58 GMT+0100",
            "Sat Nov 21 2026 17:09:58 GMT+0100 and more",
            "日本",
            "Invalid Date",
        ] {
            assert_eq!(text.parse::<Date>(), Err(InvalidDate), "{text}");
        }
    }

    #[test]
    fn every_day_has_its_place() {
        for day in -800_000..800_000 {
            let (year, month, of_month) = civil(day);
            assert_eq!(moment(year, month, of_month, 0), Some(Date(day * DAY)));
        }
    }

    #[test]
    fn times_before_1970_are_rounded_down() {
        let before = SystemTime::UNIX_EPOCH - Duration::from_micros(1500);
        assert_eq!(Date::from(before).millis(), -2);
    }
}
