//! A hosted room's media: which member has a connection with the forwarding unit, and what goes
//! between the two.
//!
//! A leg is made at a member's first request for an offer, and again if it has ended and the member
//! asks once more.

use std::collections::BTreeMap;
use std::sync::Arc;

use peerway_protocol::{
    MediaProfile, MediaRequest, MediaStream, PeerAddress, PeerId, Reception, Refusal, RoomAddress,
    RoomEvent, RoomMode, StreamName,
};

use super::host::{HostedRoom, tell_all};
use crate::{Broker, Command, LegId, MediaCommand, MediaEvent, News};

/// Streams that a member may send beside its first one.
const MOST_NAMED: usize = 3;

/// Whose a leg is and what for.
#[derive(Debug, Clone)]
pub(super) struct Place {
    room: RoomAddress,
    peer: PeerId,
    stream: Option<StreamName>,
}

/// What a member has to do with the forwarding unit.
#[derive(Debug, Default)]
pub(super) struct Media {
    /// By the streams that they are for. The one for none gets what others send, too.
    legs: BTreeMap<Option<StreamName>, LegId>,
    /// Its first one ever.
    owner: Option<LegId>,
    /// What it wants of other members, where that is not everything.
    wishes: BTreeMap<PeerId, Reception>,
}

impl Media {
    fn leg(&self) -> Option<LegId> {
        self.legs.get(&None).copied()
    }

    fn is_full(&self) -> bool {
        self.legs.keys().flatten().count() >= MOST_NAMED
    }
}

impl HostedRoom {
    /// The legs of a member that is here.
    fn legs(&self, id: &PeerId) -> Vec<LegId> {
        let member = self.members().iter().find(|member| member.id == *id);
        member.map_or_else(Vec::new, |member| member.media.legs.values().copied().collect())
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

    /// What is wanted of a member by others, or by it of others, now that it has this leg.
    fn wishes(&self, id: &PeerId, stream: Option<&StreamName>, leg: LegId) -> Vec<MediaCommand> {
        let receive = |leg, from, reception| MediaCommand::Receive { leg, from, reception };
        let mut wishes = Vec::new();
        for member in self.members() {
            if member.id == *id {
                for (of, wish) in member.media.wishes.iter().filter(|_| stream.is_none()) {
                    wishes.extend(self.legs(of).into_iter().map(|from| receive(leg, from, *wish)));
                }
            } else if let (Some(wish), Some(its)) =
                (member.media.wishes.get(id), member.media.leg())
            {
                wishes.push(receive(its, leg, *wish));
            }
        }
        wishes
    }
}

impl Broker {
    /// A member says something to the forwarding unit; `stream` is what its connection is for.
    pub(super) fn ask_media(
        &mut self,
        address: &RoomAddress,
        from: &PeerId,
        stream: Option<StreamName>,
        asked: MediaRequest,
    ) {
        let Some(room) = self.rooms.hosted.get_mut(address) else { return };
        let is_sfu = room.mode() == RoomMode::Sfu;
        let Some(member) = room.member_mut(from) else { return };
        let leg = member.media.legs.get(&stream).copied();
        let is_offer = matches!(asked, MediaRequest::Offer(_));
        let refusal = if !is_sfu {
            Some(Refusal::MeshRoom(address.room.clone()))
        } else if is_offer && leg.is_none() && stream.is_some() && member.media.is_full() {
            Some(Refusal::TooManyStreams(address.room.clone(), MOST_NAMED))
        } else {
            None
        };
        if let Some(refusal) = refusal {
            let stay = member.stay;
            return self.tell_one(address, from.clone(), stay, News::Refused(refusal));
        }
        let command = match (asked, leg) {
            (MediaRequest::Offer(profile), Some(leg)) if profile.restart => {
                self.close_leg(leg);
                MediaCommand::Offer(self.open_leg(address, from, stream, profile))
            }
            (MediaRequest::Offer(_), Some(leg)) => MediaCommand::Offer(leg),
            (MediaRequest::Offer(profile), None) => {
                MediaCommand::Offer(self.open_leg(address, from, stream, profile))
            }
            (MediaRequest::Receive { from: of, reception }, _) => {
                return self.receive(address, from, of, reception);
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

    /// Makes a leg of a member that is here.
    fn open_leg(
        &mut self,
        address: &RoomAddress,
        from: &PeerId,
        stream: Option<StreamName>,
        profile: MediaProfile,
    ) -> LegId {
        self.rooms.last_leg += 1;
        let leg = LegId(self.rooms.last_leg);
        let Some(room) = self.rooms.hosted.get_mut(address) else { return leg };
        let Some(member) = room.member_mut(from) else { return leg };
        member.media.legs.insert(stream.clone(), leg);
        let owner = *member.media.owner.get_or_insert(leg);
        let wishes = room.wishes(from, stream.as_ref(), leg);
        let place = Place { room: address.clone(), peer: from.clone(), stream: stream.clone() };
        self.rooms.legs.insert(leg, place);
        let peer = PeerAddress { app: address.app.clone(), peer: from.clone() };
        let room = address.clone();
        self.media(MediaCommand::Open { leg, room, peer, stream, owner, profile });
        self.commands.extend(wishes.into_iter().map(Command::Media));
        leg
    }

    /// A member wants this of another one.
    fn receive(&mut self, address: &RoomAddress, by: &PeerId, of: PeerId, reception: Reception) {
        let Some(room) = self.rooms.hosted.get_mut(address) else { return };
        let legs = room.legs(&of);
        let leg = room.member_mut(by).and_then(|member| member.media.leg());
        room.wish(by, of, reception);
        let Some(leg) = leg else { return };
        for from in legs {
            self.media(MediaCommand::Receive { leg, from, reception });
        }
    }

    /// A leg of the forwarding unit tells something.
    pub fn handle_media(&mut self, leg: LegId, event: MediaEvent) {
        // Of a leg that was closed meanwhile: nobody wants to know.
        let Some(Place { room: address, peer, stream }) = self.rooms.legs.get(&leg).cloned() else {
            return;
        };
        let Some(room) = self.rooms.hosted.get_mut(&address) else { return };
        let Some(member) = room.member_mut(&peer) else { return };
        let stay = member.stay;
        let event = match event {
            MediaEvent::Offer { sdp, streams } => {
                let whose = |(id, leg): (Arc<str>, LegId)| {
                    let Place { peer, stream, .. } = self.rooms.legs.get(&leg)?;
                    Some(MediaStream { id, peer: peer.clone(), name: stream.clone() })
                };
                let streams = streams.into_iter().filter_map(whose).collect();
                RoomEvent::Offer { stream, sdp, streams }
            }
            MediaEvent::Closed(reason) => {
                member.media.legs.remove(&stream);
                self.rooms.legs.remove(&leg);
                RoomEvent::MediaClosed { stream, reason }
            }
            // skyway-js closes its connection before it leaves, and would show an error at every leave.
            MediaEvent::HungUp => {
                member.media.legs.remove(&stream);
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

    /// A member's connections are not needed any more.
    pub(super) fn close_media(&mut self, media: &Media) {
        for leg in media.legs.values() {
            self.close_leg(*leg);
        }
    }

    fn close_leg(&mut self, leg: LegId) {
        self.rooms.legs.remove(&leg);
        self.media(MediaCommand::Close(leg));
    }

    fn media(&mut self, command: MediaCommand) {
        self.commands.push_back(Command::Media(command));
    }
}
