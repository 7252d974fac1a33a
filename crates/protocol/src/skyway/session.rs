//! What a client's session keeps, because the wire cannot say it.

use std::collections::{BTreeMap, VecDeque};

use crate::{MediaProfile, PeerId, RoomName};

/// Rooms remembered at a time; in any above it a client hears its numeric name as a text, which
/// skyway-js looks up in the same way.
const ROOMS: usize = 256;
/// Lists of a room's users that a client may wait for at a time, before their types are forgotten.
const USERS_REQUESTS: usize = 64;
/// Longest `type` of a request for users that is repeated in its answer.
const LONGEST_TYPE: usize = 64;
/// Offers of JSON connections remembered until their answers come.
const JSON_OFFERS: usize = 32;

/// One client's side of the dialect. It is small while the client is in no room.
#[derive(Debug)]
pub struct Session {
    pub(super) me: PeerId,
    /// What its WebRTC implementation can do.
    pub(super) profile: MediaProfile,
    rooms: BTreeMap<RoomName, Room>,
    /// Connection ids, oldest first.
    json_offers: VecDeque<Box<str>>,
}

#[derive(Debug, Default)]
struct Room {
    /// The JSON by which the client named it, unless that is the text.
    spelling: Option<Box<str>>,
    /// The client came in and has not been told who else is there.
    fresh: bool,
    /// The `type`s of its requests for users, oldest first, as JSON.
    users_requests: VecDeque<Box<str>>,
}

/// How a request for users is to be answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UsersRequest {
    /// Its `type`, as JSON.
    pub(super) kind: Box<str>,
    /// It is the first one after the client came in.
    pub(super) first: bool,
}

impl Session {
    /// A session of the peer known as `me`, whose client can do what `profile` says.
    pub fn new(me: PeerId, profile: MediaProfile) -> Self {
        Self { me, profile, rooms: BTreeMap::new(), json_offers: VecDeque::new() }
    }

    /// Who it is.
    pub fn peer(&self) -> &PeerId {
        &self.me
    }

    fn room(&mut self, name: &RoomName) -> Option<&mut Room> {
        if !self.rooms.contains_key(name) && self.rooms.len() >= ROOMS {
            return None;
        }
        Some(self.rooms.entry(name.clone()).or_default())
    }

    /// The client wants to come in, and spells the room's name like this.
    pub(super) fn expect_room(&mut self, name: &RoomName, spelling: &str) {
        if let Some(room) = self.room(name) {
            room.spelling = (!spelling.starts_with('"')).then(|| spelling.into());
        }
    }

    /// The client is in.
    pub(super) fn entered(&mut self, name: &RoomName) {
        if let Some(room) = self.room(name) {
            room.fresh = true;
        }
    }

    pub(super) fn forget_room(&mut self, name: &RoomName) {
        self.rooms.remove(name);
    }

    /// The client wants to know who is in.
    pub(super) fn expect_users(&mut self, name: &RoomName, kind: Option<&str>) {
        let Some(room) = self.room(name) else { return };
        if room.users_requests.len() < USERS_REQUESTS {
            let kind = kind.filter(|kind| kind.len() <= LONGEST_TYPE).unwrap_or(MEDIA);
            room.users_requests.push_back(kind.into());
        }
    }

    /// The oldest request for users.
    pub(super) fn answer_users(&mut self, name: &RoomName) -> UsersRequest {
        let Some(room) = self.rooms.get_mut(name) else {
            return UsersRequest { kind: MEDIA.into(), first: false };
        };
        UsersRequest {
            kind: room.users_requests.pop_front().unwrap_or_else(|| MEDIA.into()),
            first: std::mem::take(&mut room.fresh),
        }
    }

    /// The JSON by which the client names a room, where that is not its text.
    pub(super) fn spelling(&self, name: &RoomName) -> Option<&str> {
        self.rooms.get(name)?.spelling.as_deref()
    }

    /// The client offers a connection that carries JSON: whether the other side will understand shows
    /// only in its answer.
    pub(super) fn note_json_offer(&mut self, connection: &str) {
        if self.json_offers.len() >= JSON_OFFERS {
            self.json_offers.pop_front();
        }
        self.json_offers.push_back(connection.into());
    }

    /// Whether the client has offered this connection for JSON, and not been answered before.
    pub(super) fn take_json_offer(&mut self, connection: &str) -> bool {
        let found = self.json_offers.iter().position(|own| **own == *connection);
        found.and_then(|index| self.json_offers.remove(index)).is_some()
    }
}

/// What mesh rooms ask for; nothing else has been seen.
const MEDIA: &str = r#""media""#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_remembers_has_an_end() {
        let mut session = Session::new(PeerId::new("me").unwrap(), MediaProfile::default());
        for number in 0..1000_u32 {
            let room = RoomName::new(&number.to_string()).unwrap();
            session.expect_room(&room, &number.to_string());
            session.expect_users(&RoomName::new("0").unwrap(), Some(r#""data""#));
            session.note_json_offer(&number.to_string());
        }
        assert_eq!(session.rooms.len(), ROOMS);
        assert_eq!(
            session.rooms[&RoomName::new("0").unwrap()].users_requests.len(),
            USERS_REQUESTS
        );
        assert_eq!(session.json_offers.len(), JSON_OFFERS);
        assert!(!session.take_json_offer("0") && session.take_json_offer("999"));
        assert!(!session.take_json_offer("999"));
    }

    #[test]
    fn only_the_first_request_after_coming_in_is_the_first() {
        let mut session = Session::new(PeerId::new("me").unwrap(), MediaProfile::default());
        let room = RoomName::new("r").unwrap();
        let first = |session: &mut Session| session.answer_users(&room).first;
        assert!(!first(&mut session));
        session.entered(&room);
        assert!(first(&mut session) && !first(&mut session));
        session.entered(&room);
        assert!(first(&mut session));
    }
}
