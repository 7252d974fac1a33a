//! `peerway doctor`: a self-test that an operator runs from anywhere, as a client of the server.

mod allocate;
mod certificate;
mod exchange;
mod failure;
mod fault;
mod http;
mod ice;
mod ice_server;
mod ice_url;
mod net;
mod relay;
mod relay_ports;
mod report;
mod server_url;
mod stun;
mod turn_client;
mod websocket;
mod wire;

use std::io::Stdout;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use peerway_protocol::{AppKey, PeerId};
use peerway_server::clock;
use peerway_server::config::Millis;

use certificate::Trust;
use net::Deadline;
use report::{Finding, Report};
use server_url::ServerUrl;

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// URL of the server, with its path
    #[arg(long, default_value = "http://localhost:9000/", value_name = "URL")]
    server: ServerUrl,
    /// App key
    #[arg(long, short = 'k', default_value = "peerjs")]
    key: AppKey,
    /// PEM file with a certificate to trust, besides those of the operating system
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// How long one check may take
    #[arg(long, default_value = "5s", value_name = "DURATION")]
    timeout: Millis,
    /// Origin of your pages, for an app that has origins: "https://example.com"
    #[arg(long, value_name = "ORIGIN")]
    origin: Option<String>,
    /// Peer id, for an app that has require_signed_id
    #[arg(long, requires = "token")]
    id: Option<PeerId>,
    /// The token that signs the id (`peerway token` makes one)
    #[arg(long, requires = "id")]
    token: Option<String>,
}

/// Nobody waits longer, and the clock can count so far.
const LONGEST_PATIENCE: Duration = Duration::from_hours(1);

/// Runs all checks; success means that none failed.
pub(crate) fn run(args: DoctorArgs) -> Result<ExitCode> {
    let doctor = Arc::new(Doctor::new(args)?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let mut report = Report::on_stdout();
    runtime.block_on(doctor.examine(&mut report));
    // A name that is still being looked up must not hold us.
    runtime.shutdown_background();
    Ok(report.end())
}

/// A client that knows what it wants to see.
struct Doctor {
    server: ServerUrl,
    key: AppKey,
    origin: Option<String>,
    id: String,
    token: String,
    trust: Trust,
    patience: Duration,
}

type Out = Report<Stdout>;

impl Doctor {
    fn new(args: DoctorArgs) -> Result<Self> {
        let fresh = || PeerId::from_random(clock::random()).to_string();
        Ok(Self {
            server: args.server,
            key: args.key,
            origin: args.origin,
            id: args.id.map_or_else(|| format!("doctor-{}", fresh()), |id| id.to_string()),
            token: args.token.unwrap_or_else(fresh),
            trust: Trust::new(args.ca.as_deref())?,
            patience: args.timeout.0.min(LONGEST_PATIENCE),
        })
    }

    fn deadline(&self) -> Deadline {
        Deadline::after(self.patience)
    }

    /// `key=..&id=..&token=..`
    fn query(&self) -> String {
        form_urlencoded::Serializer::new(String::new())
            .append_pair("key", self.key.as_str())
            .append_pair("id", &self.id)
            .append_pair("token", &self.token)
            .finish()
    }

    async fn examine(self: &Arc<Self>, report: &mut Out) {
        let Some(address) = self.examine_server(report).await else {
            for subject in ["ICE servers", "STUN", "TURN", "relay", "WebSocket"] {
                report.tell(&Finding::skip(subject, "the server is not reached"));
            }
            return;
        };
        let (servers, findings) = self.examine_ice(address).await;
        report.tell_all(findings, false);
        self.examine_ice_servers(servers, report).await;
        report.tell(&self.examine_web_socket(address).await);
    }

    /// The server itself, at each of its addresses; one of those at which it answers.
    async fn examine_server(&self, report: &mut Out) -> Option<SocketAddr> {
        let host = &self.server.host;
        let addresses = match net::resolve(host, self.server.port, self.deadline()).await {
            Ok(addresses) => addresses,
            Err(fault) => {
                report.tell(&fault.unknown_name(format!("name {host}")));
                return None;
            }
        };
        let mut findings = Vec::new();
        let mut good = None;
        for address in addresses {
            if self.server.secure {
                let check = self.trust.examine(address, host, self.http_door(), self.deadline());
                let certificate = check.await;
                let works = certificate.works();
                findings.push(certificate);
                if !works {
                    let subject = format!("HTTPS {address}");
                    findings.push(Finding::skip(subject, "there is no trusted TLS"));
                    continue;
                }
            }
            let finding = self.examine_http(address).await;
            if finding.works() {
                good = good.or(Some(address));
            }
            findings.push(finding);
        }
        report.tell_all(findings, good.is_some());
        good
    }
}
