//! The room's side: who is in, what happened, and telling all others.

use std::sync::Arc;
use std::time::Instant;

use peerway_protocol::{
    Address, AppKey, LogAction, LogEntry, PeerId, Refusal, RoomAddress, RoomData, RoomEvent,
    RoomMode, RoomName, RoomRequest,
};

use super::log::Log;
use super::media::Media;
use crate::{Ask, Broker, Command, FromRoom, Happening, News, Parcel, Stay, ToRoom};

/// A room whose broker this is. It has a member at least.
#[derive(Debug)]
pub(super) struct HostedRoom {
    mode: RoomMode,
    /// In the order in which they came.
    members: Vec<Member>,
    /// The ids of the members, shared by all who are told.
    ids: Arc<[PeerId]>,
    log: Log,
}

#[derive(Debug)]
pub(super) struct Member {
    pub(super) id: PeerId,
    pub(super) stay: Stay,
    pub(super) media: Media,
}

impl HostedRoom {
    pub(super) fn new(mode: RoomMode) -> Self {
        Self { mode, members: Vec::new(), ids: Arc::new([]), log: Log::default() }
    }

    pub(super) fn ids(&self) -> Arc<[PeerId]> {
        self.ids.clone()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(super) fn mode(&self) -> RoomMode {
        self.mode
    }

    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }

    fn member(&self, id: &PeerId) -> Option<&Member> {
        self.members.iter().find(|member| member.id == *id)
    }

    pub(super) fn members_mut(&mut self) -> &mut [Member] {
        &mut self.members
    }

    pub(super) fn member_mut(&mut self, id: &PeerId) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.id == *id)
    }

    fn has(&self, id: &PeerId, stay: Stay) -> bool {
        self.member(id).is_some_and(|member| member.stay == stay)
    }

    fn admit(&mut self, id: PeerId, stay: Stay) {
        self.members.push(Member { id, stay, media: Media::default() });
        self.share_ids();
    }

    fn remove(&mut self, id: &PeerId) -> Option<Member> {
        let index = self.members.iter().position(|member| member.id == *id)?;
        let member = self.members.remove(index);
        self.share_ids();
        Some(member)
    }

    fn share_ids(&mut self) {
        self.ids = self.members.iter().map(|member| member.id.clone()).collect();
    }
}

impl Broker {
    /// A peer's broker asks something of a room that is hosted here.
    pub(crate) fn handle_asked(&mut self, now: Instant, asked: ToRoom) {
        let address = asked.room();
        let Some(room) = self.rooms.hosted.get_mut(&address) else {
            return self.commands.push_back(Command::Return(Parcel::ToRoom(asked)));
        };
        let ToRoom { from, stay, ask, .. } = asked;
        match ask {
            Ask::Request(RoomRequest::Join(mode)) => self.admit(now, &address, from, stay, mode),
            Ask::Request(request) => {
                let Some(member) = room.member(&from) else {
                    let refusal = Refusal::NotInRoom(address.room.clone());
                    let news = match request {
                        RoomRequest::Leave => News::Out(Some(refusal)),
                        _ => News::Refused(refusal),
                    };
                    return self.tell_one(&address, from, stay, news);
                };
                // An answer to a leave is for who asked, everything else for the member.
                let member_stay = member.stay;
                let event = match request {
                    RoomRequest::Send(data) => return self.broadcast(now, &address, &from, &data),
                    RoomRequest::Leave => {
                        self.expel(now, &address, &from);
                        return self.tell_one(&address, from, stay, News::Out(None));
                    }
                    RoomRequest::Members => RoomEvent::Members(room.ids.clone()),
                    RoomRequest::Log => RoomEvent::Log(room.log.entries()),
                    RoomRequest::Media { stream, request } => {
                        return self.ask_media(&address, &from, stream, request);
                    }
                    RoomRequest::Join(_) => return,
                };
                self.tell_one(&address, from, member_stay, News::Event(event));
            }
            Ask::Departed if room.has(&from, stay) => self.expel(now, &address, &from),
            Ask::Moved { proof, joining } if room.has(&from, stay) => {
                let members = room.ids.clone();
                self.tell_one(&address, from.clone(), stay, News::Moved { proof, again: false });
                if joining {
                    let joined = RoomEvent::Joined { peer: from.clone(), members };
                    self.tell_one(&address, from, stay, News::Event(joined));
                }
            }
            // Of an earlier stay.
            Ask::Departed | Ask::Moved { .. } => {}
        }
    }

    /// What a room that is hosted here told a member found nobody. The member may be on its way to
    /// another node: only who cannot be reached twice is dropped.
    pub(crate) fn handle_untold(&mut self, now: Instant, told: FromRoom) {
        let address = told.room();
        let FromRoom { to, stay, news, .. } = told;
        if !self.rooms.hosted.get(&address).is_some_and(|room| room.has(&to, stay)) {
            return;
        }
        match news {
            News::Event(_) => self.tell_one(&address, to, stay, News::Knock),
            News::Moved { proof, again: false } => {
                self.tell_one(&address, to, stay, News::Moved { proof, again: true });
            }
            News::Moved { again: true, .. } | News::Knock => self.expel(now, &address, &to),
            News::Refused(_) | News::Out(_) => {}
        }
    }

