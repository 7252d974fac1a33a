//! The cost of a visit: connect, wait for OPEN, close.

use std::fmt;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use crate::client::Client;
use crate::latency::{Latencies, Percentiles};
use crate::target::Target;
use crate::{clock, crowd};

#[derive(Args)]
pub(crate) struct Connect {
    #[arg(long, default_value_t = 10_000)]
    count: usize,
    /// How many connect at once
    #[arg(long, default_value_t = 16)]
    concurrency: usize,
    /// Visits before the measurement begins
    #[arg(long, default_value_t = 1000)]
    warmup: usize,
}

#[derive(Serialize)]
pub(crate) struct Report {
    count: usize,
    per_second: f64,
    /// CPU of the server per visit.
    cpu_us: f64,
    cores: f64,
    parallelism: f64,
    /// From the SYN to OPEN.
    latency_us: Percentiles,
}

pub(crate) async fn run(target: Target, connect: Connect) -> Result<Report> {
    let process = target.process()?;
    let visit = move || {
        let target = target.clone();
        async move {
            let start = clock::now();
            let client = Client::open(&target).await?;
            let latency = clock::now() - start;
            client.close().await?;
            Ok(latency)
        }
    };
    crowd::repeat(connect.warmup, connect.concurrency, visit.clone()).await?;
    let (before, start) = (process.cpu_times()?, clock::now());
    let latencies = crowd::repeat(connect.count, connect.concurrency, visit).await?;
    let (after, wall) = (process.cpu_times()?, (clock::now() - start).as_secs_f64());
    let cpu = before.until(&after);
    #[expect(clippy::cast_precision_loss, reason = "nobody counts to 2^52")]
    let count = connect.count as f64;
    Ok(Report {
        count: connect.count,
        per_second: count / wall,
        cpu_us: cpu.total.as_secs_f64() * 1e6 / count,
        cores: cpu.total.as_secs_f64() / wall,
        parallelism: cpu.parallelism,
        latency_us: latencies.into_iter().collect::<Latencies>().percentiles(),
    })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} visits, {:.0}/s: {:.1} us CPU each on {:.2} cores, the work of {:.2} threads; \
             to OPEN {}",
            self.count, self.per_second, self.cpu_us, self.cores, self.parallelism, self.latency_us,
        )
    }
}
