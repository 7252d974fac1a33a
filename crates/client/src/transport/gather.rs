//! Which servers are asked for candidates, and what came of it.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::failure::Failure;
use super::ice_server::{IceUrl, Service};
use super::network::Network;
use super::relay::{Port, Relay};
use super::stream::StreamPort;
use super::stun::{Ids, Learned};
use super::turn::{Families, Login, TurnClient, TurnEvent};
use super::udp::{UdpPort, local_towards};
use super::{IceTransportPolicy, LocalCandidate, NetworkEvent, RelayProtocol};

/// For the addresses of a name.
const LOOKUP: Duration = Duration::from_secs(10);
/// How often a server may send us to another one.
const MOST_REDIRECTS: u8 = 3;
/// URLs that are used. More would only be asked for the same address.
const MOST_SERVERS: usize = 32;

/// See the module documentation.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    servers: Vec<Server>,
    /// Addresses that binding requests go to, and the server for which.
    stun: Vec<(SocketAddr, Option<usize>)>,
    pub(super) jobs: JoinSet<Job>,
    told: Vec<LocalCandidate>,
    done: bool,
    /// Binding requests to TURN servers, whose failure nobody needs to know.
    quiet: usize,
}

/// One URL.
#[derive(Debug)]
struct Server {
    text: String,
    url: IceUrl,
    login: Option<Login>,
    /// What may still come.
    open: usize,
    worked: bool,
    failure: Option<Failure>,
}

/// One way to an allocation: a server over one family of addresses.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) server: usize,
    pub(super) protocol: RelayProtocol,
    families: Families,
    pub(super) ipv6: bool,
    /// Not tried yet.
    addresses: VecDeque<SocketAddr>,
    /// What a certificate must be for.
    host: String,
    redirects: u8,
    mismatched: bool,
    failure: Option<Failure>,
}

impl Attempt {
    fn start_over(&mut self, remote: SocketAddr) {
        (self.redirects, self.mismatched, self.failure) = (0, false, None);
        self.addresses.push_front(remote);
    }

    fn fail(&mut self, failure: Failure) {
        self.failure = Some(match self.failure.take() {
            Some(first) => first.or(failure),
            None => failure,
        });
    }
}

/// What runs beside the connection's task.
#[derive(Debug)]
pub(super) enum Job {
    Addresses { server: usize, result: io::Result<Vec<SocketAddr>> },
    Connected { attempt: Box<Attempt>, remote: SocketAddr, result: Result<StreamPort, Failure> },
}

impl Network {
    /// Tells the host candidates, and asks all servers at the same time.
    pub(super) fn gather(&mut self, now: Instant) {
        self.gathering = Gathering::default();
        for index in 0..self.hosts.len() {
            self.hosts[index].bindings.clear();
            let addr = self.hosts[index].port.addr();
            self.tell(LocalCandidate::Host { addr });
        }
        for relay in 0..self.relays.len() {
            self.tell_relayed(relay);
        }
        let servers = std::mem::take(&mut self.options.ice_servers);
        for server in &servers {
            let login = server.username.clone().zip(server.credential.clone());
            let login = login.map(|(username, password)| Login { username, password });
            for text in &server.urls {
                self.add_server(text, login.clone());
            }
        }
        self.options.ice_servers = servers;
        for index in 0..self.gathering.servers.len() {
            self.look_up(index, now);
        }
        self.check_done();
    }

    fn add_server(&mut self, text: &str, login: Option<Login>) {
        let url = match text.parse::<IceUrl>() {
            Ok(url) => url,
            Err(error) => return self.tell_failure(text, &error.into()),
        };
        match url.service {
            Service::Stun if self.options.policy == IceTransportPolicy::Relay => return,
            Service::Turn(_) if login.is_none() => {
                return self.tell_failure(text, &Failure::NoLogin);
            }
            Service::Stun | Service::Turn(_) => {}
        }
        if self.gathering.servers.len() == MOST_SERVERS {
            tracing::debug!(url = text, "too many ICE servers");
            return;
        }
        let text = text.to_owned();
        let server = Server { text, url, login, open: 1, worked: false, failure: None };
        self.gathering.servers.push(server);
    }

