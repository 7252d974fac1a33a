//! Receiving, brought together: the [`Receiver`], the thread that writes, the connection, the user.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use peerway::Value;
use peerway_protocol::value::Bytes;
use peerway_server::clock;
use serde_json::json;
use tokio::time::MissedTickBehavior;

use super::consent::Consent;
use super::contact::{Contact, ContactEvent};
use super::display::{Display, Outcome, offer_members, summary};
use super::hash::Sha256;
use super::message::{Entry, Index, Message};
use super::name::SafeName;
use super::progress::size;
use super::reason::{Reason, Refusal};
use super::receiver::{Command, Ending, Planned, Receiver, Settled};
use super::store::Store;
use super::{OUTBOX, TICK, WINDOW, ended_by, room};
use crate::peering::{Console, Exit, Failure, Interrupt, Worker, printable};

/// Bytes that wait to be written.
const MOST_WAITING: usize = 32 << 20;
/// Whatever they weigh.
const MOST_JOBS: usize = 4096;

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
    Write(Index, Bytes),
    Commit(Index, Option<Sha256>),
    Suspend(Index),
}

impl Job {
    fn weight(&self) -> usize {
        match self {
            Self::Write(_, data) => data.len(),
            _ => 0,
        }
    }
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
    let mut hall = Hall { reception, present: None };
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut interrupted = false;
    loop {
        hall.obey();
        if let Some((receiving, ending)) = hall.take_ended() {
            contact.hang_up().await;
            return receiving.end(ending).await;
        }
        let Some(receiving) = &mut hall.present else {
            tokio::select! {
                event = contact.next() => hall.handle_contact(event?, contact).await?,
                () = interrupt.wanted() => {
                    return Err(Failure::new(Exit::Interrupted, "stopped"));
                }
            }
            continue;
        };
        let listens = receiving.has_room();
        let (has_job, has_word) = (!receiving.jobs.is_empty(), !receiving.outbox.is_empty());
        // Owned by futures that end before anybody waits for the line or the thread to end.
        let line_room = room(contact.line().and_then(|line| line.messages()));
        let job_room = room(Some(receiving.worker.jobs().clone()));
        tokio::select! {
            permit = job_room, if has_job => {
                if let (Some(permit), Some(job)) = (permit, receiving.next_job()) {
                    drop(permit.send(job));
                }
            }
            permit = line_room, if has_word => {
                match (permit, receiving.outbox.pop_front()) {
                    (Some(permit), Some(message)) => drop(permit.send(message)),
                    // The connection is gone, and its end on its way to us.
                    _ => receiving.outbox.clear(),
                }
            }
            Some(answer) = receiving.worker.answer() => {
                receiving.handle_answer(answer, hall.reception.limit);
            }
            decision = hall.reception.consent.decision() => {
                receiving.receiver.handle_decision(decision);
            }
            event = contact.next(), if listens => hall.handle_contact(event?, contact).await?,
            _ = tick.tick() => receiving.update(clock::now()),
            () = interrupt.wanted(), if !interrupted => {
                interrupted = true;
                let stopped = Refusal::new(Reason::Interrupted, "the receiver stopped");
                receiving.receiver.cancel(stopped);
            }
        }
    }
}

/// Where transfers come in, one at a time.
struct Hall<'a> {
    reception: &'a mut Reception,
    present: Option<Receiving>,
}

