//! Receiving, brought together: the [`Receiver`], the thread that writes, the connection, the user.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use peerway::Value;
use peerway_server::clock;
use serde_json::json;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::MissedTickBehavior;

use super::consent::Consent;
use super::contact::{Contact, ContactEvent};
use super::display::{Display, Outcome, offer_members, summary};
use super::hash::Sha256;
use super::message::{Entry, Index, Message, Offer};
use super::name::SafeName;
use super::progress::size;
use super::reason::{Reason, Refusal};
use super::receiver::{Command, Ending, Planned, Receiver, Settled};
use super::store::Store;
use super::worker::Worker;
use super::{OUTBOX, TICK, WINDOW, ended_by};
use crate::peering::{Console, Exit, Failure, Interrupt};

/// How to receive.
pub(crate) struct Reception {
    /// Makes the place for the files of one transfer.
    pub(crate) store: Box<dyn Fn() -> Box<dyn Store>>,
    pub(crate) consent: Consent,
    /// Most bytes of a transfer.
    pub(crate) limit: Option<u64>,
    /// How long a lost connection may stay away.
    pub(crate) patience: Duration,
    pub(crate) console: Console,
}

/// What the writing thread is asked for.
enum Job {
    Plan(Index, SafeName, Entry),
    Open(Index, u64),
    Write(Index, peerway_protocol::value::Bytes),
    Commit(Index, Option<Sha256>),
    Suspend(Index),
}

enum Answer {
    Planned(Index, Planned),
    Written(Index, u64),
    Committed(Index, Result<Sha256, Refusal>),
    Failed(Index, Refusal),
}

/// Receives one transfer.
pub(crate) async fn receive(
    contact: &mut Contact,
    reception: &mut Reception,
    interrupt: &mut Interrupt,
) -> Result<Exit, Failure> {
    let mut present: Option<Receiving> = None;
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut interrupted = false;
    loop {
        if let Some(receiving) = &mut present {
            receiving.obey(reception);
            contact.expect(receiving.receiver.is_accepted());
            if receiving.is_quiet()
                && let Some(ending) = receiving.ending.take()
            {
                contact.hang_up().await;
                if let Some(receiving) = present.take() {
                    return receiving.end(ending).await;
                }
            }
        } else if interrupted {
            return Err(Failure::new(Exit::Interrupted, "stopped"));
        }
        let (can_listen, can_say) = match &present {
            Some(it) => (it.job.is_none() && it.outbox.len() < OUTBOX, !it.outbox.is_empty()),
            None => (true, false),
        };
        let messages = contact.line().map(|line| line.messages().clone());
        let say = async {
            match &messages {
                Some(messages) => messages.reserve().await.ok(),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            permit = say, if can_say => if let Some(receiving) = &mut present {
                match (permit, receiving.outbox.pop_front()) {
                    (Some(permit), Some(message)) => permit.send(message),
                    // The connection is gone, and its end on its way to us.
                    _ => receiving.outbox.clear(),
                }
            },
            event = contact.next(), if can_listen => {
                handle_contact(event?, contact, &mut present, reception).await?;
            }
            answer = answer(&mut present) => if let Some(receiving) = &mut present {
                receiving.handle_answer(answer, reception.limit);
            },
            decision = reception.consent.decision() => if let Some(receiving) = &mut present {
                receiving.receiver.handle_decision(decision);
            },
            _ = tick.tick() => if let Some(receiving) = &mut present {
                receiving.update(clock::now());
            },
            () = interrupt.wanted(), if !interrupted => {
                interrupted = true;
                if let Some(receiving) = &mut present {
                    let stopped = Refusal::new(Reason::Interrupted, "the receiver stopped");
                    receiving.receiver.cancel(stopped);
                }
            }
        }
    }
}

async fn handle_contact(
    event: ContactEvent,
    contact: &mut Contact,
    present: &mut Option<Receiving>,
    reception: &mut Reception,
) -> Result<(), Failure> {
    let console = &reception.console;
    match event {
        ContactEvent::Open { peer } => match present {
            Some(receiving) => receiving.peer = peer,
            None => {
                let line = format!("{peer} is here.");
                console.tell("connection", json!({ "peer": peer }), line);
            }
        },
        ContactEvent::Value(value) => return handle_value(value, contact, present).await,
        ContactEvent::Lost => {
            if let Some(receiving) = present {
                receiving.handle_lost(reception.patience);
            }
        }
        ContactEvent::Absent(_) => {}
        ContactEvent::GaveUp(why) => {
            console.clear();
            return Err(match present.take() {
                Some(receiving) => {
                    receiving.worker.finish().await;
                    let hint = "what is here is kept, and sending it again brings the rest";
                    Failure::new(Exit::Lost, format!("{why}; {hint}"))
                }
                None => Failure::new(Exit::Unreachable, "nobody came"),
            });
        }
    }
    Ok(())
}
