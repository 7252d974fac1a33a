//! `CreatePermission` and `ChannelBind` (RFC 8656 sections 10 and 12).

use std::net::SocketAddr;
use std::ops::RangeInclusive;

use stun_types::prelude::*;
use turn_types::attribute::{ChannelNumber, XorPeerAddress};

use super::{Authenticated, Refused};
use crate::address::Family;
use crate::allocation::{ChannelError, ClientId};
use crate::report::Refusal;
use crate::server::Server;

/// RFC 8656 has 0x4000 to 0x4FFF; clients of RFC 5766 use more, and coturn's uclient all of this.
const CHANNELS: RangeInclusive<u16> = 0x4000..=0x7fff;

pub(super) fn create(server: &mut Server, asked: &Authenticated<'_>) -> Result<(), Refused> {
    let id = asked.client(server)?;
    let mut permitted = Vec::new();
    for (_, attribute) in asked.message.iter_attributes() {
        if attribute.get_type() != XorPeerAddress::TYPE {
            continue;
        }
        let address = XorPeerAddress::from_raw(attribute).map_err(|_| Refusal::BadRequest)?;
        let peer = address.addr(asked.request.transaction).ip().to_canonical();
        if server.clients[id.0].relay(Family::of(peer)).is_none() {
            return Err(Refusal::AddressFamily.into());
        }
        let ports = server.shared.settings.policy.judge_address(peer);
        permitted.push((peer, ports.map_err(|_| Refusal::ForbiddenPeer)?));
    }
    if permitted.is_empty() {
        return Err(Refusal::BadRequest.into());
    }
    for (peer, ports) in permitted {
        let permitted = server.clients[id.0].permit(peer, ports, asked.now.instant);
        permitted.map_err(|_| Refusal::Capacity)?;
    }
    asked.answer(server, |answer| answer);
    Ok(())
}

pub(super) fn bind_channel(server: &mut Server, asked: &Authenticated<'_>) -> Result<(), Refused> {
    let id = asked.client(server)?;
    let number = asked.attribute::<ChannelNumber>()?.ok_or(Refusal::BadRequest)?.channel();
    let peer = peer(server, id, asked)?;
    if !CHANNELS.contains(&number) {
        return Err(Refusal::BadRequest.into());
    }
    let policy = &server.shared.settings.policy;
    let ports = server.shared.judge(peer).and_then(|()| policy.judge_address(peer.ip()));
    let ports = ports.map_err(|_| Refusal::ForbiddenPeer)?;
    let now = asked.now.instant;
    let client = &mut server.clients[id.0];
    client.bind(number, peer, ports, now).map_err(|error| match error {
        ChannelError::Taken => Refusal::BadRequest,
        ChannelError::Full => Refusal::Capacity,
    })?;
    client.permit(peer.ip().to_canonical(), ports, now).map_err(|_| Refusal::Capacity)?;
    asked.answer(server, |answer| answer);
    Ok(())
}

/// The one peer that a request names, of a family that the allocation reaches.
pub(super) fn peer(
    server: &Server,
    id: ClientId,
    asked: &Authenticated<'_>,
) -> Result<SocketAddr, Refused> {
    let attribute = asked.attribute::<XorPeerAddress>()?.ok_or(Refusal::BadRequest)?;
    let peer = attribute.addr(asked.request.transaction);
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    if server.clients[id.0].relay(Family::of(peer.ip())).is_none() {
        return Err(Refusal::AddressFamily.into());
    }
    Ok(peer)
}
