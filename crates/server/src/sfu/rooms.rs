//! Which worker has which room, and which leg is in it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use peerway_broker::LegId;
use peerway_media::RoomId;
use peerway_protocol::RoomAddress;
use thiserror::Error;

/// There is no place for another leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the server forwards media for no more than {0} members")]
pub(super) struct Full(usize);

/// Where a leg is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) worker: usize,
    pub(super) room: RoomId,
}

/// See the module documentation. The node loop and the workers tell it of legs that begin and end,
/// which is seldom.
#[derive(Debug)]
pub(super) struct Rooms {
    most: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    rooms: HashMap<RoomAddress, Room>,
    legs: HashMap<LegId, RoomAddress>,
    /// Legs of each worker.
    loads: Vec<usize>,
    last_room: u64,
}

#[derive(Debug)]
struct Room {
    place: Place,
    legs: usize,
}

impl Rooms {
    /// Without any room; `most` is how many legs there may be, 0 for any number.
    pub(super) fn new(workers: usize, most: usize) -> Self {
        let state = State { loads: vec![0; workers], ..State::default() };
        Self { most, state: Mutex::new(state) }
    }

    /// A leg begins. The first one of a room takes it to the worker that has the fewest.
    pub(super) fn open(&self, leg: LegId, address: &RoomAddress) -> Result<Place, Full> {
        let mut guard = self.lock();
        let state = &mut *guard;
        if self.most > 0 && state.legs.len() >= self.most {
            return Err(Full(self.most));
        }
        let loads = &state.loads;
        let room = state.rooms.entry(address.clone()).or_insert_with(|| {
            state.last_room += 1;
            let worker = (0..loads.len()).min_by_key(|worker| loads[*worker]).unwrap_or_default();
            Room { place: Place { worker, room: RoomId(state.last_room) }, legs: 0 }
        });
        let place = room.place;
        // The broker uses no name twice.
        if state.legs.insert(leg, address.clone()).is_none() {
            room.legs += 1;
            state.loads[place.worker] += 1;
        }
        Ok(place)
    }

    /// A leg ends; the worker that had it.
    pub(super) fn close(&self, leg: LegId) -> Option<usize> {
        let mut guard = self.lock();
        let state = &mut *guard;
        let address = state.legs.remove(&leg)?;
        let room = state.rooms.get_mut(&address)?;
        let worker = room.place.worker;
        state.loads[worker] -= 1;
        room.legs -= 1;
        if room.legs == 0 {
            state.rooms.remove(&address);
        }
        Some(worker)
    }

    /// The worker that has a leg.
    pub(super) fn worker_of(&self, leg: LegId) -> Option<usize> {
        let state = self.lock();
        let address = state.legs.get(&leg)?;
        Some(state.rooms.get(address)?.place.worker)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use peerway_protocol::{AppKey, RoomName};

    use super::*;

    fn room(name: &str) -> RoomAddress {
        RoomAddress { app: AppKey::new("app").unwrap(), room: RoomName::new(name).unwrap() }
    }

    #[test]
    fn a_room_stays_with_its_worker_and_new_ones_go_where_the_fewest_are() {
        let rooms = Rooms::new(2, 0);
        let worker = |leg, name| rooms.open(LegId(leg), &room(name)).unwrap().worker;
        assert_eq!([worker(1, "a"), worker(2, "a"), worker(3, "a")], [0, 0, 0]);
        assert_eq!([worker(4, "b"), worker(5, "c")], [1, 1]);
        assert_eq!(rooms.close(LegId(1)), Some(0));
        assert_eq!(rooms.close(LegId(2)), Some(0));
        assert_eq!(rooms.close(LegId(2)), None);
        assert_eq!(worker(6, "d"), 0);
        assert_eq!(rooms.worker_of(LegId(5)), Some(1));
    }

    #[test]
    fn a_room_that_was_empty_is_another_one() {
        let rooms = Rooms::new(1, 0);
        let first = rooms.open(LegId(1), &room("a")).unwrap();
        rooms.close(LegId(1));
        assert_ne!(rooms.open(LegId(2), &room("a")).unwrap().room, first.room);
    }

    #[test]
    fn there_is_an_end_to_it() {
        let rooms = Rooms::new(1, 1);
        rooms.open(LegId(1), &room("a")).unwrap();
        assert_eq!(rooms.open(LegId(2), &room("a")), Err(Full(1)));
        rooms.close(LegId(1));
        assert!(rooms.open(LegId(3), &room("a")).is_ok());
    }
}
