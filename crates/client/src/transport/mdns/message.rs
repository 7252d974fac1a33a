//! Questions for a `.local` name and the answers to them (RFC 1035 section 4, RFC 6762).

use std::net::IpAddr;

const A: u16 = 1;
const AAAA: u16 = 28;
const INTERNET: u16 = 1;
/// The bit that says that other records of the name are outdated.
const CACHE_FLUSH: u16 = 0x8000;
/// A name must not lead to itself.
const MOST_POINTERS: usize = 16;

/// The name of a candidate: one label and `.local`, as browsers make them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LocalName(String);

impl LocalName {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let label = text.strip_suffix(".local")?;
        let fits = !label.is_empty() && label.len() <= 63 && !label.contains('.');
        (fits && label.is_ascii()).then(|| Self(label.to_owned()))
    }
}

/// Asks for the addresses of a name: IPv4, IPv6. Each by itself, because Chromium (148) does not
/// answer a message with two questions.
pub(super) fn questions(name: &LocalName) -> [Vec<u8>; 2] {
    [A, AAAA].map(|kind| {
        let mut message = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in [name.0.as_str(), "local"] {
            message.push(u8::try_from(label.len()).expect("labels are short"));
            message.extend_from_slice(label.as_bytes());
        }
        message.push(0);
        message.extend_from_slice(&kind.to_be_bytes());
        message.extend_from_slice(&INTERNET.to_be_bytes());
        message
    })
}

/// The addresses that a message gives for a name; none if it is no answer to it.
pub(super) fn answers(message: &[u8], name: &LocalName) -> Vec<IpAddr> {
    let mut found = Vec::new();
    // What is cut off does not spoil what came before.
    let _ = read(message, name, &mut found);
    found
}

fn read(message: &[u8], name: &LocalName, found: &mut Vec<IpAddr>) -> Option<()> {
    let mut reader = Reader { message, at: 2 };
    let flags = reader.u16()?;
    let (is_answer, error) = (flags & 0x8000 != 0, flags & 0x000f);
    if !is_answer || error != 0 {
        return None;
    }
    let questions = reader.u16()?;
    let records = (0..3).try_fold(0_usize, |sum, _| Some(sum + usize::from(reader.u16()?)))?;
    for _ in 0..questions {
        reader.name()?;
        reader.skip(4)?;
    }
    for _ in 0..records {
        let owner = reader.name()?;
        let kind = reader.u16()?;
        let class = reader.u16()? & !CACHE_FLUSH;
        reader.skip(4)?;
        let length = reader.u16()?;
        let data = reader.take(length.into())?;
        if class != INTERNET || owner != format!("{}.local", name.0) {
            continue;
        }
        let ip = match kind {
            A => <[u8; 4]>::try_from(data).ok().map(IpAddr::from),
            AAAA => <[u8; 16]>::try_from(data).ok().map(IpAddr::from),
            _ => None,
        };
        found.extend(ip);
    }
    Some(())
}

struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let taken = self.message.get(self.at..)?.get(..length)?;
        self.at += length;
        Some(taken)
    }

    fn skip(&mut self, length: usize) -> Option<()> {
        self.take(length).map(drop)
    }

    fn u16(&mut self) -> Option<u16> {
        let bytes = self.take(2)?.try_into().ok()?;
        Some(u16::from_be_bytes(bytes))
    }

    /// A name in lower case, without the last dot. What is not text matches nothing.
    fn name(&mut self) -> Option<String> {
        let mut name = String::new();
        let mut end = None;
        let mut pointers = 0;
        loop {
            let length = usize::from(self.take(1)?[0]);
            match length >> 6 {
                0 if length == 0 => break,
                0 => {
                    if !name.is_empty() {
                        name.push('.');
                    }
                    name.push_str(&String::from_utf8_lossy(self.take(length)?));
                }
                3 if pointers < MOST_POINTERS => {
                    pointers += 1;
                    let low = usize::from(self.take(1)?[0]);
                    end.get_or_insert(self.at);
                    self.at = (length & 0x3f) << 8 | low;
                }
                _ => return None,
            }
        }
        if let Some(end) = end {
            self.at = end;
        }
        name.make_ascii_lowercase();
        Some(name)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn name() -> LocalName {
        LocalName::parse("2f9B3fdf.local").unwrap()
    }

    /// What a responder says: the question's name once, then by a pointer to it.
    pub(in super::super) fn answer(label: &str, ips: &[IpAddr]) -> Vec<u8> {
        let count = u8::try_from(ips.len()).unwrap();
        let mut message = vec![0, 0, 0x84, 0, 0, 0, 0, count, 0, 0, 0, 0];
        for (index, ip) in ips.iter().enumerate() {
            if index == 0 {
                message.push(u8::try_from(label.len()).unwrap());
                message.extend_from_slice(label.as_bytes());
                message.extend_from_slice(b"\x05local\0");
            } else {
                message.extend_from_slice(&[0xc0, 12]);
            }
            let (kind, data) = match ip {
                IpAddr::V4(ip) => (A, ip.octets().to_vec()),
                IpAddr::V6(ip) => (AAAA, ip.octets().to_vec()),
            };
            message.extend_from_slice(&kind.to_be_bytes());
            message.extend_from_slice(&(INTERNET | CACHE_FLUSH).to_be_bytes());
            message.extend_from_slice(&120_u32.to_be_bytes());
            message.extend_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
            message.extend_from_slice(&data);
        }
        message
    }

    fn ips() -> Vec<IpAddr> {
        ["192.0.2.7", "2001:db8::7"].map(|ip| ip.parse().unwrap()).into()
    }

    #[test]
    fn both_families_of_a_name_are_found() {
        assert_eq!(answers(&answer("2F9b3fdf", &ips()), &name()), ips());
    }

    #[test]
    fn the_addresses_of_others_are_not() {
        assert_eq!(answers(&answer("somebody", &ips()), &name()), Vec::<IpAddr>::new());
        assert_eq!(answers(&questions(&name())[0], &name()), Vec::<IpAddr>::new());
    }

    #[test]
    fn only_names_that_browsers_make_are_asked_for() {
        for text in ["a.example.org", ".local", "a.b.local", "local", "grüße.local"] {
            assert_eq!(LocalName::parse(text), None, "{text}");
        }
        assert_eq!(LocalName::parse(&format!("{}.local", "a".repeat(64))), None);
    }

    #[test]
    fn a_question_is_one_that_responders_understand() {
        let asked = questions(&LocalName::parse("ab.local").unwrap());
        let question = |kind: u8| {
            let mut question = b"\0\0\0\0\0\x01\0\0\0\0\0\0\x02ab\x05local\0\0".to_vec();
            question.extend_from_slice(&[kind, 0, 1]);
            question
        };
        assert_eq!(asked, [question(1), question(28)]);
    }

    #[test]
    fn damaged_messages_are_survived() {
        let whole = answer("2f9b3fdf", &ips());
        for length in 0..whole.len() {
            answers(&whole[..length], &name());
        }
        for at in 0..whole.len() {
            for byte in [0, 0x3f, 0x40, 0xc0, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] = byte;
                answers(&damaged, &name());
            }
        }
    }

    #[test]
    fn a_name_that_leads_to_itself_ends() {
        let message = [0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0xc0, 12];
        assert_eq!(answers(&message, &name()), Vec::<IpAddr>::new());
    }
}
