//! What members hear of their rooms, on one node.

mod support;

use peerway_broker::{AppPolicy, Happening, RoomLimits, Settings};
use peerway_protocol::RoomRequest::{Join, Leave, Log, Members, Send};
use peerway_protocol::{
    Event, LogAction, LogEntry, Refusal, Request, RoomEvent, RoomMode, RoomRequest,
};
use support::hall::{Hall, Told, data, event, joined, left, members, name, said};
use support::{app, peer, settings};

fn refused(session: u64, refusal: Refusal) -> Told {
    vec![(session, Event::Refused(refusal))]
}

fn limited(edit: impl FnOnce(&mut RoomLimits)) -> Hall {
    let mut settings = settings();
    edit(&mut settings.rooms);
    Hall::with(settings)
}

fn of_size(members_per_room: usize) -> Hall {
    let mut settings = settings();
    settings.other_apps.members_per_room = members_per_room;
    Hall::with(settings)
}

#[test]
fn the_first_one_opens_the_room_and_the_last_one_closes_it() {
    let mut hall = Hall::of(&["alice"]);

    assert_eq!(hall.join(1, "r"), [(1, joined("r", "alice", &["alice"]))]);
    assert!(hall.holds("r"));
    assert_eq!(hall.ask(1, "r", Leave), []);
    assert!(!hall.holds("r"));
    hall.close(1);
    assert!(hall.stage.broker.is_idle(), "{:?}", hall.stage.broker);
}

#[test]
fn all_members_hear_of_a_newcomer_itself_included_in_order_of_coming() {
    let mut hall = Hall::of(&["carol", "alice", "bob"]);
    hall.join(1, "r");
    hall.join(2, "r");

    let now = joined("r", "bob", &["carol", "alice", "bob"]);

    assert_eq!(hall.join(3, "r"), [(1, now.clone()), (2, now.clone()), (3, now)]);
    assert_eq!(hall.ask(2, "r", Members), [(2, members("r", &["carol", "alice", "bob"]))]);
}

#[test]
fn those_who_stay_hear_who_left_and_who_left_hears_no_more() {
    let mut hall = Hall::of(&["alice", "bob", "carol"]);
    (1..=3).for_each(|session| drop(hall.join(session, "r")));

    assert_eq!(hall.ask(2, "r", Leave), [(1, left("r", "bob")), (3, left("r", "bob"))]);
    assert_eq!(hall.ask(1, "r", Send(data(1))), [(3, said("r", "alice", data(1)))]);
}

#[test]
fn data_goes_to_all_others_and_never_back() {
    let mut hall = Hall::of(&["alice", "bob", "carol"]);
    (1..=3).for_each(|session| drop(hall.join(session, "r")));

    let told = hall.ask(2, "r", Send(data(5)));

    assert_eq!(told, [(1, said("r", "bob", data(5))), (3, said("r", "bob", data(5)))]);
}

#[test]
fn who_joins_twice_is_told_alone_that_it_is_in() {
    let mut hall = Hall::of(&["alice", "bob"]);
    hall.join(1, "r");
    hall.join(2, "r");

    assert_eq!(hall.join(1, "r"), [(1, joined("r", "alice", &["alice", "bob"]))]);
}

#[test]
fn a_room_cannot_be_joined_as_another_type_than_it_is() {
    let mut own = settings();
    own.other_apps = AppPolicy { sfu: true, ..own.other_apps };
    let mut hall = Hall::with(own);
    hall.enter(1, "alice");
    hall.enter(2, "bob");
    hall.join(1, "r");
    let conflict = || Refusal::RoomMode { room: name("r"), mode: RoomMode::Mesh };

    assert_eq!(hall.ask(2, "r", Join(RoomMode::Sfu)), refused(2, conflict()));
    assert_eq!(hall.ask(1, "r", Join(RoomMode::Sfu)), refused(1, conflict()), "and stays in");
    assert_eq!(hall.ask(1, "r", Members), [(1, members("r", &["alice"]))]);
    assert_eq!(hall.ask(2, "r", Members), refused(2, Refusal::NotInRoom(name("r"))));
}

