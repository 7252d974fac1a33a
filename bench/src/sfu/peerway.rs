//! Room frames on the `PeerJS` dialect (`docs/reference/room-frames.md`): a session for each peer.

use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::signalling::{Role, Signalling, Told};
use super::wire::Wire;
use crate::identity;
use crate::target::Target;

const ROOM: &str = "bench";

pub(super) struct Peerway {
    target: Target,
    /// By peer.
    wires: Vec<Wire>,
}

impl Peerway {
    pub(super) fn new(target: Target) -> Self {
        Self { target, wires: Vec::new() }
    }

    fn send(&mut self, peer: usize, frame: &Value) -> Result<()> {
        self.wires[peer].send(frame.to_string())
    }
}

impl Signalling for Peerway {
    fn has_members(&self) -> bool {
        true
    }

    fn prepare(&mut self, peer: usize) -> Result<Option<BorrowedFd<'_>>> {
        let upgrade = self.target.upgrade_request(&identity::peer_id(), &identity::token());
        self.wires.push(Wire::open(self.target.address(), &upgrade)?);
        Ok(self.wires.get(peer).map(AsFd::as_fd))
    }

    fn begin(&mut self, peer: usize, _: Role) -> Result<()> {
        self.send(peer, &json!({"type": "ROOM-JOIN", "room": ROOM, "payload": {"mode": "sfu"}}))?;
        self.send(peer, &json!({"type": "ROOM-GET-OFFER", "room": ROOM, "payload": {}}))
    }

    fn answer(&mut self, peer: usize, sdp: &str) -> Result<()> {
        self.send(peer, &json!({"type": "ROOM-ANSWER", "room": ROOM, "payload": {"sdp": sdp}}))
    }

    fn handle_readable(&mut self, wire: usize, told: &mut Vec<(usize, Told)>) -> Result<()> {
        self.wires[wire].flush()?;
        while let Some(text) = self.wires[wire].receive()? {
            let frame: Value = serde_json::from_str(&text)?;
            match frame["type"].as_str() {
                Some("ROOM-OFFER") => {
                    let sdp = frame["payload"]["sdp"].as_str().unwrap_or_default();
                    told.push((wire, Told::Offer(sdp.to_owned())));
                }
                Some("ERROR" | "ROOM-ERROR" | "ROOM-MEDIA-CLOSED") => {
                    bail!("peer {wire} was told {frame}")
                }
                _ => {}
            }
        }
        Ok(())
    }
}
