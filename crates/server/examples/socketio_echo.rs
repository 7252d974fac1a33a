//! A server whose Socket.IO clients hear everything they say: for tests with real clients. It prints the
//! port that it listens on, and ends with its standard input. An argument is the ping interval in
//! milliseconds.

#[path = "../tests/support/echo.rs"]
mod echo;

use std::time::Duration;

use peerway_server::Server;
use peerway_server::config::{Config, Millis};

use echo::Echo;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = Config { host: "127.0.0.1".into(), port: 0, ..Config::default() };
    (config.turn.enabled, config.sfu.enabled) = (false, false);
    if let Some(millis) = std::env::args().nth(1) {
        config.engineio.ping_interval = Millis(Duration::from_millis(millis.parse()?));
    }
    let server = Server::bind(config).await?.with_socketio(Echo::default());
    println!("{}", server.local_addr().port());
    let control = server.control();
    tokio::task::spawn_blocking(move || {
        let _ = std::io::stdin().read_line(&mut String::new());
        control.stop();
    });
    server.run().await;
    Ok(())
}
