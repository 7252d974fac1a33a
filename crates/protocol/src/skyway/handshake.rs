//! The query of a Socket.IO handshake, as far as it is the dialect's.

use super::{Credential, CredentialError};
use crate::{MediaProfile, PeerId};

/// What a client says about itself when it connects (section 1.2 of the dialect's page). Clients up to
/// 1.1.6 and the vendor's gateway name neither platform nor version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handshake {
    /// App key.
    pub key: String,
    /// The client's secret for coming back under the same id.
    pub token: Option<String>,
    /// Wanted peer id. After the first OPEN clients always give one.
    pub peer_id: Option<String>,
    /// `javascript`, or what a native SDK calls itself.
    pub platform: Option<String>,
    /// The SDK's version; missing for 1.1.6 and before.
    pub sdk_version: Option<String>,
    /// What the app's backend signed.
    pub credential: Option<Result<Credential, CredentialError>>,
}

impl Handshake {
    /// Reads a query string. Of repeated members the last one counts; empty ones are none.
    #[must_use]
    pub fn from_query(query: &str) -> Self {
        let mut handshake = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if value.is_empty() {
                continue;
            }
            match name.as_ref() {
                "apiKey" => handshake.key = value.into_owned(),
                "token" => handshake.token = Some(value.into_owned()),
                "peerId" => handshake.peer_id = Some(value.into_owned()),
                "platform" => handshake.platform = Some(value.into_owned()),
                "sdk_version" => handshake.sdk_version = Some(value.into_owned()),
                "credential" => handshake.credential = Some(read_credential(&value)),
                _ => {}
            }
        }
        handshake
    }

    /// What the client can do with media, given its `User-Agent`. The 1.x generation turns offers of
    /// big rooms into Plan B, which only old browsers understand; not so in Firefox (section 4.5).
    pub fn media_profile(&self, user_agent: Option<&str>) -> MediaProfile {
        let is_firefox = user_agent.is_some_and(|agent| agent.contains("Firefox/"));
        let two_lines = self.is_first_generation() && !is_firefox;
        // Where an offer asks for several sizes Chromium leaves the line of skyway-js inactive.
        MediaProfile { two_lines, ..MediaProfile::default() }
    }

    /// Whether the client is of the 1.x generation.
    fn is_first_generation(&self) -> bool {
        self.sdk_version.as_deref().is_none_or(|version| version.starts_with("1."))
    }
}

/// An id for a client that leaves it to the server: 16 letters and digits made of the given random
/// bytes, as the vendor's server made them.
#[must_use]
pub fn random_id(bytes: [u8; 16]) -> PeerId {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    // 62 to the power of 16 goes into 2 to the power of 128 so often that none is likelier.
    let mut rest = u128::from_be_bytes(bytes);
    let text: String = std::iter::repeat_with(|| {
        let index = (rest % 62) as usize;
        rest /= 62;
        char::from(ALPHABET[index])
    })
    .take(16)
    .collect();
    PeerId::new(&text).expect("letters and digits are an id")
}

/// After `updateCredential()` skyway-js writes its query anew and encodes the credential twice, so a
/// reconnect brings `%7B%22…` where `{"…` is meant.
fn read_credential(text: &str) -> Result<Credential, CredentialError> {
    Credential::parse(text).or_else(|error| {
        let twice = format!("c={text}");
        let decoded = form_urlencoded::parse(twice.as_bytes()).next();
        match decoded {
            // A plus sign of base64 stands for itself at the inner level, where it was `%2B`.
            Some((_, inner)) if inner != text => Credential::parse(&inner),
            _ => Err(error),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREDENTIAL: &str = r#"{"timestamp":1700000000,"ttl":600,"authToken":"a+b/c="}"#;

    fn encode(text: &str) -> String {
        form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
    }

    #[test]
    fn a_query_of_4_4_5_is_read() {
        let handshake = Handshake::from_query(
            "apiKey=01234567-89ab-cdef-0123-456789abcdef&token=9x8&platform=javascript\
             &sdk_version=4.4.5&peerId=a%20b&EIO=3&transport=polling&t=Oabc&b64=1",
        );
        assert_eq!(handshake.key, "01234567-89ab-cdef-0123-456789abcdef");
        assert_eq!(handshake.token.as_deref(), Some("9x8"));
        assert_eq!(handshake.peer_id.as_deref(), Some("a b"));
        assert_eq!(handshake.sdk_version.as_deref(), Some("4.4.5"));
        assert!(!handshake.is_first_generation());
        assert_eq!(handshake.credential, None);
    }

    #[test]
    fn a_random_id_has_16_letters_and_digits() {
        let id = random_id([0xa5; 16]);
        assert_eq!(id.as_str().len(), 16);
        assert!(id.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
        assert_ne!(id, random_id([0x5a; 16]));
    }

    #[test]
    fn a_query_of_1_0_names_no_version() {
        let handshake = Handshake::from_query("apiKey=k&token=t&peerId=&EIO=3");
        assert_eq!((handshake.peer_id.as_deref(), handshake.sdk_version.as_deref()), (None, None));
        assert!(handshake.is_first_generation());
    }

    #[test]
    fn a_credential_is_read_from_one_and_from_two_encodings() {
        let read = |text: String| {
            Handshake::from_query(&format!("credential={text}")).credential.unwrap().unwrap()
        };
        let once = read(encode(CREDENTIAL));
        assert_eq!(once.auth_token, "a+b/c=");
        assert_eq!(read(encode(&encode(CREDENTIAL))), once);
    }

    #[test]
    fn a_credential_that_is_none_is_told_apart_from_no_credential() {
        let read = |query: &str| Handshake::from_query(query).credential;
        assert_eq!(read("credential=%25zz"), Some(Err(CredentialError::Malformed)));
        assert_eq!(read("credential="), None);
    }
}