impl Hall<'_> {
    fn obey(&mut self) {
        if let Some(receiving) = &mut self.present {
            receiving.obey(self.reception);
        }
    }

    /// The transfer that is over, and has said so.
    fn take_ended(&mut self) -> Option<(Receiving, Ending)> {
        let receiving = self.present.as_mut()?;
        if !receiving.jobs.is_empty() || !receiving.outbox.is_empty() {
            return None;
        }
        let ending = receiving.ending.take()?;
        Some((self.present.take()?, ending))
    }

    async fn handle_contact(
        &mut self,
        event: ContactEvent,
        contact: &mut Contact,
    ) -> Result<(), Failure> {
        let console = &self.reception.console;
        match event {
            ContactEvent::Open { peer } => {
                let line = format!("{peer} is connected.");
                console.tell("connection", json!({ "peer": printable(&peer, 100) }), line);
            }
            ContactEvent::Value(value) => self.handle_value(value, contact).await,
            ContactEvent::Lost => {
                if let Some(receiving) = &mut self.present {
                    receiving.handle_lost(self.reception.patience);
                }
                if self.present.is_none() {
                    contact.no_hurry();
                }
            }
            ContactEvent::Absent(_) => {}
            ContactEvent::GaveUp(why) => {
                let Some(receiving) = self.present.take() else {
                    return Err(Failure::new(Exit::Unreachable, "nobody came"));
                };
                console.clear();
                receiving.worker.finish().await;
                let hint = "what is here is kept, and sending it again brings the rest";
                return Err(Failure::new(Exit::Lost, format!("{why}; {hint}")));
            }
        }
        Ok(())
    }

    async fn handle_value(&mut self, value: Value, contact: &mut Contact) {
        let message = match Message::from_value(value) {
            Ok(Some(message)) => message,
            Ok(None) => return,
            Err(error) => return self.protest(Refusal::protocol(error.to_string()), contact).await,
        };
        let Message::Offer(offer) = &message else {
            if let Some(receiving) = &mut self.present {
                return receiving.receiver.handle_message(message);
            }
            let text = format!("a transfer begins with 'offer', not '{}'", message.kind());
            return self.protest(Refusal::protocol(text), contact).await;
        };
        let fresh = match &self.present {
            Some(receiving) => receiving.receiver.is_lost() && !receiving.receiver.continues(offer),
            None => true,
        };
        if fresh {
            if let Some(old) = self.present.take() {
                // It will not come back; what is there of it stays for this one or another.
                old.worker.finish().await;
            }
            let peer = contact.line().map_or("?".to_owned(), |line| line.peer().to_owned());
            self.present = Some(Receiving::new(peer, self.reception));
        } else {
            self.reception.console.tell("resumed", json!({}), "The connection is back.");
        }
        if let Some(receiving) = &mut self.present {
            receiving.receiver.handle_message(message);
        }
    }

    /// Something came that makes no sense.
    async fn protest(&mut self, refusal: Refusal, contact: &mut Contact) {
        if let Some(receiving) = &mut self.present {
            return receiving.receiver.cancel(refusal);
        }
        if let Some(line) = contact.line() {
            // Nothing else was said on this line: there is room.
            if let Some(messages) = line.messages() {
                let _ = messages.try_send(Message::Cancel(refusal));
            }
        }
        contact.hang_up().await;
    }
}

/// One transfer.
struct Receiving {
    peer: String,
    receiver: Receiver,
    worker: Worker<Job, Answer>,
    /// What the thread has no room for yet.
    jobs: VecDeque<Job>,
    /// Bytes of them.
    weight: usize,
    outbox: VecDeque<Message>,
    display: Display,
    accepted: bool,
    ending: Option<Ending>,
}

impl Receiving {
    fn new(peer: String, reception: &Reception) -> Self {
        Self {
            peer,
            receiver: Receiver::new(WINDOW),
            worker: writer((reception.store)()),
            jobs: VecDeque::new(),
            weight: 0,
            outbox: VecDeque::new(),
            display: Display::new(reception.console.clone(), clock::now()),
            accepted: false,
            ending: None,
        }
    }

    /// Does what the receiver wants, while there is room.
    fn obey(&mut self, reception: &mut Reception) {
        while self.has_room() || self.receiver.is_over() {
            let Some(command) = self.receiver.next_command() else { break };
            let job = match command {
                Command::Tell(message) => {
                    self.outbox.push_back(message);
                    continue;
                }
                Command::Ask => {
                    self.ask(reception);
                    continue;
                }
                Command::Report { index, settled } => {
                    self.report(index, &settled);
                    continue;
                }
                Command::Finish(ending) => {
                    self.ending = Some(ending);
                    continue;
                }
                Command::Plan { index, name, entry } => Job::Plan(index, name, entry),
                Command::Open { index, offset } => Job::Open(index, offset),
                Command::Write { index, data } => Job::Write(index, data),
                Command::Commit { index, sha256 } => Job::Commit(index, sha256),
                Command::Suspend { index } => Job::Suspend(index),
            };
            self.weight += job.weight();
            self.jobs.push_back(job);
        }
    }

    /// Who has much to write, or to say, does not listen. A sender that keeps to the window never
    /// gets so far: a disk that stands still for a while must not look like the end of us.
    fn has_room(&self) -> bool {
        self.weight < MOST_WAITING && self.jobs.len() < MOST_JOBS && self.outbox.len() < OUTBOX
    }

    /// The next thing for the thread.
    fn next_job(&mut self) -> Option<Job> {
        let job = self.jobs.pop_front()?;
        self.weight -= job.weight();
        Some(job)
    }

