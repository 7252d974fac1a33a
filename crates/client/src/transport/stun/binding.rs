//! Binding requests of one socket: what address its NAT gives it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use stun_types::attribute::XorMappedAddress;
use stun_types::message::{
    BINDING, Message, MessageClass, MessageType, MessageWriteVec, TransactionId,
};
use stun_types::prelude::*;

use super::{Ids, Schedule, Step};

/// How often a NAT binding is used, so that it stays until the other peer has answered. NATs keep
/// them for 30 s and more, browsers use them every 10 s to 15 s.
const KEEP: Duration = Duration::from_secs(15);

/// The servers that one socket asks.
#[derive(Debug, Default)]
pub(in super::super) struct Bindings(Vec<Binding>);

#[derive(Debug)]
struct Binding {
    server: SocketAddr,
    id: TransactionId,
    state: State,
    answered: bool,
}

#[derive(Debug)]
enum State {
    New,
    Asking(Schedule),
    /// Answered; asked again at this time.
    Keeping(Instant),
}

/// What a server said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Learned {
    /// The address that the server sees.
    Mapped { server: SocketAddr, addr: SocketAddr },
    /// The same, later.
    Kept { server: SocketAddr, addr: SocketAddr },
    /// The server has never answered.
    Silent { server: SocketAddr },
}

impl Bindings {
    /// Asks a server, which must not be asked already.
    pub(in super::super) fn ask(&mut self, server: SocketAddr, ids: &mut Ids) {
        self.0.push(Binding { server, id: ids.draw(), state: State::New, answered: false });
    }

    /// Forgets everything: the NAT binding need not be kept any more.
    pub(in super::super) fn clear(&mut self) {
        self.0 = Vec::new();
    }

    pub(in super::super) fn deadline(&self, now: Instant) -> Option<Instant> {
        let due = |binding: &Binding| match &binding.state {
            State::New => now,
            State::Asking(schedule) => schedule.due(),
            State::Keeping(until) => *until,
        };
        self.0.iter().map(due).min()
    }

    /// Sends what is due, and tells the servers that are silent.
    pub(in super::super) fn handle_timeout(
        &mut self,
        now: Instant,
        ids: &mut Ids,
        mut send: impl FnMut(SocketAddr, &[u8]),
    ) -> Vec<Learned> {
        let mut silent = Vec::new();
        self.0.retain_mut(|binding| {
            match &mut binding.state {
                State::Keeping(until) if *until > now => return true,
                State::New => {}
                State::Keeping(_) => binding.id = ids.draw(),
                State::Asking(schedule) => match schedule.step(now) {
                    Step::Wait => return true,
                    Step::Send => {
                        send(binding.server, &request(binding.id));
                        return true;
                    }
                    Step::GiveUp => {
                        if !binding.answered {
                            silent.push(Learned::Silent { server: binding.server });
                        }
                        return false;
                    }
                },
            }
            binding.state = State::Asking(Schedule::datagram(now));
            send(binding.server, &request(binding.id));
            true
        });
        silent
    }

    /// Takes an answer. `None` if the datagram is none: it is for somebody else.
    pub(in super::super) fn handle(
        &mut self,
        source: SocketAddr,
        data: &[u8],
        now: Instant,
    ) -> Option<Learned> {
        // What matters on the way of all received data: no answer of a server is looked for.
        if self.0.is_empty() || data.first().is_none_or(|first| *first != 1) {
            return None;
        }
        let binding = self.0.iter_mut().find(|binding| binding.server == source)?;
        let message = Message::from_bytes(data).ok()?;
        if message.transaction_id() != binding.id || !message.has_method(BINDING) {
            return None;
        }
        let (server, answered) = (binding.server, binding.answered);
        let mapped = message.attribute::<XorMappedAddress>().ok();
        let Some(mapped) = mapped.filter(|_| message.has_class(MessageClass::Success)) else {
            self.0.retain(|binding| binding.server != server);
            return Some(Learned::Silent { server });
        };
        let addr = mapped.addr(binding.id);
        binding.state = State::Keeping(now + KEEP);
        binding.answered = true;
        Some(if answered {
            Learned::Kept { server, addr }
        } else {
            Learned::Mapped { server, addr }
        })
    }
}

