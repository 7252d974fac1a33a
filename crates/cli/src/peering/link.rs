//! Links that lead to a peer: `https://example.com/myapp/?key=shop#ID`.

use std::fmt;
use std::str::FromStr;

use form_urlencoded::Serializer;
use peerway::PeerOptions;
use peerway_protocol::PeerId;
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};

/// The key that needs no mention.
const USUAL_KEY: &str = "peerjs";

/// A server, an app and an id in one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    /// URL of the server, or of a page that knows its server.
    pub(crate) place: String,
    pub(crate) key: Option<String>,
    pub(crate) id: String,
}

impl Link {
    pub(crate) fn new(place: &str, key: &str, id: &str) -> Self {
        let key = (key != USUAL_KEY).then(|| key.to_owned());
        Self { place: place.to_owned(), key, id: id.to_owned() }
    }

    /// The link as a QR code for a terminal, with the colors that a camera expects if it has any.
    pub(crate) fn qr_code(&self, colors: bool) -> Option<String> {
        let code = QrCode::with_error_correction_level(self.to_string(), EcLevel::L).ok()?;
        if !colors {
            // Terminals are dark more often than not: what is printed is the light.
            let mut light = code.render();
            return Some(light.dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build());
        }
        let text = code.render::<Dense1x2>().build();
        let lines = text.lines().map(|line| format!("\x1b[30;107m{line}\x1b[0m\n"));
        Some(lines.collect::<String>().trim_end().to_owned())
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)?;
        if let Some(key) = &self.key {
            let sign = if self.place.contains('?') { '&' } else { '?' };
            let query = Serializer::new(String::new()).append_pair("key", key).finish();
            write!(f, "{sign}{query}")?;
        }
        f.write_str("#")?;
        for byte in self.id.bytes() {
            match byte {
                b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'_' | b'.' | b'~' => {
                    write!(f, "{}", char::from(byte))?;
                }
                _ => write!(f, "%{byte:02X}")?,
            }
        }
        Ok(())
    }
}

impl FromStr for Link {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (place, id) = text.split_once('#').ok_or("the link has no '#' with an id behind")?;
        // As in a query, but that a plus is a plus.
        let id: String = form_urlencoded::parse(id.replace('+', "%2B").as_bytes())
            .map(|(id, _)| id.into_owned())
            .collect();
        let id = PeerId::new(&id).map_err(|error| format!("the id in the link {error}"))?;
        let (place, query) = place.split_once('?').unwrap_or((place, ""));
        let key = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "key");
        PeerOptions::at(place).map_err(|error| error.to_string())?;
        let key = key.map(|(_, key)| key.into_owned());
        Ok(Self { place: place.to_owned(), key, id: id.to_string() })
    }
}

/// Whom to reach: an id, or a link that names the server too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Id(String),
    Link(Link),
}

impl Target {
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Id(id) => id,
            Self::Link(link) => &link.id,
        }
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains("://") {
            return text.parse().map(Self::Link);
        }
        let id = PeerId::new(text).map_err(|error| format!("an id {error}"))?;
        Ok(Self::Id(id.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_read_as_it_is_written() {
        for (key, text) in [
            ("peerjs", "https://a.example/my/#ann%20b%2Bc"),
            ("a&b", "https://a.example/my/?key=a%26b#ann%20b%2Bc"),
        ] {
            let link = Link::new("https://a.example/my/", key, "ann b+c");
            assert_eq!(link.to_string(), text);
            assert_eq!(text.parse(), Ok(link));
        }
    }

    #[test]
    fn what_is_no_link_may_be_an_id() {
        let id = |text: &str| text.parse::<Target>().map(|target| target.id().to_owned());
        assert_eq!(id("ann"), Ok("ann".to_owned()));
        assert_eq!(id("http://localhost:9000/#ann"), Ok("ann".to_owned()));
        for wrong in ["", "http://a/", "http://a/#", "ftp://a/#ann"] {
            assert!(id(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_qr_code_has_as_many_columns_as_twice_its_lines() {
        let link = Link::new("http://localhost:9000/", "peerjs", "ann");
        let code = link.qr_code(false).unwrap();
        let width = code.lines().next().unwrap().chars().count();
        assert_eq!(width.div_ceil(2), code.lines().count());
        assert!(link.qr_code(true).unwrap().starts_with("\x1b[30;107m"));
        assert!(Link::new(&"x".repeat(5000), "peerjs", "ann").qr_code(false).is_none());
    }
}
