//! Does a STUN server tell who we are?

use peerway_server::clock;

use super::Doctor;
use super::exchange::Exchange;
use super::failure::Failure;
use super::net::in_millis;
use super::report::Finding;
use super::wire::Endpoint;

impl Doctor {
    pub(super) async fn examine_stun(&self, endpoint: &Endpoint) -> Finding {
        let subject = format!("STUN {endpoint}");
        match self.mapped(endpoint).await {
            Ok(told) => Finding::ok(subject, told),
            Err(failure) => failure.finding(subject, endpoint),
        }
    }

    async fn mapped(&self, endpoint: &Endpoint) -> Result<String, Failure> {
        let mut exchange = Exchange::open(endpoint, &self.trust, self.deadline()).await?;
        let started = clock::now();
        let mapped = exchange.binding().await?;
        let time = in_millis(started.elapsed());
        let nat = if mapped == exchange.local_addr()? { "" } else { ", behind a NAT" };
        Ok(format!("you are seen as {mapped}{nat} ({time})"))
    }
}
