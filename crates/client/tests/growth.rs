//! A day of connecting and closing in small: nothing is left behind. Alone in its file, for it counts
//! what the whole process has open.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use peerway::ConnectOptions;
use support::{Server, connection, within};

/// Open files and sockets of this process.
fn files() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// Resident memory in KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// What there is once everything has come to rest.
async fn at_rest(tasks: usize) -> (usize, usize) {
    let metrics = tokio::runtime::Handle::current().metrics();
    within(async {
        while metrics.num_alive_tasks() > tasks {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    (files(), resident())
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn connecting_and_closing_over_and_over_leaves_nothing_behind() {
    const WARM_UP: usize = 30;
    const CYCLES: usize = 300;

    let server = Server::start().await;
    let (alice, bob) = (server.peer("alice").await, server.peer("bob").await);
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let mut before = (0, 0);
    for cycle in 0..WARM_UP + CYCLES {
        if cycle == WARM_UP {
            before = at_rest(tasks).await;
        }
        let ours = alice.connect("bob", ConnectOptions::new()).unwrap();
        let theirs = connection(&bob).await;
        within(ours.opened()).await.unwrap();
        ours.send(vec![0; 1000]).await.unwrap();
        assert!(within(theirs.receive()).await.unwrap().is_some());
        // By turns: our close, theirs, and simply dropped.
        match cycle % 3 {
            0 => ours.close(),
            1 => theirs.close(),
            _ => {}
        }
        drop((ours, theirs));
    }
    let after = at_rest(tasks).await;
    assert!(after.0 <= before.0, "{} files, {} before", after.0, before.0);
    // The allocator keeps some; 2 KiB a cycle would be a leak.
    let growth = after.1.saturating_sub(before.1);
    assert!(growth < 2 * CYCLES, "{growth} KiB more after {CYCLES} cycles");
    assert!(alice.connections().is_empty(), "{:?}", alice.connections());
}