    fn look_up(&mut self, server: usize, now: Instant) {
        let IceUrl { host, port, .. } = &self.gathering.servers[server].url;
        let (host, port) = (host.clone(), *port);
        if let Ok(ip) = host.parse() {
            self.handle_addresses(server, Ok(vec![SocketAddr::new(ip, port)]), now);
            return;
        }
        self.gathering.jobs.spawn(async move {
            let lookup = tokio::net::lookup_host((host, port));
            let result = tokio::time::timeout(LOOKUP, lookup).await;
            let result = result.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            Job::Addresses { server, result: result.map(Iterator::collect) }
        });
    }

    pub(super) fn handle_job(&mut self, job: Job, now: Instant) {
        match job {
            Job::Addresses { server, result } => self.handle_addresses(server, result, now),
            Job::Connected { attempt, remote, result: Ok(stream) } => {
                self.start_relay(*attempt, remote, Port::Stream(stream), now);
            }
            Job::Connected { mut attempt, result: Err(failure), .. } => {
                attempt.fail(failure);
                self.try_next(*attempt, now);
            }
        }
    }

    fn handle_addresses(
        &mut self,
        server: usize,
        result: io::Result<Vec<SocketAddr>>,
        now: Instant,
    ) {
        let addresses = match result {
            Ok(addresses) if !addresses.is_empty() => addresses,
            Ok(_) => {
                return self.end_part(server, Err(Failure::Name(io::ErrorKind::NotFound.into())));
            }
            Err(error) => return self.end_part(server, Err(Failure::Name(error))),
        };
        match self.gathering.servers[server].url.service {
            Service::Stun => {
                for ipv6 in [false, true] {
                    if let Some(at) = addresses.iter().find(|it| it.is_ipv6() == ipv6) {
                        self.ask_for_reflexive(*at, Some(server));
                    }
                }
            }
            Service::Turn(protocol) => self.start_turn(server, protocol, &addresses, now),
        }
        // What was asked for counts by itself.
        self.end_part(server, Err(Failure::NoRoute));
    }

    /// Sends binding requests from all sockets that can reach a server.
    fn ask_for_reflexive(&mut self, at: SocketAddr, server: Option<usize>) {
        if let Some((_, known)) = self.gathering.stun.iter().find(|(known, _)| *known == at) {
            // Two URLs for one server: the first one tells.
            if let Some(server) = server.filter(|_| known.is_some()) {
                self.gathering.servers[server].worked = true;
            }
            return;
        }
        self.gathering.stun.push((at, server));
        for host in &mut self.hosts {
            let base = host.port.addr();
            let reaches = base.is_ipv6() == at.is_ipv6()
                && (at.ip().is_loopback() || !base.ip().is_loopback());
            if reaches {
                host.bindings.ask(at, &mut self.ids);
                match server {
                    Some(server) => self.gathering.servers[server].open += 1,
                    None => self.gathering.quiet += 1,
                }
            }
        }
    }

    fn start_turn(
        &mut self,
        server: usize,
        protocol: RelayProtocol,
        addresses: &[SocketAddr],
        now: Instant,
    ) {
        let stun = |server: &Server| server.url.service == Service::Stun;
        if protocol == RelayProtocol::Udp && !self.gathering.servers.iter().any(stun) {
            // A TURN server is a STUN server, too.
            for at in addresses {
                self.ask_for_reflexive(*at, None);
            }
        }
        let by_v4 = addresses.iter().any(|at| at.is_ipv4() && local_towards(*at).is_ok());
        for ipv6 in [false, true] {
            let fits = |at: &&SocketAddr| at.is_ipv6() == ipv6;
            let addresses: VecDeque<_> = addresses.iter().filter(fits).copied().collect();
            if addresses.is_empty() {
                continue;
            }
            if self.keep_relay(server, protocol, ipv6, &addresses, now) {
                self.gathering.servers[server].worked = true;
                continue;
            }
            let families = match (ipv6, by_v4) {
                (false, _) => Families::V4,
                (true, true) => Families::V6,
                // The only way to peers that have IPv4 alone.
                (true, false) => Families::Both,
            };
            self.gathering.servers[server].open += 1;
            let host = self.gathering.servers[server].url.host.clone();
            let attempt = Attempt {
                server,
                protocol,
                families,
                ipv6,
                addresses,
                host,
                redirects: 0,
                mismatched: false,
                failure: None,
            };
            self.try_next(attempt, now);
        }
    }

