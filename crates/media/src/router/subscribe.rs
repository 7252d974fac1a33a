//! Who publishes what, who gets it, and the offers that tell so.

use super::bandwidth;
use super::hold::Hold;
use super::member::{Key, LAYERS, Member, Publication, Subscriber, Subscription};
use super::request::Excess;
use super::stall::Stall;
use super::{Event, LegId, MediaRouter, Output, RoomId};
use crate::leg::{Label, SlotId};
use crate::{Codec, Codecs, Kind};

impl MediaRouter {
    /// An answer came: what the member sends now, and what begins to flow to it.
    pub(super) fn answered(&mut self, key: Key, live: &[SlotId]) {
        let room = self.members[key].room;
        for kind in Kind::ALL {
            let codec = self.members[key].leg.incoming(kind).publishes();
            let before = self.members[key].publications[kind.index()].as_ref();
            match (before.map(|publication| publication.codec), codec) {
                (None, Some(codec)) if self.may_publish(key) => self.publish(key, kind, codec),
                (Some(_), None) => self.unpublish(key, kind),
                (Some(before), Some(codec)) if before != codec => {
                    if let Some(publication) = &mut self.members[key].publications[kind.index()] {
                        publication.codec = codec;
                    }
                }
                _ => {}
            }
        }
        for slot in live {
            if self.members[key].connected {
                self.begin(key, *slot);
            } else {
                self.prepare(key, *slot);
            }
        }
        self.agree_on_codecs(room);
        for index in 0..self.rooms.get(&room).map_or(0, |room| room.members.len()) {
            let member = self.rooms[&room].members[index];
            self.subscribe_to_all(member);
        }
        self.offer_to_all(room);
    }

    /// ICE and DTLS are up: what was agreed on before can flow.
    pub(super) fn connected(&mut self, key: Key) {
        for index in 0..self.members[key].subscriptions.len() {
            let slot = self.members[key].subscriptions[index].slot;
            if self.members[key].leg.is_live(slot) {
                self.begin(key, slot);
            }
        }
    }

    /// A line is agreed on, and its member will be connected soon: a key frame is there by then.
    fn prepare(&mut self, key: Key, slot: SlotId) {
        let found = self.members[key].subscriptions.iter().find(|it| it.slot == slot).copied();
        let (Some(Subscription { publisher, kind: Kind::Video, .. }), Some(now)) =
            (found, self.now)
        else {
            return;
        };
        let publication = self.members[publisher].publications[Kind::Video.index()].as_mut();
        let Some(publication) = publication else { return };
        let layer = &mut publication.layers[0];
        if !layer.recent.is_there(now) {
            layer.key_frames.want(now);
            self.ask_for_key_frames(publisher);
        }
    }

    /// A line is agreed on: what it is for flows, from a key frame on.
    fn begin(&mut self, key: Key, slot: SlotId) {
        let found = self.members[key].subscriptions.iter().find(|it| it.slot == slot).copied();
        let Some(Subscription { publisher, kind, .. }) = found else { return };
        let Some(now) = self.now else { return };
        let mut subscriber = Subscriber::new(key, slot);
        let has_begun = kind == Kind::Video && self.catch_up(publisher, &mut subscriber);
        let member = &mut self.members[publisher];
        let Some(publication) = &mut member.publications[kind.index()] else { return };
        publication.subscribers.push(subscriber);
        if kind == Kind::Video {
            if !has_begun {
                publication.layers[0].key_frames.want(now);
                self.ask_for_key_frames(publisher);
            }
            let chooses = self.members[publisher].leg.is_simulcast();
            let member = &mut self.members[key];
            if chooses || member.bandwidth.is_some() {
                member.share.get_or_insert(now + bandwidth::INTERVAL);
                self.schedule(key);
            }
        }
    }

    /// Whether a member is one of those who may. Told once, if not.
    fn may_publish(&mut self, key: Key) -> bool {
        let member = &self.members[key];
        let publishes = |member: &Member| member.publications.iter().any(Option::is_some);
        let Some(most) = member.permission.publishers.filter(|_| !publishes(member)) else {
            return true;
        };
        let others = self.rooms.get(&member.room).map_or(0, |room| {
            room.members.iter().filter(|other| publishes(&self.members[**other])).count()
        });
        let (leg, refused) = (member.id, others >= most);
        if refused && !self.members[key].permission.refused {
            self.outputs.push_back(Output::Event(Event::PublishRefused { leg }));
        }
        self.members[key].permission.refused = refused;
        self.members[key].leg.refuse(refused);
        !refused
    }

    fn publish(&mut self, key: Key, kind: Kind, codec: Codec) {
        let Some(now) = self.now else { return };
        let source = self.next_source;
        self.next_source = source.wrapping_add(u32::try_from(LAYERS).unwrap_or_default());
        let member = &mut self.members[key];
        member.publications[kind.index()] = Some(Publication {
            codec,
            source,
            layers: Default::default(),
            stall: Stall::new(now),
            excess: Excess::default(),
            hold: Hold::default(),
            subscribers: Vec::new(),
        });
        let leg = member.id;
        self.outputs.push_back(Output::Event(Event::Published { leg, kind }));
        if kind == Kind::Video {
            self.begin_requests(now, key);
        }
    }

