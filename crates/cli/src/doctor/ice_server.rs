//! The STUN and TURN servers that pages are told, each by itself and then as relays.

use std::sync::Arc;

use super::ice::{Credentials, IceServer};
use super::ice_url::{Service, Transport};
use super::net;
use super::report::Finding;
use super::wire::Endpoint;
use super::{Doctor, Out};

/// A TURN server that gives addresses.
struct Relay {
    endpoint: Endpoint,
    credentials: Credentials,
}

/// What is known of one URL.
#[derive(Default)]
struct Examined {
    findings: Vec<Finding>,
    /// Not all addresses are in vain.
    some_work: bool,
    relays: Vec<Relay>,
}

impl Doctor {
    pub(super) async fn examine_ice_servers(
        self: &Arc<Self>,
        servers: Vec<IceServer>,
        report: &mut Out,
    ) {
        if servers.is_empty() {
            for subject in ["STUN", "TURN", "relay"] {
                report.tell(&Finding::skip(subject, "no ICE server is known"));
            }
            return;
        }
        // Side by side, since each may be silent until its time is over.
        let running: Vec<_> = servers
            .into_iter()
            .map(|server| {
                let doctor = self.clone();
                tokio::spawn(async move { doctor.examine_ice_server(server).await })
            })
            .collect();
        let mut relays = Vec::new();
        for check in running {
            let examined = check.await.expect("a check does not panic");
            report.tell_all(examined.findings, examined.some_work);
            relays.extend(examined.relays);
        }
        self.examine_relays(&relays, report).await;
    }

    /// One server at each of its addresses.
    async fn examine_ice_server(&self, server: IceServer) -> Examined {
        let IceServer { url, credentials } = server;
        let mut examined = Examined::default();
        let addresses = match net::resolve(&url.host, url.port, self.deadline()).await {
            Ok(addresses) => addresses,
            Err(fault) => {
                examined.findings.push(fault.unknown_name(format!("name {}", url.host)));
                return examined;
            }
        };
        for address in addresses {
            let endpoint = Endpoint { transport: url.transport, address, host: url.host.clone() };
            let subject = format!("{} {endpoint}", url.service);
            if url.transport == Transport::Tls {
                let check =
                    self.trust.examine(address, &url.host, endpoint.door(), self.deadline());
                let certificate = check.await;
                let works = certificate.works();
                examined.findings.push(certificate);
                if !works {
                    examined.findings.push(Finding::skip(subject, "there is no trusted TLS"));
                    continue;
                }
            }
            let finding = match (url.service, &credentials) {
                (Service::Stun, _) => self.examine_stun(&endpoint).await,
                (Service::Turn, None) => {
                    let told = "pages are told no username and credential for it";
                    Finding::fail(subject, told, "See who makes the list of ICE servers.")
                }
                (Service::Turn, Some(credentials)) => {
                    match self.examine_allocate(&endpoint, credentials).await {
                        Ok(finding) => {
                            let credentials = credentials.clone();
                            examined.relays.push(Relay { endpoint, credentials });
                            finding
                        }
                        Err(finding) => finding,
                    }
                }
            };
            examined.some_work |= finding.works();
            examined.findings.push(finding);
        }
        examined
    }

    /// Relaying itself, once for IPv4 and once for IPv6: the transports differ only on the way to
    /// the server.
    async fn examine_relays(&self, relays: &[Relay], report: &mut Out) {
        if relays.is_empty() {
            report.tell(&Finding::skip("relay", "no TURN server gives an address"));
        }
        for ipv6 in [false, true] {
            let mut family = relays.iter().filter(|it| it.endpoint.address.is_ipv6() == ipv6);
            let Some(Relay { endpoint, credentials }) = family.next() else { continue };
            report.tell(&self.examine_relay(endpoint, credentials).await);
            if endpoint.transport == Transport::Udp
                && let Some(ports) = self.examine_relay_ports(endpoint, credentials).await
            {
                report.tell(&ports);
            }
        }
    }
}
