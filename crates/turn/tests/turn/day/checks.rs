//! What must be true of a world at any hour, and when everybody is gone.

use std::collections::BTreeSet;

use peerway_turn::{FiveTuple, Traffic};

use super::driver::add;
use super::world::{Node, World};
use crate::draft::{Login, allocate};

/// What a client hears on the way of a day.
const CODES: [u16; 11] = [400, 401, 403, 437, 438, 440, 443, 446, 447, 486, 508];

impl World {
    pub fn everybody_goes(&mut self) {
        for person in &mut self.people {
            person.vanished = true;
        }
    }

    /// What the server has is what the model has.
    pub fn assert_no_growth(&mut self) {
        // Two turns of the sweep after the last thing that could have expired.
        self.pass(2500);
        self.pass(2500);
        let now = self.elapsed;
        for (index, Node { server, driver }) in self.nodes.iter_mut().enumerate() {
            let here = || self.people.iter().filter(|person| person.node == index);
            let clients = here().filter(|person| person.is_client(now)).count();
            assert_eq!(server.len(), clients, "at {} s", now / 1000);
            let relays: BTreeSet<_> = here().flat_map(|person| person.relays.keys()).collect();
            assert!(relays.into_iter().eq(driver.open.keys()));
            assert!(driver.opening.is_empty());
            let ledger = &driver.ledger;
            assert_eq!(ledger.opened - ledger.closed, clients as u64);
            assert!(server.next_command().is_none());
        }
    }

    pub fn assert_empty(&mut self) {
        self.people.clear();
        self.assert_no_growth();
        let (mut closed, mut counted) = (Traffic::default(), Traffic::default());
        for Node { server, driver } in &mut self.nodes {
            assert!(server.is_empty());
            assert_eq!(server.poll_timeout(), None);
            add(&mut closed, driver.ledger.traffic);
            server.take_counts().into_iter().for_each(|counts| add(&mut counted, counts.traffic));
        }
        assert_eq!(closed, self.traffic, "what was relayed is what was reported");
        assert!(counted == self.traffic || counted == Traffic::default(), "counts are taken once");
    }

    /// A day on which nothing happens proves nothing.
    pub fn assert_eventful(&self) {
        assert!(self.arrived > 3000, "{} came", self.arrived);
        assert_eq!(self.codes, CODES.into());
        let reasons: BTreeSet<_> =
            self.nodes.iter().flat_map(|node| &node.driver.ledger.reasons).copied().collect();
        assert_eq!(reasons, BTreeSet::from(["released", "expired", "disconnected"]));
        assert!(self.traffic.to_peer.packets > 1000 && self.traffic.to_client.packets > 1000);
    }

    /// How many of these get an allocation.
    pub fn count_admitted(&mut self, asked: impl Iterator<Item = (FiveTuple, Login)>) -> usize {
        self.assert_no_growth();
        let mut admitted = Vec::new();
        for (from, login) in asked {
            let draft = allocate();
            let challenge = self.say(0, from, &draft.plain()).expect("everybody is challenged");
            let nonce = challenge.nonce.expect("with a nonce");
            match self.say(0, from, &draft.signed(&login, &nonce)) {
                Some(heard) => assert_eq!(heard.code, Some(486)),
                None => admitted.push(from),
            }
        }
        // Before their sockets come all of them are gone.
        assert_eq!(self.nodes[0].driver.opening.len(), admitted.len());
        self.nodes[0].driver.opening.clear();
        for from in &admitted {
            let now = self.now();
            self.nodes[0].server.handle_disconnected(from, now);
        }
        self.drain(0, None);
        assert!(self.nodes[0].server.is_empty());
        admitted.len()
    }
}
