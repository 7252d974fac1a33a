//! What the client does with what servers say, by a hand-cranked clock.

use stun_types::attribute::{Nonce, Realm};
use stun_types::message::{
    IntegrityAlgorithm, LongTermKeyCredentials, MessageIntegrityCredentials, MessageWriteVec,
};
use stun_types::prelude::*;
use turn_types::attribute::{RequestedAddressFamily, XorRelayedAddress};
use turn_types::message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, REFRESH, SEND};

use super::super::tests::{counted, start};
use super::*;

const RELAYED: &str = "203.0.113.1:50000";

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn peer() -> SocketAddr {
    addr("192.0.2.7:9")
}

fn key() -> MessageIntegrityCredentials {
    LongTermKeyCredentials::new("joe".into(), "secret".into(), "realm".into()).into()
}

/// A client and what its server does.
struct Stage {
    client: TurnClient,
    now: Instant,
}

impl Stage {
    fn new(families: Families, reliable: bool) -> Self {
        let now = start();
        let login = Login { username: "joe".into(), password: "secret".into() };
        let client = TurnClient::new(login, families, reliable, counted(), now);
        Self { client, now }
    }

    /// A client with an allocation for 600 s.
    fn allocated(reliable: bool) -> Self {
        let mut stage = Self::new(Families::V4, reliable);
        let request = stage.sent();
        stage.challenge(&request, 401, "first");
        let request = stage.sent();
        stage.grant(&request, |message, id| {
            message.add_attribute(&XorRelayedAddress::new(addr(RELAYED), id)).unwrap();
            message.add_attribute(&Lifetime::new(600)).unwrap();
        });
        assert!(matches!(stage.client.poll_event(), Some(TurnEvent::Allocated)));
        stage
    }

    /// The next message to the server, which must be there.
    fn sent(&mut self) -> Vec<u8> {
        self.client.handle_timeout(self.now);
        self.client.poll_transmit().expect("it sends something")
    }

    fn sends_nothing(&mut self) -> bool {
        self.client.handle_timeout(self.now);
        self.client.poll_transmit().is_none()
    }

    fn answer(&mut self, answer: MessageWriteVec) {
        assert_eq!(self.client.handle(&answer.finish(), self.now), Frame::Control);
    }

    /// A signed success.
    fn grant(&mut self, request: &[u8], fill: impl FnOnce(&mut MessageWriteVec, TransactionId)) {
        let request = Message::from_bytes(request).unwrap();
        let mut answer = Message::builder_success(&request, MessageWriteVec::new());
        fill(&mut answer, request.transaction_id());
        answer.add_message_integrity(&key(), IntegrityAlgorithm::Sha1).unwrap();
        self.answer(answer);
    }

    fn refuse(&mut self, request: &[u8], code: u16, fill: impl FnOnce(&mut MessageWriteVec)) {
        let request = Message::from_bytes(request).unwrap();
        let mut answer = Message::builder_error(&request, MessageWriteVec::new());
        answer.add_attribute(&ErrorCode::new(code, "Because").unwrap()).unwrap();
        fill(&mut answer);
        self.answer(answer);
    }

    fn challenge(&mut self, request: &[u8], code: u16, nonce: &str) {
        self.refuse(request, code, |answer| {
            answer.add_attribute(&Realm::new("realm").unwrap()).unwrap();
            answer.add_attribute(&Nonce::new(nonce).unwrap()).unwrap();
        });
    }

    /// Lets a peer in, and data from it arrive.
    fn hear(&mut self) {
        self.client.permit(peer().ip());
        let request = self.sent();
        self.grant(&request, |_, _| {});
        let frame = data_indication(b"hello");
        assert!(matches!(self.client.handle(&frame, self.now), Frame::Data { .. }));
    }

    fn wrap(&mut self, data: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        self.client.wrap(peer(), data, &mut out).then_some(out)
    }

    fn failure(&mut self) -> Failure {
        match self.client.poll_event() {
            Some(TurnEvent::Failed(failure)) => failure,
            event => panic!("no failure but {event:?}"),
        }
    }
}

fn data_indication(data: &[u8]) -> Vec<u8> {
    let mut message = Message::builder_indication(DATA, MessageWriteVec::new());
    let id = message.transaction_id();
    message.add_attribute(&XorPeerAddress::new(peer(), id)).unwrap();
    message.add_attribute(&Data::new(data)).unwrap();
    message.finish()
}

fn is(bytes: &[u8], method: stun_types::message::Method) -> bool {
    Message::from_bytes(bytes).unwrap().has_method(method)
}

fn nonce(request: &[u8]) -> Option<String> {
    let request = Message::from_bytes(request).unwrap();
    request.attribute::<Nonce>().ok().map(|nonce| nonce.nonce().to_owned())
}

