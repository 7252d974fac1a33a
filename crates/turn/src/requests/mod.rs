//! Requests: who asks, and which of the files here answers.

pub(crate) mod allocate;
mod authenticate;
mod permission;
mod refresh;
pub(crate) mod stream;

use stun_types::attribute::{AttributeType, MessageIntegrity, Nonce, Realm, Username};
use stun_types::message::{BINDING, IntegrityKey, Message};
use stun_types::prelude::*;
use turn_types::attribute::{
    AdditionalAddressFamily, ChannelNumber, ConnectionId, EvenPort, Lifetime,
    RequestedAddressFamily, RequestedTransport, ReservationToken, XorPeerAddress,
};
use turn_types::message::{
    ALLOCATE, CHANNEL_BIND, CONNECT, CONNECTION_BIND, CREATE_PERMISSION, REFRESH,
};

use crate::address::{FiveTuple, Now};
use crate::allocation::{ClientId, User};
use crate::answer::{Answer, Request};
use crate::report::Refusal;
use crate::server::{Command, Server};

/// What became of a request.
pub(crate) enum Verdict {
    /// It is answered, will be, or needs no answer.
    Answered,
    /// It is refused.
    Refused(Refused),
}

/// A refusal.
pub(crate) struct Refused {
    pub(crate) refusal: Refusal,
    /// Instead of the refusal's usual code.
    pub(crate) code: Option<u16>,
    /// The key that signs the answer and the index of the app, where the request had a right
    /// credential.
    pub(crate) by: Option<(IntegrityKey, usize)>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, code: None, by: None }
    }
}

impl Refused {
    pub(crate) fn with_code(refusal: Refusal, code: u16) -> Self {
        Self { refusal, code: Some(code), by: None }
    }
}

/// A request with a right credential.
pub(crate) struct Authenticated<'a> {
    pub(crate) from: FiveTuple,
    pub(crate) message: &'a Message<'a>,
    pub(crate) request: Request,
    pub(crate) user: User,
    pub(crate) now: Now,
}

impl Authenticated<'_> {
    /// Answers with success, signed.
    pub(crate) fn answer(&self, server: &mut Server, write: impl FnOnce(Answer) -> Answer) {
        let bytes = write(Answer::success(self.request)).finish(Some(&self.user.key));
        server.commands.push_back(Command::Reply { to: self.from, bytes });
    }

    /// The attribute, if it is there; a malformed one is a bad request.
    pub(crate) fn attribute<'b, A>(&'b self) -> Result<Option<A>, Refused>
    where
        A: AttributeFromRaw<'b> + AttributeStaticType,
    {
        if !self.message.has_attribute(A::TYPE) {
            return Ok(None);
        }
        self.message.attribute::<A>().map(Some).map_err(|_| Refusal::BadRequest.into())
    }

    /// The sender's client, whose user it must be (RFC 8656 section 5).
    pub(crate) fn client(&self, server: &Server) -> Result<ClientId, Refused> {
        let id = server.by_address.get(&self.from).copied();
        let id = id.filter(|id| server.clients[id.0].answer.is_some()).ok_or(Refusal::Mismatch)?;
        if server.clients[id.0].user.name != self.user.name {
            return Err(Refusal::WrongUser.into());
        }
        Ok(id)
    }
}

pub(crate) fn handle(
    server: &mut Server,
    from: &FiveTuple,
    message: &Message<'_>,
    now: Now,
) -> Verdict {
    let anonymous = |refusal: Refusal| Verdict::Refused(refusal.into());
    if message.has_method(BINDING) {
        if !unknown_attributes(message).is_empty() {
            return anonymous(Refusal::UnknownAttribute);
        }
        if server.may_answer(from, now) {
            let bytes = Answer::success(Request::of(message)).mapped(from.client).finish(None);
            server.commands.push_back(Command::Reply { to: *from, bytes });
        }
        return Verdict::Answered;
    }
    let user = match authenticate::authenticate(server, from, message, now) {
        Ok(user) => user,
        Err(refusal) => return anonymous(refusal),
    };
    if let Some(id) = server.by_address.get(from) {
        server.expire(*id, now);
    }
    let (key, app) = (user.key.clone(), user.app);
    let request = Request::of(message);
    let asked = Authenticated { from: *from, message, request, user, now };
    let result = if unknown_attributes(message).is_empty() {
        match message.method() {
            ALLOCATE => allocate::handle(server, asked),
            REFRESH => refresh::handle(server, &asked),
            CREATE_PERMISSION => permission::create(server, &asked),
            CHANNEL_BIND => permission::bind_channel(server, &asked),
            CONNECT => stream::connect(server, &asked),
            CONNECTION_BIND => stream::bind(server, asked),
            _ => Err(Refusal::BadRequest.into()),
        }
    } else {
        Err(Refusal::UnknownAttribute.into())
    };
    match result {
        Ok(()) => Verdict::Answered,
        Err(refused) => Verdict::Refused(Refused { by: Some((key, app)), ..refused }),
    }
}

/// Attributes that must be understood and are not (RFC 8489 section 14).
pub(crate) fn unknown_attributes(message: &Message<'_>) -> Vec<AttributeType> {
    const ANY: [AttributeType; 4] =
        [Username::TYPE, MessageIntegrity::TYPE, Realm::TYPE, Nonce::TYPE];
    let known: &[AttributeType] = match message.method() {
        ALLOCATE => &[
            RequestedTransport::TYPE,
            Lifetime::TYPE,
            EvenPort::TYPE,
            ReservationToken::TYPE,
            RequestedAddressFamily::TYPE,
            AdditionalAddressFamily::TYPE,
        ],
        REFRESH => &[Lifetime::TYPE, RequestedAddressFamily::TYPE],
        CREATE_PERMISSION | CONNECT => &[XorPeerAddress::TYPE],
        CHANNEL_BIND => &[XorPeerAddress::TYPE, ChannelNumber::TYPE],
        CONNECTION_BIND => &[ConnectionId::TYPE],
        _ => &[],
    };
    message
        .iter_attributes()
        .map(|(_, attribute)| attribute.get_type())
        .filter(|kind| kind.comprehension_required())
        .filter(|kind| !ANY.contains(kind) && !known.contains(kind))
        .collect()
}
