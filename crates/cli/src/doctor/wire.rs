//! STUN messages over UDP, TCP and TLS.

use std::fmt;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UdpSocket;

use super::certificate::Trust;
use super::fault::{Door, Fault};
use super::ice_url::Transport;
use super::net::{self, BoxIo, Deadline};

/// One address of a STUN or TURN server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) transport: Transport,
    pub(super) address: SocketAddr,
    /// What a certificate must be for.
    pub(super) host: String,
}

impl Endpoint {
    pub(super) fn door(&self) -> Door {
        Door::Turn { transport: self.transport, port: self.address.port() }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.transport, self.address)
    }
}

/// A way to an endpoint.
pub(super) enum Wire {
    Datagrams(UdpSocket),
    Stream { io: BoxIo, local: SocketAddr, received: Vec<u8> },
}

impl Wire {
    pub(super) async fn open(
        endpoint: &Endpoint,
        trust: &Trust,
        deadline: Deadline,
    ) -> Result<Self, Fault> {
        let (local, io): (_, BoxIo) = match endpoint.transport {
            Transport::Udp => return Ok(Self::Datagrams(net::udp(endpoint.address).await?)),
            Transport::Tcp => {
                let stream = net::tcp(endpoint.address, deadline).await?;
                (stream.local_addr()?, Box::new(stream))
            }
            Transport::Tls => {
                let stream =
                    net::tls(endpoint.address, &endpoint.host, &trust.connector(), deadline)
                        .await?;
                (stream.get_ref().0.local_addr()?, Box::new(stream))
            }
        };
        Ok(Self::Stream { io, local, received: Vec::new() })
    }

    pub(super) fn local_addr(&self) -> Result<SocketAddr, Fault> {
        match self {
            Self::Datagrams(socket) => Ok(socket.local_addr()?),
            Self::Stream { local, .. } => Ok(*local),
        }
    }

    /// Whether messages may get lost.
    pub(super) fn may_lose(&self) -> bool {
        matches!(self, Self::Datagrams(_))
    }

    pub(super) async fn send(&mut self, message: &[u8]) -> Result<(), Fault> {
        match self {
            Self::Datagrams(socket) => {
                socket.send(message).await?;
            }
            Self::Stream { io, .. } => {
                io.write_all(message).await?;
                io.flush().await?;
            }
        }
        Ok(())
    }

    /// The next message. Nothing is lost when this is given up halfway.
    pub(super) async fn receive(&mut self) -> Result<Vec<u8>, Fault> {
        match self {
            Self::Datagrams(socket) => {
                let mut datagram = vec![0; 2048];
                let length = socket.recv(&mut datagram).await?;
                datagram.truncate(length);
                Ok(datagram)
            }
            Self::Stream { io, received, .. } => loop {
                if let Some(length) = frame_length(received)?
                    && received.len() >= length
                {
                    return Ok(received.drain(..length).collect());
                }
                if io.read_buf(received).await? == 0 {
                    return Err(Fault::Broken("it was closed by the other side".into()));
                }
            },
        }
    }
}

/// How long the message at the beginning of a stream is, once that can be told. Only STUN messages
/// are expected: channels are never bound here.
fn frame_length(received: &[u8]) -> Result<Option<usize>, Fault> {
    if received.first().is_some_and(|byte| byte & 0xc0 != 0) {
        let start: String = String::from_utf8_lossy(received).chars().take(12).collect();
        return Err(Fault::Garbled(format!("it begins with {start:?}")));
    }
    let length = received.get(2..4).map(|length| u16::from_be_bytes([length[0], length[1]]));
    Ok(length.map(|length| 20 + usize::from(length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_its_header_and_what_the_header_says() {
        assert_eq!(frame_length(&[]), Ok(None));
        assert_eq!(frame_length(&[0, 1, 0]), Ok(None));
        assert_eq!(frame_length(&[0, 1, 1, 2, 0]), Ok(Some(278)));
        let other = Fault::Garbled("it begins with \"HTTP/1.1 400\"".into());
        assert_eq!(frame_length(b"HTTP/1.1 400 Bad Request"), Err(other));
    }
}