#[test]
fn an_allocation_is_asked_for_without_and_then_with_credentials() {
    let mut stage = Stage::new(Families::V4, false);

    let first = stage.sent();
    assert!(is(&first, ALLOCATE) && nonce(&first).is_none());
    stage.challenge(&first, 401, "first");
    let second = stage.sent();

    assert_eq!(nonce(&second).as_deref(), Some("first"));
    assert!(Message::from_bytes(&second).unwrap().validate_integrity(&key()).is_ok());
}

#[test]
fn a_second_401_means_wrong_credentials() {
    let mut stage = Stage::new(Families::V4, false);
    let request = stage.sent();
    stage.challenge(&request, 401, "first");
    let request = stage.sent();
    stage.challenge(&request, 401, "second");

    let told = stage.failure().to_string();
    assert!(told.contains("401") && told.contains("password"), "{told}");
    assert!(stage.sends_nothing());
}

#[test]
fn a_stale_nonce_is_replaced_but_not_for_ever() {
    let mut stage = Stage::new(Families::V4, false);
    let request = stage.sent();
    stage.challenge(&request, 401, "first");
    for nonce_number in ["second", "third"] {
        let request = stage.sent();
        stage.challenge(&request, 438, nonce_number);
    }
    let request = stage.sent();
    assert_eq!(nonce(&request).as_deref(), Some("third"));
    stage.challenge(&request, 438, "fourth");

    assert!(matches!(stage.failure(), Failure::Refused { code: 438, .. }));
}

#[test]
fn an_answer_that_is_not_signed_is_as_good_as_lost() {
    let mut stage = Stage::new(Families::V4, false);
    let request = stage.sent();
    stage.challenge(&request, 401, "first");
    let request = stage.sent();
    let message = Message::from_bytes(&request).unwrap();
    let mut forged = Message::builder_success(&message, MessageWriteVec::new());
    let relayed = XorRelayedAddress::new(addr(RELAYED), message.transaction_id());
    forged.add_attribute(&relayed).unwrap();

    stage.answer(forged);

    assert!(stage.client.poll_event().is_none());
    stage.now = stage.client.deadline(stage.now).unwrap();
    assert_eq!(stage.sent(), request);
}

#[test]
fn a_silent_server_is_told() {
    let mut stage = Stage::new(Families::V4, false);
    while let Some(deadline) = stage.client.deadline(stage.now) {
        stage.now = deadline;
        stage.client.handle_timeout(deadline);
    }
    assert!(matches!(stage.failure(), Failure::NoAnswer));
}

#[test]
fn a_server_may_send_its_clients_to_another_one() {
    let mut stage = Stage::new(Families::V4, false);
    let request = stage.sent();
    let other = addr("192.0.2.9:3478");
    stage.refuse(&request, 300, |answer| {
        answer.add_attribute(&AlternateServer::new(other)).unwrap();
        answer.add_attribute(&AlternateDomain::new("other.example")).unwrap();
    });

    let Failure::Redirected { to, domain } = stage.failure() else { panic!("not redirected") };
    assert_eq!((to, domain.as_deref()), (other, Some("other.example")));
}

#[test]
fn an_ipv4_relay_is_better_than_none() {
    let mut stage = Stage::new(Families::V6, false);
    let request = stage.sent();
    assert!(Message::from_bytes(&request).unwrap().has_attribute(RequestedAddressFamily::TYPE));
    stage.challenge(&request, 401, "first");
    let request = stage.sent();
    stage.refuse(&request, 440, |_| {});

    let request = stage.sent();
    assert!(!Message::from_bytes(&request).unwrap().has_attribute(RequestedAddressFamily::TYPE));
}

#[test]
fn both_families_come_from_one_allocation() {
    let mut stage = Stage::new(Families::Both, false);
    let request = stage.sent();
    stage.challenge(&request, 401, "first");
    let request = stage.sent();
    let v6 = addr("[2001:db8::1]:50001");
    stage.grant(&request, |message, id| {
        // The library refuses to add a second one, as only this answer has it.
        message.push_attribute_unchecked(&XorRelayedAddress::new(addr(RELAYED), id));
        message.push_attribute_unchecked(&XorRelayedAddress::new(v6, id));
    });

    assert_eq!(stage.client.relayed().collect::<Vec<_>>(), [addr(RELAYED), v6]);
    assert_eq!(stage.client.relayed_for(addr("[2001:db8::7]:9")), Some(v6));
}

