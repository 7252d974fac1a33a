//! The server under load: where it listens and which process it is.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use clap::Args;

use crate::dialect::Dialect;
use crate::process::Process;

#[derive(Args, Clone, Debug)]
pub(crate) struct Target {
    /// Name of the server in the report
    #[arg(long, global = true, default_value = "server")]
    pub(crate) server: String,
    /// IP address the server listens on
    #[arg(long, global = true, default_value = "127.0.0.1")]
    host: std::net::IpAddr,
    #[arg(long, global = true, default_value_t = 9000)]
    port: u16,
    /// Path prefix of the server, as in the client option `path`
    #[arg(long, global = true, default_value = "/")]
    path: String,
    /// Whose clients come
    #[arg(long, global = true, value_enum, default_value_t = Dialect::Peerjs)]
    pub(crate) dialect: Dialect,
    /// API key, as in the client option `key`
    #[arg(long, global = true, default_value = "peerjs")]
    key: String,
    /// Process id of the server, whose CPU time and memory are read from /proc
    #[arg(long, global = true)]
    pid: Option<u32>,
}

impl Target {
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::new(self.host, self.port)
    }

    pub(crate) fn process(&self) -> Result<Process> {
        Ok(Process::new(self.pid.context("--pid is missing: whose CPU time shall be read?")?))
    }

    /// The upgrade request with the headers a browser sends, because parsing them is part of the work.
    pub(crate) fn upgrade_request(&self, id: &str, token: &str) -> String {
        let address = self.address();
        let path = self.path.trim_matches('/');
        let prefix = if path.is_empty() { "/".to_owned() } else { format!("/{path}/") };
        let target = self.dialect.request_target(&prefix, &self.key, id, token);
        format!(
            "GET {target} HTTP/1.1\r\n\
             Host: {address}\r\n\
             Connection: Upgrade\r\n\
             Pragma: no-cache\r\n\
             Cache-Control: no-cache\r\n\
             User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
             Chrome/141.0.0.0 Safari/537.36\r\n\
             Upgrade: websocket\r\n\
             Origin: http://{address}\r\n\
             Sec-WebSocket-Version: 13\r\n\
             Accept-Encoding: gzip, deflate, br, zstd\r\n\
             Accept-Language: en-US,en;q=0.9\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
        )
    }
}
