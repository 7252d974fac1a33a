//! Connections to the server: names, both address families, TLS.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::failure::TlsFault;
use super::{Endpoint, Failure};

/// RFC 8305, section 5: the next address is tried when the one before has not answered so long.
const STAGGER: Duration = Duration::from_millis(250);

/// Anything that carries bytes in order.
pub(crate) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

pub(crate) type BoxIo = Box<dyn Io>;

/// A connection to the server, with TLS if it wants that. The caller limits the time.
pub(crate) async fn connect(
    endpoint: &Endpoint,
    tls: &Arc<ClientConfig>,
) -> Result<BoxIo, Failure> {
    let host = endpoint.host.as_str();
    let no_name = |cause: String| Failure::Name { host: host.to_owned(), cause };
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host, endpoint.port))
        .await
        .map_err(|error| no_name(error.to_string()))?
        .collect();
    if addresses.is_empty() {
        return Err(no_name("none is known".into()));
    }
    let stream = first_of(interleave(&addresses))
        .await
        .map_err(|error| Failure::of_io(&error, endpoint.url()))?;
    // A socket that cannot do this works all the same.
    let _ = stream.set_nodelay(true);
    if !endpoint.secure {
        return Ok(Box::new(stream));
    }
    let failure = |fault| Failure::Tls { at: endpoint.url(), fault };
    let name = ServerName::try_from(host.to_owned()).map_err(|_| failure(TlsFault::NoName))?;
    let stream = TlsConnector::from(tls.clone()).connect(name, stream).await.map_err(|error| {
        match TlsFault::of(&error) {
            Some(fault) => failure(fault),
            None if error.kind() == io::ErrorKind::UnexpectedEof => failure(TlsFault::NoTls),
            None => Failure::of_io(&error, endpoint.url()),
        }
    })?;
    Ok(Box::new(stream))
}

/// The families take turns, beginning with the one that the system prefers (RFC 8305, section 4).
fn interleave(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let first_is_v4 = addresses.first().is_some_and(SocketAddr::is_ipv4);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.iter().copied().partition(|address| address.is_ipv4() == first_is_v4);
    let mut second = second.into_iter();
    let mut order = Vec::with_capacity(addresses.len());
    for address in first {
        order.push(address);
        order.extend(second.next());
    }
    order.extend(second);
    order
}

type Attempt = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

/// The first connection that comes about. Each address gets its attempt when the one before has
/// failed or is slow; slow ones go on.
async fn first_of(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut addresses = addresses.into_iter();
    let mut attempts: Vec<Attempt> = Vec::new();
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        if let Some(address) = addresses.next() {
            attempts.push(Box::pin(TcpStream::connect(address)));
        } else if attempts.is_empty() {
            return Err(last);
        }
        tokio::select! {
            outcome = any(&mut attempts) => match outcome {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            },
            () = tokio::time::sleep(STAGGER), if addresses.len() > 0 => {}
        }
    }
}

/// What the first attempt to end came to.
async fn any(attempts: &mut Vec<Attempt>) -> io::Result<TcpStream> {
    poll_fn(|cx| {
        for index in 0..attempts.len() {
            if let Poll::Ready(outcome) = attempts[index].as_mut().poll(cx) {
                drop(attempts.remove(index));
                return Poll::Ready(outcome);
            }
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn families_take_turns() {
        let addresses =
            ["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"].map(|it| it.parse().unwrap());
        let order = ["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"].map(|it| it.parse().unwrap());
        assert_eq!(interleave(&addresses), order);
    }

    #[tokio::test]
    async fn the_next_address_is_tried_when_one_refuses() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let open = listener.local_addr().unwrap();
        let stream = first_of(vec![closed, open]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), open);
        let refused = first_of(vec![closed]).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }
}
