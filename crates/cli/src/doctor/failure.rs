//! Why a STUN or TURN server did not do what it was asked, and what to do about it.

use std::net::SocketAddr;

use thiserror::Error;

use super::fault::Fault;
use super::report::Finding;
use super::wire::Endpoint;

/// Why a request has not the wanted answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error("refused with {code} {reason}")]
    Refused { code: u16, reason: String },
    #[error("the server sends new clients to {0}")]
    Alternate(SocketAddr),
    #[error("the answer is not signed with the password")]
    Unsigned,
}

impl Failure {
    /// The line for it.
    pub(super) fn finding(&self, subject: impl Into<String>, endpoint: &Endpoint) -> Finding {
        match self {
            Self::Fault(fault) => fault.finding(subject, endpoint.address, endpoint.door()),
            Self::Alternate(_) => Finding::warn(subject, self.to_string(), self.remedy()),
            _ => Finding::fail(subject, self.to_string(), self.remedy()),
        }
    }

    fn remedy(&self) -> &'static str {
        match self {
            Self::Fault(_) => "",
            Self::Alternate(_) => {
                "It is being emptied (SIGUSR1). When that is over, start it again; run doctor \
                 against the other one."
            }
            Self::Unsigned => {
                "Another TURN server than the one that gave the credentials answers: see what the \
                 name resolves to."
            }
            Self::Refused { code, .. } => remedy_of(*code),
        }
    }
}

fn remedy_of(code: u16) -> &'static str {
    match code {
        401 | 441 => {
            "The credentials of /v1/ice are not accepted: all nodes, and every other TURN server in \
             the list, need the same turn.secrets, and clocks that agree."
        }
        403 => {
            "The policy refuses it: allow what is needed with turn.allow_peers, or see \
             turn.deny_peers."
        }
        437 => "The last allocation from this port is not over yet: try again in a minute.",
        438 => "The server ends its nonces at once: see that only one server has this address.",
        440 => {
            "The server has no address of that family to relay from: see turn.relay_addresses and \
             turn.external_addresses."
        }
        442 => "The server does not relay UDP, which WebRTC needs.",
        486 => "A quota is used up: see turn.allocations_per_user and turn.allocations_per_app.",
        508 => {
            "The server is full: widen turn.relay_ports, raise turn.allocations, or add a server."
        }
        _ => "See the log of the server.",
    }
}

#[cfg(test)]
mod tests {
    use super::super::ice_url::Transport;
    use super::super::report::Verdict;
    use super::*;

    fn endpoint(address: &str) -> Endpoint {
        let address = address.parse().unwrap();
        Endpoint { transport: Transport::Udp, address, host: "a.example".into() }
    }

    #[test]
    fn each_refusal_has_its_remedy() {
        for (code, part) in [
            (401, "turn.secrets"),
            (403, "turn.allow_peers"),
            (440, "turn.relay_addresses"),
            (486, "turn.allocations_per_user"),
            (508, "turn.relay_ports"),
            (500, "See the log"),
        ] {
            let failure = Failure::Refused { code, reason: "Because".into() };
            let told = failure.finding("TURN", &endpoint("192.0.2.1:3478")).to_string();
            assert!(told.starts_with(&format!("TURN: refused with {code} Because\n")), "{told}");
            assert!(told.contains(part), "{told}");
        }
    }

    #[test]
    fn a_server_that_is_emptied_is_no_failure() {
        let failure = Failure::Alternate("192.0.2.2:3478".parse().unwrap());
        let finding = failure.finding("TURN", &endpoint("192.0.2.1:3478"));
        assert_eq!(finding.verdict, Verdict::Warn);
    }

    #[test]
    fn a_machine_without_ipv6_says_nothing_about_the_server() {
        let failure = Failure::from(Fault::NoRoute);
        assert_eq!(failure.finding("TURN", &endpoint("[2001:db8::1]:3478")).verdict, Verdict::Skip);
        assert_eq!(failure.finding("TURN", &endpoint("192.0.2.1:3478")).verdict, Verdict::Fail);
    }
}
