//! The router: rooms, their legs, and what flows between them.
//!
//! ```text
//!   datagram -> demux -> leg -> packet -> publication -> subscriber's leg -> datagrams
//!                         |                    ^
//!                         +-- key frame wanted-+
//! ```

mod address;
mod bandwidth;
mod ceiling;
mod data;
mod demux;
mod ending;
mod estimate;
mod forward;
mod hold;
mod key_frames;
mod layer;
mod member;
mod misses;
mod options;
mod output;
mod probe;
mod queue;
mod recent;
mod reception;
mod report;
mod request;
mod selection;
mod stall;
mod subscribe;
mod timers;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use slab::Slab;

pub use address::{Datagram, LocalAddress, Transport};
pub(crate) use demux::ice_attribute;
pub use demux::ice_user;
pub use options::{LegOptions, RouterOptions};
pub use output::{CloseReason, Event, Output, Transmit};
pub use reception::{Reception, VideoWish};
pub use report::{LayerReport, LegReport, PublicationReport, Quality, SubscriptionReport, Traffic};

use crate::leg::{self, Leg};
use crate::{CaptureClock, Speakers};
use demux::Demux;
use estimate::{Estimate, Wanted};
use member::{Deadlines, Key, Member, Permission, Turn};
use request::Request;
use timers::Timer;

/// Buffers that are kept, and how large they are: what takes little would have to grow.
const SPARE: usize = 4096;
const SPARE_LEAST: usize = 512;
const SPARE_MOST: usize = 2048;

/// Names a room; the caller knows what it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomId(pub u64);

/// Names a leg. Never used again for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LegId(pub u64);

#[derive(Debug, Default)]
struct Room {
    members: Vec<Key>,
    speakers: Speakers<LegId>,
    /// When the speakers are looked at, if that is in the list of timers.
    timer: Option<Instant>,
    /// Since when the dominant speaker is, until that was looked at.
    speaks_since: Option<Instant>,
}

/// See the crate's documentation.
///
/// After each `handle_*` or a batch of them, [`MediaRouter::next_output`] until it is `None`: what
/// several datagrams brought for one leg goes out together then.
#[derive(Debug)]
pub struct MediaRouter {
    options: RouterOptions,
    shared: leg::Shared,
    now: Option<Instant>,
    members: Slab<Member>,
    keys: BTreeMap<LegId, Key>,
    rooms: BTreeMap<RoomId, Room>,
    demux: Demux,
    timers: BTreeSet<(Instant, Timer)>,
    /// Those that may have something to send.
    queue: VecDeque<Key>,
    doomed: Vec<(Key, CloseReason)>,
    outputs: VecDeque<Output>,
    /// Buffers for what is sent.
    spare: Vec<Vec<u8>>,
    /// Of the next publication.
    next_source: u32,
    strays: u64,
}

impl MediaRouter {
    /// A router without rooms.
    pub fn new(options: RouterOptions) -> Self {
        let wall = options.wall_clock.map(|moment| leg::WallClock { moment });
        let (addresses, prefix) = (options.addresses.clone(), options.user_prefix.clone());
        let shared = leg::Shared::new(addresses, prefix, wall);
        Self {
            options,
            shared,
            now: None,
            members: Slab::new(),
            keys: BTreeMap::new(),
            rooms: BTreeMap::new(),
            demux: Demux::default(),
            timers: BTreeSet::new(),
            queue: VecDeque::new(),
            doomed: Vec::new(),
            outputs: VecDeque::new(),
            spare: Vec::new(),
            next_source: 0,
            strays: 0,
        }
    }

    /// A member comes into a room. There is no offer until it asks for one.
    pub fn handle_join(&mut self, now: Instant, room: RoomId, leg: LegId, options: LegOptions) {
        let now = self.at(now);
        if self.keys.contains_key(&leg) {
            return;
        }
        let leg_options = leg::Options {
            bitrate_limit: options.bitrate_limit,
            simulcast: options.simulcast && !options.two_lines,
            two_lines: options.two_lines,
            data: options.data && !options.two_lines,
            seed: self.options.seed ^ leg.0,
        };
        let mut engine = Leg::new(now, &self.shared, leg_options);
        if options.first_bitrate.is_some() {
            engine.watch();
        }
        let user = engine.user().to_owned();
        let key = self.members.insert(Member {
            id: leg,
            room,
            leg: engine,
            asked: false,
            connected: false,
            publications: [None, None],
            subscriptions: Vec::new(),
            deadlines: Deadlines::default(),
            engine: None,
            timer: None,
            turn: Turn::Nothing,
            traffic: Traffic::default(),
            bandwidth: options.first_bitrate,
            estimate: options.first_bitrate.map(Estimate::new),
            wanted: Wanted::default(),
            share: None,
            receptions: BTreeMap::new(),
            selected: None,
            clock: CaptureClock::default(),
            permission: Permission { publishers: options.publishers, refused: false },
            sends_only: options.sends_only,
            owner: options.owner,
            request: Request::default(),
        });
        self.keys.insert(leg, key);
        self.demux.add(user, key);
        self.rooms.entry(room).or_default().members.push(key);
        self.agree_on_codecs(room);
        self.subscribe_to_all(key);
    }

