//! Who may use which app: keys, origins, signed ids.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::{constant_time, digest, hmac};
use peerway_broker::{AppPolicy, Proof};
use peerway_protocol::{AppKey, PeerAddress, PeerId, Refusal};

use crate::config::{AppConfig, Config, Secret};
use crate::quota::Quota;

mod credential;

pub use credential::{Credentialed, sign_credential};

/// An app as the edge sees it.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own, not a state")]
#[derive(Debug, Clone)]
pub struct App {
    /// Its key.
    pub key: AppKey,
    /// Whether clients may list its peers.
    pub allow_discovery: bool,
    concurrent_limit: usize,
    origins: Vec<OriginRule>,
    /// Whether its clients are given credentials for TURN.
    pub turn: bool,
    /// Whether its clients may open rooms whose media the server forwards.
    sfu: bool,
    members_per_room: usize,
    secret: Option<Secret>,
    require_signed_id: bool,
    quota: Quota,
}

/// One entry of an app's `origins`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum OriginRule {
    Any,
    /// Scheme, host and port, exactly.
    Origin(String),
    /// A host, whatever the scheme and port.
    Host(String),
    /// Any subdomain of a host.
    SubdomainOf(String),
}

impl OriginRule {
    fn parse(text: &str) -> Self {
        let text = text.trim_end_matches('/').to_ascii_lowercase();
        if text == "*" {
            Self::Any
        } else if text.contains("://") {
            Self::Origin(text)
        } else if let Some(domain) = text.strip_prefix("*.") {
            Self::SubdomainOf(domain.to_owned())
        } else {
            Self::Host(text)
        }
    }

    fn allows(&self, origin: &str) -> bool {
        let host = || host_of(origin);
        match self {
            Self::Any => true,
            Self::Origin(own) => own == origin,
            Self::Host(own) => host() == own,
            Self::SubdomainOf(domain) => {
                host().strip_suffix(domain.as_str()).is_some_and(|prefix| prefix.ends_with('.'))
            }
        }
    }
}

/// The host of an origin: `https://[::1]:80` gives `[::1]`.
fn host_of(origin: &str) -> &str {
    let authority = origin.split_once("://").map_or(origin, |(_, authority)| authority);
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// All apps of this server.
#[derive(Debug)]
pub struct Apps {
    known: BTreeMap<AppKey, Arc<App>>,
    /// The pattern for keys that are not listed, in "accept any key" mode.
    any: Option<App>,
}

impl Apps {
    /// Reads the apps from the configuration.
    pub fn new(config: &Config) -> Result<Self, String> {
        let mut apps = config.app.clone();
        match &config.key {
            Some(key) if apps.iter().any(|app| app.key == *key) => {}
            Some(key) => apps.push(AppConfig::named(key)),
            None if apps.is_empty() => apps.push(AppConfig::named("peerjs")),
            None => {}
        }
        let mut known = BTreeMap::new();
        for app in &apps {
            let app = App::new(app, config)?;
            if let Some(twice) = known.insert(app.key.clone(), Arc::new(app)) {
                return Err(format!("app key '{}' is configured twice", twice.key));
            }
        }
        let any = config
            .accept_any_key
            .then(|| App::new(&AppConfig::named("any"), config))
            .transpose()?;
        Ok(Self { known, any })
    }

    /// The app of a key.
    pub fn find(&self, key: &str) -> Option<Arc<App>> {
        if let Some(app) = self.known.get(key) {
            return Some(app.clone());
        }
        let key = AppKey::new(key).ok()?;
        self.any.as_ref().map(|any| Arc::new(App { key, ..any.clone() }))
    }

    /// What the broker enforces, for each app that is listed.
    pub fn policies(&self, config: &Config) -> BTreeMap<AppKey, AppPolicy> {
        let leave_after = config.leave_after.map(|after| after.0);
        let policy = |app: &App| AppPolicy {
            concurrent_limit: app.concurrent_limit,
            leave_after,
            sfu: app.sfu,
            members_per_room: app.members_per_room,
        };
        self.known.iter().map(|(key, app)| (key.clone(), policy(app))).collect()
    }

    /// The keys that are listed.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.known.keys().map(AppKey::as_str)
    }

    /// The first listed key, for the snippet on the status page.
    pub fn example_key(&self) -> &str {
        self.known.keys().next().map_or("peerjs", AppKey::as_str)
    }
}

