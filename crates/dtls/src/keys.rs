//! The keys of a connection for whoever sends beside the engine. The engine asks its DTLS for them and
//! keeps them to itself; here they are looked at on their way, while a caller waits for them.

use std::cell::RefCell;

use str0m::crypto::dtls::SrtpProfile;

thread_local! {
    /// Open only inside of [`keys_from`], so that nothing stays behind on a thread.
    static WATCH: RefCell<Watch> = const { RefCell::new(Watch::Shut) };
}

enum Watch {
    Shut,
    Open(Option<Keys>),
}

/// What DTLS agreed on for SRTP (RFC 5764, section 4.2).
pub struct Keys {
    /// Both sides' master keys, then both sides' master salts, the client's first.
    pub material: Vec<u8>,
    /// How to encrypt.
    pub profile: SrtpProfile,
    /// Whether this side is the client.
    pub is_client: bool,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("profile", &self.profile).finish_non_exhaustive()
    }
}

/// Calls the engine of one connection, and tells the keys that its DTLS came to meanwhile. The engine
/// does all its work inside of its calls, on the caller's thread, so they can be of no other connection.
pub fn keys_from<T>(call: impl FnOnce() -> T) -> (T, Option<Keys>) {
    let closes = Closes;
    WATCH.set(Watch::Open(None));
    let done = call();
    let Watch::Open(keys) = WATCH.replace(Watch::Shut) else { return (done, None) };
    drop(closes);
    (done, keys)
}

/// Also after a panic.
struct Closes;

impl Drop for Closes {
    fn drop(&mut self) {
        WATCH.set(Watch::Shut);
    }
}

/// DTLS is up.
pub(crate) fn tell(material: &[u8], profile: SrtpProfile, is_client: bool) {
    WATCH.with_borrow_mut(|watch| {
        if let Watch::Open(keys) = watch {
            *keys = Some(Keys { material: material.to_vec(), profile, is_client });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILE: SrtpProfile = SrtpProfile::AEAD_AES_128_GCM;

    #[test]
    fn keys_come_to_who_waits_and_to_nobody_else() {
        tell(&[1], PROFILE, true);
        let ((), before) = keys_from(|| ());
        assert!(before.is_none());
        let (done, keys) = keys_from(|| {
            tell(&[2], PROFILE, false);
            7
        });
        let keys = keys.unwrap();
        assert_eq!((done, keys.material, keys.is_client), (7, vec![2], false));
        let failed = std::panic::catch_unwind(|| {
            keys_from(|| {
                tell(&[3], PROFILE, true);
                panic!("on purpose")
            })
        });
        assert!(failed.is_err());
        tell(&[4], PROFILE, true);
        assert!(keys_from(|| ()).1.is_none());
    }
}
