//! Offers at a fixed rate, whatever the server does: each is due at its time, and its latency counts from then.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::task::JoinSet;

use crate::client::Client;
use crate::clock;
use crate::frame::Incoming;
use crate::latency::Latencies;
use crate::offer::{self, Offer};
use crate::pair::{Outcome, Pair};

/// How long a message may stay under way after the last one was sent before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(3);

pub(crate) struct Paced {
    senders: Vec<Sender>,
    arrived: Arc<Mutex<Latencies>>,
    listeners: JoinSet<Result<()>>,
}

struct Sender {
    writer: OwnedWriteHalf,
    offer: Offer,
}

impl Paced {
    pub(crate) fn new(pairs: Vec<Pair>) -> Self {
        let mut paced =
            Self { senders: Vec::new(), arrived: Arc::default(), listeners: JoinSet::new() };
        for Pair { sender, receiver, offer } in pairs {
            let Client { mut reader, writer, .. } = sender;
            paced.senders.push(Sender { writer, offer });
            paced.listeners.spawn(async move { Err(reader.ended().await) });
            paced.listeners.spawn(receive(receiver, Arc::clone(&paced.arrived)));
        }
        paced
    }

    /// Sends `rate` offers a second for `duration`, taking the pairs in turn.
    pub(crate) async fn run(&mut self, rate: u32, duration: Duration) -> Result<Outcome> {
        let mut senders = std::mem::take(&mut self.senders);
        let pacing = tokio::task::spawn_blocking(move || {
            let lag = pace(&mut senders, rate, duration)?;
            anyhow::Ok((senders, lag))
        });
        let paced = pacing.await?;
        self.check()?;
        let (senders, lag) = paced?;
        self.senders = senders;
        let sent = lag.count();
        let deadline = clock::now() + PATIENCE;
        while self.arrived().count() < sent && clock::now() < deadline {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.check()?;
        let arrived = std::mem::take(&mut *self.arrived());
        Ok(Outcome { sent, arrived, lag: Some(lag) })
    }

    /// An error if the server has cut off any client.
    fn check(&mut self) -> Result<()> {
        self.listeners.try_join_next().map_or(Ok(()), |ended| ended?)
    }

    fn arrived(&self) -> std::sync::MutexGuard<'_, Latencies> {
        self.arrived.lock().expect("no receiver panics while it records")
    }
}

fn pace(senders: &mut [Sender], rate: u32, duration: Duration) -> Result<Latencies> {
    let mut lag = Latencies::default();
    let start = clock::now();
    let gap = Duration::from_secs(1) / rate;
    let mut due = start;
    for sender in (0..senders.len()).cycle() {
        if due >= start + duration {
            break;
        }
        clock::block_until(due);
        lag.record(clock::now() - due);
        senders[sender].send(due)?;
        due += gap;
    }
    Ok(lag)
}

impl Sender {
    fn send(&mut self, due: Instant) -> Result<()> {
        let mut rest = self.offer.stamped(clock::stamp(due));
        while !rest.is_empty() {
            match self.writer.try_write(rest) {
                Ok(written) => rest = &rest[written..],
                // The server does not read: wait for it, the due times run on.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    clock::block_until(clock::now() + Duration::from_micros(50));
                }
                Err(error) => return Err(error).context("a sender was cut off"),
            }
        }
        Ok(())
    }
}

async fn receive(mut client: Client, arrived: Arc<Mutex<Latencies>>) -> Result<()> {
    loop {
        match client.receive().await? {
            Incoming::Text(text) => {
                if let Some(latency) = offer::latency(&text) {
                    arrived.lock().expect("no receiver panics while it records").record(latency);
                }
            }
            other => bail!("the server closed a receiver: {other:?}"),
        }
    }
}
