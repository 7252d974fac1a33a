//! The sockets of one connection, driven by its task.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::Sleep;

use super::gather::Gathering;
use super::inbox::{self, Inbox};
use super::relay::Relay;
use super::stun::{Bindings, Ids};
use super::tcp::TcpPaths;
use super::udp::UdpPort;
use super::{
    Datagram, IceTransportPolicy, LocalCandidate, NetworkError, NetworkEvent, NetworkOptions,
};
use super::{interfaces, mdns};
use crate::clock;

/// How often the addresses of this machine are compared with those that have sockets.
const INTERFACES: Duration = Duration::from_secs(5);
/// The same when a datagram found no way.
const SOON: Duration = Duration::from_millis(1500);
/// How long servers may take to confirm that an allocation is over.
const GOODBYE: Duration = Duration::from_millis(500);
/// Remote addresses that later relays are told of.
const MOST_ALLOWED: usize = 64;
/// `.local` names that are looked up at the same time.
const MOST_LOOKUPS: usize = 16;

/// The sockets of one connection, owned by its task.
#[derive(Debug)]
pub(crate) struct Network {
    pub(super) options: NetworkOptions,
    pub(super) hosts: Vec<Host>,
    pub(super) relays: Vec<Relay>,
    /// Rooms have it, if anything.
    tcp: Option<Box<TcpPaths>>,
    pub(super) gathering: Gathering,
    pub(super) allowed: Vec<IpAddr>,
    pub(super) events: VecDeque<NetworkEvent>,
    pub(super) ids: Ids,
    /// Something was begun that nobody has looked at yet, so that nothing would wake the task.
    pub(super) begun: bool,
    lookups: JoinSet<(String, Vec<IpAddr>)>,
    /// Borrowed from the thread while something comes.
    inbox: Option<Box<Inbox>>,
    timer: Pin<Box<Sleep>>,
    armed: Instant,
    pub(super) interfaces: Vec<IpAddr>,
    pub(super) look_at_interfaces: Instant,
    /// The port that is read first, so that none starves.
    turn: usize,
}

/// A socket at an address of this machine.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) port: UdpPort,
    pub(super) bindings: Bindings,
}

impl Network {
    /// Binds the host sockets, and starts to ask the servers. Host candidates are the first events.
    #[expect(clippy::unused_async, reason = "it needs a runtime, and may wait one day")]
    pub(crate) async fn open(options: &NetworkOptions) -> Result<Self, NetworkError> {
        let now = clock::now();
        let mut network = Self {
            options: options.clone(),
            hosts: Vec::new(),
            relays: Vec::new(),
            tcp: None,
            gathering: Gathering::default(),
            allowed: Vec::new(),
            events: VecDeque::new(),
            ids: Ids::random(),
            begun: false,
            lookups: JoinSet::new(),
            inbox: None,
            timer: Box::pin(tokio::time::sleep_until(now.into())),
            armed: now,
            interfaces: Vec::new(),
            look_at_interfaces: now + INTERFACES,
            turn: 0,
        };
        network.bind()?;
        network.gather(now);
        Ok(network)
    }

    /// The next event. Nothing is lost when this is given up halfway.
    pub(crate) async fn next(&mut self) -> NetworkEvent {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// What the last [`NetworkEvent::Received`] brought, until the next call of [`Network::next`].
    pub(crate) fn batch(&mut self) -> impl Iterator<Item = Datagram<'_>> {
        self.inbox.iter().flat_map(|inbox| inbox.datagrams())
    }

    /// Queues a datagram from a host or relayed address to a peer. Like a network, this may lose
    /// it: when too many wait, or when there is no way.
    pub(crate) fn send(&mut self, source: SocketAddr, destination: SocketAddr, data: &[u8]) {
        if source.is_ipv6() != destination.is_ipv6() || !is_unicast(destination) {
            return;
        }
        if let Some(host) = self.hosts.iter_mut().find(|host| host.port.addr() == source) {
            host.port.push_bytes(destination, data);
        } else if let Some(relay) =
            self.relays.iter_mut().find(|relay| relay.relayed().any(|addr| addr == source))
        {
            relay.send(destination, data);
        } else if let Some(tcp) = &mut self.tcp {
            tcp.send(source, destination, data);
        }
    }

