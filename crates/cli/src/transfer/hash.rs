//! SHA-256 of what is sent and received.

use std::fmt::{self, Write};
use std::str::FromStr;

use aws_lc_rs::digest::{Context, SHA256};

/// A SHA-256 digest; in messages and in output it is 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sha256([u8; 32]);

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl FromStr for Sha256 {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let mistake = "a SHA-256 has 64 hexadecimal digits";
        let mut digest = [0; 32];
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(mistake);
        }
        for (place, byte) in digest.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * place..2 * place + 2], 16).map_err(|_| mistake)?;
        }
        Ok(Self(digest))
    }
}

/// The digest of bytes that come one after the other.
#[derive(Clone)]
pub(crate) struct Hasher(Context);

impl Hasher {
    pub(crate) fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    pub(crate) fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    /// The digest of everything so far; more may follow.
    pub(crate) fn digest(&self) -> Sha256 {
        let mut digest = [0; 32];
        digest.copy_from_slice(self.0.clone().finish().as_ref());
        Sha256(digest)
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")?;
        f.write_char('(')?;
        self.digest().fmt(f)?;
        f.write_char(')')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-4, the example of one block.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn pieces_have_the_digest_of_the_whole() {
        let mut hasher = Hasher::new();
        hasher.update(b"a");
        let early = hasher.digest();
        hasher.update(b"bc");
        assert_eq!(hasher.digest().to_string(), ABC);
        assert_ne!(early, hasher.digest());
    }

    #[test]
    fn a_digest_is_read_as_it_is_written() {
        assert_eq!(ABC.parse::<Sha256>().unwrap().to_string(), ABC);
        assert_eq!(ABC.to_uppercase().parse::<Sha256>().unwrap().to_string(), ABC);
        for wrong in ["", &ABC[1..], &ABC.replace('a', "g"), &format!("+{}", &ABC[1..])] {
            assert!(wrong.parse::<Sha256>().is_err(), "{wrong}");
        }
    }
}
