//! Names, connections and patience.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use peerway_server::clock;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;

use super::fault::Fault;

/// Anything that carries bytes in order.
pub(super) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

pub(super) type BoxIo = Box<dyn Io>;

/// When a check has taken long enough.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(Instant);

impl Deadline {
    pub(super) fn after(patience: Duration) -> Self {
        Self(clock::now() + patience)
    }

    /// What comes of `work`, or `late` when it does not end in time.
    pub(super) async fn limit<T>(
        self,
        late: Fault,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let left = self.0.saturating_duration_since(clock::now());
        tokio::time::timeout(left, work).await.unwrap_or(Err(late))
    }
}

/// The first address of each family that a name has.
pub(super) async fn resolve(
    host: &str,
    port: u16,
    deadline: Deadline,
) -> Result<Vec<SocketAddr>, Fault> {
    let lookup = async { Ok(tokio::net::lookup_host((host, port)).await) };
    let all: Vec<SocketAddr> = match deadline.limit(Fault::NoAnswer, lookup).await? {
        Ok(all) => all.collect(),
        Err(error) => return Err(Fault::Broken(error.to_string())),
    };
    let first = |wanted: fn(&SocketAddr) -> bool| all.iter().copied().find(wanted);
    Ok([first(SocketAddr::is_ipv4), first(SocketAddr::is_ipv6)].into_iter().flatten().collect())
}

pub(super) async fn tcp(address: SocketAddr, deadline: Deadline) -> Result<TcpStream, Fault> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    };
    // A machine whose kernel has no IPv6 fails here.
    let socket = socket.map_err(|_| Fault::NoRoute)?;
    let connect = async { Ok(socket.connect(address).await?) };
    let stream = deadline.limit(Fault::NoAnswer, connect).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// TLS with a server that must prove to be `host`.
pub(super) async fn tls(
    address: SocketAddr,
    host: &str,
    connector: &TlsConnector,
    deadline: Deadline,
) -> Result<TlsStream<TcpStream>, Fault> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Fault::Tls(format!("'{host}' cannot be the name in a certificate")))?;
    let stream = tcp(address, deadline).await?;
    let handshake = async {
        connector.connect(name, stream).await.map_err(|error| match error.get_ref() {
            Some(_) => Fault::Tls(error.to_string()),
            None => error.into(),
        })
    };
    deadline.limit(Fault::Silent, handshake).await
}

/// A socket that talks to one address.
pub(super) async fn udp(address: SocketAddr) -> Result<UdpSocket, Fault> {
    let socket = any_udp(address.ip()).await?;
    socket.connect(address).await?;
    Ok(socket)
}

/// A socket that talks to any address of the same family as `ip`.
pub(super) async fn any_udp(ip: IpAddr) -> Result<UdpSocket, Fault> {
    let any: IpAddr = match ip {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    UdpSocket::bind((any, 0)).await.map_err(|_| Fault::NoRoute)
}

/// "0.4 ms", "12 ms".
pub(super) fn in_millis(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1000.0;
    if millis < 10.0 { format!("{millis:.1} ms") } else { format!("{millis:.0} ms") }
}

/// Whether others on the internet can send to an address.
pub(super) fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64;
            !(ip.is_loopback()
                || ip.is_private()
                || ip.is_link_local()
                || ip.is_unspecified()
                || shared)
        }
        IpAddr::V6(ip) => {
            !(ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_unique_local()
                || ip.is_unicast_link_local())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_not_public() {
        for ip in ["127.0.0.1", "10.1.2.3", "192.168.0.9", "169.254.1.1", "100.64.0.1", "::1"]
            .into_iter()
            .chain(["fd00::1", "fe80::1", "::ffff:10.0.0.1", "0.0.0.0"])
        {
            assert!(!is_public(ip.parse().unwrap()), "{ip}");
        }
        for ip in ["1.1.1.1", "100.128.0.1", "2606:4700::1"] {
            assert!(is_public(ip.parse().unwrap()), "{ip}");
        }
    }

    #[tokio::test]
    async fn an_address_in_place_of_a_name_is_itself() {
        let deadline = Deadline::after(Duration::from_secs(20));
        let found = resolve("::1", 5, deadline).await.unwrap();
        assert_eq!(found, ["[::1]:5".parse().unwrap()]);
    }
}
