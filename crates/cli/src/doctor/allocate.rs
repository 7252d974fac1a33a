//! Does a TURN server give us an address?

use std::net::SocketAddr;

use peerway_server::clock;
use stun_types::attribute::ErrorCode;
use turn_types::AddressFamily;

use super::Doctor;
use super::failure::Failure;
use super::ice::Credentials;
use super::net::in_millis;
use super::report::Finding;
use super::turn_client::TurnClient;
use super::wire::Endpoint;

impl Doctor {
    /// The line, which is an error when there is no allocation.
    pub(super) async fn examine_allocate(
        &self,
        endpoint: &Endpoint,
        credentials: &Credentials,
    ) -> Result<Finding, Finding> {
        let subject = format!("TURN {endpoint}");
        let started = clock::now();
        match self.allocation(endpoint, credentials).await {
            Ok((client, relayed)) => {
                let told = format!("relays as {relayed} ({})", in_millis(started.elapsed()));
                client.release().await;
                Ok(tell(subject, told, relayed))
            }
            Err(failure) => Err(failure.finding(subject, endpoint)),
        }
    }

    /// A client with an allocation: on IPv4 as browsers want it, else on IPv6.
    pub(super) async fn allocation(
        &self,
        endpoint: &Endpoint,
        credentials: &Credentials,
    ) -> Result<(TurnClient, SocketAddr), Failure> {
        let mut client =
            TurnClient::connect(endpoint, credentials, &self.trust, self.deadline()).await?;
        let relayed = match client.allocate(None).await {
            Err(Failure::Refused { code: ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED, .. }) => {
                client.allocate(Some(AddressFamily::IPV6)).await?
            }
            other => other?,
        };
        Ok((client, relayed))
    }
}

fn tell(subject: String, told: String, relayed: SocketAddr) -> Finding {
    if relayed.is_ipv6() {
        let remedy = "Browsers ask for an IPv4 address, which the server refuses here: give it one \
                      in turn.relay_addresses.";
        return Finding::warn(subject, told, remedy);
    }
    Finding::ok(subject, told)
}
