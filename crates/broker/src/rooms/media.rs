//! A hosted room's media: which member has a connection with the forwarding unit, and what goes
//! between the two.
//!
//! A leg is made at a member's first request for an offer, and again if it has ended and the member
//! asks once more.

use std::collections::BTreeMap;
use std::sync::Arc;

use peerway_protocol::{
    MediaRequest, PeerAddress, PeerId, Reception, Refusal, RoomAddress, RoomEvent, RoomMode,
};

use super::host::{HostedRoom, tell_all};
use crate::{Broker, Command, LegId, MediaCommand, MediaEvent, News};

/// What a member has to do with the forwarding unit.
#[derive(Debug, Default)]
pub(super) struct Media {
    leg: Option<LegId>,
    /// What it wants of other members, where that is not everything.
    wishes: BTreeMap<PeerId, Reception>,
}

impl HostedRoom {
    fn leg(&self, id: &PeerId) -> Option<LegId> {
        self.members().iter().find(|member| member.id == *id)?.media.leg
    }

    /// Remembers what a member wants of another one that is here.
    fn wish(&mut self, id: &PeerId, of: PeerId, reception: Reception) {
        let is_here = self.members().iter().any(|member| member.id == of);
        let Some(member) = self.member_mut(id) else { return };
        if !is_here || reception == Reception::default() {
            member.media.wishes.remove(&of);
        } else {
            member.media.wishes.insert(of, reception);
        }
    }

    /// A member is out: if it comes again, all want everything of it.
    pub(super) fn forget_wishes_about(&mut self, gone: &PeerId) {
        for member in self.members_mut() {
            member.media.wishes.remove(gone);
        }
    }

    /// What is wanted of a member by others, or by it of others, now that it has a leg.
    fn wishes(&self, id: &PeerId, leg: LegId) -> Vec<MediaCommand> {
        let receive = |leg, from, reception| MediaCommand::Receive { leg, from, reception };
        let mut wishes = Vec::new();
        for member in self.members() {
            if member.id == *id {
                let own = member.media.wishes.iter();
                let own = own.filter_map(|(of, wish)| Some(receive(leg, self.leg(of)?, *wish)));
                wishes.extend(own);
            } else if let (Some(wish), Some(its)) = (member.media.wishes.get(id), member.media.leg)
            {
                wishes.push(receive(its, leg, *wish));
            }
        }
        wishes
    }
}

impl Broker {
    /// A member says something to the forwarding unit.
    pub(super) fn ask_media(&mut self, address: &RoomAddress, from: &PeerId, asked: MediaRequest) {
        let Some(room) = self.rooms.hosted.get_mut(address) else { return };
        let is_sfu = room.mode() == RoomMode::Sfu;
        let Some(member) = room.member_mut(from) else { return };
        if !is_sfu {
            let refusal = Refusal::MeshRoom(address.room.clone());
            let stay = member.stay;
            return self.tell_one(address, from.clone(), stay, News::Refused(refusal));
        }
        let command = match (asked, member.media.leg) {
            (MediaRequest::Offer(_), Some(leg)) => MediaCommand::Offer(leg),
            (MediaRequest::Offer(profile), None) => {
                self.rooms.last_leg += 1;
                let leg = LegId(self.rooms.last_leg);
                member.media.leg = Some(leg);
                let wishes = room.wishes(from, leg);
                self.rooms.legs.insert(leg, (address.clone(), from.clone()));
                let peer = PeerAddress { app: address.app.clone(), peer: from.clone() };
                self.media(MediaCommand::Open { leg, room: address.clone(), peer, profile });
                self.commands.extend(wishes.into_iter().map(Command::Media));
                MediaCommand::Offer(leg)
            }
            (MediaRequest::Receive { from: of, reception }, leg) => {
                let of_leg = room.leg(&of);
                room.wish(from, of, reception);
                let (Some(leg), Some(from)) = (leg, of_leg) else { return };
                MediaCommand::Receive { leg, from, reception }
            }
            (MediaRequest::Answer(sdp), Some(leg)) => MediaCommand::Answer(leg, sdp),
            (MediaRequest::Candidate(candidate), Some(leg)) => {
                MediaCommand::Candidate(leg, candidate)
            }
            // To an offer of a leg that has ended; its member has been told so.
            (MediaRequest::Answer(_) | MediaRequest::Candidate(_), None) => return,
        };
        self.media(command);
    }

    /// A leg of the forwarding unit tells something.
    pub fn handle_media(&mut self, leg: LegId, event: MediaEvent) {
        // Of a leg that was closed meanwhile: nobody wants to know.
        let Some((address, peer)) = self.rooms.legs.get(&leg).cloned() else { return };
        let Some(room) = self.rooms.hosted.get_mut(&address) else { return };
        let Some(member) = room.member_mut(&peer) else { return };
        let stay = member.stay;
        let event = match event {
            MediaEvent::Offer { sdp, streams } => {
                let named = |(stream, leg): (Arc<str>, LegId)| {
                    Some((stream, self.rooms.legs.get(&leg)?.1.clone()))
                };
                RoomEvent::Offer { sdp, streams: streams.into_iter().filter_map(named).collect() }
            }
            MediaEvent::Closed(reason) => {
                member.media.leg = None;
                self.rooms.legs.remove(&leg);
                RoomEvent::MediaClosed { reason }
            }
            // skyway-js closes its connection before it leaves, and would show an error at every leave.
            MediaEvent::HungUp => {
                member.media.leg = None;
                self.rooms.legs.remove(&leg);
                return;
            }
            MediaEvent::PublishRefused(limit) => {
                let refusal = Refusal::PublishersFull(address.room.clone(), limit);
                return self.tell_one(&address, peer, stay, News::Refused(refusal));
            }
            MediaEvent::Speaker { speaks } => {
                let speaker = RoomEvent::Speaker(speaks.then_some(peer));
                return tell_all(&mut self.commands, &address, room, None, &speaker);
            }
        };
        self.tell_one(&address, peer, stay, News::Event(event));
    }

    /// A member's connection is not needed any more.
    pub(super) fn close_media(&mut self, media: &Media) {
        if let Some(leg) = media.leg {
            self.rooms.legs.remove(&leg);
            self.media(MediaCommand::Close(leg));
        }
    }

    fn media(&mut self, command: MediaCommand) {
        self.commands.push_back(Command::Media(command));
    }
}
