//! Rooms: members join, then one of each room speaks and all others hear it.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde::Serialize;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;
use tokio::time::timeout_at;

use crate::client::Client;
use crate::dialect::Dialect;
use crate::frame::{Incoming, MaskedFrame};
use crate::latency::{Latencies, Percentiles};
use crate::offer::{self, STAMP_LENGTH};
use crate::target::Target;
use crate::{clock, crowd};

/// How long the last messages may be under way.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Args)]
pub(crate) struct Room {
    #[arg(long, default_value_t = 4)]
    rooms: usize,
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(2..))]
    members: u16,
    /// Bytes of data in one message
    #[arg(long, default_value_t = 200)]
    size: usize,
    /// Messages under way per room
    #[arg(long, default_value_t = 4)]
    window: usize,
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// Seconds of the same load before the measurement begins
    #[arg(long, default_value_t = 2)]
    warmup: u64,
}

#[derive(Serialize)]
pub(crate) struct Report {
    joins: usize,
    joins_per_second: f64,
    /// CPU of the server per join; each is told to all who are in the room.
    join_cpu_us: f64,
    /// Messages that members said.
    said: u64,
    /// Messages that members heard.
    heard: u64,
    heard_per_second: f64,
    /// CPU of the server per message heard.
    cpu_us: f64,
    cores: f64,
    parallelism: f64,
    latency_us: Percentiles,
}

/// Who is in one room; the first one speaks.
struct Crew {
    speaker: Client,
    listeners: Vec<Client>,
    message: MaskedFrame,
    stamp_at: usize,
}

pub(crate) async fn run(target: Target, room: Room) -> Result<Report> {
    ensure!(target.dialect == Dialect::Skyway, "rooms are measured with --dialect skyway");
    let process = target.process()?;
    let members = usize::from(room.members);
    let mut crews = Vec::new();
    for number in 0..room.rooms {
        let target = target.clone();
        let clients = crowd::repeat(members, 16, move || {
            let target = target.clone();
            async move { Client::open(&target).await }
        })
        .await?;
        crews.push((format!("room-{number}"), clients));
    }
    let (before, start) = (process.cpu_times()?, clock::now());
    let mut joining: JoinSet<_> = crews
        .into_iter()
        .map(|(name, clients)| async move { Crew::gather(&name, clients, room.size).await })
        .collect();
    let mut crews = Vec::new();
    while let Some(crew) = joining.join_next().await {
        crews.push(crew??);
    }
    let (joined, joining_took) = (process.cpu_times()?, clock::now() - start);
    speak(&mut crews, room.window, Duration::from_secs(room.warmup)).await?;

    let (idle, start) = (process.cpu_times()?, clock::now());
    let latencies = speak(&mut crews, room.window, Duration::from_secs(room.seconds)).await?;
    let (cpu, wall) = (idle.until(&process.cpu_times()?), (clock::now() - start).as_secs_f64());
    let (joins, heard) = (room.rooms * members, latencies.count());
    #[expect(clippy::cast_precision_loss, reason = "nobody counts to 2^52")]
    let (join_count, count) = (joins as f64, heard as f64);
    Ok(Report {
        joins,
        joins_per_second: join_count / joining_took.as_secs_f64(),
        join_cpu_us: before.until(&joined).total.as_secs_f64() * 1e6 / join_count,
        said: heard / u64::from(room.members - 1),
        heard,
        heard_per_second: count / wall,
        cpu_us: cpu.total.as_secs_f64() * 1e6 / count,
        cores: cpu.total.as_secs_f64() / wall,
        parallelism: cpu.parallelism,
        latency_us: latencies.percentiles(),
    })
}

impl Crew {
    /// All join, one after the other, and each waits until it is told that it is in.
    async fn gather(name: &str, clients: Vec<Client>, size: usize) -> Result<Self> {
        let join = format!(r#"42["ROOM_JOIN",{{"roomName":"{name}","roomType":"mesh"}}]"#);
        let join = MaskedFrame::text(join.as_bytes());
        let mut inside: Vec<Client> = Vec::new();
        for mut client in clients {
            client.send(&join).await?;
            let own = format!(r#""src":"{}""#, client.id);
            wait_for(&mut client, br#"42["ROOM_USER_JOIN","#, own.as_bytes()).await?;
            inside.push(client);
        }
        // What the others were told of those who came later.
        let last = inside.pop().context("a room has members")?;
        let newest = format!(r#""src":"{}""#, last.id);
        for client in &mut inside {
            wait_for(client, br#"42["ROOM_USER_JOIN","#, newest.as_bytes()).await?;
        }
        let start = format!(r#"42["ROOM_SEND_DATA",{{"roomName":"{name}","data":"dc_"#);
        let padding = "x".repeat(size.saturating_sub(STAMP_LENGTH + 3));
        let text = format!(r#"{start}{}{padding}"}}]"#, "0".repeat(STAMP_LENGTH));
        Ok(Self {
            speaker: last,
            listeners: inside,
            message: MaskedFrame::text(text.as_bytes()),
            stamp_at: start.len(),
        })
    }

    /// Keeps `window` messages under way: the next one is said when all have heard the one before.
    async fn speak(mut self, window: usize, deadline: Instant) -> Result<(Self, Latencies)> {
        let mut latencies = Latencies::default();
        while clock::now() < deadline {
            let stamp = format!("{:0STAMP_LENGTH$}", clock::stamp(clock::now()));
            self.message.overwrite(self.stamp_at, stamp.as_bytes());
            // All in one write: the generator shall not be what limits the rate.
            self.speaker.writer.write_all(&self.message.as_bytes().repeat(window)).await?;
            for listener in &mut self.listeners {
                let mut missing = window;
                while missing > 0 {
                    let Incoming::Text(text) = listener.receive().await? else {
                        bail!("the server closed a member");
                    };
                    if let Some(latency) = offer::latency(&text) {
                        latencies.record(latency);
                        missing -= 1;
                    }
                }
            }
        }
        Ok((self, latencies))
    }
}

async fn wait_for(client: &mut Client, start: &[u8], part: &[u8]) -> Result<()> {
    loop {
        let Incoming::Text(text) = client.receive().await? else { bail!("closed while joining") };
        if text.starts_with(br#"42["ERROR""#) {
            bail!("refused: {}", String::from_utf8_lossy(&text));
        }
        if text.starts_with(start) && text.windows(part.len()).any(|window| window == part) {
            return Ok(());
        }
    }
}

async fn speak(crews: &mut Vec<Crew>, window: usize, duration: Duration) -> Result<Latencies> {
    let deadline = clock::now() + duration;
    let mut speaking: JoinSet<_> =
        crews.drain(..).map(|crew| crew.speak(window, deadline)).collect();
    let mut all = Latencies::default();
    let lost = (deadline + PATIENCE).into();
    while let Some(ended) =
        timeout_at(lost, speaking.join_next()).await.context("messages got lost")?
    {
        let (crew, latencies) = ended??;
        crews.push(crew);
        all.add(&latencies);
    }
    Ok(all)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} joins, {:.0}/s: {:.1} us CPU each; {} messages said, {} heard, {:.0}/s: {:.2} us CPU each on \
             {:.2} cores, the work of {:.2} threads; one way {}",
            self.joins,
            self.joins_per_second,
            self.join_cpu_us,
            self.said,
            self.heard,
            self.heard_per_second,
            self.cpu_us,
            self.cores,
            self.parallelism,
            self.latency_us,
        )
    }
}