impl App {
    fn new(config: &AppConfig, defaults: &Config) -> Result<Self, String> {
        let key = AppKey::new(&config.key)
            .map_err(|error| format!("app key '{}' {error}", config.key))?;
        if config.require_signed_id && config.secret.is_none() {
            return Err(format!("app '{key}': require_signed_id needs a secret"));
        }
        if config.secret.as_ref().is_some_and(|secret| secret.expose().len() < 16) {
            return Err(format!("app '{key}': the secret must have at least 16 characters"));
        }
        Ok(Self {
            key,
            allow_discovery: config.allow_discovery.unwrap_or(defaults.allow_discovery),
            concurrent_limit: config.concurrent_limit.unwrap_or(defaults.concurrent_limit),
            origins: config.origins.iter().map(|origin| OriginRule::parse(origin)).collect(),
            turn: config.turn,
            sfu: config.sfu && defaults.sfu.enabled,
            members_per_room: config.members_per_room.unwrap_or(defaults.limits.members_per_room),
            secret: config.secret.clone(),
            require_signed_id: config.require_signed_id,
            quota: Quota::new(&config.quota),
        })
    }

    /// Whether a page of this origin may use the app. Without any rule everybody may; with rules
    /// a client that names no origin may not.
    pub fn admits_origin(&self, origin: Option<&str>) -> Result<(), Refusal> {
        if self.origins.is_empty() {
            return Ok(());
        }
        let lower = origin.unwrap_or_default().to_ascii_lowercase();
        if self.origins.iter().any(|rule| rule.allows(&lower)) {
            return Ok(());
        }
        Err(Refusal::OriginNotAllowed(origin.unwrap_or("(none)").to_owned()))
    }

    /// Who a client is that shows this token for this id: the proof by which it, and nobody else,
    /// may take the id over later.
    pub fn authenticate(&self, id: &PeerId, token: &str, now: u64) -> Result<Proof, Refusal> {
        if !self.require_signed_id {
            return Ok(proof_of(token));
        }
        let secret = self.secret.as_ref().map_or("", Secret::expose);
        verify_token(secret, &self.key, id, token, now).map_err(Refusal::TokenRefused)?;
        // Every valid token of an id proves the same: its user.
        Ok(proof_of(&format!("signed\n{}\n{id}", self.key)))
    }

    /// One more session of it is opened, unless those of the month are used up.
    pub fn count_session(&self, unix: u64) -> Result<(), Refusal> {
        self.quota.count_session(unix)
    }

    /// Whether TURN may go on relaying for it, which has relayed so many bytes since the start.
    pub fn may_relay(&self, unix: u64, relayed: u64) -> bool {
        self.quota.may_relay(unix, relayed)
    }

    /// Whether only those who show a signed token may have an id.
    pub fn wants_signed_ids(&self) -> bool {
        self.require_signed_id
    }

    /// The address of one of its peers.
    pub fn address(&self, peer: PeerId) -> PeerAddress {
        PeerAddress { app: self.key.clone(), peer }
    }
}

/// The digest of a token, which is all that the server keeps of it.
fn proof_of(token: &str) -> Proof {
    let mut proof = [0; 32];
    proof.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
    Proof(proof)
}

/// A token that proves the right to an id until `expiry` (seconds since 1970):
/// `{expiry}.{hex of HMAC-SHA256(secret, "{key}\n{id}\n{expiry}")}`. It goes into the `PeerJS`
/// option `token`, so it has only characters that need no encoding in a URL.
pub fn sign_token(secret: &str, key: &AppKey, id: &PeerId, expiry: u64) -> String {
    use std::fmt::Write as _;

    let mut token = format!("{expiry}.");
    for byte in mac(secret, key, id, expiry).as_ref() {
        let _ = write!(token, "{byte:02x}");
    }
    token
}

fn verify_token(
    secret: &str,
    key: &AppKey,
    id: &PeerId,
    token: &str,
    now: u64,
) -> Result<(), String> {
    let form = "the app wants a signed token of the form expiry.signature";
    let (expiry, _) = token.split_once('.').ok_or(form)?;
    let expiry: u64 = expiry.parse().map_err(|_| form)?;
    let right = sign_token(secret, key, id, expiry);
    constant_time::verify_slices_are_equal(right.as_bytes(), token.as_bytes())
        .map_err(|_| format!("it does not sign the id {id}"))?;
    if expiry <= now {
        return Err(format!("it expired {} seconds ago", now - expiry));
    }
    Ok(())
}