#[test]
fn an_allocation_is_refreshed_a_minute_early_and_ends_when_that_fails() {
    let mut stage = Stage::allocated(false);
    let begin = stage.now;

    stage.now = stage.client.deadline(begin).unwrap();
    assert_eq!(stage.now - begin, Duration::from_mins(9));
    let refresh = stage.sent();
    assert!(is(&refresh, REFRESH));
    stage.grant(&refresh, |answer, _| answer.add_attribute(&Lifetime::new(600)).unwrap());
    let renewed = stage.now;

    while let Some(deadline) = stage.client.deadline(stage.now) {
        stage.now = deadline;
        stage.client.handle_timeout(deadline);
    }
    assert_eq!(stage.now - renewed, Duration::from_mins(10));
    assert!(matches!(stage.failure(), Failure::Expired));
}

#[test]
fn the_server_can_be_asked_whether_it_still_knows_an_allocation() {
    let mut stage = Stage::allocated(false);
    assert!(stage.sends_nothing());
    stage.client.verify(stage.now);
    let refresh = stage.sent();
    assert!(is(&refresh, REFRESH));
    stage.client.verify(stage.now);
    assert!(stage.sends_nothing(), "one question is enough");

    stage.refuse(&refresh, 437, |_| {});
    let event = stage.client.poll_event();
    assert!(matches!(event, Some(TurnEvent::Failed(Failure::Refused { code: 437, .. }))));
}

#[test]
fn data_waits_for_no_permission_but_is_not_sent_without_one() {
    let mut stage = Stage::allocated(false);
    assert_eq!(stage.wrap(b"x"), None);

    stage.client.permit(peer().ip());
    let request = stage.sent();
    assert!(is(&request, CREATE_PERMISSION));

    let sent = stage.wrap(b"hello").expect("the request is on its way");
    let message = Message::from_bytes(&sent).unwrap();
    assert!(message.has_method(SEND));
    assert_eq!(message.attribute::<Data<'_>>().unwrap().data(), b"hello");
}

#[test]
fn a_refused_peer_does_not_hurt_the_others() {
    let mut stage = Stage::allocated(false);
    stage.client.permit(peer().ip());
    stage.client.permit("192.0.2.8".parse().unwrap());
    let (first, second) = (stage.sent(), stage.sent());
    stage.refuse(&first, 403, |_| {});
    stage.grant(&second, |_, _| {});

    assert_eq!(stage.wrap(b"x"), None);
    let mut out = Vec::new();
    assert!(stage.client.wrap(addr("192.0.2.8:9"), b"x", &mut out));
}

#[test]
fn what_a_peer_sends_is_found_where_it_lies() {
    let mut stage = Stage::allocated(false);
    let frame = data_indication(b"hello");
    let Frame::Data { peer: from, range } = stage.client.handle(&frame, stage.now) else {
        panic!("no data");
    };
    assert_eq!((from, &frame[range]), (peer(), &b"hello"[..]));
}

#[test]
fn a_pair_that_works_gets_a_channel() {
    let mut stage = Stage::allocated(false);
    stage.hear();

    let indication = stage.wrap(b"hello").unwrap();
    assert!(is(&indication, SEND));
    let bind = stage.sent();
    assert!(is(&bind, CHANNEL_BIND));
    stage.grant(&bind, |_, _| {});

    assert_eq!(stage.wrap(b"hello").unwrap(), b"\x40\x00\x00\x05hello");
    let frame = Frame::Data { peer: peer(), range: 4..9 };
    assert_eq!(stage.client.handle(b"\x40\x00\x00\x05hello", stage.now), frame);
    assert_eq!(stage.client.handle(b"\x40\x01\x00\x05hello", stage.now), Frame::Control);
}

#[test]
fn channel_data_in_a_stream_is_padded() {
    let mut stage = Stage::allocated(true);
    stage.hear();
    stage.wrap(b"hello");
    let bind = stage.sent();
    stage.grant(&bind, |_, _| {});

    assert_eq!(stage.wrap(b"hello").unwrap(), b"\x40\x00\x00\x05hello\0\0\0");
}

#[test]
fn an_allocation_is_given_back() {
    let mut stage = Stage::allocated(false);
    assert!(stage.client.release(stage.now));
    let refresh = stage.sent();
    let lifetime = Message::from_bytes(&refresh).unwrap().attribute::<Lifetime>().unwrap();
    assert_eq!(lifetime.seconds(), 0);

    stage.grant(&refresh, |_, _| {});
    assert!(matches!(stage.client.poll_event(), Some(TurnEvent::Released)));
    assert_eq!(stage.client.deadline(stage.now), None);
}

#[test]
fn nonsense_is_survived() {
    let mut stage = Stage::allocated(false);
    let whole = data_indication(b"hello");
    for length in 0..whole.len() {
        stage.client.handle(&whole[..length], stage.now);
    }
    for at in 0..whole.len() {
        for byte in [0, 1, 0x40, 0x80, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] = byte;
            if let Frame::Data { range, .. } = stage.client.handle(&damaged, stage.now) {
                assert!(range.end <= damaged.len());
            }
        }
    }
}
