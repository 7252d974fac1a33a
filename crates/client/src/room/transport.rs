//! One connection with a room's forwarding unit, run by a task of its own.

use std::sync::Arc;

use peerway_protocol::peerjs::payload;
use tokio::sync::{mpsc, watch};

use super::front::RoomFront;
use super::{Shared, lines};
use crate::connection::{
    Beginning, Channels, Context, INBOX, Inbound, Names, Outbound, Outgoing, RoomOffer, Task,
    TrackCommand,
};
use crate::engine::MediaOptions;
use crate::link::Purpose;
use crate::media::Codec;

/// Frames and packets that wait for the task.
const COMMANDS: usize = 32;

/// See the module documentation.
#[derive(Debug)]
pub(super) struct Transport {
    /// What names it in offers.
    name: String,
    inbox: mpsc::Sender<Inbound>,
    hang_up: watch::Sender<bool>,
    outbound: mpsc::Receiver<Outbound>,
    closed: mpsc::UnboundedReceiver<String>,
    /// Its end is the end of the task; tracks hold weak ones.
    #[expect(dead_code, reason = "held, never used")]
    commands: mpsc::Sender<TrackCommand>,
}

/// What a transport tells.
pub(super) enum Heard {
    /// The answer to the last offer.
    Answer(String),
    /// It is over.
    Closed,
}

impl Transport {
    /// Answers the first offer of a forwarding unit.
    pub(super) fn start(
        context: &Context,
        shared: &Arc<Shared>,
        codecs: &[Codec],
        offer: RoomOffer,
    ) -> Self {
        let (signals, outbound) = mpsc::channel(1);
        let (ended, closed) = mpsc::unbounded_channel();
        let (commands, todo) = mpsc::channel(COMMANDS);
        let (inbox, inbound) = mpsc::channel(INBOX);
        let hang_up = watch::Sender::new(false);
        let name = lines::transport(&offer.sdp).to_owned();
        let names = Names { id: name.clone(), peer: String::new(), kind: payload::Kind::Media };
        let send = shared.publications().selection();
        let options = MediaOptions { send, codecs: codecs.to_vec(), rtp: false };
        let front = RoomFront::new(Arc::clone(shared), commands.downgrade());
        tokio::spawn(Task::run(
            names,
            Context { signals, closed: ended, ..context.clone() },
            Purpose::Media(options),
            Beginning::Room(offer),
            front,
            Channels { commands: todo, inbox: inbound, hang_up: hang_up.subscribe() },
        ));
        Self { name, inbox, hang_up, outbound, closed, commands }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether an offer is one of this connection.
    pub(super) fn is_meant(&self, offer: &RoomOffer) -> bool {
        lines::transport(&offer.sdp) == self.name
    }

    /// Answers a later offer.
    pub(super) fn handle_offer(&self, offer: RoomOffer) {
        // There is never a second offer before the first is answered: a full inbox is over.
        let _ = self.inbox.try_send(Inbound::Offer(offer));
    }

    /// Ends it; [`Heard::Closed`] follows.
    pub(super) fn hang_up(&self) {
        self.hang_up.send_replace(true);
    }

    /// What it has to say. Cancel-safe.
    pub(super) async fn next(&mut self) -> Heard {
        loop {
            tokio::select! {
                biased;
                Some(outbound) = self.outbound.recv() => {
                    // It learns our addresses by our checks: candidates need not be told.
                    if let Outbound::Signal { signal: Outgoing::Answer(answer), .. } = outbound {
                        return Heard::Answer(answer.sdp);
                    }
                }
                _ = self.closed.recv() => return Heard::Closed,
            }
        }
    }
}
