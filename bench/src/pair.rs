//! Two clients, one of which sends offers to the other.

use anyhow::Result;

use crate::client::Client;
use crate::crowd;
use crate::latency::Latencies;
use crate::offer::Offer;
use crate::target::Target;

pub(crate) struct Pair {
    pub(crate) sender: Client,
    pub(crate) receiver: Client,
    pub(crate) offer: Offer,
}

/// What came of a time of sending.
pub(crate) struct Outcome {
    pub(crate) sent: u64,
    pub(crate) arrived: Latencies,
    /// How late the generator was, where it kept a schedule: part of the latencies, alike for every server.
    pub(crate) lag: Option<Latencies>,
}

pub(crate) async fn connect(target: &Target, count: usize, size: usize) -> Result<Vec<Pair>> {
    const CONCURRENCY: usize = 16;
    let target = target.clone();
    crowd::repeat(count, CONCURRENCY, move || {
        let target = target.clone();
        async move {
            let (sender, receiver) = (Client::open(&target).await?, Client::open(&target).await?);
            let offer = Offer::new(target.dialect, &receiver.id, size);
            Ok(Pair { sender, receiver, offer })
        }
    })
    .await
}
