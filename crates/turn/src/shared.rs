//! What all servers of a program have in common.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use crate::address::Family;
use crate::credential::{Credentials, app_of};
use crate::nonce::Nonces;
use crate::policy::{PeerPolicy, PeerRefusal};
use crate::quota::{Limits, Quotas};
use crate::rate::AnswerLimit;
use crate::server::ConnectionId;

/// The app of user names that belong to none of the configured ones, as reports name it.
const OTHER_APP: &str = "other";

/// How the servers behave.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The realm of the long-term credential mechanism.
    pub realm: String,
    /// Who may allocate.
    pub credentials: Credentials,
    /// Whom they may reach.
    pub policy: PeerPolicy,
    /// How many allocations there may be.
    pub limits: Limits,
    /// Bytes of payload per second in each direction of an allocation.
    pub bandwidth: Option<u64>,
    /// Answers per second to one source that has not shown a credential; 0 for any number.
    pub answers_per_source: u32,
    /// How old an allocation may get after its credential expired.
    pub session_length: Duration,
    /// Apps that reports name; all others are `other`, so that clients cannot invent names.
    pub apps: Vec<String>,
    /// Where clients are sent while the server is being drained.
    pub alternates: Vec<SocketAddr>,
}

/// See the module documentation.
#[derive(Debug)]
pub struct Shared {
    pub(crate) settings: Settings,
    pub(crate) apps: Vec<Arc<str>>,
    pub(crate) quotas: Arc<Quotas>,
    pub(crate) answers: AnswerLimit,
    pub(crate) nonces: Nonces,
    draining: AtomicBool,
    next_alternate: AtomicUsize,
    next_connection: AtomicU32,
    /// The relayed addresses that are open, as the world sees them.
    open: RwLock<HashSet<SocketAddr>>,
}

impl Shared {
    /// `key` is random and stays secret: nonces are signed with it.
    pub fn new(settings: Settings, key: &[u8; 32], now: Instant) -> Arc<Self> {
        let apps = settings.apps.iter().map(|app| Arc::from(app.as_str()));
        let first_connection = u32::from_be_bytes([key[0], key[1], key[2], key[3]]);
        Arc::new(Self {
            apps: apps.chain([OTHER_APP.into()]).collect(),
            quotas: Arc::new(Quotas::new(settings.limits)),
            answers: AnswerLimit::new(settings.answers_per_source, key, now),
            nonces: Nonces::new(key),
            draining: AtomicBool::new(false),
            next_alternate: AtomicUsize::new(0),
            next_connection: AtomicU32::new(first_connection),
            open: RwLock::default(),
            settings,
        })
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// From now on clients that want an allocation are sent elsewhere; those that have one stay.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// The next server to send a client to; of the family that it reached us on if there is one
    /// (RFC 8489 section 10 allows no other).
    pub(crate) fn alternate(&self, family: Family) -> Option<SocketAddr> {
        let count = self.alternates(family).count();
        let turn = self.next_alternate.fetch_add(1, Ordering::Relaxed);
        self.alternates(family).nth(turn.checked_rem(count)?)
    }

    /// The servers that clients of this family may be sent to.
    pub(crate) fn alternates(&self, family: Family) -> impl Iterator<Item = SocketAddr> {
        let alternates = self.settings.alternates.iter().copied();
        alternates.filter(move |alternate| Family::of(alternate.ip()) == family)
    }

    /// Whether datagrams may go to a peer.
    pub(crate) fn judge(&self, peer: SocketAddr) -> Result<(), PeerRefusal> {
        self.settings.policy.judge(peer, |peer| {
            self.open.read().unwrap_or_else(PoisonError::into_inner).contains(&peer)
        })
    }

    pub(crate) fn relay_opened(&self, address: SocketAddr) {
        self.open.write().unwrap_or_else(PoisonError::into_inner).insert(address);
    }

    pub(crate) fn relay_closed(&self, address: SocketAddr) {
        self.open.write().unwrap_or_else(PoisonError::into_inner).remove(&address);
    }

    pub(crate) fn connection_id(&self) -> ConnectionId {
        ConnectionId(self.next_connection.fetch_add(1, Ordering::Relaxed))
    }

    /// The index of a user's app in `apps`.
    pub(crate) fn app_index(&self, username: &str) -> usize {
        let other = self.apps.len() - 1;
        let Some(app) = app_of(username) else { return other };
        self.apps[..other].iter().position(|known| **known == *app).unwrap_or(other)
    }
}
