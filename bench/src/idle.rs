//! Memory: many clients that do nothing but stay, like most clients of a broker.

use std::fmt;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use serde::Serialize;

use crate::client::Client;
use crate::frame::{Incoming, MaskedFrame};
use crate::target::Target;
use crate::{clock, crowd};

#[derive(Args)]
pub(crate) struct Idle {
    #[arg(long, default_value_t = 10_000)]
    clients: usize,
    /// How many connect at once
    #[arg(long, default_value_t = 64)]
    concurrency: usize,
    /// Seconds between two heartbeats of a client; by default as the dialect's clients send them
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    heartbeat: Option<u64>,
    /// Seconds the clients stay before the memory is read
    #[arg(long, default_value_t = 10)]
    hold: u64,
}

#[derive(Serialize)]
pub(crate) struct Report {
    clients: usize,
    /// Clients that were still connected at the end.
    alive: usize,
    base_bytes: u64,
    full_bytes: u64,
    bytes_per_client: f64,
    /// CPU of the server per connect-to-OPEN, here without the close.
    open_cpu_us: f64,
    /// Cores the server needs for the heartbeats.
    idle_cores: f64,
}

pub(crate) async fn run(target: Target, idle: Idle) -> Result<Report> {
    let process = target.process()?;
    let (beat, usual) = target.dialect.heartbeat();
    let heartbeat = idle.heartbeat.map_or(usual, Duration::from_secs);
    let base_bytes = process.settled_resident().await?;
    let fresh = process.cpu_times()?;
    let clients = crowd::repeat(idle.clients, idle.concurrency, move || {
        let target = target.clone();
        async move { Ok(tokio::spawn(stay(Client::open(&target).await?, beat, heartbeat))) }
    })
    .await?;
    let opened = process.cpu_times()?;
    let start = clock::now();
    tokio::time::sleep(Duration::from_secs(idle.hold)).await;
    let full_bytes = process.settled_resident().await?;
    let (held, holding) = (process.cpu_times()?, clock::now() - start);
    let alive = clients.iter().filter(|client| !client.is_finished()).count();
    #[expect(clippy::cast_precision_loss, reason = "neither count nor bytes come near 2^52")]
    let (count, grown) = (idle.clients as f64, full_bytes.saturating_sub(base_bytes) as f64);
    Ok(Report {
        clients: idle.clients,
        alive,
        base_bytes,
        full_bytes,
        bytes_per_client: grown / count,
        open_cpu_us: fresh.until(&opened).total.as_secs_f64() * 1e6 / count,
        idle_cores: opened.until(&held).total.as_secs_f64() / holding.as_secs_f64(),
    })
}

async fn stay(mut client: Client, beat: &[u8], heartbeat: Duration) -> Result<()> {
    let beat = MaskedFrame::text(beat);
    let mut beats = tokio::time::interval(heartbeat);
    beats.tick().await;
    loop {
        tokio::select! {
            _ = beats.tick() => client.send(&beat).await?,
            incoming = client.receive() => if let Incoming::Close(code) = incoming? {
                bail!("closed by the server: {code:?}");
            },
        }
    }
}

impl fmt::Display for Report {
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MEBIBYTE: f64 = 1024.0 * 1024.0;
        write!(
            f,
            "{} clients ({} alive): {:.1} MiB before, {:.1} MiB after, {:.0} bytes per client; \
             {:.1} us CPU per open, {:.3} cores for the heartbeats",
            self.clients,
            self.alive,
            self.base_bytes as f64 / MEBIBYTE,
            self.full_bytes as f64 / MEBIBYTE,
            self.bytes_per_client,
            self.open_cpu_us,
            self.idle_cores,
        )
    }
}
