//! Who may come in.

use std::net::IpAddr;

use std::sync::Arc;

use peerway_broker::Proof;
use peerway_protocol::skyway::{
    CredentialError, ErrorType, Handshake, Packet, TurnCredential, random_id,
};
use peerway_protocol::{MediaProfile, PeerId, Refusal};

use crate::auth::{App, Credentialed};
use crate::clock;
use crate::edge::{Edge, NoRelay};
use crate::transport::engineio;

/// A client that may be a peer.
pub(super) struct Admitted {
    pub(super) app: Arc<App>,
    pub(super) peer: PeerId,
    pub(super) proof: Proof,
    pub(super) profile: MediaProfile,
    /// When its credential ends, in seconds since 1970, if it needs one.
    pub(super) expiry: Option<u64>,
    /// Where it comes from.
    pub(super) address: IpAddr,
}

/// Judges a handshake; what is wrong is told as ERROR, which must go before the client is
/// disconnected, as the SDK tells its application nothing of that.
pub(super) fn admit(edge: &Edge, came: &engineio::Handshake) -> Result<Admitted, Packet> {
    let handshake = Handshake::from_query(&came.query);
    tracing::debug!(
        peer = handshake.peer_id,
        platform = handshake.platform,
        version = handshake.sdk_version,
        "a SkyWay client"
    );
    let app = edge.apps.find(&handshake.key).ok_or_else(|| refuse(edge, &Refusal::UnknownKey))?;
    admit_origin(&app, came).map_err(|refusal| refuse(edge, &refusal))?;
    let profile = handshake.media_profile(came.user_agent.as_deref());
    let Handshake { token, peer_id, credential, .. } = handshake;
    if peer_id.is_none() && app.wants_signed_ids() {
        return Err(refuse_credential(edge, &CredentialError::WithoutId));
    }
    let peer = peer_id.map_or_else(|| Ok(random_id(clock::random())), |id| PeerId::new(&id));
    let peer = peer.map_err(|error| refuse(edge, &Refusal::InvalidId(error)))?;
    // Every version has one. Without it nobody could tell who comes back.
    let token = token.unwrap_or_else(|| random_id(clock::random()).to_string());
    let unix = clock::unix_now();
    let Credentialed { proof, expiry } = app
        .authenticate_skyway(&peer, &token, credential, unix)
        .map_err(|error| refuse_credential(edge, &error))?;
    app.count_session(unix).map_err(|refusal| refuse(edge, &refusal))?;
    Ok(Admitted { app, peer, proof, profile, expiry, address: came.address })
}

/// Browsers name no origin when a page polls the server that it came from; then it is that server's.
fn admit_origin(app: &App, came: &engineio::Handshake) -> Result<(), Refusal> {
    match (&came.origin, &came.host) {
        (None, Some(host)) => app
            .admits_origin(Some(&format!("https://{host}")))
            .or_else(|_| app.admits_origin(Some(&format!("http://{host}")))),
        (origin, _) => app.admits_origin(origin.as_deref()),
    }
}

fn refuse(edge: &Edge, refusal: &Refusal) -> Packet {
    edge.metrics.refused(refusal);
    tracing::debug!(%refusal, "SkyWay client refused");
    Packet::error(refusal.into(), &refusal.to_string())
}

pub(super) fn refuse_credential(edge: &Edge, error: &CredentialError) -> Packet {
    edge.metrics.refused_for("credential");
    tracing::debug!(%error, "credential refused");
    Packet::error(ErrorType::Authentication, &error.to_string())
}

/// The credential for the TURN server whose name the SDK knows, where that is this server. It ends
/// with the peer's own credential. Otherwise, maybe, what the client is to be told about it.
pub(super) fn turn_credential(
    edge: &Edge,
    app: &App,
    expiry: Option<u64>,
) -> Result<TurnCredential, Option<Packet>> {
    let ice = edge.ice.as_ref().filter(|_| edge.config.skyway.vendor_hosts).ok_or(None)?;
    match edge.may_relay(app) {
        Ok(()) => {
            let made = ice.credential_until(app.key.as_str(), expiry.unwrap_or(u64::MAX));
            let made = made.ok_or(None)?;
            Ok(TurnCredential { username: made.username, credential: made.password })
        }
        Err(NoRelay::Permission) => Err(None),
        Err(NoRelay::Quota) => {
            edge.metrics.refused_for("turn_quota");
            let message = "what TURN may relay for this key in this month is used up";
            Err(Some(Packet::error(ErrorType::TurnLimited, message)))
        }
    }
}
