//! Stands between clients and the server, for what the clients do not tell (`turnutils_uclient`
//! takes a 401 for an invitation to try again, and in the end says only that it cannot allocate)
//! or do not know (see `draft.rs`).

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};

use crate::server::Server;

/// Passes datagrams on, both ways.
pub(crate) struct Wiretap {
    pub(crate) port: u16,
    answers: Arc<Mutex<Vec<Answer>>>,
}

/// What a response says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Success,
    /// With the code.
    Error(u16),
}

/// What becomes of a request on its way.
type Rewrite = fn(&[u8]) -> Vec<u8>;

impl Wiretap {
    /// Before an address of the server and at the same address.
    pub(crate) fn before(server: &Server, address: &str) -> Self {
        Self::rewriting(server, address, <[u8]>::to_vec)
    }

    /// The same, with requests that are changed on their way.
    pub(crate) fn rewriting(server: &Server, address: &str, rewrite: Rewrite) -> Self {
        let address: IpAddr = address.parse().unwrap();
        let back = SocketAddr::new(address, server.port);
        let front = UdpSocket::bind((address, 0)).unwrap();
        let port = front.local_addr().unwrap().port();
        let answers = Arc::<Mutex<Vec<Answer>>>::default();
        let heard = answers.clone();
        // Ends with the test program, as those that it starts.
        std::thread::spawn(move || pass_on(&front, back, rewrite, &heard));
        Self { port, answers }
    }

    /// All that have come so far.
    pub(crate) fn answers(&self) -> Vec<Answer> {
        self.answers.lock().unwrap().clone()
    }
}

fn pass_on(front: &UdpSocket, back: SocketAddr, rewrite: Rewrite, heard: &Arc<Mutex<Vec<Answer>>>) {
    let mut clients = HashMap::new();
    let mut buffer = [0; 2048];
    while let Ok((length, client)) = front.recv_from(&mut buffer) {
        let socket: &mut UdpSocket = clients.entry(client).or_insert_with(|| {
            let socket = UdpSocket::bind((back.ip(), 0)).unwrap();
            socket.connect(back).unwrap();
            let (from, to) = (socket.try_clone().unwrap(), front.try_clone().unwrap());
            let heard = heard.clone();
            std::thread::spawn(move || pass_back(&from, &to, client, &heard));
            socket
        });
        drop(socket.send(&rewrite(&buffer[..length])));
    }
}

fn pass_back(
    from: &UdpSocket,
    to: &UdpSocket,
    client: SocketAddr,
    heard: &Arc<Mutex<Vec<Answer>>>,
) {
    let mut buffer = [0; 2048];
    while let Ok(length) = from.recv(&mut buffer) {
        heard.lock().unwrap().extend(answer(&buffer[..length]));
        drop(to.send_to(&buffer[..length], client));
    }
}

/// RFC 8489, sections 5 and 14.8: the class is in two bits of the type, the code in a class and a
/// number of its own.
fn answer(datagram: &[u8]) -> Option<Answer> {
    let (header, mut attributes) = datagram.split_at_checked(20)?;
    match u16::from_be_bytes([header[0], header[1]]) & 0xC110 {
        0x0100 => return Some(Answer::Success),
        0x0110 => {}
        _ => return None,
    }
    while let [a, b, c, d, rest @ ..] = attributes {
        if let (0x0009, [_, _, class, number, ..]) = (u16::from_be_bytes([*a, *b]), rest) {
            return Some(Answer::Error(u16::from(*class) * 100 + u16::from(*number)));
        }
        let padded = usize::from(u16::from_be_bytes([*c, *d])).next_multiple_of(4);
        attributes = rest.get(padded..)?;
    }
    None
}
