//! Allocate (RFC 8656 section 7, RFC 6062 section 5.1).

use std::time::Duration;

use stun_types::attribute::ErrorCode;
use stun_types::prelude::AttributeStaticType;
use turn_types::attribute::{
    AdditionalAddressFamily, EvenPort, Lifetime, RequestedAddressFamily, RequestedTransport,
    ReservationToken,
};

use super::{Authenticated, Refused};
use crate::address::{Family, Now, Transport};
use crate::allocation::{Client, ClientId, Relay, RelayId};
use crate::answer::{Answer, Request};
use crate::quota::Reached;
use crate::report::{Refusal, Report};
use crate::server::{Command, OpenError, Opened, Port, Protocol, Server};

/// What an allocation gets that does not ask (RFC 8656 section 3.2), and the least there is.
const DEFAULT_LIFETIME: u32 = 600;
const LONGEST_LIFETIME: u32 = 3600;

pub(super) fn handle(server: &mut Server, asked: Authenticated<'_>) -> Result<(), Refused> {
    if let Some(id) = server.by_address.get(&asked.from) {
        let client = &server.clients[id.0];
        let repeated = client.request == asked.request && client.user.name == asked.user.name;
        if !repeated {
            return Err(Refusal::Mismatch.into());
        }
        if let Some(bytes) = client.answer.clone() {
            server.commands.push_back(Command::Reply { to: asked.from, bytes });
        }
        return Ok(());
    }
    let wish = Wish::read(&asked)?;
    if server.shared.is_draining() {
        let family = Family::of(asked.from.server.ip());
        return Err(if server.shared.alternates(family).next().is_some() {
            Refusal::Draining.into()
        } else {
            Refused::with_code(Refusal::Draining, ErrorCode::INSUFFICIENT_CAPACITY)
        });
    }
    let app = server.shared.apps[asked.user.app].clone();
    let seat = server.shared.quotas.enter(&asked.user.name, &app, asked.from.client.ip()).map_err(
        |reached| match reached {
            Reached::User => Refusal::QuotaUser,
            Reached::App => Refusal::QuotaApp,
            Reached::Source => Refusal::QuotaSource,
            Reached::Total => Refusal::QuotaTotal,
        },
    )?;
    let Authenticated { from, request, user, now, .. } = asked;
    let lifetime = granted_lifetime(server, user.expiry, now, wish.lifetime, now);
    let client = Client::new(from, user, wish.protocol, request, lifetime, now, seat);
    let client = server.add_client(client, now);
    server.commands.push_back(Command::Open {
        client,
        server: from.server,
        families: wish.families,
        protocol: wish.protocol,
        port: wish.port,
    });
    Ok(())
}

/// What an Allocate request asks for.
struct Wish {
    protocol: Protocol,
    families: Vec<Family>,
    port: Port,
    lifetime: Option<u32>,
}

impl Wish {
    fn read(asked: &Authenticated<'_>) -> Result<Self, Refused> {
        let bad = || Refused::from(Refusal::BadRequest);
        let requested: RequestedTransport = asked.attribute()?.ok_or_else(bad)?;
        let protocol = match requested.protocol() {
            RequestedTransport::UDP => Protocol::Udp,
            RequestedTransport::TCP => Protocol::Tcp,
            _ => return Err(Refusal::UnsupportedTransport.into()),
        };
        let even = asked.attribute::<EvenPort>()?;
        let token = asked.attribute::<ReservationToken>()?;
        let requested = family::<RequestedAddressFamily>(asked)?;
        let additional = family::<AdditionalAddressFamily>(asked)?;
        if protocol == Protocol::Tcp
            && (asked.from.transport == Transport::Udp || even.is_some() || token.is_some())
        {
            return Err(bad());
        }
        let reserve = even.as_ref().is_some_and(EvenPort::requested);
        let families = match (requested, additional) {
            (None, None) => vec![Family::V4],
            (Some(family), None) => vec![family],
            // The additional one is IPv6, and no port is kept for another of both.
            (None, Some(Family::V6)) if !reserve => vec![Family::V4, Family::V6],
            _ => return Err(bad()),
        };
        let port = match (even, token) {
            (None, None) => Port::Any,
            (Some(_), None) => Port::Even { reserve },
            (None, Some(token)) if requested.is_none() && additional.is_none() => {
                Port::Reserved(token.token())
            }
            _ => return Err(bad()),
        };
        let lifetime = asked.attribute::<Lifetime>()?.map(|lifetime| lifetime.seconds());
        Ok(Self { protocol, families, port, lifetime })
    }
}