    /// Connects to a peer that listens on TCP, if UDP does not find a way soon; a candidate tells.
    /// Not with [`IceTransportPolicy::Relay`]: the peer would see our address.
    pub(crate) fn connect(&mut self, remote: SocketAddr) {
        if self.options.policy == IceTransportPolicy::All && is_unicast(remote) {
            self.tcp.get_or_insert_default().connect(remote);
            self.begun = true;
        }
    }

    /// Sends what is queued as far as the system takes it at once; [`Network::next`] sends the
    /// rest. Whether nothing is left.
    pub(crate) fn try_flush(&mut self) -> bool {
        let mut all = true;
        for host in &mut self.hosts {
            all &= host.port.flush();
        }
        for relay in &mut self.relays {
            all &= relay.flush();
        }
        self.tcp.as_mut().is_none_or(|tcp| tcp.flush()) && all
    }

    /// Sends what is queued, waiting for the system to take it; but not for TURN servers over TCP,
    /// which may be stuck: [`Network::next`] goes on with those. Cancel-safe.
    pub(crate) async fn flush(&mut self) {
        poll_fn(|cx| self.poll_flush(cx)).await;
    }

    /// Lets a remote candidate in through the relays.
    pub(crate) fn allow(&mut self, peer: SocketAddr) {
        let ip = peer.ip();
        if !is_unicast(peer) || self.allowed.contains(&ip) || self.allowed.len() == MOST_ALLOWED {
            return;
        }
        self.allowed.push(ip);
        let now = clock::now();
        for relay in &mut self.relays {
            relay.permit(ip);
            relay.handle_timeout(now);
        }
    }

    /// Looks up the `.local` name of a remote candidate; answered by [`NetworkEvent::Resolved`].
    /// Not with [`IceTransportPolicy::Relay`]: the peer would hear the question.
    pub(crate) fn resolve(&mut self, name: &str) {
        let wanted = self.options.mdns && self.options.policy == IceTransportPolicy::All;
        let name = name.to_owned();
        if !wanted || self.lookups.len() == MOST_LOOKUPS {
            self.events.push_back(NetworkEvent::Resolved { name, addrs: Vec::new() });
            return;
        }
        self.lookups.spawn(async move {
            let addrs = mdns::resolve(&name).await;
            (name, addrs)
        });
    }

    /// ICE has chosen its pair: NAT bindings of the other candidates need no more keeping.
    pub(crate) fn settled(&mut self) {
        for host in &mut self.hosts {
            host.bindings.clear();
        }
        if let Some(tcp) = &mut self.tcp {
            tcp.settled();
        }
    }

    /// Gathers again after [`NetworkEvent::InterfacesChanged`], for an ICE restart: sockets whose
    /// address is still there stay, and all candidates are told again.
    #[expect(clippy::unused_async, reason = "it needs a runtime, and may wait one day")]
    pub(crate) async fn restart(&mut self, options: &NetworkOptions) -> Result<(), NetworkError> {
        let now = clock::now();
        self.options = options.clone();
        self.bind()?;
        let Self { relays, interfaces, .. } = self;
        relays.retain(|relay| {
            let ip = relay.local().ip();
            relay.allocated && (ip.is_loopback() || interfaces.contains(&ip))
        });
        self.gather(now);
        Ok(())
    }

    /// The UDP sockets that there are.
    pub(crate) fn sockets(&self) -> Vec<SocketAddr> {
        self.hosts.iter().map(|host| host.port.addr()).collect()
    }

    /// Sends what is queued and gives the allocations back, in at most half a second.
    pub(crate) async fn close(mut self) {
        let now = clock::now();
        let goodbye = async {
            self.flush().await;
            self.hosts.clear();
            self.release(now);
            poll_fn(|cx| self.poll_released(cx)).await;
        };
        if tokio::time::timeout(GOODBYE, goodbye).await.is_err() {
            tracing::debug!("a TURN server did not say goodbye");
        }
    }