    /// A member wants an offer: its first, or because its own tracks have changed. One that is out
    /// already is not taken back; the new one follows its answer.
    pub fn handle_offer_wanted(&mut self, now: Instant, leg: LegId) {
        self.at(now);
        let Some(&key) = self.keys.get(&leg) else { return };
        self.members[key].asked = true;
        self.members[key].leg.want_offer();
        self.offer(key);
    }

    /// A member's answer to the offer that is out.
    pub fn handle_answer(&mut self, now: Instant, leg: LegId, sdp: &str) {
        let now = self.at(now);
        let Some(&key) = self.keys.get(&leg) else { return };
        if !self.members[key].leg.is_offering() {
            tracing::debug!(leg = leg.0, "an answer to no offer");
            return;
        }
        let Some(live) = self.guard(key, |member| member.leg.accept_answer(sdp)) else {
            self.bury();
            return;
        };
        let connect_within = self.options.connect_within;
        let member = &mut self.members[key];
        member.deadlines.answer = None;
        if !member.connected {
            member.deadlines.connected.get_or_insert(now + connect_within);
        }
        self.answered(key, &live);
        self.mark(key);
    }

    /// A candidate of a member. Optional: its checks tell its addresses too.
    pub fn handle_candidate(&mut self, now: Instant, leg: LegId, candidate: &str) {
        self.at(now);
        let Some(&key) = self.keys.get(&leg) else { return };
        if self.guard(key, |member| Ok(member.leg.add_candidate(candidate))) == Some(false) {
            tracing::debug!(leg = leg.0, candidate, "a candidate that cannot be used");
        }
        self.mark(key);
        self.bury();
    }

    /// A member goes.
    pub fn handle_leave(&mut self, now: Instant, leg: LegId) {
        self.at(now);
        if let Some(&key) = self.keys.get(&leg) {
            self.remove(key, None);
        }
    }

    /// A datagram arrived.
    pub fn handle_datagram(&mut self, now: Instant, datagram: Datagram<'_>) {
        let now = self.at(now);
        let Some(key) = self.find(now, &datagram) else {
            self.strays += 1;
            return;
        };
        if self.guard(key, |member| member.leg.handle_datagram(now, &datagram)).is_some() {
            self.drain(key);
        }
        self.bury();
    }

    /// What is to be done next.
    pub fn next_output(&mut self) -> Option<Output> {
        loop {
            if let Some(output) = self.outputs.pop_front() {
                return Some(output);
            }
            let key = self.queue.pop_front()?;
            let Some(member) = self.members.get_mut(key) else { continue };
            if std::mem::replace(&mut member.turn, Turn::Nothing) == Turn::Drive {
                self.drive(key);
            }
            self.flush(key);
            self.bury();
        }
    }

    /// Takes a datagram's buffer back, to be used again.
    pub fn recycle(&mut self, buffer: Vec<u8>) {
        if self.spare.len() < SPARE && (SPARE_LEAST..=SPARE_MOST).contains(&buffer.capacity()) {
            self.spare.push(buffer);
        }
    }

    /// Datagrams that were for nobody.
    pub fn strays(&self) -> u64 {
        self.strays
    }

    /// What went through a leg.
    pub fn traffic(&self, leg: LegId) -> Option<Traffic> {
        Some(self.members[*self.keys.get(&leg)?].traffic)
    }

    /// Whether nothing is left of anybody.
    pub fn is_idle(&self) -> bool {
        self.members.is_empty()
            && self.keys.is_empty()
            && self.rooms.is_empty()
            && self.demux.is_empty()
            && self.timers.is_empty()
            && self.doomed.is_empty()
            && self.outputs.is_empty()
    }

    /// Time does not go back.
    fn at(&mut self, now: Instant) -> Instant {
        let now = self.now.map_or(now, |latest| latest.max(now));
        self.now = Some(now);
        now
    }

    fn find(&mut self, now: Instant, datagram: &Datagram<'_>) -> Option<Key> {
        let Some(user) = ice_user(datagram.data) else {
            return self.demux.by_source(datagram.transport, datagram.source);
        };
        let key = self.demux.by_user(user)?;
        if self.guard(key, |member| Ok(member.leg.accepts(now, datagram))) != Some(true) {
            return None;
        }
        self.demux.learn(datagram.transport, datagram.source, key);
        Some(key)
    }

    /// The leg's engine is to be called before the outputs end.
    fn mark(&mut self, key: Key) {
        self.enqueue(key, Turn::Drive);
    }

    fn enqueue(&mut self, key: Key, turn: Turn) {
        let Some(member) = self.members.get_mut(key) else { return };
        if member.turn == Turn::Nothing {
            self.queue.push_back(key);
        }
        member.turn = member.turn.max(turn);
    }
}