fn request(id: TransactionId) -> Vec<u8> {
    let kind = MessageType::from_class_method(MessageClass::Request, BINDING);
    Message::builder(kind, id, MessageWriteVec::with_capacity(20)).finish()
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{counted, start};
    use super::*;

    const SERVER: &str = "192.0.2.1:3478";

    fn server() -> SocketAddr {
        SERVER.parse().unwrap()
    }

    /// A set that asks one server, and its first request.
    fn asking(now: Instant) -> (Bindings, Ids, Vec<u8>) {
        let (mut bindings, mut ids) = (Bindings::default(), counted());
        bindings.ask(server(), &mut ids);
        let mut sent = Vec::new();
        let silent = bindings.handle_timeout(now, &mut ids, |to, data| {
            assert_eq!(to, server());
            sent.push(data.to_vec());
        });
        assert_eq!((sent.len(), silent.len()), (1, 0));
        (bindings, ids, sent.remove(0))
    }

    fn answer(request: &[u8], mapped: &str) -> Vec<u8> {
        let request = Message::from_bytes(request).unwrap();
        let mut answer = Message::builder_success(&request, MessageWriteVec::new());
        let mapped = XorMappedAddress::new(mapped.parse().unwrap(), request.transaction_id());
        answer.add_attribute(&mapped).unwrap();
        answer.finish()
    }

    #[test]
    fn the_address_behind_the_nat_is_learned() {
        let now = start();
        let (mut bindings, _, request) = asking(now);

        let learned = bindings.handle(server(), &answer(&request, "203.0.113.5:9"), now);

        let addr = "203.0.113.5:9".parse().unwrap();
        assert_eq!(learned, Some(Learned::Mapped { server: server(), addr }));
    }

    #[test]
    fn an_answer_to_no_question_is_for_somebody_else() {
        let now = start();
        let (mut bindings, _, request) = asking(now);
        let answer = answer(&request, "203.0.113.5:9");

        let mut other_id = answer.clone();
        other_id[19] ^= 1;
        assert_eq!(bindings.handle(server(), &other_id, now), None);
        assert_eq!(bindings.handle("192.0.2.9:3478".parse().unwrap(), &answer, now), None);
        assert_eq!(bindings.handle(server(), &answer[..15], now), None);
        assert_eq!(bindings.handle(server(), &request, now), None);
    }

    #[test]
    fn a_silent_server_is_told_after_the_last_retransmission() {
        let now = start();
        let (mut bindings, mut ids, request) = asking(now);

        let mut again = 0;
        let silent = loop {
            let due = bindings.deadline(now).expect("it waits");
            let silent = bindings.handle_timeout(due, &mut ids, |_, data| {
                assert_eq!(data, request);
                again += 1;
            });
            if !silent.is_empty() {
                break silent;
            }
        };

        assert_eq!(silent, [Learned::Silent { server: server() }]);
        assert_eq!(again, 4);
        assert_eq!(bindings.deadline(now), None);
    }

    #[test]
    fn a_binding_is_kept_with_new_requests() {
        let now = start();
        let (mut bindings, mut ids, first) = asking(now);
        bindings.handle(server(), &answer(&first, "203.0.113.5:9"), now);

        let later = bindings.deadline(now).expect("it is kept");
        let mut sent = Vec::new();
        bindings.handle_timeout(later, &mut ids, |_, data| sent.push(data.to_vec()));

        assert_eq!(later - now, KEEP);
        assert_eq!(sent.len(), 1);
        assert_ne!(sent[0], first);
        let moved = bindings.handle(server(), &answer(&sent[0], "203.0.113.5:10"), later);
        let addr = "203.0.113.5:10".parse().unwrap();
        assert_eq!(moved, Some(Learned::Kept { server: server(), addr }));
    }
}
