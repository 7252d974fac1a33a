//! All peers of a run, their signalling, and the one thread that serves them.

use std::net::IpAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::media::Sends;
use super::peer::{Ear, Peer};
use super::signalling::{Role, Signalling, Told};
use crate::clock;
use crate::latency::Latencies;

/// Tokens of wires; those of peers are their numbers.
const WIRE: u64 = 1 << 32;
const JOINING_AT_ONCE: usize = 8;
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Stage {
    epoll: Epoll,
    signalling: Box<dyn Signalling>,
    address: IpAddr,
    pub(super) peers: Vec<Joined>,
    /// When each peer wants to be called.
    due: Vec<Instant>,
    /// How long stamped packets were on their way.
    pub(super) heard: Latencies,
}

pub(super) struct Joined {
    pub(super) peer: Peer,
    /// When its first request went out.
    began: Option<Instant>,
    /// How many it is sent.
    tracks: usize,
    /// What it will join as.
    role: Option<Role>,
}

/// How far joining has to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    Connected,
    /// It is sent all that there is for it.
    Served,
}

impl Joined {
    fn has_reached(&self, goal: Goal) -> bool {
        let served = self.peer.tracks.len() >= self.tracks;
        self.peer.connected && (goal == Goal::Connected || served)
    }

    /// From the first request to the first packet.
    pub(super) fn join_time(&self) -> Option<Duration> {
        Some(self.peer.first_packet? - self.began?)
    }
}

/// What has come to all peers so far.
#[derive(Clone, Copy, Default)]
pub(super) struct Totals {
    pub(super) sent: u64,
    pub(super) packets: u64,
    pub(super) bytes: u64,
    /// Retransmissions and probes, which are not among the packets.
    pub(super) repeated: u64,
    /// By sequence numbers.
    pub(super) numbered: u64,
}

impl Stage {
    pub(super) fn new(signalling: Box<dyn Signalling>, address: IpAddr) -> Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::empty())?;
        let (peers, due, heard) = (Vec::new(), Vec::new(), Latencies::default());
        Ok(Self { epoll, signalling, address, peers, due, heard })
    }

    pub(super) fn has_members(&self) -> bool {
        self.signalling.has_members()
    }

    /// A peer that has not begun. `hears` are the peers whose media it is sent.
    pub(super) fn add(&mut self, sends: Sends, ear: Ear, hears: Vec<usize>) -> Result<()> {
        let (index, tracks) = (self.peers.len(), hears.len());
        let mut peer = Peer::new(self.address, sends, ear)?;
        let role = if self.signalling.has_members() {
            Role::Member
        } else if sends.any() {
            Role::Publisher(peer.offer()?)
        } else {
            Role::Subscriber(hears)
        };
        let token = |base| EpollEvent::new(EpollFlags::EPOLLIN, base + index as u64);
        self.epoll.add(&peer, token(0))?;
        if let Some(wire) = self.signalling.prepare(index)? {
            self.epoll.add(wire, token(WIRE))?;
        }
        self.due.push(peer.due());
        self.peers.push(Joined { peer, began: None, tracks, role: Some(role) });
        Ok(())
    }

    /// Lets peers join, unless they have, and waits until each has got so far.
    pub(super) fn join(&mut self, peers: Range<usize>, goal: Goal) -> Result<()> {
        let mut waiting = peers.clone();
        let deadline = clock::now() + PATIENCE;
        loop {
            let begun = &self.peers[peers.start..waiting.start];
            let joining = begun.iter().filter(|joined| !joined.has_reached(goal)).count();
            if joining == 0 && waiting.is_empty() {
                return Ok(());
            }
            for peer in waiting.by_ref().take(JOINING_AT_ONCE.saturating_sub(joining)) {
                self.begin(peer)?;
            }
            ensure!(clock::now() < deadline, "{joining} peers are not {goal:?}");
            self.turn(deadline)?;
        }
    }

    fn begin(&mut self, peer: usize) -> Result<()> {
        let joined = &mut self.peers[peer];
        let Some(role) = joined.role.take() else { return Ok(()) };
        joined.began = Some(clock::now());
        self.signalling.begin(peer, role)
    }

    pub(super) fn start_media(&mut self) {
        // Not all in the same moment.
        let now = clock::now();
        let senders = self.peers.iter().filter(|joined| joined.peer.sends.any()).count();
        let mut at = now;
        for (joined, due) in self.peers.iter_mut().zip(&mut self.due) {
            if joined.peer.sends.any() && joined.peer.connected {
                joined.peer.start_media(at);
                at += Duration::from_millis(20) / u32::try_from(senders).unwrap_or(u32::MAX);
                *due = joined.peer.due();
            }
        }
    }

    pub(super) fn stop_media(&mut self) {
        for joined in &mut self.peers {
            joined.peer.stop_media();
        }
    }

    pub(super) fn run(&mut self, duration: Duration) -> Result<()> {
        let end = clock::now() + duration;
        while clock::now() < end {
            self.turn(end)?;
        }
        Ok(())
    }

    /// Waits for something to do, until `end` at most, and does it.
    fn turn(&mut self, end: Instant) -> Result<()> {
        let now = clock::now();
        let mut next = end;
        for (joined, due) in self.peers.iter_mut().zip(&mut self.due) {
            if *due <= now {
                joined.peer.handle_timeout(now)?;
                *due = joined.peer.due();
            }
            next = next.min(*due);
        }
        let wait = next.saturating_duration_since(clock::now());
        let wait = u16::try_from(wait.as_micros().div_ceil(1000)).unwrap_or(u16::MAX);
        let mut events = [EpollEvent::empty(); 128];
        let count = match self.epoll.wait(&mut events, EpollTimeout::from(wait)) {
            Ok(count) => count,
            Err(Errno::EINTR) => 0,
            Err(error) => return Err(error.into()),
        };
        for event in &events[..count] {
            let token = event.data();
            let index = usize::try_from(token & (WIRE - 1))?;
            if token < WIRE {
                let peer = &mut self.peers[index].peer;
                peer.handle_readable(&mut self.heard).with_context(|| format!("peer {index}"))?;
                self.due[index] = peer.due();
            } else {
                self.handle_signalling(index)?;
            }
        }
        Ok(())
    }

    fn handle_signalling(&mut self, wire: usize) -> Result<()> {
        let mut told = Vec::new();
        self.signalling.handle_readable(wire, &mut told)?;
        for (index, told) in told {
            let peer = &mut self.peers[index].peer;
            match told {
                Told::Offer(sdp) => {
                    let answer = peer.answer(&sdp).with_context(|| sdp)?;
                    self.signalling.answer(index, &answer)?;
                }
                Told::Answer(sdp) => peer.accept(&sdp).with_context(|| sdp)?,
            }
            let now = clock::now();
            peer.wake(now);
            self.due[index] = now;
        }
        Ok(())
    }

    pub(super) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for joined in &self.peers {
            totals.sent += joined.peer.sent;
            totals.repeated += joined.peer.repeated;
            for track in joined.peer.tracks.values() {
                totals.packets += track.packets;
                totals.bytes += track.bytes;
                totals.numbered += track.highest;
            }
        }
        totals
    }
}
