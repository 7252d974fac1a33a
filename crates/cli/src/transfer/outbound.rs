//! Sending, brought together: the [`Sender`], the thread that reads, the connection, the user.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use peerway_server::clock;
use serde_json::json;
use tokio::time::MissedTickBehavior;

use super::contact::{Contact, ContactEvent};
use super::display::{Display, Outcome, offer_members, summary};
use super::message::{Message, Offer};
use super::reason::{Reason, Refusal};
use super::sender::{Command, Ending, Opened, Read, Sender, Settled, Turn};
use super::sources::Sources;
use super::{OUTBOX, TICK, ended_by, room};
use crate::peering::{Console, Exit, Failure, Interrupt, Worker};

/// What the reading thread is asked for.
enum Job {
    Open { turn: Turn, index: u32, offset: u64, sha256: Option<super::hash::Sha256> },
    Read { turn: Turn },
}

enum Answer {
    Opened(Turn, Opened),
    Read(Turn, Read),
}

/// Sends everything in `offer`. `patience`: how long a lost connection may stay away.
pub(crate) async fn send(
    contact: &mut Contact,
    sources: Sources,
    offer: Offer,
    patience: Duration,
    console: Console,
    interrupt: &mut Interrupt,
) -> Result<Exit, Failure> {
    let now = clock::now();
    let mut sending = Sending {
        sender: Sender::new(offer),
        reader: reader(sources),
        outbox: VecDeque::new(),
        jobs: VecDeque::new(),
        display: Display::new(console, now),
        patience,
        accepted: None,
        ending: None,
    };
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut interrupted = false;
    loop {
        sending.obey();
        if sending.outbox.is_empty()
            && let Some(ending) = sending.ending.take()
        {
            contact.hang_up().await;
            return sending.end(ending);
        }
        let line_room = room(contact.line().and_then(|line| line.messages()));
        let has_word = !sending.outbox.is_empty();
        tokio::select! {
            permit = line_room, if has_word => match (permit, sending.outbox.pop_front()) {
                (Some(permit), Some(message)) => drop(permit.send(message)),
                // The connection is gone, and its end on its way to us.
                _ => sending.outbox.clear(),
            },
            event = contact.next() => sending.handle_contact(event?)?,
            Some(answer) = sending.reader.answer() => match answer {
                Answer::Opened(turn, opened) => sending.sender.handle_opened(turn, opened),
                Answer::Read(turn, read) => sending.sender.handle_read(turn, read),
            },
            _ = tick.tick() => sending.update(clock::now()),
            () = interrupt.wanted(), if !interrupted => {
                interrupted = true;
                let stopped = Refusal::new(Reason::Interrupted, "the sender stopped");
                sending.sender.cancel(stopped);
            }
        }
    }
}

fn reader(mut sources: Sources) -> Worker<Job, Answer> {
    Worker::start(move |job| {
        Some(match job {
            Job::Open { turn, index, offset, sha256 } => {
                Answer::Opened(turn, sources.open(index, offset, sha256))
            }
            Job::Read { turn } => Answer::Read(turn, sources.read()),
        })
    })
}

struct Sending {
    sender: Sender,
    reader: Worker<Job, Answer>,
    outbox: VecDeque<Message>,
    /// What the thread has no room for yet.
    jobs: VecDeque<Job>,
    display: Display,
    patience: Duration,
    /// When the receiver said yes.
    accepted: Option<Instant>,
    ending: Option<Ending>,
}

impl Sending {
    /// Does what the sender wants, while there is room to say it.
    fn obey(&mut self) {
        while let Some(job) = self.jobs.pop_front() {
            if let Err(error) = self.reader.jobs().try_send(job) {
                self.jobs.push_front(error.into_inner());
                break;
            }
        }
        while self.outbox.len() < OUTBOX || self.sender.is_over() {
            let Some(command) = self.sender.next_command() else { break };
            match command {
                Command::Tell(message) => self.outbox.push_back(message),
                Command::Open { turn, index, offset, sha256 } => {
                    self.order(Job::Open { turn, index, offset, sha256 });
                }
                Command::Read { turn } => self.order(Job::Read { turn }),
                Command::Accepted => self.tell_accepted(),
                Command::Report { index, settled } => self.report(index, &settled),
                Command::Finish(ending) => self.ending = Some(ending),
            }
        }
    }

