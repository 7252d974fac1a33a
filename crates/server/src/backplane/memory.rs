//! The backplane of nodes in one process: usually a single one.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use peerway_broker::{Proof, SessionId};
use peerway_protocol::{Address, AppKey, Envelope, PeerId};
use tokio::sync::{Notify, oneshot};

use super::{Backplane, BackplaneEvent};

/// What the nodes of one process share.
#[derive(Debug, Clone, Default)]
pub struct MemoryHub {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    apps: HashMap<AppKey, BTreeMap<PeerId, Holder>>,
    watchers: HashMap<Address, BTreeSet<usize>>,
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Holder {
    node: usize,
    proof: Proof,
}

#[derive(Debug, Default)]
struct Node {
    events: VecDeque<BackplaneEvent>,
    arrived: Arc<Notify>,
}

impl MemoryHub {
    /// A backplane for one more node.
    pub fn join(&self) -> MemoryBackplane {
        let mut shared = lock(&self.shared);
        let node = shared.nodes.len();
        let arrived = Arc::new(Notify::new());
        shared.nodes.push(Node { events: VecDeque::new(), arrived: arrived.clone() });
        MemoryBackplane { node, shared: self.shared.clone(), arrived }
    }
}

/// One node's side of a [`MemoryHub`].
#[derive(Debug)]
pub struct MemoryBackplane {
    node: usize,
    shared: Arc<Mutex<Shared>>,
    arrived: Arc<Notify>,
}

impl Shared {
    fn holder(&self, address: &Address) -> Option<&Holder> {
        self.apps.get(&address.app)?.get(&address.peer)
    }

    /// Gives a node an event. Only other nodes need waking: a node that acts drains afterwards.
    fn tell(&mut self, to: usize, from: usize, event: BackplaneEvent) {
        let node = &mut self.nodes[to];
        node.events.push_back(event);
        if to != from {
            node.arrived.notify_one();
        }
    }
}

impl Backplane for MemoryBackplane {
    fn claim(&mut self, session: SessionId, address: Address, proof: Proof) {
        let mut shared = lock(&self.shared);
        let previous = shared.holder(&address);
        if previous.is_some_and(|holder| holder.proof != proof) {
            return shared.tell(self.node, self.node, BackplaneEvent::Refused(session));
        }
        let previous = previous.map(|holder| holder.node).filter(|node| *node != self.node);
        let holder = Holder { node: self.node, proof };
        let app = shared.apps.entry(address.app.clone()).or_default();
        app.insert(address.peer.clone(), holder);
        shared.tell(self.node, self.node, BackplaneEvent::Claimed(session));
        if let Some(previous) = previous {
            shared.tell(previous, self.node, BackplaneEvent::Gone(address.clone()));
        }
        for watcher in shared.watchers.remove(&address).unwrap_or_default() {
            shared.tell(watcher, self.node, BackplaneEvent::Up(address.clone()));
        }
    }

    fn release(&mut self, address: &Address) {
        let mut shared = lock(&self.shared);
        let Some(app) = shared.apps.get_mut(&address.app) else { return };
        if app.get(&address.peer).is_some_and(|holder| holder.node == self.node) {
            app.remove(&address.peer);
            if app.is_empty() {
                shared.apps.remove(&address.app);
            }
        }
    }

    fn send(&mut self, envelope: Envelope) {
        let mut shared = lock(&self.shared);
        let holder = shared.apps.get(&envelope.app).and_then(|app| app.get(&envelope.to));
        match holder.map(|holder| holder.node) {
            Some(node) => shared.tell(node, self.node, BackplaneEvent::Arrived(envelope)),
            None => {
                shared.tell(self.node, self.node, BackplaneEvent::Undeliverable(envelope));
            }
        }
    }

    fn give_back(&mut self, envelope: Envelope) {
        let mut shared = lock(&self.shared);
        let sender = shared.holder(&envelope.source()).map(|holder| holder.node);
        if let Some(node) = sender {
            shared.tell(node, self.node, BackplaneEvent::Undeliverable(envelope));
        }
    }

    fn watch(&mut self, address: Address) {
        let mut shared = lock(&self.shared);
        if shared.holder(&address).is_some() {
            return shared.tell(self.node, self.node, BackplaneEvent::Up(address));
        }
        shared.watchers.entry(address).or_default().insert(self.node);
    }

    fn unwatch(&mut self, address: &Address) {
        let mut shared = lock(&self.shared);
        let Some(watchers) = shared.watchers.get_mut(address) else { return };
        watchers.remove(&self.node);
        if watchers.is_empty() {
            shared.watchers.remove(address);
        }
    }

    fn list(&mut self, app: &AppKey, reply: oneshot::Sender<Vec<PeerId>>) {
        let shared = lock(&self.shared);
        let ids = shared.apps.get(app).map(|app| app.keys().cloned().collect());
        // Whoever asked may have gone away meanwhile.
        let _ = reply.send(ids.unwrap_or_default());
    }

    fn try_next(&mut self) -> Option<BackplaneEvent> {
        lock(&self.shared).nodes[self.node].events.pop_front()
    }

    async fn ready(&mut self) {
        self.arrived.notified().await;
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
