//! Addresses, nets and ports as they stand in the configuration: texts that are parsed once.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::str::FromStr;

use ipnet::IpNet;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where to listen: "3478" for this port of all addresses of the machine, or "192.0.2.1:3478".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenAddress {
    /// One address; all of the machine's if `None`.
    pub ip: Option<IpAddr>,
    /// The port; 0 takes any free one.
    pub port: u16,
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(port) = text.parse() {
            return Ok(Self { ip: None, port });
        }
        let address: SocketAddr = text
            .parse()
            .map_err(|_| format!("'{text}' is neither a port nor like \"192.0.2.1:3478\""))?;
        let ip = Some(address.ip()).filter(|ip| !ip.is_unspecified());
        Ok(Self { ip, port: address.port() })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip {
            Some(ip) => SocketAddr::new(ip, self.port).fmt(f),
            None => self.port.fmt(f),
        }
    }
}

/// A span of ports: "49152-65535".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortRange(pub RangeInclusive<u16>);

impl FromStr for PortRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let error = || format!("'{text}' is not a range of ports like \"49152-65535\"");
        let (first, last) = text.split_once('-').ok_or_else(error)?;
        let port = |text: &str| text.trim().parse().map_err(|_| error());
        let (first, last): (u16, u16) = (port(first)?, port(last)?);
        if first == 0 || first > last { Err(error()) } else { Ok(Self(first..=last)) }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.0.start(), self.0.end())
    }
}

/// The address that the world sees instead of one of the machine's: "203.0.113.5" for all of its
/// family, "203.0.113.5/10.0.0.5" for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExternalAddress {
    /// What the world sees.
    pub public: IpAddr,
    /// The machine's own; any of the family if `None`.
    pub private: Option<IpAddr>,
}

impl FromStr for ExternalAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ip = |text: &str| {
            text.parse::<IpAddr>().map_err(|_| {
                format!(
                    "'{text}' is not an address like \"203.0.113.5\" or \"203.0.113.5/10.0.0.5\""
                )
            })
        };
        let Some((public, private)) = text.split_once('/') else {
            return Ok(Self { public: ip(text)?, private: None });
        };
        let (public, private) = (ip(public)?, ip(private)?);
        if public.is_ipv4() != private.is_ipv4() {
            return Err(format!("'{text}' has addresses of two families"));
        }
        Ok(Self { public, private: Some(private) })
    }
}

impl fmt::Display for ExternalAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.public.fmt(f)?;
        self.private.map_or(Ok(()), |private| write!(f, "/{private}"))
    }
}

/// A net: "10.1.0.0/16", or a single address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Net(pub IpNet);

impl FromStr for Net {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Self(ip.into()));
        }
        let error = |_| format!("'{text}' is not a net like \"10.1.0.0/16\"");
        text.parse().map(Self).map_err(error)
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Reads a text, or a number as the text of it.
struct Text<T>(std::marker::PhantomData<T>);

impl<T: FromStr<Err = String>> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }
}

macro_rules! as_text {
    ($($name:ident)*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Text(std::marker::PhantomData))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string" })
            }
        }
    )*};
}

as_text!(ListenAddress PortRange ExternalAddress Net);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_are_written() {
        fn round_trip<T: FromStr<Err = String> + fmt::Display>(texts: &[&str]) {
            for text in texts {
                let read = text.parse::<T>().map(|it| it.to_string());
                assert_eq!(read.as_deref(), Ok(*text));
            }
        }
        round_trip::<ListenAddress>(&["3478", "192.0.2.1:3478", "[2001:db8::1]:0"]);
        round_trip::<PortRange>(&["49152-65535", "5000-5000"]);
        round_trip::<ExternalAddress>(&[
            "203.0.113.5",
            "203.0.113.5/10.0.0.5",
            "2001:db8::1/fd00::1",
        ]);
        round_trip::<Net>(&["10.0.0.0/8", "::1/128"]);
        assert_eq!("127.0.0.1".parse::<Net>().unwrap().to_string(), "127.0.0.1/32");
        assert_eq!("0.0.0.0:3478".parse::<ListenAddress>().unwrap().ip, None);
    }

    #[test]
    fn mistakes_show_the_text_and_the_right_form() {
        let error = "70000".parse::<ListenAddress>().unwrap_err();
        assert!(error.contains("'70000'") && error.contains("192.0.2.1:3478"), "{error}");
        for wrong in ["5", "9-5", "0-9", "a-b"] {
            assert!(wrong.parse::<PortRange>().unwrap_err().contains("49152-65535"));
        }
        assert!("1.2.3.4/::1".parse::<ExternalAddress>().unwrap_err().contains("two families"));
        assert!("10.0.0.0/33".parse::<Net>().unwrap_err().contains("10.1.0.0/16"));
    }
}