    fn ask(&mut self, reception: &mut Reception) {
        let Some(offer) = self.receiver.offer() else { return };
        let peer = printable(&self.peer, 100);
        let line = format!("{peer} offers {}", summary(offer));
        reception.console.tell("offer", offer_members(&peer, offer), line);
        let excess = reception.limit.filter(|limit| offer.size().is_some_and(|it| it > *limit));
        match excess {
            Some(limit) => self.receiver.handle_decision(Err(too_big(limit))),
            None => reception.consent.ask(&reception.console),
        }
    }

    fn handle_answer(&mut self, answer: Answer, limit: Option<u64>) {
        match answer {
            Answer::Planned(index, planned) => self.receiver.handle_planned(index, planned),
            Answer::Written(index, length) => {
                self.receiver.handle_written(index, length);
                let excess = limit.filter(|limit| self.receiver.progress().bytes > *limit);
                if let Some(limit) = excess {
                    self.receiver.cancel(too_big(limit));
                }
            }
            Answer::Committed(index, result) => self.receiver.handle_committed(index, result),
            Answer::Failed(index, refusal) => self.receiver.handle_failed(index, refusal),
        }
    }

    fn handle_lost(&mut self, patience: Duration) {
        self.outbox.clear();
        if !self.receiver.is_over() {
            self.receiver.handle_lost();
            self.display.lost(patience, "waiting for the sender to come back");
        }
    }

    fn update(&mut self, now: Instant) {
        if self.receiver.is_accepted() {
            if !std::mem::replace(&mut self.accepted, true) {
                // The time that the user took to say yes is no part of it.
                self.display = Display::new(self.display.console().clone(), now);
            }
            self.display.update(self.receiver.progress(), now);
        }
    }

    fn report(&self, index: Index, settled: &Settled) {
        let Some(offer) = self.receiver.offer() else { return };
        let Some(entry) = offer.entries.get(index as usize) else { return };
        let outcome = match settled {
            Settled::Done { sha256, verified, kept } => {
                Outcome::Done { sha256: *sha256, verified: *verified, kept: *kept }
            }
            Settled::Refused(refusal) => Outcome::Failed("refused", refusal),
            Settled::Skipped(refusal) => Outcome::Failed("not sent", refusal),
        };
        self.display.file(entry, offer.entries.len(), &outcome);
    }

    async fn end(self, ending: Ending) -> Result<Exit, Failure> {
        self.display.console().clear();
        // To the last write, so that everything that came is there the next time.
        self.worker.finish().await;
        match ending {
            Ending::Complete => {
                let progress = self.receiver.progress();
                let done = self.receiver.done();
                self.display.end("received", progress, done, clock::now());
                if done == progress.files {
                    return Ok(Exit::Success);
                }
                let rest = progress.files - done;
                Err(Failure::new(Exit::Incomplete, format!("{rest} of the files did not arrive")))
            }
            Ending::Theirs(refusal) => Err(ended_by("the sender", &refusal)),
            Ending::Ours(refusal) => Err(match refusal.reason {
                Reason::Interrupted => {
                    let hint =
                        "stopped; what is here is kept, and sending it again brings the rest";
                    Failure::new(Exit::Interrupted, hint)
                }
                Reason::Declined | Reason::TooBig => {
                    Failure::new(Exit::Refused, refusal.to_string())
                }
                _ => Failure::new(Exit::Failed, refusal.to_string()),
            }),
        }
    }
}

fn too_big(limit: u64) -> Refusal {
    let text = format!("the receiver takes no more than {}", size(limit));
    Refusal::new(Reason::TooBig, text)
}

fn writer(mut store: Box<dyn Store>) -> Worker<Job, Answer> {
    Worker::start(move |job| match job {
        Job::Plan(index, name, entry) => {
            Some(Answer::Planned(index, store.plan(index, &name, &entry)))
        }
        Job::Open(index, offset) => {
            let opened = store.open(index, offset);
            opened.err().map(|refusal| Answer::Failed(index, refusal))
        }
        Job::Write(index, data) => Some(match store.write(index, &data) {
            Ok(length) => Answer::Written(index, length),
            Err(refusal) => Answer::Failed(index, refusal),
        }),
        Job::Commit(index, sha256) => Some(Answer::Committed(index, store.commit(index, sha256))),
        Job::Suspend(index) => {
            store.suspend(index);
            None
        }
    })
}
