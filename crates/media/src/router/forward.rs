//! What a leg gives out, and the way of a packet from one leg to others.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use super::layer::Remarks;
use super::member::{Key, LAYERS, Subscriber, Turn};
use super::{CloseReason, Event, MediaRouter, Output, Transmit};
use crate::leg::{self, Packet};
use crate::rewrite::Incoming;
use crate::{Kind, SourceId};

impl MediaRouter {
    /// Lets the leg's engine send what there is, and takes its outputs.
    pub(super) fn drive(&mut self, key: Key) {
        let Some(now) = self.now else { return };
        if self.guard(key, |member| member.leg.handle_timeout(now)).is_some() {
            self.drain(key);
        }
    }

    /// Takes all outputs of a leg.
    pub(super) fn drain(&mut self, key: Key) {
        loop {
            let Some(output) = self.transmit(key) else { return };
            let member = &mut self.members[key];
            let leg = member.id;
            match output {
                // Those are with the others already.
                leg::Output::Transmit { .. } => {}
                leg::Output::Packet(mut packet) => {
                    // Nobody else has it yet.
                    if let Some(packet) = Arc::get_mut(&mut packet)
                        && let Some(captured) = packet.captured
                    {
                        packet.wallclock = member.clock.map(packet.arrival, captured);
                    }
                    self.forward(key, packet);
                }
                leg::Output::KeyFrameWanted(slot) => {
                    member.traffic.key_frames_wanted += 1;
                    self.key_frame_wanted(key, slot);
                }
                leg::Output::Opened(opening) => self.channel_opened(key, &opening),
                leg::Output::Message(message) => self.message(key, message),
                leg::Output::Connected => {
                    member.connected = true;
                    member.deadlines.connected = None;
                    self.outputs.push_back(Output::Event(Event::Connected { leg }));
                    self.connected(key);
                    self.open_channels(key);
                }
                leg::Output::Reported => {
                    if let Some(estimate) = &mut member.estimate {
                        estimate.pending = true;
                    }
                }
                leg::Output::Reachable(true) => member.deadlines.reachable = None,
                leg::Output::Reachable(false) => {
                    let within = self.options.reconnect_within;
                    member.deadlines.reachable = self.now.map(|now| now + within);
                }
                leg::Output::Closed => self.doomed.push((key, CloseReason::HungUp)),
                leg::Output::Timeout(at) => {
                    member.engine = Some(at);
                    if member.leg.has_to_send() {
                        self.enqueue(key, Turn::Send);
                    }
                    let member = &self.members[key];
                    if member.estimate.as_ref().is_some_and(|it| it.pending) {
                        self.reported(key);
                    }
                    return self.schedule(key);
                }
            }
        }
    }

    /// Gives out what a leg has to send besides what its engine sends.
    pub(super) fn flush(&mut self, key: Key) {
        let Some(now) = self.now else { return };
        if !self.members.get(key).is_some_and(|member| member.leg.has_to_send()) {
            return;
        }
        let mut outputs = std::mem::take(&mut self.outputs);
        let mut spare = std::mem::take(&mut self.spare);
        self.guard(key, |member| {
            let leg = member.id;
            member.leg.flush(now, &mut spare, |path, data| {
                let leg::Path { transport, source, destination } = path;
                let transmit = Transmit { leg, transport, source, destination, data };
                outputs.push_back(Output::Transmit(transmit));
            });
            Ok(())
        });
        (self.outputs, self.spare) = (outputs, spare);
    }

    /// Takes a leg's datagrams, up to the first output that is none.
    fn transmit(&mut self, key: Key) -> Option<leg::Output> {
        let mut outputs = std::mem::take(&mut self.outputs);
        let output = self.guard(key, |member| {
            loop {
                match member.leg.poll()? {
                    leg::Output::Transmit { transport, source, destination, data } => {
                        let leg = member.id;
                        let transmit = Transmit { leg, transport, source, destination, data };
                        outputs.push_back(Output::Transmit(transmit));
                    }
                    output => return Ok(output),
                }
            }
        });
        self.outputs = outputs;
        output
    }

    fn forward(&mut self, key: Key, packet: Arc<Packet>) {
        let Some(now) = self.now else { return };
        let member = &mut self.members[key];
        member.traffic.received += 1;
        member.traffic.received_bytes += packet.len() as u64;
        let (room, leg) = (member.room, member.id);
        let Some(publication) = &mut member.publications[packet.kind.index()] else { return };
        let layer = &mut publication.layers[packet.layer.min(LAYERS - 1)];
        let Some(remarks) = layer.note(&packet) else { return };
        let resumes = publication.stall.came(packet.arrival);
        if publication.excess.stopped {
            return;
        }
        let (kind, level) = (packet.kind, packet.audio_level);
        let ends = publication.hold.push(now, packet, remarks);
        if kind == Kind::Audio
            && let Some(level) = level
        {
            self.heard(room, leg, level);
        }
        if ends {
            self.release(key, kind);
        }
        if resumes {
            self.resume(now, key, kind);
        }
    }

