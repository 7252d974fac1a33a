//! Rooms of several nodes, step by step: who claims, who was faster, what waits, who is dropped.

mod support;

use peerway_broker::HangupReason::Superseded;
use peerway_broker::{Ask, Claim, Command, FromRoom, News, Parcel, Stay, ToRoom};
use peerway_protocol::{Address, Event, Refusal, Request, RoomEvent, RoomMode, RoomRequest};
use support::hall::{data, joined, left, name, room_address, said};
use support::{Stage, app, hangup, peer, proof, release, tell};

/// Where the broker's clock starts, in microseconds: the first stay of a test has this number.
const FIRST: Stay = Stay(1_000_000_000);

fn to_room(from: &str, stay: Stay, ask: Ask) -> Parcel {
    Parcel::ToRoom(ToRoom { app: app(), from: peer(from), stay, room: name("r"), ask })
}

fn asks(from: &str, stay: Stay, request: RoomRequest) -> Parcel {
    to_room(from, stay, Ask::Request(request))
}

fn join(from: &str, stay: Stay) -> Parcel {
    asks(from, stay, RoomRequest::Join(RoomMode::Mesh))
}

fn news(to: &str, stay: Stay, news: News) -> Parcel {
    Parcel::FromRoom(FromRoom { app: app(), room: name("r"), to: peer(to), stay, news })
}

fn tells(to: &str, stay: Stay, event: Event) -> Parcel {
    let Event::Room { event, .. } = event else { unreachable!() };
    news(to, stay, News::Event(event))
}

fn forward(parcel: Parcel) -> Command {
    Command::Forward(parcel)
}

fn claim_room() -> Command {
    Command::Claim(Claim::Room(room_address("r")))
}

fn release_room() -> Command {
    Command::Release(Address::Room(room_address("r")))
}

impl Stage {
    fn ask(&mut self, session: u64, request: RoomRequest) -> Vec<Command> {
        self.request(session, Request::Room { room: name("r"), request })
    }

    fn join(&mut self, session: u64) -> Vec<Command> {
        self.ask(session, RoomRequest::Join(RoomMode::Mesh))
    }
}

/// Alice is here, and in a room that another node hosts.
fn a_member_elsewhere() -> Stage {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.join(1);
    stage.arrive(tells("alice", FIRST, joined("r", "alice", &["bob", "alice"])));
    stage
}

/// This node hosts the room; alice is here, bob and carol are elsewhere.
fn a_host() -> Stage {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.join(1);
    stage.undeliverable(join("alice", FIRST));
    stage.hosts(room_address("r"));
    stage.arrive(join("bob", Stay(7)));
    stage.arrive(join("carol", Stay(8)));
    stage
}

#[test]
fn a_join_that_finds_nobody_claims_the_room_and_is_let_in() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");

    assert_eq!(stage.join(1), [forward(join("alice", FIRST))]);
    assert_eq!(stage.undeliverable(join("alice", FIRST)), [claim_room()]);
    let told = tells("alice", FIRST, joined("r", "alice", &["alice"]));
    assert_eq!(stage.hosts(room_address("r")), [forward(told.clone())]);
    assert_eq!(stage.arrive(told), [tell(1, joined("r", "alice", &["alice"]))]);
}

#[test]
fn two_joins_of_one_node_claim_once() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.enter(2, "bob");
    stage.join(1);
    stage.join(2);
    let second = Stay(FIRST.0 + 1);

    assert_eq!(stage.undeliverable(join("alice", FIRST)), [claim_room()]);
    assert_eq!(stage.undeliverable(join("bob", second)), []);
    let both = joined("r", "bob", &["alice", "bob"]);
    assert_eq!(
        stage.hosts(room_address("r")),
        [
            forward(tells("alice", FIRST, joined("r", "alice", &["alice"]))),
            forward(tells("alice", FIRST, both.clone())),
            forward(tells("bob", second, both)),
        ]
    );
}

#[test]
fn a_node_that_was_not_first_sends_the_join_to_the_one_that_was() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.join(1);
    stage.undeliverable(join("alice", FIRST));

    assert_eq!(stage.hosts_not(room_address("r")), [forward(join("alice", FIRST))]);
}

