//! Who may allocate: credentials that carry their own end, signed with a secret that the program
//! shares with whoever hands them out.
//!
//! | user name | password | from |
//! |---|---|---|
//! | `EXPIRY:NAME` | base64 of HMAC-SHA1(secret, user name) | coturn's `use-auth-secret` |
//! | `EXPIRY.NAME` | the same | clients that cannot have a colon in a user name: Skylink (protocols/skylink.md 3.7) |
//! | `EXPIRY` | the same | coturn's form without a name |
//! | `KEY$ID` | base64 of HMAC-SHA1(secret, `window N` + line break + user name) | the `SkyWay` fork of `PeerJS`, which makes the user name itself (protocols/peerjs.md A.2) |
//! | any | as configured | static users |
//!
//! `EXPIRY` is in seconds since 1970; `N` counts spans of the time to live since then, and a
//! password of the current or the previous span is good.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What stands between the app key and the rest in the name of a user.
const APP_SEPARATOR: char = '$';

/// A user name and its password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// Goes into `RTCIceServer.username`.
    pub username: String,
    /// Goes into `RTCIceServer.credential`.
    pub password: String,
    /// Seconds that it is good for.
    pub ttl: Duration,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("username", &self.username).finish_non_exhaustive()
    }
}

/// What stands between the expiry and the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `EXPIRY:NAME`, as coturn has it.
    Colon,
    /// `EXPIRY.NAME`.
    Dot,
}

/// All that is needed to judge and to make credentials.
#[derive(Clone)]
pub struct Credentials {
    secrets: Vec<String>,
    users: BTreeMap<String, String>,
    ttl: Duration,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("ttl", &self.ttl).finish_non_exhaustive()
    }
}

/// What a user name says, with the passwords that would prove it.
#[derive(Debug)]
pub(crate) struct Claim {
    /// When it ends, in seconds since 1970; never for static users.
    pub(crate) expiry: Option<u64>,
    /// Any of them is right.
    pub(crate) passwords: Vec<String>,
}

impl Credentials {
    /// Of the secrets the first one signs and all are accepted, so that a new one can be put in
    /// front while credentials signed with the old one run out.
    pub fn new(secrets: Vec<String>, users: BTreeMap<String, String>, ttl: Duration) -> Self {
        Self { secrets, users, ttl }
    }

    /// How long a credential is good for.
    pub fn ttl(&self) -> Duration {
        self.ttl
    }

    /// Makes a credential for a user of an app; `None` if there is no secret to sign with. `tag`
    /// tells users of an app apart, and must be a text without `:`, `@` and line breaks to be good
    /// for every client.
    pub fn issue(&self, form: Form, app: &str, tag: &str, unix: u64) -> Option<Credential> {
        self.issue_until(form, app, tag, unix, u64::MAX)
    }

    /// The same, but it ends at `end` at the latest, in seconds since 1970.
    pub fn issue_until(
        &self,
        form: Form,
        app: &str,
        tag: &str,
        unix: u64,
        end: u64,
    ) -> Option<Credential> {
        let secret = self.secrets.first()?;
        let separator = match form {
            Form::Colon => ':',
            Form::Dot => '.',
        };
        let expiry = unix.saturating_add(self.ttl.as_secs()).min(end);
        let username = format!("{expiry}{separator}{app}{APP_SEPARATOR}{tag}");
        let password = password(secret, &username);
        let ttl = Duration::from_secs(expiry.saturating_sub(unix));
        Some(Credential { username, password, ttl })
    }

    /// The password for the user name `{app}${id}`, which a client of the `SkyWay` fork makes from
    /// its key and id. It is good for the rest of this span and all of the next.
    pub fn issue_for_peer(&self, app: &str, id: &str, unix: u64) -> Option<Credential> {
        let secret = self.secrets.first()?;
        let username = format!("{app}{APP_SEPARATOR}{id}");
        let password = windowed_password(secret, &username, self.window(unix));
        Some(Credential { username, password, ttl: self.ttl })
    }

    /// What a user name says; `None` if nobody could prove it.
    pub(crate) fn claim(&self, username: &str, unix: u64) -> Option<Claim> {
        if let Some(password) = self.users.get(username) {
            return Some(Claim { expiry: None, passwords: vec![password.clone()] });
        }
        if self.secrets.is_empty() {
            return None;
        }
        if let Some(expiry) = expiry_of(username) {
            let passwords = self.secrets.iter().map(|secret| password(secret, username)).collect();
            return Some(Claim { expiry: Some(expiry), passwords });
        }
        if !username.contains(APP_SEPARATOR) {
            return None;
        }
        let window = self.window(unix);
        let passwords = [window, window.saturating_sub(1)]
            .into_iter()
            .flat_map(|window| {
                self.secrets.iter().map(move |secret| windowed_password(secret, username, window))
            })
            .collect();
        // The windows are its expiry: a password that fits is good at least until this one ends.
        let expiry = (window + 1).saturating_mul(self.span());
        Some(Claim { expiry: Some(expiry), passwords })
    }