    /// Of pictures of which the rest did not come in time.
    pub(super) fn release_what_waited(&mut self, now: Instant, key: Key) {
        for kind in Kind::ALL {
            let publication = self.members[key].publications[kind.index()].as_ref();
            if publication.and_then(|it| it.hold.due).is_some_and(|due| due <= now) {
                self.release(key, kind);
            }
        }
    }

    /// What came of a publication goes on to those who get it.
    fn release(&mut self, key: Key, kind: Kind) {
        let Some(publication) = &mut self.members[key].publications[kind.index()] else { return };
        let packets = publication.hold.take();
        for (packet, _) in packets.iter().filter(|_| kind == Kind::Video) {
            publication.layers[packet.layer.min(LAYERS - 1)].recent.push(packet);
        }
        if publication.excess.stopped {
            return;
        }
        let sources = [0, 1, 2].map(|layer| publication.source(layer));
        let mut subscribers = std::mem::take(&mut publication.subscribers);
        let mut lack_beginning = [false; LAYERS];
        // All packets to one member, then to the next: what is known of a member stays at hand.
        for subscriber in &mut subscribers {
            for (packet, remarks) in &packets {
                let layer = packet.layer.min(LAYERS - 1);
                lack_beginning[layer] |= self.pass_on(subscriber, sources[layer], packet, *remarks);
            }
        }
        let Some(publication) = &mut self.members[key].publications[kind.index()] else { return };
        publication.subscribers = subscribers;
        publication.hold.put_back(packets);
        // Either the rest of the picture came before its beginning, and went to nobody who begins now, or
        // another source began with less than a whole picture.
        if let (true, Kind::Video, Some(now)) = (lack_beginning.contains(&true), kind, self.now) {
            for (layer, _) in publication.layers.iter_mut().zip(lack_beginning).filter(|it| it.1) {
                layer.key_frames.want(now);
            }
            self.schedule(key);
        }
    }

    /// A packet goes to one who gets its publication, if it gets this packet. Whether it lacks a beginning then.
    fn pass_on(
        &mut self,
        subscriber: &mut Subscriber,
        source: SourceId,
        packet: &Arc<Packet>,
        remarks: Remarks,
    ) -> bool {
        let mut lacks_beginning = false;
        if remarks.renewed && subscriber.current == Some(packet.layer) {
            self.pause(subscriber);
            lacks_beginning = !packet.begins;
        }
        if subscriber.wanted == Some(packet.layer)
            && subscriber.current != subscriber.wanted
            && packet.begins
        {
            subscriber.current = subscriber.wanted;
            lacks_beginning |= remarks.late;
        }
        if subscriber.current != Some(packet.layer) {
            return lacks_beginning;
        }
        let froze = remarks.froze && packet.kind == Kind::Video && subscriber.packets > 0;
        subscriber.freezes += u64::from(froze);
        let (member, slot) = (subscriber.member, subscriber.slot);
        if subscriber.wanted.is_none() {
            self.pause(subscriber);
        } else if !subscriber.takes(packet) {
            self.omit(member, slot, source, packet);
        } else if self.send(member, slot, packet, &incoming(source, packet)) {
            subscriber.packets += 1;
            subscriber.bytes += packet.len() as u64;
            self.enqueue(member, Turn::Send);
        }
        lacks_beginning
    }

    pub(super) fn send(
        &mut self,
        key: Key,
        slot: leg::SlotId,
        packet: &Arc<Packet>,
        incoming: &Incoming,
    ) -> bool {
        let Some(member) = self.members.get_mut(key) else { return false };
        let leg = &mut member.leg;
        let Ok(sent) = catch_unwind(AssertUnwindSafe(|| leg.send(slot, packet, incoming))) else {
            self.doomed.push((key, CloseReason::Panicked));
            return false;
        };
        if sent {
            member.traffic.sent += 1;
            member.traffic.sent_bytes += packet.len() as u64;
        }
        sent
    }

    /// Nothing flows to a subscriber until a decoder can begin.
    pub(super) fn pause(&mut self, subscriber: &mut Subscriber) {
        subscriber.current = None;
        if let Some(member) = self.members.get_mut(subscriber.member) {
            member.leg.pause(subscriber.slot);
        }
    }

    fn omit(&mut self, key: Key, slot: leg::SlotId, source: SourceId, packet: &Packet) {
        if let Some(member) = self.members.get_mut(key) {
            member.leg.omit(slot, &incoming(source, packet));
        }
    }

    fn heard(&mut self, id: super::RoomId, leg: super::LegId, level: u8) {
        let (Some(now), Some(room)) = (self.now, self.rooms.get_mut(&id)) else { return };
        room.speakers.heard(now, &leg, level);
        if room.timer.is_none() {
            self.schedule_room(id);
        }
    }
}

pub(super) fn incoming(source: SourceId, packet: &Packet) -> Incoming {
    Incoming {
        source,
        sequence: packet.sequence,
        timestamp: packet.timestamp,
        arrival: packet.arrival,
        picture: packet.picture,
    }
}