    /// A sender has one job at a time, and another one at most when a file was given up.
    fn order(&mut self, job: Job) {
        if let Err(error) = self.reader.jobs().try_send(job) {
            self.jobs.push_back(error.into_inner());
        }
    }

    fn handle_contact(&mut self, event: ContactEvent) -> Result<(), Failure> {
        let console = self.display.console();
        match event {
            ContactEvent::Open { peer } => {
                let summary = summary(self.sender.offer());
                let members = offer_members(&peer, self.sender.offer());
                if self.accepted.is_none() {
                    let line = format!("{peer} is asked to take {summary}");
                    console.tell("offer", members, line);
                } else {
                    console.tell("resumed", members, "The connection is back.");
                }
                self.sender.handle_connected();
            }
            ContactEvent::Value(value) => match Message::from_value(value) {
                Ok(Some(message)) => self.sender.handle_message(message),
                Ok(None) => {}
                Err(error) => self.sender.cancel(Refusal::protocol(error.to_string())),
            },
            ContactEvent::Lost => {
                self.outbox.clear();
                if !self.sender.is_over() {
                    self.sender.handle_lost();
                    self.display.lost(self.patience, "trying to come back");
                }
            }
            ContactEvent::Absent(why) => {
                let line = format!("{why}; still trying");
                console.tell("absent", json!({ "message": why }), line);
            }
            ContactEvent::GaveUp(why) => {
                console.clear();
                return Err(if self.accepted.is_some() {
                    let hint = "run the same command again to send the rest";
                    Failure::new(Exit::Lost, format!("{why}; {hint}"))
                } else {
                    Failure::new(Exit::Unreachable, why)
                });
            }
        }
        Ok(())
    }

    fn tell_accepted(&mut self) {
        if self.accepted.is_none() {
            let now = clock::now();
            self.accepted = Some(now);
            self.display.console().tell("accepted", json!({}), "It is taken.");
            self.display = Display::new(self.display.console().clone(), now);
        }
    }

    fn update(&mut self, now: Instant) {
        if self.sender.is_accepted() && !self.sender.is_over() {
            self.display.update(self.sender.progress(), now);
        }
    }

    fn report(&self, index: u32, settled: &Settled) {
        let Some(entry) = self.sender.offer().entries.get(index as usize) else { return };
        let outcome = match settled {
            Settled::Done { sha256, kept } => {
                Outcome::Done { sha256: *sha256, verified: true, kept: *kept }
            }
            Settled::Refused(refusal) => Outcome::Failed("refused", refusal),
            Settled::Skipped(refusal) => Outcome::Failed("not sent", refusal),
        };
        self.display.file(entry, self.sender.offer().entries.len(), &outcome);
    }

    fn end(&self, ending: Ending) -> Result<Exit, Failure> {
        let progress = self.sender.progress();
        let done = self.sender.done();
        self.display.console().clear();
        match ending {
            Ending::Complete => {
                self.display.end("sent", progress, done, clock::now());
                if done == progress.files {
                    return Ok(Exit::Success);
                }
                let rest = progress.files - done;
                Err(Failure::new(Exit::Incomplete, format!("{rest} of the files did not arrive")))
            }
            Ending::Theirs(refusal) => Err(ended_by("the receiver", &refusal)),
            Ending::Ours(refusal) if refusal.reason == Reason::Interrupted => {
                let hint = "stopped; run the same command again to send the rest";
                Err(Failure::new(Exit::Interrupted, hint))
            }
            Ending::Ours(refusal) => Err(Failure::new(Exit::Failed, refusal.to_string())),
        }
    }
}