    fn window(&self, unix: u64) -> u64 {
        unix / self.span()
    }

    fn span(&self) -> u64 {
        self.ttl.as_secs().max(1)
    }
}

/// The app that a user name claims to belong to: what stands before `$` in its name.
pub(crate) fn app_of(username: &str) -> Option<&str> {
    let digits = username.bytes().take_while(u8::is_ascii_digit).count();
    let (expiry, rest) = username.split_at(digits);
    let name = match rest.strip_prefix([':', '.']) {
        Some(name) if !expiry.is_empty() => name,
        _ => username,
    };
    name.split_once(APP_SEPARATOR).map(|(app, _)| app)
}

fn expiry_of(username: &str) -> Option<u64> {
    let end = username.find([':', '.']).unwrap_or(username.len());
    let digits = &username[..end];
    // `parse` would take a sign too.
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// coturn's `use-auth-secret`; SHA-1 is what its clients compute.
fn password(secret: &str, text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    STANDARD.encode(hmac::sign(&key, text.as_bytes()))
}

fn windowed_password(secret: &str, username: &str, window: u64) -> String {
    password(secret, &format!("window {window}\n{username}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn credentials(secrets: &[&str]) -> Credentials {
        let secrets = secrets.iter().map(ToString::to_string).collect();
        Credentials::new(secrets, BTreeMap::from([("joe".into(), "pw".into())]), HOUR)
    }

    fn proves(credentials: &Credentials, credential: &Credential, unix: u64) -> bool {
        let claim = credentials.claim(&credential.username, unix);
        claim.is_some_and(|claim| {
            claim.passwords.contains(&credential.password)
                && claim.expiry.is_none_or(|expiry| unix < expiry)
        })
    }

    #[test]
    fn the_password_is_that_of_coturn() {
        // printf %s 1700000000:alice | openssl dgst -sha1 -hmac north -binary | base64
        assert_eq!(password("north", "1700000000:alice"), "Cd/49soE35ICqcJF/bCTn8Z4OyE=");
    }

    #[test]
    fn a_credential_is_good_until_it_expires() {
        let credentials = credentials(&["north"]);
        for form in [Form::Colon, Form::Dot] {
            let credential = credentials.issue(form, "shop", "x", 1000).unwrap();
            assert!(proves(&credentials, &credential, 4599));
            assert!(!proves(&credentials, &credential, 4600));
            assert_eq!(app_of(&credential.username), Some("shop"));
        }
    }

    #[test]
    fn the_dotted_form_has_no_colon() {
        let credential = credentials(&["north"]).issue(Form::Dot, "shop", "x", 1000).unwrap();
        assert_eq!(credential.username, "4600.shop$x");
    }

    #[test]
    fn an_old_secret_is_good_as_long_as_it_is_listed() {
        let credential = credentials(&["old"]).issue(Form::Colon, "shop", "x", 1000).unwrap();
        assert!(proves(&credentials(&["new", "old"]), &credential, 1001));
        assert!(!proves(&credentials(&["new"]), &credential, 1001));
    }

    #[test]
    fn a_peers_password_lives_for_one_to_two_spans() {
        let credentials = credentials(&["north"]);
        let credential = credentials.issue_for_peer("shop", "alice", 3599).unwrap();
        assert_eq!(credential.username, "shop$alice");
        assert!(proves(&credentials, &credential, 7199));
        assert!(!proves(&credentials, &credential, 7200));
    }

    #[test]
    fn static_users_never_expire_and_others_need_a_secret() {
        let credentials = credentials(&[]);
        let joe = credentials.claim("joe", u64::MAX).unwrap();
        assert_eq!((joe.expiry, joe.passwords), (None, vec!["pw".to_owned()]));
        assert!(credentials.claim("99:x", 0).is_none());
        assert!(credentials.issue(Form::Colon, "shop", "x", 0).is_none());
    }

    #[test]
    fn strange_user_names_are_nobody() {
        let credentials = credentials(&["north"]);
        for name in ["", "-5:x", "+5:x", "nobody", "99999999999999999999999:x"] {
            assert!(credentials.claim(name, 0).is_none(), "{name}");
        }
        assert_eq!(app_of("joe"), None);
        assert_eq!(app_of("$"), Some(""));
    }
}
