//! What stands for the forwarding unit of each node: it makes offers, and legs end by themselves now
//! and then.

use std::collections::BTreeMap;

use peerway_broker::{LegId, MediaCommand, MediaEvent};
use peerway_protocol::{PeerAddress, RoomAddress, StreamName};

use super::World;

#[derive(Default)]
pub struct FakeSfu {
    /// Those that are open, with what they are for.
    legs: BTreeMap<LegId, (RoomAddress, PeerAddress, Option<StreamName>)>,
    last: Option<LegId>,
}

impl FakeSfu {
    pub fn is_idle(&self) -> bool {
        self.legs.is_empty()
    }

    fn perform(&mut self, command: &MediaCommand) {
        let leg = command.leg();
        match command {
            MediaCommand::Open { room, peer, stream, .. } => {
                assert!(self.last < Some(leg), "{leg:?} is used again");
                self.last = Some(leg);
                let purpose = (room.clone(), peer.clone(), stream.clone());
                let twin = self.legs.values().find(|it| **it == purpose);
                assert_eq!(twin, None, "two legs for one stream");
                self.legs.insert(leg, purpose);
            }
            MediaCommand::Close(_) => {
                assert!(self.legs.remove(&leg).is_some(), "{leg:?} is not open");
            }
            MediaCommand::Receive { from, .. } => {
                assert_eq!(self.legs[&leg].0, self.legs[from].0, "both are in one room");
            }
            MediaCommand::Offer(_) | MediaCommand::Answer(..) | MediaCommand::Candidate(..) => {
                assert!(self.legs.contains_key(&leg), "{leg:?} is not open");
            }
        }
    }

    /// An offer with everybody else's streams.
    fn offer(&self, leg: LegId) -> MediaEvent {
        let room = &self.legs[&leg].0;
        let others = self.legs.iter().filter(|(other, it)| **other != leg && it.0 == *room);
        let streams = others.map(|(other, _)| (format!("stream-{}", other.0).into(), *other));
        MediaEvent::Offer { sdp: "v=0".into(), streams: streams.collect() }
    }
}

impl World {
    pub(super) fn media(&mut self, node: usize, command: &MediaCommand) {
        self.nodes[node].sfu.perform(command);
        if let MediaCommand::Offer(leg) = command
            && self.random.percent(80)
        {
            let offer = self.nodes[node].sfu.offer(*leg);
            self.nodes[node].broker.handle_media(*leg, offer);
        }
    }

    /// Something happens to some leg.
    pub fn disturb_media(&mut self) {
        let node = self.random.index(self.nodes.len());
        let legs: Vec<LegId> = self.nodes[node].sfu.legs.keys().copied().collect();
        let Some(leg) = self.random.pick(&legs) else { return };
        let event = match self.random.below(3) {
            0 => {
                self.nodes[node].sfu.legs.remove(&leg);
                MediaEvent::Closed("the connection was lost".into())
            }
            1 => MediaEvent::Speaker { speaks: self.random.percent(70) },
            _ => self.nodes[node].sfu.offer(leg),
        };
        self.log(|| format!("{leg:?} of node {node} tells {event:?}"));
        self.nodes[node].broker.handle_media(leg, event);
        // Of a leg that nobody knows.
        self.nodes[node].broker.handle_media(LegId(u64::MAX), MediaEvent::PublishRefused(1));
        self.drain(node, None);
    }
}
