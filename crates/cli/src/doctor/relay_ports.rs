//! Does a peer without a relay reach the relayed address of another one? That is where a firewall
//! in front of the relay ports shows.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use stun_types::attribute::ErrorCode;
use tokio::time::timeout;

use super::Doctor;
use super::exchange::Exchange;
use super::failure::Failure;
use super::fault::Fault;
use super::ice::Credentials;
use super::net::{self, Deadline, is_public};
use super::relay::PAUSE;
use super::report::Finding;
use super::turn_client::TurnClient;
use super::wire::Endpoint;

impl Doctor {
    /// A packet from a socket of ours to an allocation of ours, and back. Nothing is told where
    /// an endpoint of the other family tells it.
    pub(super) async fn examine_relay_ports(
        &self,
        endpoint: &Endpoint,
        credentials: &Credentials,
    ) -> Option<Finding> {
        let subject = format!("relay ports of {endpoint}");
        let (mut client, relayed) = match self.allocation(endpoint, credentials).await {
            Ok(allocation) => allocation,
            Err(failure) => return Some(failure.finding(subject, endpoint)),
        };
        if relayed.is_ipv6() != endpoint.address.is_ipv6() {
            client.release().await;
            return None;
        }
        let result = self.reach(endpoint, &mut client, relayed).await;
        client.release().await;
        Some(match result {
            Ok(()) => Finding::ok(subject, "open, seen from here"),
            Err(Obstacle::Forbidden(me)) => Finding::skip(subject, why_forbidden(me)),
            Err(Obstacle::Failure(Failure::Fault(Fault::NoAnswer | Fault::NothingListens))) => {
                let told = format!("nothing comes through {relayed}");
                Finding::fail(subject, told, remedy(endpoint.address.ip(), relayed.ip()))
            }
            Err(Obstacle::Failure(failure)) => failure.finding(subject, endpoint),
        })
    }

    async fn reach(
        &self,
        endpoint: &Endpoint,
        client: &mut TurnClient,
        relayed: SocketAddr,
    ) -> Result<(), Obstacle> {
        let deadline = self.deadline();
        let me = Exchange::open(endpoint, &self.trust, deadline).await?.binding().await?.ip();
        client.permit(me).await.map_err(|failure| match failure {
            Failure::Refused { code: ErrorCode::FORBIDDEN, .. } => Obstacle::Forbidden(me),
            other => other.into(),
        })?;
        let patience =
            if is_public(me) { self.patience } else { self.patience.min(PATIENCE_INSIDE) };
        let packets = async {
            let socket = net::udp(relayed).await?;
            let peer = loop {
                socket.send(b"peerway in").await?;
                if let Ok(received) = timeout(PAUSE, client.receive()).await {
                    break received?.0;
                }
            };
            loop {
                client.send(peer, b"peerway out").await?;
                if let Ok(received) = timeout(PAUSE, socket.recv(&mut [0; 64])).await {
                    received?;
                    return Ok(());
                }
            }
        };
        match Deadline::after(patience).limit(Fault::NoAnswer, packets).await {
            // A permission for the address of the relay is always given, for the sake of other
            // relays there; what does not come from a relay is dropped.
            Err(Fault::NoAnswer) if !is_public(me) => Err(Obstacle::Forbidden(me)),
            result => Ok(result?),
        }
    }
}

/// In the network of the server packets are fast, and silence is what is to be expected.
const PATIENCE_INSIDE: Duration = Duration::from_secs(1);

/// Why no packet went from here to the relay and back.
enum Obstacle {
    /// The server relays nothing to this address of ours.
    Forbidden(IpAddr),
    Failure(Failure),
}

impl<T: Into<Failure>> From<T> for Obstacle {
    fn from(failure: T) -> Self {
        Self::Failure(failure.into())
    }
}

fn why_forbidden(me: IpAddr) -> String {
    if is_public(me) {
        format!("the server does not relay to {me}, where you are; see turn.deny_peers")
    } else {
        format!(
            "the server sees you inside, as {me}, and relays nothing to there; run doctor from \
             elsewhere"
        )
    }
}

fn remedy(server: IpAddr, relayed: IpAddr) -> &'static str {
    if is_public(server) && !is_public(relayed) {
        return "The relayed address is private: set turn.external_addresses = \
                [\"PUBLIC/PRIVATE\"] with the addresses of the NAT in front of the server.";
    }
    "Open the UDP ports of turn.relay_ports (49152 to 65535) in the server's firewall and in the \
     security group of its cloud."
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_private_relayed_address_has_another_remedy_than_a_firewall() {
        assert!(remedy(ip("1.1.1.1"), ip("10.0.0.1")).contains("turn.external_addresses"));
        assert!(remedy(ip("1.1.1.1"), ip("1.1.1.1")).contains("turn.relay_ports"));
        assert!(remedy(ip("127.0.0.1"), ip("127.0.0.1")).contains("turn.relay_ports"));
    }
}
