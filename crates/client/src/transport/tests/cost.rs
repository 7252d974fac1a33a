//! What a network costs. The figures are printed; run with `--nocapture`, for speed in release.

use std::process::Command;
use std::time::Duration;

use super::super::{Network, NetworkEvent};
use super::support::{opened, options, within};

/// Without the pages of the program itself, which come in as its parts are used for the first time.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// In a process of its own: other tests would be measured, too.
#[test]
fn an_idle_network_is_small() {
    let mut alone = Command::new(std::env::current_exe().unwrap());
    let name = format!("{}::measure_idle_networks", module_path!().split_once("::").unwrap().1);
    alone.args(["--exact", "--ignored", "--nocapture", &name]);
    let output = alone.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}");
    assert!(output.status.success() && text.contains("an idle network"), "{text}");
}

#[tokio::test]
#[ignore = "an_idle_network_is_small runs it"]
async fn measure_idle_networks() {
    let options = options(vec![]);
    // What is needed once.
    drop(opened(&options).await);
    let before = resident();

    let mut networks = Vec::new();
    for _ in 0..100 {
        let (mut network, gathered) = opened(&options).await;
        // It has received something, and waits again.
        let own = gathered.host("127.0.0.1");
        network.send(own, own, &[7; 1200]);
        network.flush().await;
        assert!(matches!(within("datagram", network.next()).await, NetworkEvent::Received));
        let idle = tokio::time::timeout(Duration::from_millis(1), network.next()).await;
        assert!(idle.is_err());
        networks.push(network);
    }

    let each = (resident().saturating_sub(before)) * 1024 / networks.len();
    println!("an idle network with {} sockets: {each} bytes", networks[0].hosts.len());
    assert!(each < 10_000, "{each}");
}

/// 100 MB in datagrams of 1200 bytes, with a window as SCTP has one.
#[tokio::test]
async fn a_pair_of_sockets_carries_a_lot() {
    const TOTAL: usize = 100_000_000;
    const WINDOW: usize = 128 * 1024;
    let (ann, anns) = opened(&options(vec![])).await;
    let (ben, bens) = opened(&options(vec![])).await;
    let (from, to) = (anns.host("127.0.0.1"), bens.host("127.0.0.1"));

    let begin = super::start();
    let total = if cfg!(debug_assertions) { TOTAL / 10 } else { TOTAL };
    let sender = tokio::spawn(async move {
        let (mut network, data) = (ann, [7; 1200]);
        let (mut sent, mut acknowledged) = (0, 0);
        while sent < total {
            while sent - acknowledged < WINDOW {
                network.send(from, to, &data);
                sent += data.len();
            }
            network.try_flush();
            acknowledged = acknowledgement(&mut network, acknowledged).await;
        }
    });
    let mut network = ben;
    let mut received = 0;
    while received + WINDOW < total {
        if matches!(within("data", network.next()).await, NetworkEvent::Received) {
            received += network.batch().map(|it| it.data.len()).sum::<usize>();
            network.send(to, from, &received.to_be_bytes());
            network.try_flush();
        }
    }
    sender.abort();
    let micros = (super::start() - begin).as_micros().max(1);
    println!("{} MB/s", received as u128 / micros);
}

async fn acknowledgement(network: &mut Network, before: usize) -> usize {
    loop {
        if matches!(within("acknowledgement", network.next()).await, NetworkEvent::Received) {
            let last = network.batch().last().and_then(|it| it.data.try_into().ok());
            return last.map_or(before, usize::from_be_bytes);
        }
    }
}