    /// Begins to give the allocations back; those that are left are worth waiting for.
    fn release(&mut self, now: Instant) {
        self.relays.retain_mut(|relay| relay.release(now));
    }

    fn poll_released(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.poll_receive(cx, clock::now()).is_ready() {
            if let Some(inbox) = &mut self.inbox {
                inbox.clear();
            }
        }
        if self.relays.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Opens and closes host sockets until there is one for each address.
    fn bind(&mut self) -> Result<(), NetworkError> {
        let ips = interfaces::list(self.options.loopback).map_err(NetworkError::Interfaces)?;
        self.interfaces.clone_from(&ips);
        if self.options.policy == IceTransportPolicy::Relay {
            return Ok(());
        }
        self.hosts.retain(|host| ips.contains(&host.port.addr().ip()));
        let mut last_error = None;
        for ip in ips {
            if self.hosts.iter().any(|host| host.port.addr().ip() == ip) {
                continue;
            }
            match UdpPort::bind(ip) {
                Ok(port) => self.hosts.push(Host { port, bindings: Bindings::default() }),
                // An IPv6 address that is still being checked for duplicates, for one.
                Err(error) => {
                    tracing::debug!(%ip, %error, "no socket");
                    last_error = Some(error);
                }
            }
        }
        match last_error {
            Some(error) if self.hosts.is_empty() => Err(NetworkError::Bind(error)),
            _ => Ok(()),
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<NetworkEvent> {
        if let Some(inbox) = &mut self.inbox {
            inbox.clear();
        }
        loop {
            if let Some(event) = self.events.pop_front() {
                return Poll::Ready(event);
            }
            self.begun = false;
            let now = clock::now();
            while let Poll::Ready(Some(Ok(job))) = self.gathering.jobs.poll_join_next(cx) {
                self.handle_job(job, now);
            }
            while let Poll::Ready(Some(Ok((name, addrs)))) = self.lookups.poll_join_next(cx) {
                self.events.push_back(NetworkEvent::Resolved { name, addrs });
            }
            if let Self { tcp: Some(tcp), hosts, events, .. } = self {
                let taken = |addr| hosts.iter().any(|host| host.port.addr() == addr);
                while let Poll::Ready(addr) = tcp.poll_connected(cx, taken) {
                    events.push_back(NetworkEvent::Candidate(LocalCandidate::Tcp { addr }));
                }
            }
            self.poll_timer(cx, now);
            let _ = self.poll_flush(cx);
            if self.poll_receive(cx, now).is_ready() {
                return Poll::Ready(NetworkEvent::Received);
            }
            if self.events.is_empty() && !self.begun {
                self.rest();
                return Poll::Pending;
            }
        }
    }

    /// Does what is due, and sees that the task wakes for what is due next.
    fn poll_timer(&mut self, cx: &mut Context<'_>, mut now: Instant) {
        loop {
            if self.deadline(now) <= now {
                self.handle_timeout(now);
            }
            let deadline = self.deadline(now);
            if deadline != self.armed {
                self.armed = deadline;
                self.timer.as_mut().reset(deadline.into());
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return;
            }
            now = now.max(self.armed);
        }
    }

    fn deadline(&self, now: Instant) -> Instant {
        let hosts = self.hosts.iter().filter_map(|host| host.bindings.deadline(now));
        let relays = self.relays.iter().filter_map(|relay| relay.deadline(now));
        hosts.chain(relays).fold(self.look_at_interfaces, Instant::min)
    }

    fn handle_timeout(&mut self, now: Instant) {
        for index in 0..self.hosts.len() {
            let Host { port, bindings } = &mut self.hosts[index];
            if bindings.deadline(now).is_some_and(|due| due <= now) {
                let base = port.addr();
                let silent = bindings.handle_timeout(now, &mut self.ids, |server, request| {
                    port.push_bytes(server, request);
                });
                for learned in silent {
                    self.handle_learned(base, learned);
                }
            }
        }
        for relay in &mut self.relays {
            if relay.deadline(now).is_some_and(|due| due <= now) {
                relay.handle_timeout(now);
            }
        }
        self.handle_relay_events(now);
        if self.look_at_interfaces <= now {
            self.look_at_interfaces = now + INTERFACES;
            self.compare_interfaces(now);
        }
    }

    fn compare_interfaces(&mut self, now: Instant) {
        let Ok(ips) = interfaces::recent(self.options.loopback, now) else { return };
        if ips != self.interfaces {
            self.interfaces = ips;
            self.events.push_back(NetworkEvent::InterfacesChanged);
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut all = Poll::Ready(());
        let mut broken = false;
        for host in &mut self.hosts {
            if host.port.poll_flush(cx).is_pending() {
                all = Poll::Pending;
            }
            broken |= host.port.take_broken();
        }
        for relay in &mut self.relays {
            if relay.poll_flush(cx).is_pending() && !relay.is_stream() {
                all = Poll::Pending;
            }
        }
        if let Some(tcp) = &mut self.tcp {
            tcp.poll_flush(cx);
        }
        if broken {
            self.look_at_interfaces = self.look_at_interfaces.min(clock::now() + SOON);
        }
        all
    }

    /// Reads the first port that has something from a peer.
    fn poll_receive(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
        let ports = self.hosts.len() + self.relays.len();
        for offset in 0..ports {
            let index = (self.turn + offset) % ports;
            if self.poll_port(index, cx, now).is_ready() {
                self.turn = index + 1;
                return Poll::Ready(());
            }
        }
        match &mut self.tcp {
            Some(tcp) => tcp.poll_receive(cx, &mut self.inbox),
            None => Poll::Pending,
        }
    }

    fn poll_port(&mut self, index: usize, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
        loop {
            if let Some(host) = self.hosts.get_mut(index) {
                let messages = ready!(host.port.poll_receive(cx, &mut self.inbox));
                self.sort(index, messages, now);
            } else {
                let index = index - self.hosts.len();
                let Some(relay) = self.relays.get_mut(index) else { return Poll::Pending };
                match ready!(relay.poll_receive(cx, &mut self.inbox, now)) {
                    Ok(()) => self.handle_relay_events(now),
                    // In its place there is the next one now.
                    Err(failure) => self.fail_relay(index, failure, now),
                }
            }
            if self.inbox.as_ref().is_some_and(|inbox| !inbox.is_empty()) {
                return Poll::Ready(());
            }
        }
    }

    /// Keeps what STUN servers answered from the messages in the inbox.
    fn sort(&mut self, host: usize, messages: usize, now: Instant) {
        let Some(inbox) = &mut self.inbox else { return };
        let Host { port, bindings } = &mut self.hosts[host];
        let base = port.addr();
        let mut answers = Vec::new();
        for (source, range) in inbox.received(messages) {
            match bindings.handle(source, inbox.bytes(range.clone()), now) {
                Some(learned) => answers.push(learned),
                None => inbox.push(range, source, base),
            }
        }
        for learned in answers {
            self.handle_learned(base, learned);
        }
    }

    /// Gives memory back while nothing happens.
    fn rest(&mut self) {
        if let Some(inbox) = self.inbox.take() {
            inbox::keep(inbox);
        }
        for host in &mut self.hosts {
            host.port.rest();
        }
        for relay in &mut self.relays {
            relay.rest();
        }
        if let Some(tcp) = &mut self.tcp {
            tcp.rest();
        }
    }
}

impl Drop for Network {
    /// As much of [`Network::close`] as can be done without waiting.
    fn drop(&mut self) {
        let now = clock::now();
        self.release(now);
        self.rest();
    }
}

/// What a remote candidate may be: not a way to talk to a whole network.
fn is_unicast(addr: SocketAddr) -> bool {
    let broadcast = matches!(addr.ip(), IpAddr::V4(ip) if ip.is_broadcast());
    !addr.ip().is_multicast() && !addr.ip().is_unspecified() && !broadcast && addr.port() != 0
}