#[test]
fn a_type_that_the_app_may_not_use_is_refused() {
    let mut hall = Hall::of(&["alice"]);

    assert_eq!(hall.ask(1, "r", Join(RoomMode::Sfu)), refused(1, Refusal::NoSfu(name("r"))));
    assert!(!hall.holds("r"));
}

#[test]
fn who_is_not_in_is_refused_everything_else() {
    let mut hall = Hall::of(&["alice", "bob"]);
    hall.join(1, "r");

    for request in [Leave, Members, Log, Send(data(1))] {
        let answer = refused(2, Refusal::NotInRoom(name("r")));
        assert_eq!(hall.ask(2, "r", request.clone()), answer, "{request:?}");
        let answer = refused(2, Refusal::NotInRoom(name("none")));
        assert_eq!(hall.ask(2, "none", request.clone()), answer, "{request:?} of no room");
    }
}

#[test]
fn limits_are_refusals() {
    let mut hall = limited(|rooms| rooms.per_peer = 1);
    hall.enter(1, "alice");
    hall.join(1, "a");
    assert_eq!(hall.join(1, "b"), refused(1, Refusal::TooManyRooms(name("b"), 1)));
    hall.ask(1, "a", Leave);
    assert_eq!(hall.join(1, "b"), [(1, joined("b", "alice", &["alice"]))]);

    let mut hall = of_size(1);
    hall.enter(1, "alice");
    hall.enter(2, "bob");
    hall.join(1, "a");
    assert_eq!(hall.join(2, "a"), refused(2, Refusal::RoomFull(name("a"), 1)));
    hall.ask(1, "a", Leave);
    assert_eq!(hall.join(2, "a"), [(2, joined("a", "bob", &["bob"]))]);

    let mut hall = limited(|rooms| rooms.per_app = 1);
    hall.enter(1, "alice");
    hall.join(1, "a");
    assert_eq!(hall.join(1, "b"), refused(1, Refusal::AppRoomsFull(name("b"), 1)));
    hall.ask(1, "a", Leave);
    assert_eq!(hall.join(1, "b"), [(1, joined("b", "alice", &["alice"]))]);

    let mut hall = limited(|rooms| rooms.data_size = 3);
    hall.enter(1, "alice");
    hall.enter(2, "bob");
    hall.join(1, "a");
    hall.join(2, "a");
    assert_eq!(hall.ask(1, "a", Send(data(123))), [(2, said("a", "alice", data(123)))]);
    let too_big = Refusal::RoomDataTooBig(name("a"), 3);
    assert_eq!(hall.ask(1, "a", Send(data(1234))), refused(1, too_big));
}

#[test]
fn a_room_that_lets_nobody_in_is_not_kept() {
    let mut hall = of_size(0);
    hall.enter(1, "alice");

    assert_eq!(hall.join(1, "a"), refused(1, Refusal::RoomFull(name("a"), 0)));
    assert!(!hall.holds("a"));
    hall.close(1);
    assert!(hall.stage.broker.is_idle());
}

#[test]
fn the_log_tells_what_happened_with_its_time_until_the_room_empties() {
    let mut hall = Hall::of(&["alice", "bob"]);
    hall.stage.set_clock(10);
    hall.join(1, "r");
    hall.stage.set_clock(20);
    hall.join(2, "r");
    hall.stage.set_clock(30);
    hall.ask(2, "r", Send(data(7)));
    hall.stage.set_clock(40);
    hall.close(2);

    let entry = |millis: u64, who: &str, action| LogEntry {
        timestamp: 1_000_000 + millis,
        peer: peer(who),
        action,
    };
    let entries = [
        entry(10, "alice", LogAction::Joined(RoomMode::Mesh)),
        entry(20, "bob", LogAction::Joined(RoomMode::Mesh)),
        entry(30, "bob", LogAction::Data(data(7))),
        entry(40, "bob", LogAction::Left),
    ];
    assert_eq!(hall.ask(1, "r", Log), [(1, event("r", RoomEvent::Log(entries.into())))]);
    hall.ask(1, "r", Leave);
    hall.join(1, "r");
    let [(1, Event::Room { event: RoomEvent::Log(entries), .. })] = &hall.ask(1, "r", Log)[..]
    else {
        panic!("a log is answered");
    };
    assert_eq!(entries.len(), 1, "a new room has a new log");
}

