//! Addresses of `.local` names, with which browsers hide those of their machine
//! (draft-ietf-mmusic-mdns-ice-candidates, RFC 6762).

mod message;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use message::LocalName;

const PORT: u16 = 5353;
const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);
/// How long to wait for an answer after each time of asking.
const WAITS: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(2)];
const LONGEST: usize = 9000;

/// Asks the local network; no addresses if nobody answers within five seconds.
pub(super) async fn resolve(name: &str) -> Vec<IpAddr> {
    resolve_at(PORT, name).await
}

async fn resolve_at(port: u16, name: &str) -> Vec<IpAddr> {
    let Some(name) = LocalName::parse(name) else { return Vec::new() };
    let Ok(ways) = Way::all(port) else { return Vec::new() };
    let questions = message::questions(&name);
    for wait in WAITS {
        for way in &ways {
            for question in &questions {
                way.ask(question, port).await;
            }
        }
        if let Ok(addrs) = timeout(wait, first_answer(&ways, &name)).await {
            return addrs;
        }
    }
    Vec::new()
}

async fn first_answer(ways: &[Way], name: &LocalName) -> Vec<IpAddr> {
    let mut buffer = vec![0; LONGEST];
    loop {
        let received = std::future::poll_fn(|cx| {
            for way in ways {
                let mut room = tokio::io::ReadBuf::new(&mut buffer);
                if let std::task::Poll::Ready(result) = way.socket.poll_recv_from(cx, &mut room) {
                    return std::task::Poll::Ready(result.map_or(0, |_| room.filled().len()));
                }
            }
            std::task::Poll::Pending
        })
        .await;
        let mut addrs = message::answers(&buffer[..received], name);
        addrs.retain(|ip| !ip.is_unspecified() && !ip.is_multicast());
        if !addrs.is_empty() {
            return addrs;
        }
    }
}

/// One family, and the interfaces that are asked.
struct Way {
    socket: UdpSocket,
    interfaces: Interfaces,
}

enum Interfaces {
    V4(Vec<Ipv4Addr>),
    /// Their numbers.
    V6(Vec<u32>),
}

impl Way {
    fn all(port: u16) -> io::Result<Vec<Self>> {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for interface in if_addrs::get_if_addrs()? {
            match interface.ip() {
                IpAddr::V4(ip) => v4.push(ip),
                IpAddr::V6(_) => v6.extend(interface.index),
            }
        }
        v6.sort_unstable();
        v6.dedup();
        let families = [Interfaces::V4(v4), Interfaces::V6(v6)];
        Ok(families.into_iter().filter_map(|it| Self::open(it, port).ok()).collect())
    }

    fn open(interfaces: Interfaces, port: u16) -> io::Result<Self> {
        let (domain, any): (_, IpAddr) = match &interfaces {
            Interfaces::V4(_) => (Domain::IPV4, Ipv4Addr::UNSPECIFIED.into()),
            Interfaces::V6(_) => (Domain::IPV6, Ipv6Addr::UNSPECIFIED.into()),
        };
        let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
        if domain == Domain::IPV6 {
            socket.set_only_v6(true)?;
        }
        // The port is shared with the responder of this machine: browsers answer to the group alone,
        // and who asks from another port does not hear that.
        socket.set_reuse_address(true)?;
        #[cfg(unix)]
        socket.set_reuse_port(true)?;
        if socket.bind(&SocketAddr::new(any, port).into()).is_err() {
            socket.bind(&SocketAddr::new(any, 0).into())?;
        }
        match &interfaces {
            Interfaces::V4(ips) => {
                socket.set_multicast_ttl_v4(255)?;
                for ip in ips {
                    // An interface without multicast is not asked, either.
                    let _ = socket.join_multicast_v4(&GROUP_V4, ip);
                }
            }
            Interfaces::V6(indexes) => {
                socket.set_multicast_hops_v6(255)?;
                for index in indexes {
                    let _ = socket.join_multicast_v6(&GROUP_V6, *index);
                }
            }
        }
        socket.set_nonblocking(true)?;
        Ok(Self { socket: UdpSocket::from_std(socket.into())?, interfaces })
    }

    /// Asks on every interface; those that are down do not matter.
    async fn ask(&self, question: &[u8], port: u16) {
        let socket = SockRef::from(&self.socket);
        match &self.interfaces {
            Interfaces::V4(ips) => {
                for ip in ips {
                    if socket.set_multicast_if_v4(ip).is_ok() {
                        let _ = self.socket.send_to(question, (GROUP_V4, port)).await;
                    }
                }
            }
            Interfaces::V6(indexes) => {
                for index in indexes {
                    if socket.set_multicast_if_v6(*index).is_ok() {
                        let _ = self.socket.send_to(question, (GROUP_V6, port)).await;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::within;
    use super::*;

    /// Answers like a browser: to the group, whoever asks.
    async fn responder(port: u16, answer: Vec<u8>) {
        let lo = Ipv4Addr::LOCALHOST;
        let way = Way::open(Interfaces::V4(vec![lo]), port).unwrap();
        let mut buffer = vec![0; LONGEST];
        loop {
            let (length, _) = way.socket.recv_from(&mut buffer).await.unwrap();
            if buffer[2] & 0x80 == 0 && length > 12 {
                way.ask(&answer, port).await;
            }
        }
    }

    #[tokio::test]
    async fn the_name_of_a_browser_on_this_machine_is_found() {
        let ips: Vec<IpAddr> = vec!["192.0.2.7".parse().unwrap()];
        let answer = message::tests::answer("0a1b-2c3d", &ips);
        let responder = tokio::spawn(responder(25353, answer));

        let found = within("an answer", resolve_at(25353, "0A1B-2c3d.local")).await;

        assert_eq!(found, ips);
        responder.abort();
    }

    #[tokio::test]
    async fn what_is_no_name_of_a_browser_is_not_asked_for() {
        assert!(resolve("example.org").await.is_empty());
    }
}
