//! A broker that is alone with a backplane which answers at once, for tests about what clients
//! hear of rooms.

use std::collections::BTreeSet;

use peerway_broker::{
    Channel, Claimant, Command, HangupReason, Happening, LegId, MediaCommand, MediaEvent, Parcel,
    SessionId, Settings,
};
use peerway_protocol::peerjs::{ClientFrame, decode};
use peerway_protocol::{
    Address, Event, Request, RoomData, RoomEvent, RoomMode, RoomName, RoomRequest,
};

use super::{Stage, address, app, peer};

/// See the module documentation.
pub struct Hall {
    pub stage: Stage,
    held: BTreeSet<Address>,
    pub hung_up: Vec<(u64, HangupReason)>,
    reports: Vec<Happening>,
    media: Vec<MediaCommand>,
}

/// What sessions are told, in order.
pub type Told = Vec<(u64, Event)>;

impl Hall {
    pub fn with(settings: Settings) -> Self {
        Self {
            stage: Stage::with(settings),
            held: BTreeSet::new(),
            hung_up: Vec::new(),
            reports: Vec::new(),
            media: Vec::new(),
        }
    }

    /// Sessions 1, 2, .. of peers with these ids, which are their tokens.
    pub fn of(ids: &[&str]) -> Self {
        let mut hall = Self::with(super::settings());
        for (session, id) in (1..).zip(ids) {
            hall.enter(session, id);
        }
        hall
    }

    pub fn enter(&mut self, session: u64, id: &str) {
        let told = self.open(session, id, id);
        assert_eq!(told, [(session, Event::Opened)]);
    }

    pub fn open(&mut self, session: u64, id: &str, token: &str) -> Told {
        let commands = self.stage.open_as(Channel::Socket, session, address(id), token);
        self.settle(commands)
    }

    pub fn close(&mut self, session: u64) -> Told {
        let commands = self.stage.close(session);
        self.settle(commands)
    }

    pub fn lose(&mut self, session: u64) -> Told {
        let commands = self.stage.lose(session);
        self.settle(commands)
    }

    pub fn wait_until(&mut self, millis: i64) -> Told {
        let commands = self.stage.wait_until(millis);
        self.settle(commands)
    }

    pub fn ask(&mut self, session: u64, room: &str, request: RoomRequest) -> Told {
        let request = Request::Room { room: name(room), request };
        let commands = self.stage.request(session, request);
        self.settle(commands)
    }

    pub fn join(&mut self, session: u64, room: &str) -> Told {
        self.ask(session, room, RoomRequest::Join(RoomMode::Mesh))
    }

    /// Whether somebody holds a room here.
    pub fn holds(&self, room: &str) -> bool {
        self.held.contains(&room_address(room).into())
    }

    /// Does what a backplane of one node does, until nothing more happens.
    pub fn settle(&mut self, commands: Vec<Command>) -> Told {
        let mut told = Vec::new();
        let mut commands = std::collections::VecDeque::from(commands);
        self.reports.append(&mut self.stage.reports);
        while let Some(command) = commands.pop_front() {
            let more = match command {
                Command::Tell(SessionId(session), event) => {
                    told.push((session, event));
                    continue;
                }
                Command::Claim(claim) => {
                    self.held.insert(claim.address());
                    match claim.claimant() {
                        Claimant::Session(SessionId(session)) => self.stage.claimed(session),
                        Claimant::Host(room) => self.stage.hosts(room),
                    }
                }
                Command::Release(address) => {
                    self.held.remove(&address);
                    continue;
                }
                Command::Forward(parcel) => self.carry(parcel),
                Command::Return(parcel) => self.stage.undeliverable(parcel),
                Command::Hangup(SessionId(session), reason) => {
                    self.hung_up.push((session, reason));
                    continue;
                }
                Command::Media(command) => {
                    self.media.push(command);
                    continue;
                }
                _ => continue,
            };
            self.reports.append(&mut self.stage.reports);
            commands.extend(more);
        }
        told
    }

    /// What was reported since this was asked last.
    pub fn all_reports(&mut self) -> Vec<Happening> {
        std::mem::take(&mut self.reports)
    }

    /// What the forwarding unit was told since this was asked last.
    pub fn all_media(&mut self) -> Vec<MediaCommand> {
        std::mem::take(&mut self.media)
    }

    /// A leg of the forwarding unit tells something.
    pub fn hear_media(&mut self, leg: LegId, event: MediaEvent) -> Told {
        self.stage.broker.handle_media(leg, event);
        let commands = std::iter::from_fn(|| self.stage.broker.next_command()).collect();
        self.settle(commands)
    }

    fn carry(&mut self, parcel: Parcel) -> Vec<Command> {
        if self.held.contains(&parcel.destination()) {
            self.stage.arrive(parcel)
        } else {
            self.stage.undeliverable(parcel)
        }
    }
}

pub fn name(room: &str) -> RoomName {
    RoomName::new(room).expect("a valid name")
}

pub fn room_address(room: &str) -> peerway_protocol::RoomAddress {
    peerway_protocol::RoomAddress { app: app(), room: name(room) }
}

/// Data whose JSON is a number, or any other text of JSON.
pub fn data(json: impl std::fmt::Display) -> RoomData {
    let frame = format!(r#"{{"type":"ROOM-DATA","room":"r","payload":{json}}}"#);
    let Ok(ClientFrame::Request(Request::Room { request: RoomRequest::Send(data), .. })) =
        decode(&frame)
    else {
        unreachable!("{frame} is data");
    };
    data
}

pub fn event(room: &str, event: RoomEvent) -> Event {
    Event::Room { room: name(room), event }
}

pub fn joined(room: &str, who: &str, members: &[&str]) -> Event {
    let members = members.iter().map(|id| peer(id)).collect();
    event(room, RoomEvent::Joined { peer: peer(who), members })
}

pub fn left(room: &str, who: &str) -> Event {
    event(room, RoomEvent::Left { peer: peer(who) })
}

pub fn said(room: &str, from: &str, data: RoomData) -> Event {
    event(room, RoomEvent::Data { from: peer(from), data })
}

pub fn members(room: &str, members: &[&str]) -> Event {
    event(room, RoomEvent::Members(members.iter().map(|id| peer(id)).collect()))
}
