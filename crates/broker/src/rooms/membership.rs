//! The member's side: which rooms a peer is in, or on its way in or out.

use std::collections::BTreeMap;
use std::time::Instant;

use peerway_protocol::{
    Event, PeerAddress, PeerId, Refusal, RoomAddress, RoomMode, RoomName, RoomRequest,
};

use crate::registry::Peer;
use crate::{Ask, Broker, Command, FromRoom, Happening, News, Parcel, Stay, ToRoom};

/// Requests that wait for an answer of the room, at most.
const MAX_WAITING: usize = 16;
/// How often a join is sent while nodes race for the room.
const MAX_TRIES: u8 = 8;

/// What a peer has to do with a room.
#[derive(Debug)]
pub(crate) struct Membership {
    stay: Stay,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The room was asked to let it in.
    Joining {
        mode: RoomMode,
        tries: u8,
        waiting: Vec<RoomRequest>,
    },
    In,
    /// The room was told that it goes; whether it was in may be for the room to say.
    Leaving {
        was_in: bool,
        waiting: Vec<RoomRequest>,
    },
}

impl Membership {
    /// The mode that is asked for, if this stay has not begun yet.
    pub(super) fn joining(&self, stay: Stay) -> Option<RoomMode> {
        match self.state {
            State::Joining { mode, .. } if self.stay == stay => Some(mode),
            _ => None,
        }
    }

    /// What waits for an answer of the room, if one is awaited.
    fn waiting(&mut self) -> Option<&mut Vec<RoomRequest>> {
        match &mut self.state {
            State::Joining { waiting, .. } | State::Leaving { waiting, .. } => Some(waiting),
            State::In => None,
        }
    }

    fn into_waiting(self) -> Vec<RoomRequest> {
        match self.state {
            State::Joining { waiting, .. } | State::Leaving { waiting, .. } => waiting,
            State::In => Vec::new(),
        }
    }
}

impl Broker {
    /// A peer's client asks something of a room.
    pub(crate) fn ask_room(
        &mut self,
        now: Instant,
        address: &PeerAddress,
        room: RoomName,
        request: RoomRequest,
    ) {
        let limits = self.settings.rooms;
        let fresh = self.rooms.next_stay(self.clock.unix_micros(now));
        let sfu = self.settings.policy(&address.app).sfu;
        let Some(peer) = self.peers.get_mut(address) else { return };
        match &request {
            RoomRequest::Join(RoomMode::Sfu) if !sfu => {
                return self.refuse_room(address, Refusal::NoSfu(room));
            }
            RoomRequest::Send(data) if data.weight() > limits.data_size => {
                return self.refuse_room(address, Refusal::RoomDataTooBig(room, limits.data_size));
            }
            _ => {}
        }
        let in_rooms = peer.rooms.len();
        let Some(membership) = peer.rooms.get_mut(&room) else {
            let has_place = in_rooms < limits.per_peer;
            let state = match request {
                RoomRequest::Join(_) if !has_place => {
                    return self.refuse_room(address, Refusal::TooManyRooms(room, limits.per_peer));
                }
                RoomRequest::Join(mode) => {
                    Some(State::Joining { mode, tries: 1, waiting: Vec::new() })
                }
                RoomRequest::Leave if has_place => {
                    Some(State::Leaving { was_in: false, waiting: Vec::new() })
                }
                // Perhaps it is a member since it was at another node: the room knows.
                _ => None,
            };
            if let Some(state) = state {
                peer.rooms.insert(room.clone(), Membership { stay: fresh, state });
            }
            return self.send_to_room(address, room, fresh, Ask::Request(request));
        };
        let stay = membership.stay;
        if let Some(waiting) = membership.waiting() {
            let weight: usize = waiting.iter().map(RoomRequest::weight).sum();
            if waiting.len() >= MAX_WAITING || weight + request.weight() > limits.data_size {
                return self.refuse_room(address, Refusal::NotInRoom(room));
            }
            return waiting.push(request);
        }
        if request == RoomRequest::Leave {
            membership.state = State::Leaving { was_in: true, waiting: Vec::new() };
        }
        self.send_to_room(address, room, stay, Ask::Request(request));
    }

    /// A room tells one of this node's peers something.
    pub(crate) fn handle_told(&mut self, now: Instant, told: FromRoom) {
        let address = told.peer();
        let Some(peer) = self.peers.get_mut(&address) else {
            return self.commands.push_back(Command::Return(Parcel::FromRoom(told)));
        };
        let (session, proven) = (peer.primary, peer.proof());
        let FromRoom { room, stay, news, .. } = told;
        let membership = peer.rooms.get_mut(&room).filter(|it| it.stay == stay);
        match news {
            News::Knock => {}
            News::Refused(refusal) => self.refuse_room(&address, refusal),
            News::Out(refusal) => {
                let ended = membership.is_some().then(|| peer.rooms.remove(&room)).flatten();
                if let Some(refusal) = refusal {
                    self.refuse_room(&address, refusal);
                }
                self.ask_what_waited(now, &address, &room, ended.map(Membership::into_waiting));
            }
            News::Moved { proof, .. } if proof != proven => {
                // Somebody else has the id now.
                self.send_to_room(&address, room, stay, Ask::Departed);
            }
            News::Moved { .. } => {
                let here = Membership { stay, state: State::In };
                let known = peer.rooms.entry(room).or_insert(here);
                // On its way in or out it will be answered by what it asked.
                if let State::In = known.state {
                    known.stay = stay;
                }
            }
            News::Event(event) => {
                let Some(membership) = membership else { return };
                let waited = match &mut membership.state {
                    State::In => None,
                    // Late, for one who is on its way out.
                    State::Leaving { .. } => return,
                    State::Joining { waiting, .. } => {
                        let waited = std::mem::take(waiting);
                        membership.state = State::In;
                        Some(waited)
                    }
                };
                self.tell(session, Event::Room { room: room.clone(), event });
                self.ask_what_waited(now, &address, &room, waited);
            }
        }
    }

