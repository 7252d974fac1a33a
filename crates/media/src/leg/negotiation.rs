//! Offers and answers: this side offers, one at a time, and what changes meanwhile waits for the next.

use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::media::{Direction, Mid, Simulcast, SimulcastLayer};
use str0m::rtp::Extension;

use super::format::Formats;
use super::incoming::LAYERS;
use super::line::{Extensions, Line};
use super::sdp::{self, Edit};
use super::slot::{Label, Slot, SlotId, Slots, State};
use super::{Failure, Leg, str0m_kind};
use crate::{Clock, Codec, Codecs, Kind};

/// How far the descriptions are.
#[derive(Default)]
pub(super) struct Negotiation {
    /// The offer that is out, and its lines' names in their order.
    pending: Option<(SdpPendingOffer, Vec<String>)>,
    /// Offers made so far. In the `o=` line: skyway-js ignores an offer that equals the last one.
    version: u64,
    /// Something changed that an offer has to tell.
    due: bool,
    /// The member's own lines stay inactive: what it sends would go nowhere.
    refused: bool,
    /// What the room's members should send.
    preferred: [Option<Codec>; 2],
}

/// The sources that a line was offered with.
#[derive(Debug)]
pub(super) struct Stream {
    mid: Mid,
    source: u32,
    /// Of its repetitions.
    repairs: Option<u32>,
    name: String,
}

impl Leg {
    /// Whether an offer of ours waits for its answer.
    pub(crate) fn is_offering(&self) -> bool {
        self.negotiation.pending.is_some()
    }

    /// Whether there is something to offer, and no offer out.
    pub(crate) fn is_due(&self) -> bool {
        self.negotiation.due && !self.is_offering()
    }

    /// Makes an offer due.
    pub(crate) fn want_offer(&mut self) {
        self.negotiation.due = true;
    }

    /// Whether the member may send.
    pub(crate) fn refuse(&mut self, refused: bool) {
        // Two lines that go both ways cannot rest.
        if !self.options.two_lines && self.negotiation.refused != refused {
            self.negotiation.refused = refused;
            self.negotiation.due = true;
        }
    }

    /// What the member should send, if it can: the first of these that it has.
    pub(crate) fn prefer(&mut self, codecs: Codecs) {
        let preferred = Kind::ALL.map(|kind| codecs.preferred(kind));
        if self.negotiation.preferred != preferred {
            // Until the first offer it is only what that one will say.
            self.negotiation.due |= self.negotiation.version > 0;
            self.negotiation.preferred = preferred;
        }
    }

    /// Gives a track of somebody else a line. `None`: there is none for it now, and after the next
    /// answer there may be.
    pub(crate) fn attach(&mut self, kind: Kind, clock: Clock, label: Label) -> Option<SlotId> {
        if self.options.two_lines && !self.slots.may_attach(kind, clock) {
            return None;
        }
        if let Some(slot) = self.slots.resume(clock, &label) {
            return Some(slot);
        }
        // While an offer is out none could follow it anyway, and its answer may make place on a line.
        let slot = self.slots.attach(kind, clock, label, !self.is_offering())?;
        self.negotiation.due = true;
        Some(slot)
    }

    /// The track is gone.
    pub(crate) fn detach(&mut self, slot: SlotId) {
        self.slots.detach(slot);
        self.negotiation.due = true;
    }

    /// Whether a line is agreed on.
    pub(crate) fn is_live(&self, slot: SlotId) -> bool {
        self.slots.get(slot).is_some_and(|slot| slot.state == State::Live)
    }

    /// Makes the offer that is due.
    pub(crate) fn offer(&mut self) -> Option<String> {
        if self.is_offering() {
            return None;
        }
        let (two_lines, channel) = (self.options.two_lines, self.channel_config());
        let waits =
            |kind| move |(_, slot): (_, &Slot)| slot.kind == kind && slot.state == State::Wanted;
        let wanted = Kind::ALL.map(|kind| self.slots.all().any(waits(kind)));
        let receives =
            if self.negotiation.refused { Direction::Inactive } else { Direction::RecvOnly };
        let mut api = self.rtc.sdp_api();
        for line in &mut self.incoming {
            if let Some(mid) = line.mid {
                // Also one that was answered `inactive`: there may be something to send by now.
                api.set_direction(mid, receives);
                continue;
            }
            let simulcast = self.options.simulcast && line.kind() == Kind::Video;
            let simulcast = simulcast.then(receive_layers);
            let kind = str0m_kind(line.kind());
            // What a line is made with cannot be changed before it is applied.
            let direction = if two_lines && wanted[line.kind().index()] {
                Direction::SendRecv
            } else {
                receives
            };
            line.mid = Some(api.add_media(kind, direction, None, None, simulcast));
        }
        let unused = channel.map(|config| api.add_channel_with_config(config));
        let (sends, rests) = if two_lines {
            (Direction::SendRecv, Direction::RecvOnly)
        } else {
            (Direction::SendOnly, Direction::Inactive)
        };
        for (_, slot) in self.slots.all_mut() {
            if two_lines {
                slot.mid = self.incoming[slot.kind.index()].mid;
            }
            match (slot.state, slot.mid) {
                (State::Wanted | State::Live, Some(mid)) => api.set_direction(mid, sends),
                (State::Wanted, None) => {
                    let kind = str0m_kind(slot.kind);
                    slot.mid = Some(api.add_media(kind, Direction::SendOnly, None, None, None));
                }
                (State::Leaving, Some(mid)) => api.set_direction(mid, rests),
                _ => {}
            }
            match slot.state {
                State::Wanted => slot.state = State::Offered,
                State::Leaving => {
                    slot.state = State::Closing;
                    slot.label = None;
                }
                _ => {}
            }
        }
        if let (false, Some(mid)) = (api.has_changes(), self.incoming[0].mid) {
            // The same once more, because the member asked. There and back leaves what comes in alone.
            api.set_direction(mid, Direction::SendRecv);
            api.set_direction(mid, receives);
        }
        let (offer, pending) = api.apply()?;
        if let Some(unused) = unused {
            self.channel_line(unused);
        }
        self.negotiation.version += 1;
        self.negotiation.due = false;
        let offer = offer.to_sdp_string();
        let (sdp, lines) = sdp::edit(&offer, self.negotiation.version, |mid| self.edit(mid));
        self.negotiation.pending = Some((pending, lines));
        Some(if two_lines { self.to_wire(&sdp) } else { sdp })
    }

