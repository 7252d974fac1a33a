//! Servers to ask, and waiting that ends.

use std::time::Duration;

/// Fails instead of waiting for ever.
pub(in super::super) async fn within<F: Future>(what: &str, future: F) -> F::Output {
    let waiting = tokio::time::timeout(Duration::from_secs(20), future);
    waiting.await.unwrap_or_else(|_| panic!("no {what} in time"))
}
