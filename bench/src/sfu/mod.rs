//! Media in a room: what a forwarding server spends on it, and how long it takes.
//!
//! The same peers, in one thread and with a socket each, load peerway and Janus; only the signalling differs.

mod janus;
mod media;
mod peer;
mod peerway;
mod shape;
mod signalling;
mod stage;
mod table;
mod track;
mod wire;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use serde::Serialize;

use self::janus::Janus;
use self::peerway::Peerway;
use self::shape::Shape;
use self::signalling::Signalling;
use self::stage::{Goal, Joined, Stage};
pub(crate) use self::table::{Table, run as table};
use crate::clock;
use crate::latency::{Latencies, Percentiles};
use crate::process::{self, Process};
use crate::target::Target;

#[derive(Args)]
pub(crate) struct Sfu {
    /// What the room is like
    #[arg(long, value_enum, default_value_t = Shape::Video)]
    shape: Shape,
    /// How many are sent media
    #[arg(long, default_value_t = 50)]
    subscribers: usize,
    /// How the server is asked
    #[arg(long, value_enum, default_value_t = Api::Peerway)]
    api: Api,
    /// The generator's own address for media
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    media: IpAddr,
    /// Length of the measured window
    #[arg(long, default_value_t = 10)]
    seconds: u64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Api {
    /// Room frames on the PeerJS dialect
    Peerway,
    /// Its plugin for video rooms
    Janus,
}

impl Sfu {
    /// Names the figures in a report.
    pub(crate) fn scenario(&self) -> String {
        format!("sfu-{}-{}", self.shape.name(), self.subscribers)
    }
}

#[derive(Serialize)]
pub(crate) struct Report {
    subscribers: usize,
    /// Packets that reached subscribers, in a second.
    packets_per_second: f64,
    /// Retransmissions and probes for bandwidth beside them.
    repeated_per_second: f64,
    /// Of UDP payload.
    bits_per_second: f64,
    /// CPU of the server per such packet.
    cpu_us: f64,
    cpu_us_per_megabit: f64,
    /// Streams of 1 Mbit/s, in packets of 1100 bytes of payload, that take one core: from the CPU
    /// per packet.
    streams_per_core: f64,
    cores: f64,
    parallelism: f64,
    generator_cores: f64,
    /// What neither the server nor the generator took.
    other_cores: f64,
    /// Of what was sent to them, by sequence numbers.
    lost: f64,
    /// What arrived, over what the publishers sent times those who are sent it.
    delivered: f64,
    /// CPU while nobody sends.
    idle_cores: f64,
    /// Growth of resident memory for each who joined after the publishers.
    bytes_per_subscriber: Option<f64>,
    resident_bytes: u64,
    /// From the first request to the first packet of RTP; those who joined after the publishers.
    join_us: Option<Percentiles>,
    /// From a publisher's send to the arrival at a subscriber's socket.
    latency_us: Option<Percentiles>,
}

pub(crate) fn run(target: &Target, sfu: &Sfu) -> Result<Report> {
    let process = target.process()?;
    let signalling: Box<dyn Signalling> = match sfu.api {
        Api::Peerway => Box::new(Peerway::new(target.clone())),
        Api::Janus => Box::new(Janus::new(target)?),
    };
    let mut stage = Stage::new(signalling, sfu.media)?;

    // Those who send come first, so that the others find media.
    sfu.shape.add_senders(&mut stage, sfu.subscribers)?;
    let senders = stage.peers.len();
    stage.join(0..senders, Goal::Connected)?;
    stage.start_media();
    stage.run(Duration::from_secs(1))?;
    let base = process.resident()?;
    sfu.shape.add_listeners(&mut stage, sfu.subscribers)?;
    let listeners = senders..stage.peers.len();
    join(&mut stage, sfu.shape, listeners.clone())?;
    stage.run(sfu.shape.settling())?;

    stage.heard = Latencies::default();
    let generator = Process::new(std::process::id());
    let (from, start, machine) = (stage.totals(), clock::now(), process::machine()?);
    let (cpu, own) = (process.cpu_times()?, generator.cpu_times()?);
    stage.run(Duration::from_secs(sfu.seconds))?;
    let (used, wall) = (cpu.until(&process.cpu_times()?), clock::now() - start);
    let own = own.until(&generator.cpu_times()?).total;
    let others = process::machine()?.saturating_sub(machine + used.total + own);
    let to = stage.totals();
    let resident_bytes = process.resident()?;
    let latencies = std::mem::take(&mut stage.heard);

    stage.stop_media();
    // What a server does about media that have only just ceased is over by then.
    stage.run(Duration::from_secs(4))?;
    let (idle, start) = (process.cpu_times()?, clock::now());
    stage.run(Duration::from_secs(3))?;
    let idle = idle.until(&process.cpu_times()?).total.div_duration_f64(clock::now() - start);

    let packets = to.packets - from.packets;
    ensure!(packets > 0, "nothing arrived");
    let joined: Latencies =
        stage.peers[listeners.clone()].iter().filter_map(Joined::join_time).collect();
    #[expect(clippy::cast_precision_loss, reason = "nobody counts to 2^52")]
    let number = |it: u64| it as f64;
    let numbered = number(to.numbered - from.numbered);
    let each_to = number(sfu.shape.audience(sfu.subscribers) as u64);
    let cpu_us = used.total.as_secs_f64() * 1e6 / number(packets);
    let grown = number(resident_bytes.saturating_sub(base));
    Ok(Report {
        subscribers: sfu.subscribers,
        packets_per_second: number(packets) / wall.as_secs_f64(),
        repeated_per_second: number(to.repeated - from.repeated) / wall.as_secs_f64(),
        bits_per_second: number(to.bytes - from.bytes) * 8.0 / wall.as_secs_f64(),
        cpu_us,
        streams_per_core: 1e6 / (cpu_us * shape::PACKETS_PER_MEGABIT),
        cpu_us_per_megabit: used.total.as_secs_f64() * 1e12 / (number(to.bytes - from.bytes) * 8.0),
        generator_cores: own.div_duration_f64(wall),
        other_cores: others.div_duration_f64(wall),
        cores: used.total.div_duration_f64(wall),
        parallelism: used.parallelism,
        lost: 1.0 - number(packets) / numbered,
        delivered: number(packets) / (number(to.sent - from.sent) * each_to),
        idle_cores: idle,
        bytes_per_subscriber: sfu
            .shape
            .grows()
            .then(|| grown / number(listeners.len().max(1) as u64)),
        resident_bytes,
        join_us: (joined.count() > 0).then(|| joined.percentiles()),
        latency_us: (latencies.count() > 0).then(|| latencies.percentiles()),
    })
}

/// All who listen join: one at a time where that is what is measured.
fn join(stage: &mut Stage, shape: Shape, listeners: Range<usize>) -> Result<()> {
    if shape == Shape::Join {
        for listener in listeners {
            stage.join(listener..listener + 1, Goal::Served)?;
            // A server asks for key frames only so often.
            stage.run(Duration::from_millis(400))?;
        }
        return Ok(());
    }
    stage.join(listeners, Goal::Served)?;
    stage.join(0..stage.peers.len(), Goal::Served)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.0} packets/s (and {:.0} repeated) to {}: {:.2} us CPU each on {:.2} cores ({:.2} idle), the work of {:.1} threads; \
             {:.2} % lost, {:.2} % delivered; {} MiB resident",
            self.packets_per_second,
            self.repeated_per_second,
            self.subscribers,
            self.cpu_us,
            self.cores,
            self.idle_cores,
            self.parallelism,
            self.lost * 100.0,
            self.delivered * 100.0,
            self.resident_bytes >> 20,
        )?;
        write!(
            f,
            "; {:.2} cores for the generator, {:.2} for others",
            self.generator_cores, self.other_cores
        )?;
        if let Some(bytes) = self.bytes_per_subscriber {
            write!(f, ", {:.0} KiB per subscriber", bytes / 1024.0)?;
        }
        if let Some(join) = &self.join_us {
            write!(f, "; joined after {join}")?;
        }
        if let Some(latency) = &self.latency_us {
            write!(f, "; on the way {latency}")?;
        }
        Ok(())
    }
}
