//! Do two peers that both sit behind the relay hear each other?

use std::net::SocketAddr;
use std::time::Duration;

use peerway_server::clock;
use stun_types::attribute::ErrorCode;

use super::Doctor;
use super::failure::Failure;
use super::fault::Fault;
use super::ice::Credentials;
use super::net::{Deadline, in_millis, is_public};
use super::report::Finding;
use super::turn_client::TurnClient;
use super::wire::Endpoint;

/// UDP may lose a packet; the next one follows after this.
pub(super) const PAUSE: Duration = Duration::from_millis(300);

/// What the line says, and its remedy where something is wrong.
type Told = (String, &'static str);

impl Doctor {
    /// Two allocations on one server; a packet from one to the other and back.
    pub(super) async fn examine_relay(
        &self,
        endpoint: &Endpoint,
        credentials: &Credentials,
    ) -> Finding {
        let subject = format!("relay by {endpoint}");
        let both = tokio::join!(
            self.allocation(endpoint, credentials),
            self.allocation(endpoint, credentials)
        );
        let ((mut one, one_at), (mut two, two_at)) = match both {
            (Ok(one), Ok(two)) => (one, two),
            (Err(failure), Ok((other, _))) | (Ok((other, _)), Err(failure)) => {
                other.release().await;
                return failure.finding(subject, endpoint);
            }
            (Err(failure), Err(_)) => return failure.finding(subject, endpoint),
        };
        let result = round_trip(self.deadline(), (&mut one, one_at), (&mut two, two_at)).await;
        tokio::join!(one.release(), two.release());
        let hidden = is_public(endpoint.address.ip()) && !is_public(one_at.ip());
        match result {
            Ok(time) => {
                let told = format!("there and back in {}", in_millis(time));
                if hidden {
                    Finding::warn(subject, format!("{told}, but only inside"), HIDDEN)
                } else {
                    Finding::ok(subject, told)
                }
            }
            Err(failure) => {
                let (told, remedy) = explain(&failure, hidden);
                Finding::fail(subject, told, remedy)
            }
        }
    }
}

const HIDDEN: &str = "The relayed address is private, so nobody outside reaches it: set \
                      turn.external_addresses = [\"PUBLIC/PRIVATE\"] with the addresses of the NAT \
                      in front of the server.";

fn explain(failure: &Failure, hidden: bool) -> Told {
    match failure {
        Failure::Refused { code: ErrorCode::FORBIDDEN, .. } => (
            "the server does not relay to its own relayed addresses".to_owned(),
            "See turn.deny_peers: peers that both use the relay meet there.",
        ),
        Failure::Fault(Fault::NoAnswer) if hidden => ("nothing comes through".to_owned(), HIDDEN),
        Failure::Fault(Fault::NoAnswer) => (
            "nothing comes through".to_owned(),
            "Let the server send UDP to its own address on turn.relay_ports (49152 to 65535). \
             Behind a NAT set turn.external_addresses = [\"PUBLIC/PRIVATE\"].",
        ),
        other => (other.to_string(), "See the log of the server."),
    }
}

async fn round_trip(
    deadline: Deadline,
    (one, one_at): (&mut TurnClient, SocketAddr),
    (two, two_at): (&mut TurnClient, SocketAddr),
) -> Result<Duration, Failure> {
    tokio::try_join!(one.permit(two_at.ip()), two.permit(one_at.ip()))?;
    let started = clock::now();
    deadline.limit(Fault::NoAnswer, travel(one, two_at, two, b"peerway there")).await?;
    deadline.limit(Fault::NoAnswer, travel(two, one_at, one, b"peerway back")).await?;
    Ok(started.elapsed())
}

/// Sends `data` to the address `at` of `to` until it arrives.
async fn travel(
    from: &mut TurnClient,
    at: SocketAddr,
    to: &mut TurnClient,
    data: &[u8],
) -> Result<(), Fault> {
    loop {
        from.send(at, data).await?;
        let arrives = async {
            while to.receive().await?.1 != data {}
            Ok(())
        };
        if let Ok(arrived) = tokio::time::timeout(PAUSE, arrives).await {
            return arrived;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_has_two_reasons() {
        let silence = Failure::from(Fault::NoAnswer);
        assert!(explain(&silence, true).1.contains("The relayed address is private"));
        assert!(explain(&silence, false).1.contains("turn.relay_ports"));
    }

    #[test]
    fn a_server_that_forbids_itself_is_told() {
        let forbidden = Failure::Refused { code: 403, reason: "Forbidden".into() };
        assert!(explain(&forbidden, false).1.contains("turn.deny_peers"));
    }
}