    /// What was asked of a room found nobody.
    pub(crate) fn handle_unasked(&mut self, now: Instant, asked: ToRoom) {
        let (address, room) = (asked.peer(), asked.room());
        let ToRoom { from, stay, ask, .. } = asked;
        let Ask::Request(request) = ask else { return };
        let Some(peer) = self.peers.get_mut(&address) else { return };
        let membership = peer.rooms.get(&room.room).filter(|it| it.stay == stay);
        match (membership.map(|it| &it.state), request) {
            (Some(State::Joining { .. }), _) => self.claim_room(now, &room, from, stay),
            (_, RoomRequest::Join(_)) => {}
            (Some(State::Leaving { was_in, .. }), _) => {
                let was_in = *was_in;
                let waited = peer.rooms.remove(&room.room).map(Membership::into_waiting);
                if !was_in {
                    self.refuse_room(&address, Refusal::NotInRoom(room.room.clone()));
                }
                self.ask_what_waited(now, &address, &room.room, waited);
            }
            // Its host is gone, and the room with it.
            (Some(State::In), _) => {
                peer.rooms.remove(&room.room);
                self.refuse_room(&address, Refusal::NotInRoom(room.room));
            }
            (None, _) => self.refuse_room(&address, Refusal::NotInRoom(room.room)),
        }
    }

    /// A peer that left is in no room any more.
    pub(crate) fn leave_rooms(
        &mut self,
        address: &PeerAddress,
        rooms: BTreeMap<RoomName, Membership>,
    ) {
        for (room, membership) in rooms {
            self.send_to_room(address, room, membership.stay, Ask::Departed);
        }
    }

    /// A peer goes on at another node: its rooms tell that node.
    pub(crate) fn move_rooms(&mut self, address: &PeerAddress, peer: &Peer) {
        for (room, membership) in &peer.rooms {
            let joining = match membership.state {
                State::Joining { .. } => true,
                State::In => false,
                State::Leaving { .. } => continue,
            };
            let ask = Ask::Moved { proof: peer.proof(), joining };
            self.send_to_room(address, room.clone(), membership.stay, ask);
        }
    }

    /// Sends a join once more, after a race for the room.
    pub(super) fn join_again(
        &mut self,
        now: Instant,
        room: &RoomAddress,
        peer: PeerId,
        stay: Stay,
    ) {
        let address = PeerAddress { app: room.app.clone(), peer };
        let Some(peer) = self.peers.get_mut(&address) else { return };
        let membership = peer.rooms.get_mut(&room.room).filter(|it| it.stay == stay);
        let Some(Membership { state: State::Joining { mode, tries, .. }, .. }) = membership else {
            return;
        };
        if *tries >= MAX_TRIES {
            let refusal = Refusal::NotInRoom(room.room.clone());
            return self.fail_to_join(now, room, &address.peer, stay, refusal);
        }
        *tries += 1;
        let join = Ask::Request(RoomRequest::Join(*mode));
        self.send_to_room(&address, room.room.clone(), stay, join);
    }

    /// A peer does not come into a room.
    pub(super) fn fail_to_join(
        &mut self,
        now: Instant,
        room: &RoomAddress,
        peer: &PeerId,
        stay: Stay,
        refusal: Refusal,
    ) {
        let (app, to) = (room.app.clone(), peer.clone());
        let news = News::Out(Some(refusal));
        self.handle_told(now, FromRoom { app, room: room.room.clone(), to, stay, news });
    }

    fn ask_what_waited(
        &mut self,
        now: Instant,
        address: &PeerAddress,
        room: &RoomName,
        waited: Option<Vec<RoomRequest>>,
    ) {
        for request in waited.unwrap_or_default() {
            self.ask_room(now, address, room.clone(), request);
        }
    }

    fn send_to_room(&mut self, address: &PeerAddress, room: RoomName, stay: Stay, ask: Ask) {
        let (app, from) = (address.app.clone(), address.peer.clone());
        self.forward(Parcel::ToRoom(ToRoom { app, from, stay, room, ask }));
    }

    fn refuse_room(&mut self, address: &PeerAddress, refusal: Refusal) {
        self.report(Happening::Refused(refusal.clone()));
        let Some(session) = self.peers.get(address).map(|peer| peer.primary) else { return };
        self.tell(session, Event::Refused(refusal));
    }
}
