//! The cost of passing an OFFER on, at a fixed rate or as fast as it goes.

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use crate::clock;
use crate::latency::Percentiles;
use crate::paced::Paced;
use crate::pair::{self, Outcome};
use crate::saturated::Saturated;
use crate::target::Target;

#[derive(Args)]
pub(crate) struct Relay {
    /// Pairs of clients; one of each sends to the other
    #[arg(long, default_value_t = 50)]
    pairs: usize,
    /// Messages a second of all pairs together; 0 is as fast as they get through
    #[arg(long, default_value_t = 2000)]
    rate: u32,
    // Senders send no HEARTBEAT, and PeerServer cuts them after a minute.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=45))]
    seconds: u64,
    /// Seconds of the same load before the measurement begins
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=10))]
    warmup: u64,
    /// Bytes of JSON in one OFFER
    #[arg(long, default_value_t = 2048)]
    size: usize,
    /// Messages under way per pair when the rate is 0
    #[arg(long, default_value_t = 8)]
    window: usize,
}

impl Relay {
    pub(crate) fn scenario(&self) -> &'static str {
        if self.rate == 0 { "saturate" } else { "relay" }
    }
}

#[derive(Serialize)]
pub(crate) struct Report {
    received: u64,
    lost: u64,
    messages_per_second: f64,
    /// CPU of the server per message.
    cpu_us: f64,
    cores: f64,
    parallelism: f64,
    /// One way, from the time the message was due at the sender to its arrival at the receiver.
    latency_us: Percentiles,
    /// How late the generator sent: part of the latency.
    #[serde(skip_serializing_if = "Option::is_none")]
    lag_us: Option<Percentiles>,
}

pub(crate) async fn run(target: Target, relay: Relay) -> Result<Report> {
    let process = target.process()?;
    let mut load = Load::connect(&target, &relay).await?;
    load.run(&relay, Duration::from_secs(relay.warmup)).await?;
    let (before, start) = (process.cpu_times()?, clock::now());
    let outcome = load.run(&relay, Duration::from_secs(relay.seconds)).await?;
    let (cpu, wall) = (before.until(&process.cpu_times()?), clock::now() - start);
    let received = outcome.arrived.count();
    #[expect(clippy::cast_precision_loss, reason = "nobody counts to 2^52")]
    let count = received as f64;
    Ok(Report {
        received,
        lost: outcome.sent.saturating_sub(received),
        messages_per_second: count / wall.as_secs_f64(),
        cpu_us: cpu.total.as_secs_f64() * 1e6 / count,
        cores: cpu.total.as_secs_f64() / wall.as_secs_f64(),
        parallelism: cpu.parallelism,
        latency_us: outcome.arrived.percentiles(),
        lag_us: outcome.lag.map(|lag| lag.percentiles()),
    })
}

enum Load {
    Paced(Paced),
    Saturated(Saturated),
}

impl Load {
    async fn connect(target: &Target, relay: &Relay) -> Result<Self> {
        let pairs = pair::connect(target, relay.pairs, relay.size).await?;
        Ok(if relay.rate == 0 {
            Self::Saturated(Saturated::new(pairs))
        } else {
            Self::Paced(Paced::new(pairs))
        })
    }

    async fn run(&mut self, relay: &Relay, duration: Duration) -> Result<Outcome> {
        match self {
            Self::Paced(paced) => paced.run(relay.rate, duration).await,
            Self::Saturated(saturated) => saturated.run(relay.window, duration).await,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} messages ({} lost), {:.0}/s: {:.2} us CPU each on {:.2} cores, the work of {:.2} \
             threads; one way {}",
            self.received,
            self.lost,
            self.messages_per_second,
            self.cpu_us,
            self.cores,
            self.parallelism,
            self.latency_us,
        )?;
        self.lag_us.iter().try_for_each(|lag| write!(f, "; sent late by {lag}"))
    }
}
