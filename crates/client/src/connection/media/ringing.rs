//! An incoming call before it is answered.

use peerway_protocol::peerjs::payload;
use tokio::sync::{mpsc, oneshot, watch};

use super::{Parts, media_options};
use crate::connection::CallOptions;
use crate::connection::context::{Context, Inbound};
use crate::connection::data::INBOX;
use crate::connection::task::{Beginning, Channels, Front, Names, Task};
use crate::link::Purpose;

/// Waits for an incoming call to be answered, refused, or given up by the caller.
pub(super) async fn ringing(
    names: Names,
    context: Context,
    offer: payload::Offer,
    mut parts: Parts,
    answered: oneshot::Receiver<CallOptions>,
    mut hang_up: watch::Receiver<bool>,
    mut inbound: mpsc::Receiver<Inbound>,
) {
    let mut candidates = Vec::new();
    tokio::pin!(answered);
    let options = loop {
        tokio::select! {
            biased;
            _ = hang_up.wait_for(|hang_up| *hang_up) => break None,
            options = answered.as_mut() => break options.ok(),
            inbound = inbound.recv() => match inbound {
                Some(Inbound::Candidate(candidate)) if candidates.len() < INBOX => {
                    candidates.push(candidate);
                }
                Some(Inbound::Leave | Inbound::Destroyed | Inbound::Unreachable) | None => break None,
                Some(_) => {}
            },
        }
    };
    let Some(options) = options else {
        parts.front.handle_end();
        let _ = context.closed.send(names.id);
        return;
    };
    // The candidates that came while it rang are fed again in front of what follows.
    let (feed, merged) = mpsc::channel(INBOX);
    let relay = async move {
        for candidate in candidates {
            if feed.send(Inbound::Candidate(candidate)).await.is_err() {
                return;
            }
        }
        while let Some(message) = inbound.recv().await {
            if feed.send(message).await.is_err() {
                return;
            }
        }
    };
    let task = Task::run(
        names,
        context,
        Purpose::Media(media_options(options)),
        Beginning::Answer(offer),
        parts.front,
        Channels { commands: parts.commands, inbox: merged, hang_up },
    );
    tokio::pin!(relay);
    tokio::pin!(task);
    tokio::select! {
        () = &mut task => {}
        () = &mut relay => task.await,
    }
}
