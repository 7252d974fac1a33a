//! Offers as fast as the server takes them, with a bounded number of them under way per pair.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;
use tokio::time::timeout_at;

use crate::clock;
use crate::frame::Incoming;
use crate::latency::Latencies;
use crate::offer;
use crate::pair::{Outcome, Pair};

/// How long the last offers may be under way.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Saturated(Vec<Pair>);

impl Saturated {
    pub(crate) fn new(pairs: Vec<Pair>) -> Self {
        Self(pairs)
    }

    /// Keeps `window` offers of each pair under way for `duration`.
    pub(crate) async fn run(&mut self, window: usize, duration: Duration) -> Result<Outcome> {
        let deadline = clock::now() + duration;
        let mut running: JoinSet<_> =
            self.0.drain(..).map(|pair| pump(pair, window, deadline)).collect();
        let mut arrived = Latencies::default();
        let lost = (deadline + PATIENCE).into();
        while let Some(ended) =
            timeout_at(lost, running.join_next()).await.context("offers got lost")?
        {
            let (pair, latencies) = ended??;
            self.0.push(pair);
            arrived.add(&latencies);
        }
        Ok(Outcome { sent: arrived.count(), arrived, lag: None })
    }
}

async fn pump(mut pair: Pair, window: usize, deadline: Instant) -> Result<(Pair, Latencies)> {
    let mut latencies = Latencies::default();
    send(&mut pair, window).await?;
    let mut under_way = window;
    while under_way > 0 {
        let mut arrived = 0;
        let mut next = tokio::select! {
            incoming = pair.receiver.receive() => Some(incoming?),
            refusal = pair.sender.reader.ended() => return Err(refusal),
        };
        while let Some(incoming) = next {
            let Incoming::Text(text) = incoming else { bail!("the server closed a receiver") };
            if let Some(latency) = offer::latency(&text) {
                latencies.record(latency);
                arrived += 1;
            }
            next = pair.receiver.receive_buffered().await?;
        }
        if clock::now() < deadline {
            send(&mut pair, arrived).await?;
        } else {
            under_way -= arrived;
        }
    }
    Ok((pair, latencies))
}

/// All in one write: the generator shall not be what limits the rate.
async fn send(pair: &mut Pair, count: usize) -> Result<()> {
    let frames = pair.offer.stamped(clock::stamp(clock::now())).repeat(count);
    Ok(pair.sender.writer.write_all(&frames).await?)
}