    /// Whether an allocation from before a restart serves for this server.
    fn keep_relay(
        &mut self,
        server: usize,
        protocol: RelayProtocol,
        ipv6: bool,
        addresses: &VecDeque<SocketAddr>,
        now: Instant,
    ) -> bool {
        let kept = self.relays.iter_mut().find(|relay| {
            relay.allocated
                && relay.attempt.protocol == protocol
                && relay.attempt.ipv6 == ipv6
                && addresses.contains(&relay.remote)
        });
        if let Some(relay) = kept {
            relay.keep(server, now);
            return true;
        }
        false
    }

    fn try_next(&mut self, mut attempt: Attempt, now: Instant) {
        while let Some(remote) = attempt.addresses.pop_front() {
            match attempt.protocol {
                RelayProtocol::Udp => match local_towards(remote).and_then(UdpPort::bind) {
                    Ok(port) => return self.start_relay(attempt, remote, Port::Udp(port), now),
                    Err(error) => attempt.fail(error.into()),
                },
                RelayProtocol::Tcp | RelayProtocol::Tls => {
                    let tls = (attempt.protocol == RelayProtocol::Tls)
                        .then(|| (self.options.tls.clone(), attempt.host.clone()));
                    self.begun = true;
                    self.gathering.jobs.spawn(async move {
                        let result = StreamPort::connect(remote, tls).await;
                        Job::Connected { attempt: Box::new(attempt), remote, result }
                    });
                    return;
                }
            }
        }
        let failure = attempt.failure.unwrap_or(Failure::NoRoute);
        self.end_part(attempt.server, Err(failure));
    }

    fn start_relay(&mut self, attempt: Attempt, remote: SocketAddr, port: Port, now: Instant) {
        let Some(login) = self.gathering.servers[attempt.server].login.clone() else { return };
        let reliable = matches!(port, Port::Stream(_));
        let mut client = TurnClient::new(login, attempt.families, reliable, Ids::random(), now);
        for ip in &self.allowed {
            client.permit(*ip);
        }
        let mut relay = Relay::new(attempt, remote, port, client);
        relay.handle_timeout(now);
        self.relays.push(relay);
        self.begun = true;
    }

    /// Does what the relays' events ask for.
    pub(super) fn handle_relay_events(&mut self, now: Instant) {
        let mut index = 0;
        while let Some(relay) = self.relays.get_mut(index) {
            match relay.poll_event() {
                None => index += 1,
                Some(TurnEvent::Allocated) => {
                    relay.allocated = true;
                    let server = relay.attempt.server;
                    self.tell_relayed(index);
                    self.end_part(server, Ok(()));
                }
                Some(TurnEvent::Released) => {
                    self.relays.remove(index);
                }
                Some(TurnEvent::Failed(failure)) => self.fail_relay(index, failure, now),
            }
        }
    }