    /// Lets a peer into a room that is hosted here.
    pub(super) fn admit(
        &mut self,
        now: Instant,
        address: &RoomAddress,
        peer: PeerId,
        stay: Stay,
        mode: RoomMode,
    ) {
        let limits = self.settings.rooms;
        let Some(room) = self.rooms.hosted.get_mut(address) else { return };
        let conflict = (room.mode != mode)
            .then(|| Refusal::RoomMode { room: address.room.clone(), mode: room.mode });
        if let Some(member) = room.member_mut(&peer) {
            // It is in and stays in. Its broker may not have known, if it comes from another node.
            let known = std::mem::replace(&mut member.stay, stay);
            let media = (known != stay).then(|| std::mem::take(&mut member.media));
            if conflict.is_none() || known != stay {
                let joined = RoomEvent::Joined { peer: peer.clone(), members: room.ids.clone() };
                self.tell_one(address, peer.clone(), stay, News::Event(joined));
            }
            if let Some(conflict) = conflict {
                self.tell_one(address, peer, stay, News::Refused(conflict));
            }
            if let Some(media) = media {
                // Nobody had heard that it went; with it went its connection.
                self.close_media(&media);
            }
            return;
        }
        let most = self.settings.policy(&address.app).members_per_room;
        let full =
            (room.members.len() >= most).then(|| Refusal::RoomFull(address.room.clone(), most));
        if let Some(refusal) = conflict.or(full) {
            return self.tell_one(address, peer, stay, News::Out(Some(refusal)));
        }
        room.admit(peer.clone(), stay);
        let timestamp = self.clock.unix_micros(now) / 1000;
        let entry = LogEntry { timestamp, peer: peer.clone(), action: LogAction::Joined(mode) };
        room.log.push(entry, limits.log_entries, &mut self.rooms.log_weight);
        let joined = RoomEvent::Joined { peer, members: room.ids.clone() };
        tell_all(&mut self.commands, address, room, None, &joined);
        self.report(Happening::RoomJoined(address.app.clone()));
    }

    fn broadcast(&mut self, now: Instant, address: &RoomAddress, from: &PeerId, data: &RoomData) {
        let Some(room) = self.rooms.hosted.get_mut(address) else { return };
        let timestamp = self.clock.unix_micros(now) / 1000;
        let action = LogAction::Data(data.clone());
        let entry = LogEntry { timestamp, peer: from.clone(), action };
        room.log.push(entry, self.settings.rooms.log_entries, &mut self.rooms.log_weight);
        let event = RoomEvent::Data { from: from.clone(), data: data.clone() };
        tell_all(&mut self.commands, address, room, Some(from), &event);
        let receivers = room.members.len() - 1;
        self.report(Happening::RoomData { receivers });
    }

    /// A member is out. The last one closes the room.
    fn expel(&mut self, now: Instant, address: &RoomAddress, peer: &PeerId) {
        let Some(room) = self.rooms.hosted.get_mut(address) else { return };
        let Some(Member { media, .. }) = room.remove(peer) else { return };
        let timestamp = self.clock.unix_micros(now) / 1000;
        let entry = LogEntry { timestamp, peer: peer.clone(), action: LogAction::Left };
        room.log.push(entry, self.settings.rooms.log_entries, &mut self.rooms.log_weight);
        tell_all(&mut self.commands, address, room, None, &RoomEvent::Left { peer: peer.clone() });
        room.forget_wishes_about(peer);
        self.close_media(&media);
        self.report(Happening::RoomLeft(address.app.clone()));
        self.close_if_empty(address);
    }

    pub(super) fn close_if_empty(&mut self, address: &RoomAddress) {
        let Some(room) = self.rooms.hosted.get(address).filter(|room| room.is_empty()) else {
            return;
        };
        self.rooms.log_weight -= room.log.weight();
        self.rooms.hosted.remove(address);
        self.rooms.shrink(&address.app);
        self.commands.push_back(Command::Release(Address::Room(address.clone())));
        self.report(Happening::RoomClosed(address.app.clone()));
    }

    pub(super) fn tell_one(&mut self, address: &RoomAddress, to: PeerId, stay: Stay, news: News) {
        let (app, room) = (address.app.clone(), address.room.clone());
        self.forward(Parcel::FromRoom(FromRoom { app, room, to, stay, news }));
    }
}

/// Tells an event to all members but one.
pub(super) fn tell_all(
    commands: &mut std::collections::VecDeque<Command>,
    RoomAddress { app, room: name }: &RoomAddress,
    room: &HostedRoom,
    but: Option<&PeerId>,
    event: &RoomEvent,
) {
    let tell = |member: &Member| -> Command {
        let (app, room): (AppKey, RoomName) = (app.clone(), name.clone());
        let (to, stay) = (member.id.clone(), member.stay);
        let news = News::Event(event.clone());
        Command::Forward(Parcel::FromRoom(FromRoom { app, room, to, stay, news }))
    };
    let others = room.members.iter().filter(|member| Some(&member.id) != but);
    commands.extend(others.map(tell));
}
