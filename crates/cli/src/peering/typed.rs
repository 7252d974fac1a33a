//! What the user types, or a pipe brings.

use std::io::BufRead;

use tokio::sync::mpsc;

/// Lines from stdin, read by a thread that ends with the process.
pub(crate) fn typed() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(8);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            if sender.blocking_send(line).is_err() {
                break;
            }
        }
    });
    lines
}