#[test]
fn a_join_is_not_sent_for_ever() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.join(1);
    for _ in 1..8 {
        assert_eq!(stage.undeliverable(join("alice", FIRST)), [claim_room()]);
        assert_eq!(stage.hosts_not(room_address("r")), [forward(join("alice", FIRST))]);
    }
    stage.undeliverable(join("alice", FIRST));

    let refused = Event::Refused(Refusal::NotInRoom(name("r")));
    assert_eq!(stage.hosts_not(room_address("r")), [tell(1, refused)]);
    stage.close(1);
    assert!(stage.broker.is_idle());
}

#[test]
fn a_room_claimed_for_one_who_has_gone_is_given_back() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.join(1);
    stage.undeliverable(join("alice", FIRST));
    let departed = to_room("alice", FIRST, Ask::Departed);
    assert_eq!(stage.close(1), [forward(departed), release("alice")]);

    assert_eq!(stage.hosts(room_address("r")), [release_room()]);
    assert!(stage.broker.is_idle());
}

#[test]
fn what_is_asked_before_the_room_has_answered_waits_for_the_answer() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.join(1);
    assert_eq!(stage.ask(1, RoomRequest::Send(data(1))), []);
    assert_eq!(stage.ask(1, RoomRequest::Leave), []);
    assert_eq!(stage.join(1), []);

    let in_it = joined("r", "alice", &["alice"]);
    assert_eq!(
        stage.arrive(tells("alice", FIRST, in_it.clone())),
        [
            tell(1, in_it),
            forward(asks("alice", FIRST, RoomRequest::Send(data(1)))),
            forward(asks("alice", FIRST, RoomRequest::Leave)),
        ]
    );
    let late = tells("alice", FIRST, said("r", "bob", data(2)));
    assert_eq!(stage.arrive(late), [], "who leaves hears no more");
    let again = stage.arrive(news("alice", FIRST, News::Out(None)));
    let [Command::Forward(Parcel::ToRoom(ToRoom { stay, ask, .. }))] = &again[..] else {
        panic!("{again:?}");
    };
    assert_eq!(*ask, Ask::Request(RoomRequest::Join(RoomMode::Mesh)));
    assert!(*stay > FIRST, "another stay");
}

#[test]
fn not_everything_waits() {
    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.join(1);
    for _ in 0..16 {
        assert_eq!(stage.ask(1, RoomRequest::Log), []);
    }

    let refused = || vec![tell(1, Event::Refused(Refusal::NotInRoom(name("r"))))];
    assert_eq!(stage.ask(1, RoomRequest::Log), refused());

    let mut stage = Stage::new();
    stage.enter(1, "alice");
    stage.join(1);
    let big = || RoomRequest::Send(data(format!("\"{}\"", "x".repeat(600))));
    assert_eq!(stage.ask(1, big()), []);
    assert_eq!(stage.ask(1, big()), refused(), "two of them weigh too much");
}

#[test]
fn a_member_whose_host_is_gone_hears_that_it_is_out() {
    let mut stage = a_member_elsewhere();
    let sent = asks("alice", FIRST, RoomRequest::Send(data(1)));
    assert_eq!(stage.ask(1, RoomRequest::Send(data(1))), [forward(sent.clone())]);

    let refused = Event::Refused(Refusal::NotInRoom(name("r")));
    assert_eq!(stage.undeliverable(sent), [tell(1, refused)]);
    let again = stage.join(1);
    assert!(matches!(again[..], [Command::Forward(_)]), "it may come again: {again:?}");
}

#[test]
fn who_cannot_be_reached_twice_is_dropped() {
    let mut stage = a_host();
    let to_alice = asks("alice", FIRST, RoomRequest::Send(data(1)));
    let to_bob = tells("bob", Stay(7), said("r", "alice", data(1)));
    let to_carol = tells("carol", Stay(8), said("r", "alice", data(1)));
    assert_eq!(stage.arrive(to_alice), [forward(to_bob.clone()), forward(to_carol)]);

    let knock = news("bob", Stay(7), News::Knock);
    assert_eq!(stage.undeliverable(to_bob), [forward(knock.clone())]);
    assert_eq!(
        stage.undeliverable(knock.clone()),
        [
            forward(tells("alice", FIRST, left("r", "bob"))),
            forward(tells("carol", Stay(8), left("r", "bob"))),
        ]
    );
    assert_eq!(stage.undeliverable(knock), [], "once");
}

#[test]
fn a_departure_of_an_earlier_stay_changes_nothing() {
    let mut stage = a_host();

    assert_eq!(stage.arrive(to_room("bob", Stay(6), Ask::Departed)), []);
    let told = stage.arrive(to_room("bob", Stay(7), Ask::Departed));
    assert_eq!(told.len(), 2, "{told:?}");
}

