//! What the broker and the selective forwarding unit beside it say to each other.

use std::sync::Arc;

use peerway_protocol::{MediaProfile, PeerAddress, Reception, RoomAddress, StreamName};

/// One member's connection with the forwarding unit. Never used again for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LegId(pub u64);

/// What the forwarding unit shall do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaCommand {
    /// Make a leg. It makes no offer before one is wanted.
    Open {
        /// Its name.
        leg: LegId,
        /// Where.
        room: RoomAddress,
        /// Whose.
        peer: PeerAddress,
        /// The stream that it is for. It gets nothing of others then.
        stream: Option<StreamName>,
        /// The same for all legs of one member, which do not get each other's media.
        owner: LegId,
        /// What the other side can do.
        profile: MediaProfile,
    },
    /// The member wants an offer.
    Offer(LegId),
    /// The member's answer to the last offer.
    Answer(LegId, Arc<str>),
    /// A candidate of the member.
    Candidate(LegId, Arc<str>),
    /// What a member wants of another one; all, unless told.
    Receive {
        /// Who wants it.
        leg: LegId,
        /// Of whom.
        from: LegId,
        /// What.
        reception: Reception,
    },
    /// The member is gone. Nothing is told of the leg any more.
    Close(LegId),
}

impl MediaCommand {
    /// The leg that it is about.
    pub fn leg(&self) -> LegId {
        match self {
            Self::Open { leg, .. }
            | Self::Offer(leg)
            | Self::Answer(leg, _)
            | Self::Candidate(leg, _)
            | Self::Receive { leg, .. }
            | Self::Close(leg) => *leg,
        }
    }
}

/// What a leg of the forwarding unit tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaEvent {
    /// An offer for its member.
    Offer {
        /// The session description.
        sdp: Arc<str>,
        /// Whose each media stream in it is, by its id.
        streams: Vec<(Arc<str>, LegId)>,
    },
    /// Its member may not publish: as many in the room do as may, which is the number.
    PublishRefused(usize),
    /// It has ended by itself. The text is for a person to read.
    Closed(Arc<str>),
    /// Its member has ended it, and so knows.
    HungUp,
    /// Its member is heard most in its room now; or it was, and nobody is.
    Speaker {
        /// Whether it is.
        speaks: bool,
    },
}
