//! All sessions that poll, and what they share.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::budget::Budget;
use super::core::Core;
use super::polling::Polling;
use super::{Application, Handshake};
use crate::clock;
use crate::edge::{Edge, Place};
use crate::metrics::Transport;

/// How often sessions are looked through for silent ones, at most and at least.
const SWEEP: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// The name of a session, which must not be guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sid(u128);

impl Sid {
    pub(super) fn from_random(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }

    /// The name that a client gives back.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let canonical = text.len() == 32 && text.bytes().all(|it| it.is_ascii_hexdigit());
        canonical.then(|| u128::from_str_radix(text, 16).ok().map(Self)).flatten()
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// See the module documentation.
pub(super) struct Hub<A: Application> {
    pub(super) edge: Arc<Edge>,
    pub(super) application: A,
    pub(super) budget: Budget,
    polling: Mutex<BTreeMap<Sid, Arc<Polling<A>>>>,
}

impl<A: Application> Hub<A> {
    /// Begins to look for silent sessions, too. Must be called inside a tokio runtime.
    pub(super) fn new(edge: Arc<Edge>, application: A) -> Arc<Self> {
        let budget = Budget::new(edge.config.limits.payload_size.0);
        let hub = Arc::new(Self { edge, application, budget, polling: Mutex::default() });
        tokio::spawn(sweep(Arc::downgrade(&hub)));
        hub
    }

    pub(super) fn payload_size(&self) -> usize {
        self.edge.config.limits.payload_size.0
    }

    /// A place for one more session of an address.
    pub(super) fn enter(&self, address: IpAddr) -> Option<Place> {
        self.edge.sessions.enter(address, self.edge.config.limits.sessions_per_address)
    }

    pub(super) async fn open(
        self: &Arc<Self>,
        handshake: Handshake,
        place: Place,
        transport: Transport,
    ) -> Core<A> {
        let client = self.application.open(handshake).await;
        Core::new(self.clone(), client, place, transport, clock::now())
    }

    /// What a client is told first.
    pub(super) fn open_text(&self, sid: Sid, upgrades: &[&str]) -> String {
        let config = &self.edge.config.engineio;
        serde_json::json!({
            "sid": sid.to_string(),
            "upgrades": upgrades,
            "pingInterval": millis(config.ping_interval.0),
            "pingTimeout": millis(config.ping_timeout.0),
        })
        .to_string()
    }

    pub(super) fn insert(&self, session: Arc<Polling<A>>) {
        self.sessions().insert(session.sid, session);
    }

    pub(super) fn find(&self, sid: Sid) -> Option<Arc<Polling<A>>> {
        self.sessions().get(&sid).cloned()
    }

    pub(super) fn remove(&self, sid: Sid) {
        self.sessions().remove(&sid);
    }

    fn sessions(&self) -> MutexGuard<'_, BTreeMap<Sid, Arc<Polling<A>>>> {
        self.polling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sweep(&self) {
        let now = clock::now();
        let patience = self.edge.config.engineio.patience();
        let mut parting = Vec::new();
        self.sessions().retain(|_, session| {
            let (stays, parted) = session.expire(now, patience);
            parting.extend(parted);
            stays
        });
        for (core, over) in parting {
            core.part(over);
        }
    }
}

/// Ends what is silent for too long, as long as there is a hub.
async fn sweep<A: Application>(hub: Weak<Hub<A>>) {
    loop {
        let Some(pause) = hub.upgrade().map(|hub| hub.edge.config.engineio.ping_timeout.0 / 4)
        else {
            return;
        };
        tokio::time::sleep(pause.clamp(SWEEP.0, SWEEP.1)).await;
        let Some(hub) = hub.upgrade() else { return };
        hub.sweep();
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
