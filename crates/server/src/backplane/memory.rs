//! The backplane of nodes in one process: usually a single one.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use peerway_broker::{Claim, Parcel, Proof};
use peerway_protocol::{Address, AppKey, PeerAddress, PeerId, RoomName};
use tokio::sync::{Notify, oneshot};

use super::{Backplane, BackplaneEvent};

/// What the nodes of one process share.
#[derive(Debug, Clone, Default)]
pub struct MemoryHub {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    apps: HashMap<AppKey, Held>,
    watchers: HashMap<PeerAddress, BTreeSet<usize>>,
    nodes: Vec<Node>,
}

/// What is held in one app.
#[derive(Debug, Default)]
struct Held {
    peers: BTreeMap<PeerId, Holder>,
    rooms: BTreeMap<RoomName, Holder>,
}

#[derive(Debug)]
struct Holder {
    node: usize,
    /// Nobody can take over what has none.
    proof: Option<Proof>,
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

impl Held {
    fn insert(&mut self, address: &Address, holder: Holder) {
        match address {
            Address::Peer(it) => self.peers.insert(it.peer.clone(), holder),
            Address::Room(it) => self.rooms.insert(it.room.clone(), holder),
        };
    }

    fn remove(&mut self, address: &Address) {
        match address {
            Address::Peer(it) => self.peers.remove(&it.peer),
            Address::Room(it) => self.rooms.remove(&it.room),
        };
    }

    fn is_empty(&self) -> bool {
        self.peers.is_empty() && self.rooms.is_empty()
    }
}

impl Shared {
    fn holder(&self, address: &Address) -> Option<&Holder> {
        match address {
            Address::Peer(it) => self.apps.get(&it.app)?.peers.get(&it.peer),
            Address::Room(it) => self.apps.get(&it.app)?.rooms.get(&it.room),
        }
    }

    fn node_of_peer(&self, app: &AppKey, peer: &PeerId) -> Option<usize> {
        self.apps.get(app)?.peers.get(peer).map(|holder| holder.node)
    }

    fn node_of_room(&self, app: &AppKey, room: &RoomName) -> Option<usize> {
        self.apps.get(app)?.rooms.get(room).map(|holder| holder.node)
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
    fn claim(&mut self, claim: Claim) {
        let mut shared = lock(&self.shared);
        let (address, proof) = (claim.address(), claim.proof());
        let previous = shared.holder(&address);
        if previous.is_some_and(|holder| holder.proof.is_none() || holder.proof != proof) {
            let refused = BackplaneEvent::Refused(claim.claimant());
            return shared.tell(self.node, self.node, refused);
        }
        let previous = previous.map(|holder| holder.node).filter(|node| *node != self.node);
        let held = shared.apps.entry(address.app().clone()).or_default();
        held.insert(&address, Holder { node: self.node, proof });
        shared.tell(self.node, self.node, BackplaneEvent::Claimed(claim.claimant()));
        let Address::Peer(address) = address else { return };
        if let Some(previous) = previous {
            shared.tell(previous, self.node, BackplaneEvent::Gone(address.clone()));
        }
        for watcher in shared.watchers.remove(&address).unwrap_or_default() {
            shared.tell(watcher, self.node, BackplaneEvent::Up(address.clone()));
        }
    }

    fn release(&mut self, address: &Address) {
        let mut shared = lock(&self.shared);
        if shared.holder(address).is_none_or(|holder| holder.node != self.node) {
            return;
        }
        let Some(held) = shared.apps.get_mut(address.app()) else { return };
        held.remove(address);
        if held.is_empty() {
            shared.apps.remove(address.app());
        }
    }

    fn send(&mut self, parcel: Parcel) {
        let mut shared = lock(&self.shared);
        let holder = match &parcel {
            Parcel::Signal(it) => shared.node_of_peer(&it.app, &it.to),
            Parcel::ToRoom(it) => shared.node_of_room(&it.app, &it.room),
            Parcel::FromRoom(it) => shared.node_of_peer(&it.app, &it.to),
        };
        match holder {
            Some(node) => shared.tell(node, self.node, BackplaneEvent::Arrived(parcel)),
            None => shared.tell(self.node, self.node, BackplaneEvent::Undeliverable(parcel)),
        }
    }

    fn give_back(&mut self, parcel: Parcel) {
        let mut shared = lock(&self.shared);
        let sender = shared.holder(&parcel.source()).map(|holder| holder.node);
        if let Some(node) = sender {
            shared.tell(node, self.node, BackplaneEvent::Undeliverable(parcel));
        }
    }

    fn watch(&mut self, address: PeerAddress) {
        let mut shared = lock(&self.shared);
        if shared.node_of_peer(&address.app, &address.peer).is_some() {
            return shared.tell(self.node, self.node, BackplaneEvent::Up(address));
        }
        shared.watchers.entry(address).or_default().insert(self.node);
    }

    fn unwatch(&mut self, address: &PeerAddress) {
        let mut shared = lock(&self.shared);
        let Some(watchers) = shared.watchers.get_mut(address) else { return };
        watchers.remove(&self.node);
        if watchers.is_empty() {
            shared.watchers.remove(address);
        }
    }

    fn list(&mut self, app: &AppKey, reply: oneshot::Sender<Vec<PeerId>>) {
        let shared = lock(&self.shared);
        let ids = shared.apps.get(app).map(|held| held.peers.keys().cloned().collect());
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