#[test]
fn what_comes_for_a_room_that_has_closed_goes_back() {
    let mut stage = a_host();
    for (who, stay) in [("alice", FIRST), ("bob", Stay(7)), ("carol", Stay(8))] {
        stage.arrive(to_room(who, stay, Ask::Departed));
    }

    let late = join("dave", Stay(9));
    assert_eq!(stage.arrive(late.clone()), [Command::Return(late)]);
}

#[test]
fn what_comes_for_a_peer_that_has_gone_goes_back() {
    let mut stage = a_member_elsewhere();
    stage.close(1);

    let late = tells("alice", FIRST, said("r", "bob", data(1)));
    assert_eq!(stage.arrive(late.clone()), [Command::Return(late)]);
}

#[test]
fn what_is_of_an_earlier_stay_is_told_to_nobody() {
    let mut stage = a_member_elsewhere();

    assert_eq!(stage.arrive(tells("alice", Stay(3), said("r", "bob", data(1)))), []);
    assert_eq!(stage.arrive(news("alice", Stay(3), News::Out(None))), []);
    let of_now = tells("alice", FIRST, said("r", "bob", data(2)));
    assert_eq!(stage.arrive(of_now), [tell(1, said("r", "bob", data(2)))]);
}

#[test]
fn a_client_that_moves_to_another_node_stays_in() {
    let alice = proof("alice");
    let mut old = a_member_elsewhere();
    let moved = to_room("alice", FIRST, Ask::Moved { proof: alice, joining: false });
    assert_eq!(old.gone("alice"), [forward(moved.clone()), hangup(1, Superseded)]);

    let mut host = Stage::new();
    host.enter(1, "bob");
    host.join(1);
    host.undeliverable(join("bob", FIRST));
    host.hosts(room_address("r"));
    host.arrive(join("alice", FIRST));
    let reminder = news("alice", FIRST, News::Moved { proof: alice, again: false });
    assert_eq!(host.arrive(moved), [forward(reminder.clone())]);

    let mut new = Stage::new();
    new.enter(5, "alice");
    assert_eq!(new.arrive(reminder), []);
    let said = said("r", "bob", data(1));
    assert_eq!(new.arrive(tells("alice", FIRST, said.clone())), [tell(5, said)]);
    let departed = to_room("alice", FIRST, Ask::Departed);
    assert_eq!(new.close(5), [forward(departed), release("alice")]);
}

#[test]
fn a_stranger_who_has_the_id_now_is_not_in() {
    let mut stage = Stage::new();
    stage.enter(5, "alice");

    let reminder = news("alice", FIRST, News::Moved { proof: proof("other"), again: false });
    assert_eq!(stage.arrive(reminder), [forward(to_room("alice", FIRST, Ask::Departed))]);
}

#[test]
fn who_moved_before_it_was_told_that_it_is_in_is_told_there() {
    let mut host = a_host();

    let moved = to_room("bob", Stay(7), Ask::Moved { proof: proof("bob"), joining: true });
    assert_eq!(
        host.arrive(moved),
        [
            forward(news("bob", Stay(7), News::Moved { proof: proof("bob"), again: false })),
            forward(tells("bob", Stay(7), joined("r", "bob", &["alice", "bob", "carol"]))),
        ]
    );
}

#[test]
fn an_id_that_moves_on_and_on_is_followed_once_more_and_then_dropped() {
    let mut host = a_host();
    let reminder = |again| news("bob", Stay(7), News::Moved { proof: proof("bob"), again });

    assert_eq!(host.undeliverable(reminder(false)), [forward(reminder(true))]);
    assert_eq!(host.undeliverable(reminder(true)).len(), 2, "alice and carol hear it");
}

#[test]
fn requests_are_taken_from_a_member_before_its_new_node_knows() {
    let mut stage = Stage::new();
    stage.enter(5, "alice");
    let sent = asks("alice", FIRST, RoomRequest::Send(data(1)));

    assert_eq!(stage.ask(5, RoomRequest::Send(data(1))), [forward(sent)]);
    let mut host = a_host();
    let from_bob = asks("bob", Stay(99), RoomRequest::Members);
    let members = RoomEvent::Members(["alice", "bob", "carol"].map(peer).into());
    assert_eq!(host.arrive(from_bob), [forward(news("bob", Stay(7), News::Event(members)))]);
}