    pub(super) fn unpublish(&mut self, key: Key, kind: Kind) {
        let member = &mut self.members[key];
        if member.publications[kind.index()].take().is_none() {
            return;
        }
        let (leg, room) = (member.id, member.room);
        self.outputs.push_back(Output::Event(Event::Unpublished { leg, kind }));
        let Some(room) = self.rooms.get(&room) else { return };
        for other in &room.members {
            let Some(member) = self.members.get_mut(*other) else { continue };
            let leg = &mut member.leg;
            if member.permission.refused {
                // Its answer tells whether it still would.
                leg.refuse(false);
                leg.want_offer();
            }
            member.subscriptions.retain(|subscription| {
                let ends = subscription.publisher == key && subscription.kind == kind;
                if ends {
                    leg.detach(subscription.slot);
                }
                !ends
            });
        }
    }

    pub(super) fn unsubscribe_from_all(&mut self, key: Key) {
        for Subscription { publisher, kind, slot } in
            std::mem::take(&mut self.members[key].subscriptions)
        {
            let Some(publisher) = self.members.get_mut(publisher) else { continue };
            if let Some(publication) = &mut publisher.publications[kind.index()] {
                publication.subscribers.retain(|it| (it.member, it.slot) != (key, slot));
            }
        }
    }

    /// Lines for all that the others publish and this member can decode, and for nothing else.
    pub(super) fn subscribe_to_all(&mut self, key: Key) {
        let Some(member) = self.members.get(key) else { return };
        let (codecs, has_two_lines) = (member.leg.codecs(), member.leg.has_two_lines());
        let Some(room) = self.rooms.get(&member.room) else { return };
        let publishers = room.members.clone();
        let selected = if has_two_lines { self.selected(key) } else { None };
        for publisher in publishers {
            if !self.members[key].may_get(&self.members[publisher]) {
                continue;
            }
            let id = self.members[publisher].id;
            for kind in Kind::ALL {
                let codec =
                    self.members[publisher].publications[kind.index()].as_ref().map(|it| it.codec);
                let wanted = (!has_two_lines || selected == Some(publisher))
                    && self.reception(key, publisher).wants(kind);
                let codec = codec.filter(|codec| wanted && codecs.contains(*codec));
                let member = &mut self.members[key];
                let of = |it: &Subscription| it.publisher == publisher && it.kind == kind;
                let existing = member.subscriptions.iter().position(of);
                match (existing, codec) {
                    (None, Some(codec)) => {
                        let slot = member.leg.attach(kind, codec.clock(), label(id, kind));
                        let Some(slot) = slot else { continue };
                        member.subscriptions.push(Subscription { publisher, kind, slot });
                        // It is the line that the same track had.
                        if member.connected && member.leg.is_live(slot) {
                            self.begin(key, slot);
                        }
                    }
                    (Some(index), None) => {
                        let Subscription { slot, .. } = member.subscriptions.swap_remove(index);
                        member.leg.detach(slot);
                        if let Some(publication) =
                            &mut self.members[publisher].publications[kind.index()]
                        {
                            publication
                                .subscribers
                                .retain(|it| (it.member, it.slot) != (key, slot));
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    /// What all members of a room can decode is what they should send.
    pub(super) fn agree_on_codecs(&mut self, room: RoomId) {
        let Some(room) = self.rooms.get(&room) else { return };
        let mut common = Codecs::ALL;
        for key in &room.members {
            common = common.common(self.members[*key].leg.codecs());
        }
        for key in &room.members {
            self.members[*key].leg.prefer(common);
        }
    }

    pub(super) fn offer_to_all(&mut self, room: RoomId) {
        for index in 0..self.rooms.get(&room).map_or(0, |room| room.members.len()) {
            let key = self.rooms[&room].members[index];
            self.offer(key);
        }
    }

    /// Makes the offer that is due, unless one is out.
    pub(super) fn offer(&mut self, key: Key) {
        let Some(now) = self.now else { return };
        let member = &mut self.members[key];
        if !member.asked || !member.leg.is_due() {
            return;
        }
        let Some(Some(sdp)) = self.guard(key, |member| Ok(member.leg.offer())) else { return };
        let member = &mut self.members[key];
        member.deadlines.answer = Some(now + self.options.answer_within);
        let leg = member.id;
        let publishers = self.members[key].subscriptions.iter().map(|it| it.publisher);
        let mut publishers: Vec<LegId> = publishers.map(|it| self.members[it].id).collect();
        publishers.sort_unstable();
        publishers.dedup();
        let streams = publishers.into_iter().map(|id| (stream_name(id), id)).collect();
        self.outputs.push_back(Output::Event(Event::Offer { leg, sdp, streams }));
        self.mark(key);
    }
}

/// The same name never stands for two: legs' names do not come back.
fn stream_name(leg: LegId) -> String {
    format!("stream-{}", leg.0)
}

fn label(leg: LegId, kind: Kind) -> Label {
    Label { stream: stream_name(leg), track: format!("{}-{}", kind.name(), leg.0) }
}
