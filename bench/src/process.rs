//! CPU time and memory of the server's process, as Linux tells them under `/proc`.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Process(u32);

/// CPU time per thread so far. The scheduler counts it in nanoseconds; the better known ticks of
/// `/proc/PID/stat` are 10 ms wide.
pub(crate) struct CpuTimes(BTreeMap<u32, Duration>);

pub(crate) struct CpuUse {
    pub(crate) total: Duration,
    /// How many threads' worth of work there was: the total over that of the busiest thread.
    pub(crate) parallelism: f64,
}

impl Process {
    pub(crate) fn new(pid: u32) -> Self {
        Self(pid)
    }

    pub(crate) fn cpu_times(self) -> Result<CpuTimes> {
        let mut threads = BTreeMap::new();
        for entry in fs::read_dir(format!("/proc/{}/task", self.0)).context("no such server")? {
            let entry = entry?;
            let Ok(thread) = entry.file_name().to_string_lossy().parse() else { continue };
            // A thread may end between the two reads; what it did is then not counted.
            let Ok(text) = fs::read_to_string(entry.path().join("schedstat")) else { continue };
            let on_cpu = text.split(' ').next().context("empty schedstat")?.parse()?;
            threads.insert(thread, Duration::from_nanos(on_cpu));
        }
        Ok(CpuTimes(threads))
    }

    /// Resident memory in bytes.
    pub(crate) fn resident(self) -> Result<u64> {
        let path = format!("/proc/{}/status", self.0);
        let status = fs::read_to_string(&path).context("the server is gone")?;
        let kibibytes = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"))
            .ok_or_else(|| anyhow!("no VmRSS in {path}"))?;
        Ok(kibibytes.parse::<u64>()? * 1024)
    }

    /// Resident memory once it has stayed within one per cent for three seconds, after at most half a minute.
    pub(crate) async fn settled_resident(self) -> Result<u64> {
        const STABLE: usize = 4;
        let mut samples = Vec::new();
        for _ in 0..30 {
            samples.push(self.resident()?);
            let recent = &samples[samples.len().saturating_sub(STABLE)..];
            let (low, high) = (recent.iter().min(), recent.iter().max());
            if let (STABLE, Some(low), Some(high)) = (recent.len(), low, high)
                && (high - low) * 100 <= *high
            {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        self.resident()
    }
}

/// CPU time of everything on the machine so far, interrupts and what the host took included; in
/// steps of 10 ms.
pub(crate) fn machine() -> Result<Duration> {
    let text = fs::read_to_string("/proc/stat")?;
    // "cpu  user nice system idle iowait irq softirq steal .."
    let line = text.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = line.split_whitespace().skip(1).flat_map(str::parse).collect();
    let [user, nice, system, _, _, irq, softirq, steal, ..] = ticks[..] else {
        return Err(anyhow!("unexpected /proc/stat: {line}"));
    };
    Ok(Duration::from_millis(10 * (user + nice + system + irq + softirq + steal)))
}

impl CpuTimes {
    pub(crate) fn until(&self, later: &Self) -> CpuUse {
        let spent = |(thread, after): (&u32, &Duration)| {
            after.saturating_sub(self.0.get(thread).copied().unwrap_or_default())
        };
        let total: Duration = later.0.iter().map(spent).sum();
        let busiest = later.0.iter().map(spent).max().unwrap_or_default();
        let parallelism = total.as_secs_f64() / busiest.as_secs_f64().max(f64::EPSILON);
        CpuUse { total, parallelism }
    }
}
