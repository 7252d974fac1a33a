//! Which worker a datagram is for, when the kernel gave it to any: checks of ICE tell by the user
//! name in them, everything else by where it comes from, once a check from there was right.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use peerway_media::ice_user;

/// Without a right check for so long a path is forgotten. Browsers check every few seconds (RFC 7675).
const FORGOTTEN: Duration = Duration::from_mins(1);
/// Paths of one worker; a member has a few, and whoever makes up thousands cannot fill memory.
const MOST: usize = 65_536;
/// Letters at the beginning of a user name that number its worker.
const PREFIX: usize = 2;

/// What the user names of a worker's legs begin with. ICE has letters and digits (RFC 8839).
pub(super) fn prefix(worker: usize) -> String {
    let letter = |number: usize| char::from(b'a' + u8::try_from(number % 16).unwrap_or_default());
    [letter(worker / 16), letter(worker)].into_iter().collect()
}

/// The worker of a check. `None`: it is no check, or for nobody.
pub(super) fn worker_of(datagram: &[u8]) -> Option<usize> {
    // STUN begins with two zero bits (RFC 7983), and all else comes far more often.
    if datagram.first().is_none_or(|byte| *byte > 3) {
        return None;
    }
    let user = ice_user(datagram)?.as_bytes().get(..PREFIX)?;
    user.iter().try_fold(0, |number, letter| {
        let digit = letter.checked_sub(b'a').filter(|digit| *digit < 16)?;
        Some(number * 16 + usize::from(digit))
    })
}

/// The sources of all workers. Read for each batch of datagrams, written when a path is new.
#[derive(Debug, Default)]
pub(super) struct Paths(RwLock<HashMap<SocketAddr, usize>>);

impl Paths {
    /// Finds the workers of a batch at once.
    pub(super) fn find(&self, each: impl FnOnce(&dyn Fn(SocketAddr) -> Option<usize>)) {
        let workers = self.0.read().unwrap_or_else(PoisonError::into_inner);
        each(&|source| workers.get(&source).copied());
    }

    fn enter(&self, source: SocketAddr, worker: usize) {
        let known =
            self.0.read().unwrap_or_else(PoisonError::into_inner).get(&source) == Some(&worker);
        if !known {
            self.0.write().unwrap_or_else(PoisonError::into_inner).insert(source, worker);
        }
    }

    fn leave(&self, source: SocketAddr, worker: usize) {
        let mut workers = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if workers.get(&source) == Some(&worker) {
            workers.remove(&source);
        }
    }
}

/// The paths that end at one worker.
#[derive(Debug, Default)]
pub(super) struct OwnPaths(BTreeMap<SocketAddr, Path>);

#[derive(Debug)]
struct Path {
    checked: Instant,
    /// The socket of the last check.
    socket: usize,
}

impl OwnPaths {
    /// A check from there was right. Told to all workers, unless there is only one.
    pub(super) fn checked(
        &mut self,
        now: Instant,
        source: SocketAddr,
        socket: usize,
        others: Option<(&Paths, usize)>,
    ) {
        if self.0.len() >= MOST && !self.0.contains_key(&source) {
            return;
        }
        self.0.insert(source, Path { checked: now, socket });
        if let Some((paths, worker)) = others {
            paths.enter(source, worker);
        }
    }

    /// The socket that a source was last heard on.
    pub(super) fn socket(&self, source: SocketAddr) -> Option<usize> {
        self.0.get(&source).map(|path| path.socket)
    }

    /// Forgets what was not checked for long.
    pub(super) fn sweep(&mut self, now: Instant, paths: &Paths, worker: usize) {
        self.0.retain(|source, path| {
            let stays = now.saturating_duration_since(path.checked) < FORGOTTEN;
            if !stays {
                paths.leave(*source, worker);
            }
            stays
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use crate::config::MOST_WORKERS;

    fn check(user: &str) -> Vec<u8> {
        let mut check = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        check.extend([7; 12]);
        check.extend([0, 6, 0, u8::try_from(user.len()).unwrap()]);
        check.extend(user.bytes());
        check.resize(check.len().next_multiple_of(4), 0);
        check[3] = u8::try_from(check.len() - 20).unwrap();
        check
    }

    #[test]
    fn every_worker_has_a_prefix_that_finds_it() {
        for worker in 0..MOST_WORKERS {
            let user = format!("{}aB3:other", prefix(worker));
            assert_eq!(worker_of(&check(&user)), Some(worker));
        }
        for nobody in ["a:b", "zz:b", "A0:b", ""] {
            assert_eq!(worker_of(&check(nobody)), None, "{nobody}");
        }
        assert_eq!(worker_of(&[0x80; 100]), None);
        assert_eq!(worker_of(&[]), None);
    }

    #[test]
    fn a_path_belongs_to_the_last_worker_that_was_asked_rightly_until_nobody_asks() {
        let (paths, now) = (Paths::default(), clock::now());
        let mut own = [OwnPaths::default(), OwnPaths::default()];
        let source = "192.0.2.1:1".parse().unwrap();
        let find = || {
            let mut found = None;
            paths.find(|workers| found = workers(source));
            found
        };
        own[0].checked(now, source, 3, Some((&paths, 0)));
        assert_eq!((find(), own[0].socket(source)), (Some(0), Some(3)));
        own[1].checked(now + FORGOTTEN / 2, source, 1, Some((&paths, 1)));
        own[0].sweep(now + FORGOTTEN, &paths, 0);
        assert_eq!((find(), own[0].socket(source)), (Some(1), None));
        own[1].sweep(now + FORGOTTEN * 2, &paths, 1);
        assert_eq!(find(), None);
    }

    #[test]
    fn nobody_can_fill_the_table() {
        let (mut own, now) = (OwnPaths::default(), clock::now());
        for number in 0..70_000_u32 {
            let [a, b, c, d] = number.to_be_bytes();
            own.checked(now, SocketAddr::from(([10, b, c, d], u16::from(a) + 1)), 0, None);
        }
        assert_eq!(own.0.len(), MOST);
    }
}