fn mac(secret: &str, key: &AppKey, id: &PeerId, expiry: u64) -> hmac::Tag {
    // Neither key nor id can contain a line break, so no two triples make the same text.
    let key_material = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hmac::sign(&key_material, format!("{key}\n{id}\n{expiry}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "correct horse battery";

    fn apps(edit: impl FnOnce(&mut AppConfig)) -> Result<Apps, String> {
        let secret = Some(Secret::from(SECRET.to_owned()));
        let mut app = AppConfig { secret, ..AppConfig::named("shop") };
        edit(&mut app);
        Apps::new(&Config { app: vec![app], ..Config::default() })
    }

    fn shop(edit: impl FnOnce(&mut AppConfig)) -> Arc<App> {
        apps(edit).unwrap().find("shop").unwrap()
    }

    #[test]
    fn origins_match_exactly_by_host_or_by_subdomain() {
        let app = shop(|app| {
            app.origins = ["https://a.example", "b.example", "*.c.example"].map(Into::into).into();
        });
        for good in [
            "https://a.example",
            "http://b.example:8080",
            "HTTPS://B.example",
            "https://x.c.example",
            "https://y.x.c.example:1",
        ] {
            assert!(app.admits_origin(Some(good)).is_ok(), "{good}");
        }
        for bad in [
            "http://a.example",
            "https://a.example:444",
            "https://evilb.example",
            "https://c.example",
            "https://evilc.example",
            "https://b.example.evil",
            "null",
        ] {
            assert!(app.admits_origin(Some(bad)).is_err(), "{bad}");
        }
        assert!(app.admits_origin(None).is_err());
    }

    #[test]
    fn an_app_without_origins_admits_everybody() {
        assert!(shop(|_| {}).admits_origin(None).is_ok());
    }

    #[test]
    fn a_signed_token_proves_one_id_until_it_expires() {
        let app = shop(|app| app.require_signed_id = true);
        let [alice, bob] = ["alice", "bob"].map(|id| PeerId::new(id).unwrap());
        let token = sign_token(SECRET, &app.key, &alice, 1000);
        let later = sign_token(SECRET, &app.key, &alice, 2000);

        assert!(app.authenticate(&alice, &token, 999).is_ok());
        assert_eq!(app.authenticate(&alice, &token, 1), app.authenticate(&alice, &later, 1));
        let expired = app.authenticate(&alice, &token, 1007).unwrap_err();
        assert_eq!(expired.to_string(), "Token refused: it expired 7 seconds ago");
        assert!(app.authenticate(&bob, &token, 999).is_err());
        assert!(app.authenticate(&alice, "nonsense", 999).is_err());
        assert!(app.authenticate(&alice, &token.replace("1000.", "9999."), 999).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_text_but_the_signed_one_is_a_token(text in ".{0,80}", expiry: u64, now: u64) {
            let app = shop(|app| app.require_signed_id = true);
            let alice = PeerId::new("alice").unwrap();
            proptest::prop_assert!(app.authenticate(&alice, &text, now).is_err());
            let forged = format!("{expiry}.{text}");
            proptest::prop_assert!(app.authenticate(&alice, &forged, now).is_err());
            let token = sign_token(SECRET, &app.key, &alice, expiry);
            let valid = app.authenticate(&alice, &token, now).is_ok();
            proptest::prop_assert_eq!(valid, now < expiry);
        }

        #[test]
        fn no_origin_and_no_rule_is_too_strange_to_be_judged(rule in ".{0,40}", origin in ".{0,40}") {
            let app = shop(|app| app.origins = vec![rule]);
            let _ = app.admits_origin(Some(&origin));
        }
    }

    #[test]
    fn without_signing_each_token_is_its_own_proof() {
        let app = shop(|_| {});
        let alice = PeerId::new("alice").unwrap();
        assert_eq!(app.authenticate(&alice, "t1", 0), app.authenticate(&alice, "t1", 0));
        assert_ne!(app.authenticate(&alice, "t1", 0), app.authenticate(&alice, "t2", 0));
    }

    #[test]
    fn mistakes_in_apps_are_told() {
        let error = |edit: fn(&mut AppConfig)| apps(edit).unwrap_err();
        assert!(error(|app| app.key = "a/b".into()).contains("'a/b' must not contain"));
        assert!(
            error(|app| {
                app.secret = None;
                app.require_signed_id = true;
            })
            .contains("needs a secret")
        );
        assert!(error(|app| app.secret = Some(Secret::from("x".to_owned()))).contains("16"));
    }

    #[test]
    fn any_key_mode_serves_keys_that_are_not_listed() {
        let config = Config { accept_any_key: true, ..Config::default() };
        let apps = Apps::new(&config).unwrap();
        assert_eq!(apps.find("whatever").unwrap().key.as_str(), "whatever");
        assert!(apps.find("active").is_none());
        assert!(Apps::new(&Config::default()).unwrap().find("whatever").is_none());
    }
}