    pub(super) fn fail_relay(&mut self, index: usize, failure: Failure, now: Instant) {
        let Relay { mut attempt, allocated, kept, remote, .. } = self.relays.remove(index);
        tracing::debug!(%remote, %failure, "no allocation");
        if kept && let Some(server) = self.gathering.servers.get_mut(attempt.server) {
            // Another one in its place. What fails with that is told.
            server.open += 1;
            server.worked = false;
            attempt.start_over(remote);
            return self.try_next(attempt, now);
        }
        if allocated {
            if let Some(server) = self.gathering.servers.get(attempt.server) {
                let url = server.text.clone();
                self.tell_failure(&url, &failure);
            }
            return;
        }
        match failure {
            Failure::Redirected { to, ref domain }
                if attempt.redirects < MOST_REDIRECTS && to.port() != 0 && to != remote =>
            {
                attempt.redirects += 1;
                attempt.addresses.push_front(to);
                if let Some(domain) = domain.clone() {
                    attempt.host = domain;
                }
            }
            // Another client had this port just before.
            Failure::Refused { code: 437, .. } if !attempt.mismatched => {
                attempt.mismatched = true;
                attempt.addresses.push_front(remote);
            }
            failure => attempt.fail(failure),
        }
        self.try_next(attempt, now);
    }

    /// What a STUN server said to one of the host sockets.
    pub(super) fn handle_learned(&mut self, base: SocketAddr, learned: Learned) {
        let at = match learned {
            Learned::Mapped { server, .. }
            | Learned::Kept { server, .. }
            | Learned::Silent { server } => server,
        };
        if let Learned::Mapped { addr, .. } | Learned::Kept { addr, .. } = learned
            && addr != base
            && addr.is_ipv6() == base.is_ipv6()
            && !addr.ip().is_unspecified()
        {
            self.tell(LocalCandidate::ServerReflexive { addr, base });
        }
        if matches!(learned, Learned::Kept { .. }) {
            return;
        }
        let known = self.gathering.stun.iter().find(|(known, _)| *known == at);
        match known.map(|(_, server)| *server) {
            Some(Some(server)) => {
                let answered = matches!(learned, Learned::Mapped { .. });
                self.end_part(server, if answered { Ok(()) } else { Err(Failure::NoAnswer) });
            }
            Some(None) => {
                self.gathering.quiet = self.gathering.quiet.saturating_sub(1);
                self.check_done();
            }
            None => {}
        }
    }

    /// One of the things that were open for a server has come to an end.
    fn end_part(&mut self, server: usize, result: Result<(), Failure>) {
        let Some(server) = self.gathering.servers.get_mut(server).filter(|it| it.open > 0) else {
            return;
        };
        server.open -= 1;
        match result {
            Ok(()) => server.worked = true,
            Err(failure) => {
                server.failure = Some(match server.failure.take() {
                    Some(first) => first.or(failure),
                    None => failure,
                });
            }
        }
        if server.open == 0 {
            if !server.worked
                && let Some(failure) = server.failure.take()
            {
                let url = server.text.clone();
                self.tell_failure(&url, &failure);
            }
            self.check_done();
        }
    }

    fn check_done(&mut self) {
        let gathering = &mut self.gathering;
        let open = gathering.quiet > 0 || gathering.servers.iter().any(|server| server.open > 0);
        if !open && !gathering.done {
            gathering.done = true;
            self.events.push_back(NetworkEvent::GatheringDone);
        }
    }

    fn tell_relayed(&mut self, relay: usize) {
        let relay = &self.relays[relay];
        let (local, protocol) = (relay.local(), relay.attempt.protocol);
        let relayed: Vec<_> = relay.relayed().collect();
        for addr in relayed {
            if !addr.ip().is_unspecified() {
                self.tell(LocalCandidate::Relayed { addr, local, protocol });
            }
        }
    }

    fn tell(&mut self, candidate: LocalCandidate) {
        if !self.gathering.told.contains(&candidate) {
            self.gathering.told.push(candidate);
            self.events.push_back(NetworkEvent::Candidate(candidate));
        }
    }

    fn tell_failure(&mut self, url: &str, failure: &Failure) {
        tracing::debug!(url, %failure, "an ICE server failed");
        let (url, reason) = (url.to_owned(), failure.to_string());
        self.events.push_back(NetworkEvent::ServerFailed { url, reason });
    }
}
