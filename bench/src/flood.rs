//! One client that writes to nobody as fast as it can, and what it does to the server and to the others.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use clap::Args;
use serde::Serialize;
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::runtime;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout_at};

use crate::client::{Client, Reader};
use crate::frame::Incoming;
use crate::latency::Percentiles;
use crate::offer::Offer;
use crate::paced::Paced;
use crate::process::Process;
use crate::target::Target;
use crate::{clock, identity, pair};

/// Of the pair that behaves well.
const RATE: u32 = 100;
/// The server gets this long after the flood to say what it thinks of it.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Args)]
pub(crate) struct Flood {
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Bytes of JSON in one OFFER
    #[arg(long, default_value_t = 2048)]
    size: usize,
}

#[derive(Serialize)]
pub(crate) struct Report {
    #[serde(flatten)]
    verdict: Verdict,
    sent: u64,
    base_bytes: u64,
    peak_bytes: u64,
    /// Of the well-behaved pair.
    latency_us: Percentiles,
    lost: u64,
}

/// What the server told the flooding client.
#[derive(Default, Serialize)]
struct Verdict {
    /// The first ERROR frame.
    error: Option<String>,
    closed: bool,
    close_code: Option<u16>,
}

pub(crate) async fn run(target: Target, flood: Flood) -> Result<Report> {
    let process = target.process()?;
    let base_bytes = process.settled_resident().await?;
    let mut pair = Paced::new(pair::connect(&target, 1, flood.size).await?);
    let duration = Duration::from_secs(flood.seconds);
    let (ended, flood_ended) = oneshot::channel();
    // A thread of its own, so that the flood does not delay the pair inside the generator.
    thread::spawn(move || ended.send(flood_from_here(&target, flood.size, duration)));
    let (others, flooded, peak_bytes) = tokio::join!(
        pair.run(RATE, duration),
        flood_ended,
        highest_resident(process, clock::now() + duration + PATIENCE),
    );
    let (others, (sent, verdict)) = (others?, flooded.context("the flood panicked")??);
    let lost = others.sent - others.arrived.count();
    let (latency_us, peak_bytes) = (others.arrived.percentiles(), peak_bytes?);
    Ok(Report { verdict, sent, base_bytes, peak_bytes, latency_us, lost })
}

fn flood_from_here(target: &Target, size: usize, duration: Duration) -> Result<(u64, Verdict)> {
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let Client { id, reader, mut writer } = Client::open(target).await?;
        let end = clock::now() + duration;
        let verdict = tokio::spawn(listen(reader, end + PATIENCE));
        let sent = write(&mut writer, Offer::new(target.dialect, &id, size), end).await;
        let verdict = verdict.await.map_err(|_| anyhow!("the listener panicked"))?;
        Ok((sent, verdict))
    })
}

/// Sends until the end or until the server has cut the connection.
async fn write(writer: &mut OwnedWriteHalf, mut offer: Offer, end: Instant) -> u64 {
    let mut sent = 0;
    while clock::now() < end {
        let frame = offer.addressed(&identity::peer_id());
        // A server that stops reading leaves the write hanging.
        if !matches!(timeout_at(end.into(), writer.write_all(frame)).await, Ok(Ok(()))) {
            break;
        }
        sent += 1;
    }
    sent
}

async fn listen(mut reader: Reader, end: Instant) -> Verdict {
    let mut verdict = Verdict::default();
    while let Ok(incoming) = timeout_at(end.into(), reader.receive()).await {
        match incoming {
            Ok(Incoming::Text(text)) if text.starts_with(br#"{"type":"ERROR""#) => {
                let text = String::from_utf8_lossy(&text).into_owned();
                verdict.error.get_or_insert(text);
            }
            Ok(Incoming::Text(_) | Incoming::Ping(_)) => {}
            Ok(Incoming::Close(code)) => {
                return Verdict { closed: true, close_code: code, ..verdict };
            }
            Err(_) => return Verdict { closed: true, ..verdict },
        }
    }
    verdict
}

async fn highest_resident(process: Process, end: Instant) -> Result<u64> {
    let mut highest = 0;
    while clock::now() < end {
        highest = highest.max(process.resident()?);
        sleep(Duration::from_millis(50)).await;
    }
    Ok(highest)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mebibytes = |bytes: u64| bytes / (1024 * 1024);
        let Verdict { error, closed, close_code } = &self.verdict;
        write!(
            f,
            "{} offers to nobody: memory from {} to {} MiB; {}, {}; the others: {} lost, {}",
            self.sent,
            mebibytes(self.base_bytes),
            mebibytes(self.peak_bytes),
            error.as_deref().unwrap_or("no ERROR"),
            match (closed, close_code) {
                (true, Some(code)) => format!("closed with {code}"),
                (true, None) => "closed without a code".to_owned(),
                (false, _) => "not closed".to_owned(),
            },
            self.lost,
            self.latency_us,
        )
    }
}
