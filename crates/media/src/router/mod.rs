//! The router: rooms, their legs, and what flows between them.
//!
//! ```text
//!   datagram -> demux -> leg -> packet -> publication -> subscriber's leg -> datagrams
//!                         |                    ^
//!                         +-- key frame wanted-+
//! ```

mod bandwidth;
mod ceiling;
mod data;
mod demux;
mod estimate;
mod forward;
mod hold;
mod key_frames;
mod layer;
mod member;
mod misses;
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

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use slab::Slab;

pub(crate) use demux::ice_attribute;
pub use demux::ice_user;
pub use output::{CloseReason, Event, Output, Transmit};
pub use reception::{Reception, VideoWish};
pub use report::{LayerReport, LegReport, PublicationReport, Quality, SubscriptionReport};

use crate::leg::{self, Failure, Leg};
use crate::{CaptureClock, Kind, Speakers};
use demux::Demux;
use estimate::{Estimate, Wanted};
use member::{Deadlines, Key, Member, Permission, Turn};
use request::Request;

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

/// What carries datagrams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP, framed by the caller (RFC 4571).
    Tcp,
}

/// Where members reach this router: a candidate of every offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalAddress {
    /// How.
    pub transport: Transport,
    /// Where, as seen by the members.
    pub address: SocketAddr,
}

/// A datagram that arrived.
#[derive(Debug, Clone, Copy)]
pub struct Datagram<'a> {
    /// How.
    pub transport: Transport,
    /// From where.
    pub source: SocketAddr,
    /// The candidate of ours that it came to.
    pub destination: SocketAddr,
    /// What.
    pub data: &'a [u8],
}

/// How a router behaves.
#[derive(Debug, Clone)]
pub struct RouterOptions {
    /// Where members reach it.
    pub addresses: Vec<LocalAddress>,
    /// What the ICE user names of its legs begin with (letters and digits): where several routers
    /// share a port, [`ice_user`] tells whose a datagram is.
    pub user_prefix: String,
    /// Chance, for numbers that should not be guessed.
    pub seed: u64,
    /// A moment, and how long after 1970 it was: members are told the time. `None`: they are told one that
    /// only goes on as time does.
    pub wall_clock: Option<(Instant, Duration)>,
    /// How long an offer waits for its answer.
    pub answer_within: Duration,
    /// How long ICE and DTLS may take after the first answer.
    pub connect_within: Duration,
    /// How long a leg stays after its last path was lost: for a change of networks.
    pub reconnect_within: Duration,
}

impl Default for RouterOptions {
    fn default() -> Self {
        Self {
            addresses: Vec::new(),
            user_prefix: String::new(),
            seed: 0,
            wall_clock: None,
            answer_within: Duration::from_secs(30),
            connect_within: Duration::from_secs(30),
            reconnect_within: Duration::from_secs(15),
        }
    }
}

/// How a leg behaves.
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own")]
#[derive(Debug, Clone, Copy, Default)]
pub struct LegOptions {
    /// What its path may carry at first, in bits per second. `None`: its bandwidth is not estimated,
    /// and everything is sent.
    pub first_bitrate: Option<u64>,
    /// The most video that it should send, in bits per second. Who sends half as much again for three
    /// seconds is stopped, until it keeps to it.
    pub bitrate_limit: Option<u64>,
    /// Its video may come in several sizes. Not for skyway-js, whose video vanishes.
    pub simulcast: bool,
    /// Exactly two lines, named `audio` and `video`, both ways: for skyway-js 1.x outside Firefox, which
    /// understands no others (`skyway.md`, section 4.5). It gets one other member at a time.
    pub two_lines: bool,
    /// There is a line for data channels: what comes on one goes to all others' of the same label.
    pub data: bool,
    /// So many members of its room may publish, this one included. Who is one too many only listens.
    pub publishers: Option<usize>,
    /// It gets nothing of others.
    pub sends_only: bool,
    /// Whose it is, if a member has more than one: those with the same owner do not get each other's
    /// media.
    pub owner: Option<u64>,
}