/// A family attribute; a family that is neither IPv4 nor IPv6 is told as such.
/// Read by hand, because the library cannot tell an additional IPv4 (400) from an unknown family (440).
pub(super) fn family<A: AttributeStaticType>(
    asked: &Authenticated<'_>,
) -> Result<Option<Family>, Refused> {
    let Some(attribute) = asked.message.raw_attribute(A::TYPE) else { return Ok(None) };
    match attribute.value[..] {
        [1, _, _, _] => Ok(Some(Family::V4)),
        [2, _, _, _] => Ok(Some(Family::V6)),
        [_, _, _, _] => {
            Err(Refused::with_code(Refusal::AddressFamily, ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED))
        }
        _ => Err(Refusal::BadRequest.into()),
    }
}

/// What a client gets of what it asks for, so that no allocation outlives both its credential and
/// the session length.
pub(super) fn granted_lifetime(
    server: &Server,
    expiry: Option<u64>,
    since: Now,
    asked: Option<u32>,
    now: Now,
) -> u32 {
    let lifetime = asked.unwrap_or(DEFAULT_LIFETIME).clamp(DEFAULT_LIFETIME, LONGEST_LIFETIME);
    let Some(expiry) = expiry else { return lifetime };
    let session_end = since.unix.saturating_add(server.shared.settings.session_length.as_secs());
    let left = session_end.max(expiry).saturating_sub(now.unix);
    lifetime.min(u32::try_from(left).unwrap_or(u32::MAX))
}

pub(crate) fn opened(
    server: &mut Server,
    id: ClientId,
    opened: Opened,
    now: Now,
) -> Vec<Option<RelayId>> {
    let Some(client) = server.clients.get_mut(id.0).filter(|client| client.answer.is_none()) else {
        return vec![None; opened.relays.len()];
    };
    let expires = now.instant + Duration::from_secs(client.lifetime.into());
    let mut answer = Answer::success(client.request);
    let (mut ids, mut relayed, mut last_error) = (Vec::new(), Vec::new(), None);
    for result in opened.relays {
        match result {
            Ok(address) => {
                let relay =
                    RelayId(server.relays.insert(Some(Relay { client: id, address, expires })));
                client.relays[Family::of(address.ip()).index()] = Some(relay);
                server.shared.relay_opened(address);
                answer = answer.relayed(address);
                relayed.push(address);
                ids.push(Some(relay));
            }
            Err(error) => {
                last_error = Some(error);
                ids.push(None);
            }
        }
    }
    if relayed.is_empty() {
        let error = last_error.unwrap_or(OpenError::Capacity);
        refuse(server, id, error, now);
        return ids;
    }
    if let Some(error) = last_error {
        // Only the additional IPv6 address may be missing; a client that gets IPv6 alone where it
        // asked for both is told of IPv4 in the same way.
        let missing = if client.relays[Family::V4.index()].is_none() {
            turn_types::AddressFamily::IPV4
        } else {
            turn_types::AddressFamily::IPV6
        };
        answer = answer.family_error(missing, code_of_open(error));
    }
    let bytes = answer
        .mapped(client.address.client)
        .lifetime(client.lifetime)
        .reservation(opened.token)
        .finish(Some(&client.user.key));
    client.answer = Some(bytes.clone());
    let to = client.address;
    let owner = server.owner(&server.clients[id.0]);
    server.commands.push_back(Command::Reply { to, bytes });
    server.commands.push_back(Command::Report(Report::Opened { owner, relayed }));
    ids
}

fn refuse(server: &mut Server, id: ClientId, error: OpenError, now: Now) {
    let client = &server.clients[id.0];
    let (to, app) = (client.address, client.user.app);
    let request: Request = client.request;
    let bytes = Answer::error(request, code_of_open(error)).finish(Some(&client.user.key));
    let reason = match error {
        OpenError::Family => Refusal::AddressFamily,
        OpenError::Capacity => Refusal::Capacity,
    };
    server.close(id, crate::report::CloseReason::Released, now);
    server.count(Some(app), reason);
    let app = Some(server.shared.apps[app].clone());
    server.commands.push_back(Command::Reply { to, bytes });
    server.commands.push_back(Command::Report(Report::Refused { app, client: to, reason }));
}

fn code_of_open(error: OpenError) -> u16 {
    match error {
        OpenError::Family => ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED,
        OpenError::Capacity => ErrorCode::INSUFFICIENT_CAPACITY,
    }
}