#[test]
fn the_log_keeps_the_last_entries() {
    let mut hall = Hall::of(&["alice"]);
    hall.join(1, "r");
    (0..20).for_each(|number| drop(hall.ask(1, "r", Send(data(number)))));

    let [(1, Event::Room { event: RoomEvent::Log(entries), .. })] = &hall.ask(1, "r", Log)[..]
    else {
        panic!("a log is answered");
    };
    let said: Vec<LogAction> = (15..20).map(|number| LogAction::Data(data(number))).collect();
    assert_eq!(entries.iter().map(|entry| entry.action.clone()).collect::<Vec<_>>(), said);
}

#[test]
fn a_peer_that_leaves_the_server_leaves_all_its_rooms() {
    struct Way(&'static str, fn(&mut Hall) -> Told);
    let ways = [
        Way("it closes", |hall| hall.close(1)),
        Way("it departs", |hall| {
            let commands = hall.stage.request(1, Request::Depart);
            hall.settle(commands)
        }),
        Way("it does not read", |hall| {
            let commands = hall.stage.overflow(1, Event::Opened);
            hall.settle(commands)
        }),
    ];
    for Way(how, leave) in ways {
        let mut hall = Hall::of(&["alice", "bob"]);
        for room in ["a", "b"] {
            hall.join(1, room);
            hall.join(2, room);
        }
        hall.join(1, "alone");

        assert_eq!(leave(&mut hall), [(2, left("a", "alice")), (2, left("b", "alice"))], "{how}");
        assert!(!hall.holds("alone"), "{how}");
        hall.close(2);
        assert!(hall.stage.broker.is_idle(), "{how}: {:?}", hall.stage.broker);
    }
}

#[test]
fn another_session_of_a_member_is_in_its_rooms() {
    let mut hall = Hall::of(&["alice", "bob"]);
    hall.join(1, "r");
    hall.join(2, "r");

    assert_eq!(hall.open(3, "alice", "alice"), [(3, Event::Opened)]);
    assert_eq!(hall.ask(2, "r", Send(data(1))), [(3, said("r", "bob", data(1)))]);
}

#[test]
fn requests_to_rooms_count_against_the_rate() {
    let mut hall = Hall::with(Settings { message_burst: 2, ..settings() });
    hall.enter(1, "alice");
    hall.join(1, "r");
    hall.ask(1, "r", Members);

    assert_eq!(hall.ask(1, "r", Members), refused(1, Refusal::TooManyMessages(10)));
    assert!(!hall.holds("r"), "who is cut is out");
}

#[test]
fn rooms_of_two_apps_have_nothing_to_do_with_each_other() {
    let mut hall = Hall::of(&["alice"]);
    let mut elsewhere = support::address("bob");
    elsewhere.app = peerway_protocol::AppKey::new("other").unwrap();
    let commands = hall.stage.open_as(peerway_broker::Channel::Socket, 2, elsewhere, "bob");
    hall.settle(commands);
    hall.join(1, "r");

    assert_eq!(hall.join(2, "r"), [(2, joined("r", "bob", &["bob"]))]);
}

#[test]
fn what_rooms_do_is_reported() {
    let mut hall = Hall::of(&["alice", "bob"]);
    hall.all_reports();
    let mut reports = Vec::new();
    let mut ask = |session, request: RoomRequest| {
        hall.ask(session, "r", request);
        reports.append(&mut hall.all_reports());
    };
    ask(1, Join(RoomMode::Mesh));
    ask(2, Join(RoomMode::Mesh));
    ask(1, Send(data(1)));
    ask(1, Leave);
    ask(2, Leave);

    let key = app;
    assert_eq!(
        reports,
        [
            Happening::RoomOpened(key()),
            Happening::RoomJoined(key()),
            Happening::RoomJoined(key()),
            Happening::RoomData { receivers: 1 },
            Happening::RoomLeft(key()),
            Happening::RoomLeft(key()),
            Happening::RoomClosed(key()),
        ]
    );
}