    /// Takes the answer to the offer that is out. Answers what begins to flow.
    pub(crate) fn accept_answer(&mut self, sdp: &str) -> Result<Vec<SlotId>, Failure> {
        let (pending, lines) = self.negotiation.pending.take().ok_or(Failure::NoOffer)?;
        let own;
        let sdp = if self.options.two_lines {
            own = self.off_wire(sdp);
            own.as_str()
        } else {
            sdp
        };
        sdp::check(sdp, &lines).map_err(Failure::Answer)?;
        let answer =
            SdpAnswer::from_sdp_string(sdp).map_err(|error| Failure::Answer(error.to_string()))?;
        self.rtc.sdp_api().accept_answer(pending, answer)?;
        self.declare_sources(sdp);
        self.formats = Formats::new(&self.rtc);
        self.take_streams();
        for index in 0..self.incoming.len() {
            let Some(mid) = self.incoming[index].mid else { continue };
            let accepted = self.formats.accepted(&self.rtc, mid);
            let media = self.rtc.media(mid);
            let comes = media.is_some_and(|media| media.direction().is_receiving());
            self.incoming[index].answered(comes, accepted);
        }
        let mut live = Vec::new();
        for (id, slot) in self.slots.all_mut() {
            let Some(mid) = slot.mid else { continue };
            let Some(media) = self.rtc.media(mid) else { continue };
            if media.stopped() {
                slot.state = State::Refused;
                continue;
            }
            match slot.state {
                State::Closing => slot.state = State::Free,
                State::Offered if slot.leaves => {
                    slot.state = State::Leaving;
                    self.negotiation.due = true;
                }
                State::Offered => {
                    slot.state = State::Live;
                    live.push(id);
                }
                _ => continue,
            }
            slot.accepted = self.formats.accepted(&self.rtc, mid);
            if slot.line.is_none()
                && let Some(stream) = self.streams.iter().find(|stream| stream.mid == mid)
            {
                let first = Slots::first_repair(self.options.seed, stream.source);
                slot.line = Some(Line::new(stream.source, stream.repairs, first, &stream.name));
            }
            if let Some(line) = &mut slot.line {
                let id = |extension| media.remote_extmap().id_of(extension);
                line.extensions = Extensions {
                    mid: id(Extension::RtpMid),
                    audio_level: id(Extension::AudioLevel),
                    orientation: id(Extension::VideoOrientation),
                };
            }
        }
        Ok(live)
    }

    /// The engine makes a stream for each line that sends. Nothing is ever sent on it, and its reports would say so:
    /// only its names are of use.
    fn take_streams(&mut self) {
        let of_slots = self.slots.all().filter_map(|(_, slot)| slot.mid);
        let mids: Vec<Mid> = self.incoming.iter().filter_map(|it| it.mid).chain(of_slots).collect();
        for mid in mids {
            let name = self.rtc.media(mid).map(|media| media.cname().to_owned());
            let mut api = self.rtc.direct_api();
            while let Some(stream) = api.stream_tx_by_mid(mid, None) {
                let (source, repairs) = (stream.ssrc(), stream.rtx());
                api.remove_stream_tx(source);
                if !self.streams.iter().any(|stream| stream.mid == mid) {
                    let (source, repairs) = (*source, repairs.map(|it| *it));
                    let name = name.clone().unwrap_or_default();
                    self.streams.push(Stream { mid, source, repairs, name });
                }
            }
        }
    }

    fn edit(&self, mid: &str) -> Edit {
        let slot = self.slots.all().find(|(_, slot)| is(slot.mid, mid));
        let refused = slot.is_some_and(|(_, slot)| slot.state == State::Refused);
        let label = slot.and_then(|(_, slot)| slot.label.clone());
        let stream = self.streams.iter().find(|stream| &*stream.mid == mid && !refused);
        let sources = stream.map(|it| sdp::describe_sources(it.source, it.repairs, &it.name));
        let Some(line) = self.incoming.iter().find(|line| is(line.mid, mid)) else {
            return Edit { label, sources, uncounted: true, ..Edit::default() };
        };
        let preferred = self.negotiation.preferred[line.kind().index()];
        let bitrate = match line.kind() {
            Kind::Audio => None,
            Kind::Video => self.options.bitrate_limit,
        };
        Edit { label, preferred, bitrate, sources, uncounted: false }
    }
}

fn is(known: Option<str0m::media::Mid>, mid: &str) -> bool {
    known.is_some_and(|known| &*known == mid)
}

fn receive_layers() -> Simulcast {
    Simulcast { send: Vec::new(), recv: LAYERS.map(SimulcastLayer::new).into() }
}
