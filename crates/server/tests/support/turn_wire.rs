//! STUN messages and channel data over UDP, TCP and TLS.

use std::net::SocketAddr;

use peerway_turn::Transport;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio_rustls::rustls::pki_types::CertificateDer;

use super::{BoxIo, connector, local_name, within};

/// What a socket of a test holds while the test does something else; the kernel may give less.
const BUFFER: usize = 4 * 1024 * 1024;

/// See the module documentation.
pub(crate) enum Wire {
    Datagrams { socket: UdpSocket, local: SocketAddr },
    Stream { io: BoxIo, local: SocketAddr, received: Vec<u8> },
}

impl Wire {
    pub(crate) async fn open(
        transport: Transport,
        server: SocketAddr,
        trusted: &CertificateDer<'static>,
    ) -> Self {
        if transport == Transport::Udp {
            let any: SocketAddr =
                if server.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" }.parse().unwrap();
            let socket = UdpSocket::bind(any).await.unwrap();
            SockRef::from(&socket).set_recv_buffer_size(BUFFER).unwrap();
            socket.connect(server).await.unwrap();
            let local = socket.local_addr().unwrap();
            return Self::Datagrams { socket, local };
        }
        let stream = within("a TCP connection", TcpStream::connect(server)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let local = stream.local_addr().unwrap();
        let io: BoxIo = if transport == Transport::Tls {
            let handshake = connector(trusted).connect(local_name(), stream);
            Box::new(within("the TLS handshake", handshake).await.unwrap())
        } else {
            Box::new(stream)
        };
        Self::stream(io, local)
    }

    /// Over a connection of the caller's.
    pub(crate) fn stream(io: BoxIo, local: SocketAddr) -> Self {
        Self::Stream { io, local, received: Vec::new() }
    }

    /// The address that the server sees.
    pub(crate) fn local(&self) -> SocketAddr {
        match self {
            Self::Datagrams { local, .. } | Self::Stream { local, .. } => *local,
        }
    }

    pub(crate) fn is_stream(&self) -> bool {
        matches!(self, Self::Stream { .. })
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        match self {
            Self::Datagrams { socket, .. } => {
                within("a datagram to be sent", socket.send(bytes)).await.unwrap();
            }
            Self::Stream { io, .. } => {
                within("a frame to be sent", io.write_all(bytes)).await.unwrap();
                within("a frame to be flushed", io.flush()).await.unwrap();
            }
        }
    }

    /// The next datagram or frame; `None` when the stream has ended. Nothing is lost when this is
    /// given up halfway.
    pub(crate) async fn receive(&mut self) -> Option<Vec<u8>> {
        match self {
            Self::Datagrams { socket, .. } => {
                let mut datagram = vec![0; 65_536];
                let length = socket.recv(&mut datagram).await.unwrap();
                datagram.truncate(length);
                Some(datagram)
            }
            Self::Stream { io, received, .. } => loop {
                if let Some(length) = frame_length(received)
                    && received.len() >= length
                {
                    return Some(received.drain(..length).collect());
                }
                // A reset is an end, too.
                if !matches!(io.read_buf(received).await, Ok(1..)) {
                    assert!(received.is_empty(), "the stream ended within a frame");
                    return None;
                }
            },
        }
    }
}

/// RFC 8656 section 12.5: channel data is padded on streams.
fn frame_length(received: &[u8]) -> Option<usize> {
    let [first, _, high, low, ..] = received else { return None };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    Some(if first & 0xc0 == 0x40 { 4 + length.next_multiple_of(4) } else { 20 + length })
}
