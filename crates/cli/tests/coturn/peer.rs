//! coturn's echo peer, for clients that do not talk to each other.

use crate::ports;
use crate::process::Process;

/// `turnutils_peer` on both loopback addresses and on two ports in a row, the second for RTCP.
pub(crate) struct Peer {
    pub(crate) port: u16,
    _process: Process,
}

impl Peer {
    pub(crate) fn start() -> Self {
        let port = ports::block(2);
        let arguments = ["-v", "-L", "127.0.0.1", "-L", "::1", "-p", &port.to_string()];
        let process = Process::coturn("turnutils_peer", &arguments.map(str::to_owned));
        for _socket in 0..4 {
            process.until(":end");
        }
        Self { port, _process: process }
    }
}
