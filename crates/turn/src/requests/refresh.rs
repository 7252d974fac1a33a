//! Refresh (RFC 8656 section 8).

use std::time::Duration;

use turn_types::attribute::{Lifetime, RequestedAddressFamily};

use super::allocate::{family, granted_lifetime};
use super::{Authenticated, Refused};
use crate::report::{CloseReason, Refusal};
use crate::server::Server;

pub(super) fn handle(server: &mut Server, asked: &Authenticated<'_>) -> Result<(), Refused> {
    let id = asked.client(server)?;
    let lifetime = asked.attribute::<Lifetime>()?.map(|lifetime| lifetime.seconds());
    let family = family::<RequestedAddressFamily>(asked)?;
    let client = &server.clients[id.0];
    let relays: Vec<_> = match family {
        Some(family) => client.relay(family).into_iter().collect(),
        None => client.relays.into_iter().flatten().collect(),
    };
    if relays.is_empty() {
        return Err(Refusal::AddressFamily.into());
    }
    if lifetime == Some(0) {
        asked.answer(server, |answer| answer.lifetime(0));
        for relay in relays {
            server.close_relay(id, relay);
        }
        if server.clients[id.0].relays.iter().all(Option::is_none) {
            server.close(id, CloseReason::Released, asked.now);
        }
        return Ok(());
    }
    let granted = granted_lifetime(server, client.user.expiry, client.since, lifetime, asked.now);
    if granted == 0 {
        return Err(Refusal::Expired.into());
    }
    for relay in relays {
        server.keep_relay(relay, asked.now.instant + Duration::from_secs(granted.into()));
    }
    asked.answer(server, |answer| answer.lifetime(granted));
    Ok(())
}