/// What went through a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Packets of its own tracks that came.
    pub received: u64,
    /// Bytes of payload in them.
    pub received_bytes: u64,
    /// Packets of others that were sent to it, without repetitions.
    pub sent: u64,
    /// Bytes of payload in them.
    pub sent_bytes: u64,
    /// Key frames that it was asked for.
    pub key_frames_asked: u64,
    /// Key frames that it asked for, in packets.
    pub key_frames_wanted: u64,
    /// What it said on data channels, in messages.
    pub messages: u64,
    /// Messages of others that it did not get, because it is too slow.
    pub messages_lost: u64,
    /// Times that its pictures went to nobody, because it sent far more than it may.
    pub excesses: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Member(Key),
    Room(RoomId),
}

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

    /// Time went on.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.at(now);
        while let Some(&(due, timer)) = self.timers.first() {
            if due > now {
                break;
            }
            self.timers.pop_first();
            match timer {
                Timer::Member(key) => self.member_timeout(now, key),
                Timer::Room(room) => self.room_timeout(now, room),
            }
        }
        self.bury();
    }

    /// When [`MediaRouter::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.first().map(|(due, _)| *due)
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

    fn member_timeout(&mut self, now: Instant, key: Key) {
        let Some(member) = self.members.get_mut(key) else { return };
        member.timer = None;
        let Deadlines { answer, connected, reachable } = member.deadlines;
        let is_over = |due: Option<Instant>| due.is_some_and(|due| due <= now);
        let reason = if is_over(answer) {
            CloseReason::NoAnswer
        } else if is_over(connected) {
            CloseReason::NotConnected
        } else if is_over(reachable) {
            CloseReason::Lost
        } else {
            let (drives, shares) = (is_over(member.engine), is_over(member.share));
            let requests = is_over(member.request.due);
            if drives {
                // It tells its next time when it is driven.
                member.engine = None;
                self.mark(key);
            }
            if shares {
                self.share(now, key);
            }
            if requests {
                self.request(now, key);
            }
            self.look_for_stalls(now, key);
            self.release_what_waited(now, key);
            self.ask_for_key_frames(key);
            self.schedule(key);
            return;
        };
        self.doomed.push((key, reason));
    }

    fn room_timeout(&mut self, now: Instant, id: RoomId) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        room.timer = None;
        if room.speakers.handle_timeout(now) {
            let leg = room.speakers.dominant().copied();
            room.speaks_since = leg.map(|_| now);
            self.outputs.push_back(Output::Event(Event::ActiveSpeaker { room: id, leg }));
        }
        self.follow_speaker(now, id);
        self.schedule_room(id);
    }

    fn schedule_room(&mut self, id: RoomId) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        if room.timer.is_none()
            && let Some(due) = room.speakers.poll_timeout()
        {
            room.timer = Some(due);
            self.timers.insert((due, Timer::Room(id)));
        }
    }

    /// Puts the member's next time into the list. Only an earlier one moves it: a later one is found
    /// out when the time in the list has come.
    fn schedule(&mut self, key: Key) {
        let Some(member) = self.members.get_mut(key) else { return };
        let Some(due) = member.due() else { return };
        if member.timer.is_none_or(|timer| due < timer) {
            if let Some(timer) = member.timer {
                self.timers.remove(&(timer, Timer::Member(key)));
            }
            member.timer = Some(due);
            self.timers.insert((due, Timer::Member(key)));
        }
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

    /// Does something with one leg. What goes wrong there, panics included, ends that leg alone.
    fn guard<T>(
        &mut self,
        key: Key,
        action: impl FnOnce(&mut Member) -> Result<T, Failure>,
    ) -> Option<T> {
        let member = self.members.get_mut(key)?;
        // After a panic nothing of the leg is looked at again: it is only dropped.
        let reason = match catch_unwind(AssertUnwindSafe(|| action(member))) {
            Ok(Ok(done)) => return Some(done),
            Ok(Err(Failure::Engine(error))) => CloseReason::Failed(error),
            Ok(Err(failure)) => CloseReason::BadAnswer(failure.to_string()),
            Err(_) => CloseReason::Panicked,
        };
        self.doomed.push((key, reason));
        None
    }

    /// Ends the legs that cannot go on.
    fn bury(&mut self) {
        while let Some((key, reason)) = self.doomed.pop() {
            self.remove(key, Some(reason));
        }
    }

    fn remove(&mut self, key: Key, reason: Option<CloseReason>) {
        if !self.members.contains(key) {
            return;
        }
        if reason != Some(CloseReason::Panicked) {
            self.say_goodbye(key);
        }
        for kind in Kind::ALL {
            self.unpublish(key, kind);
        }
        self.unsubscribe_from_all(key);
        let member = self.members.remove(key);
        self.keys.remove(&member.id);
        self.demux.remove(member.leg.user(), key);
        if let Some(timer) = member.timer {
            self.timers.remove(&(timer, Timer::Member(key)));
        }
        // A later fault of the same leg, while it ended, is no fault of who gets its place.
        self.doomed.retain(|(doomed, _)| *doomed != key);
        if let Some(reason) = reason {
            self.outputs.push_back(Output::Event(Event::Closed { leg: member.id, reason }));
        }
        let room_id = member.room;
        let leg = member.id;
        if catch_unwind(AssertUnwindSafe(|| drop(member))).is_err() {
            tracing::error!(leg = leg.0, "a leg could not be dropped in peace");
        }
        let Some(room) = self.rooms.get_mut(&room_id) else { return };
        room.members.retain(|other| *other != key);
        room.speakers.remove(&leg);
        for other in &room.members {
            if let Some(other) = self.members.get_mut(*other) {
                other.receptions.remove(&key);
            }
        }
        if room.members.is_empty() {
            if let Some(timer) = room.timer {
                self.timers.remove(&(timer, Timer::Room(room_id)));
            }
            self.rooms.remove(&room_id);
            return;
        }
        self.agree_on_codecs(room_id);
        self.offer_to_all(room_id);
    }

    fn say_goodbye(&mut self, key: Key) {
        let doomed = self.doomed.len();
        self.guard(key, |member| {
            member.leg.close();
            Ok(())
        });
        if self.doomed.len() == doomed {
            self.drain(key);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "any instant will do")]

    use super::*;

    #[test]
    fn a_panic_in_one_leg_ends_that_leg_only() {
        let now = Instant::now();
        let mut router = MediaRouter::new(RouterOptions::default());
        for leg in [LegId(1), LegId(2)] {
            router.handle_join(now, RoomId(1), leg, LegOptions::default());
            router.handle_offer_wanted(now, leg);
        }
        while router.next_output().is_some() {}
        let key = router.keys[&LegId(1)];
        let done: Option<()> = router.guard(key, |_| panic!("on purpose"));
        assert!(done.is_none());
        router.handle_timeout(now);
        let mut closed = Vec::new();
        while let Some(output) = router.next_output() {
            if let Output::Event(Event::Closed { leg, reason }) = output {
                closed.push((leg, reason));
            }
        }
        assert_eq!(closed, [(LegId(1), CloseReason::Panicked)]);
        router.handle_offer_wanted(now, LegId(2));
        assert!(router.traffic(LegId(2)).is_some());
        router.handle_leave(now, LegId(2));
        while router.next_output().is_some() {}
        assert!(router.is_idle());
    }
}
