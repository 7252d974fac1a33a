//! The same work many times over, some of it at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use tokio::task::JoinSet;

/// Does `work` `count` times, at most `concurrency` times at once, and collects what it gave.
pub(crate) async fn repeat<T, W, F>(count: usize, concurrency: usize, work: W) -> Result<Vec<T>>
where
    T: Send + 'static,
    W: Fn() -> F + Clone + Send + 'static,
    F: Future<Output = Result<T>> + Send,
{
    let started = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..concurrency {
        let (started, work) = (Arc::clone(&started), work.clone());
        workers.spawn(async move {
            let mut results = Vec::new();
            while started.fetch_add(1, Ordering::Relaxed) < count {
                results.push(work().await?);
            }
            anyhow::Ok(results)
        });
    }
    let mut results = Vec::with_capacity(count);
    while let Some(worker) = workers.join_next().await {
        results.extend(worker??);
    }
    Ok(results)
}
