//! What goes into a session at which time, and what comes out.

use super::*;
use crate::peer::PeerErrorKind;

const OPEN: &str = r#"{"type":"OPEN"}"#;
const LEAVE: &str = r#"{"type":"LEAVE","src":"bob","dst":"ann"}"#;
const TAKEN: &str = r#"{"type":"ID-TAKEN","payload":{"msg":"ID is taken"}}"#;

/// A session and a clock that is cranked by hand.
struct Bench {
    session: Session,
    start: Instant,
}

impl Bench {
    fn with(edit: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings {
            at: "http://server/".into(),
            id: Some("ann".into()),
            own_token: false,
            keep_trying: false,
            backoff: backoff(None),
        };
        edit(&mut settings);
        #[expect(clippy::disallowed_methods, reason = "some instant, from which time is cranked")]
        let start = Instant::now();
        Self { session: Session::new(settings), start }
    }

    /// One that is open since second 0.
    fn open() -> Self {
        let mut bench = Self::with(|_| {});
        bench.at(0.0).dialled();
        bench.at(0.0).frame(OPEN);
        bench.commands();
        bench
    }

    fn at(&mut self, seconds: f64) -> At<'_> {
        At { now: self.start + Duration::from_secs_f64(seconds), session: &mut self.session }
    }

    fn commands(&mut self) -> Vec<Command> {
        std::iter::from_fn(|| self.session.next_command()).collect()
    }

    /// Second of the next timeout.
    fn timeout(&self) -> Option<f64> {
        self.session.poll_timeout().map(|at| (at - self.start).as_secs_f64())
    }

    /// Lets time pass until the next attempt; the second of it.
    fn next_attempt(&mut self) -> f64 {
        assert_eq!(self.commands(), []);
        let second = self.timeout().expect("it waits");
        self.at(second).time();
        assert_eq!(self.commands(), [dial()]);
        second
    }
}

struct At<'a> {
    session: &'a mut Session,
    now: Instant,
}

impl At<'_> {
    fn dialled(self) {
        self.session.handle_dialled(Ok(()), self.now);
    }

    fn fails(self) {
        self.session.handle_dialled(Err(refused()), self.now);
    }

    fn frame(self, frame: &str) {
        self.session.handle_frame(frame, self.now);
    }

    fn time(self) {
        self.session.handle_time(self.now);
    }

    fn closed(self) {
        self.session.handle_closed(lost("gone"), self.now);
    }
}

/// Half a second, one, two, four, and a random part of up to half less.
fn backoff(limit: Option<u32>) -> Backoff {
    Backoff::new(Duration::from_millis(500), Duration::from_secs(4), limit, 7)
}

fn refused() -> Failure {
    Failure::Refused { at: "http://server/".into() }
}

fn lost(cause: &str) -> Failure {
    Failure::Lost { at: "http://server/".into(), cause: cause.into() }
}

fn taken() -> Failure {
    Failure::Said { kind: Word::IdTaken, message: "ID is taken".into() }
}

fn ann() -> String {
    "ann".into()
}

fn dial() -> Command {
    Command::Dial { id: ann() }
}

fn say(frame: &str) -> Command {
    Command::Say(frame.into())
}

fn heartbeat() -> Command {
    say(client::HEARTBEAT)
}

fn opened() -> Command {
    Command::Tell(Happening::Opened { id: ann() })
}

fn reopened() -> Command {
    Command::Tell(Happening::Reopened { id: ann() })
}

fn disconnected() -> Command {
    Command::Tell(Happening::Disconnected { id: ann() })
}

fn failed(failure: Failure) -> Command {
    Command::Tell(Happening::Failed(failure))
}

fn destroyed() -> Command {
    Command::Tell(Happening::Destroyed)
}

fn leave() -> Command {
    let from = peerway_protocol::PeerId::new("bob").unwrap();
    Command::Tell(Happening::Frame(ServerFrame::Leave { from }))
}

#[test]
fn a_wanted_id_is_dialled_at_once() {
    let mut bench = Bench::with(|_| {});
    assert_eq!(bench.commands(), [dial()]);
    assert_eq!(bench.session.status(), Status::Connecting);
    bench.at(0.0).dialled();
    assert_eq!((bench.commands(), bench.timeout()), (vec![], Some(10.0)));
    bench.at(0.1).frame(OPEN);
    assert_eq!(bench.commands(), [opened()]);
    assert_eq!(bench.session.status(), Status::Open);
}

#[test]
fn without_an_id_the_server_is_asked_for_one() {
    let mut bench = Bench::with(|settings| settings.id = None);
    assert_eq!(bench.commands(), [Command::AskId]);
    let now = bench.start;
    bench.session.handle_id(Ok(ann()), now);
    assert_eq!(bench.commands(), [dial()]);
    assert_eq!(bench.session.id(), Some("ann"));
}

#[test]
fn what_is_said_before_the_opening_waits_for_it() {
    let mut bench = Bench::with(|_| {});
    bench.session.say("1".into());
    bench.at(0.0).dialled();
    bench.session.say("2".into());
    assert_eq!(bench.commands(), [dial()]);
    bench.at(0.1).frame(OPEN);
    assert_eq!(bench.commands(), [opened(), say("1"), say("2")]);
    bench.session.say("3".into());
    assert_eq!(bench.commands(), [say("3")]);
}

#[test]
fn only_so_much_waits() {
    let mut bench = Bench::with(|_| {});
    for _ in 0..LONGEST_QUEUE {
        assert!(bench.session.has_room());
        bench.session.say("x".into());
    }
    assert!(!bench.session.has_room());
    bench.at(0.0).dialled();
    bench.at(0.0).frame(OPEN);
    assert!(bench.session.has_room());
}

#[test]
fn a_first_attempt_that_fails_is_the_end() {
    let mut bench = Bench::with(|_| {});
    bench.commands();
    bench.at(0.0).fails();
    assert_eq!(bench.commands(), [failed(refused()), destroyed()]);
    assert_eq!((bench.session.status(), bench.timeout()), (Status::Destroyed, None));
}

#[test]
fn who_keeps_trying_waits_for_the_server_and_tells_a_reason_once() {
    let mut bench = Bench::with(|settings| settings.keep_trying = true);
    bench.commands();
    bench.at(0.0).fails();
    assert_eq!(bench.commands(), [failed(refused())]);
    assert_eq!(bench.session.status(), Status::Connecting);
    let mut before = 0.0;
    for (least, most) in [(0.25, 0.5), (0.5, 1.0), (1.0, 2.0), (2.0, 4.0), (2.0, 4.0)] {
        let second = bench.next_attempt();
        let waited = second - before;
        assert!(waited > least - 0.001 && waited <= most, "{waited}");
        bench.at(second).fails();
        before = second;
    }
    // Another reason is news.
    let second = bench.next_attempt();
    bench.at(second).dialled();
    bench.at(second).closed();
    assert_eq!(bench.commands(), [], "network, like the one before");
    let second = bench.next_attempt();
    bench.at(second).dialled();
    bench.at(second).frame(r#"{"type":"ERROR","payload":{"msg":"full"}}"#);
    let full = Failure::Said { kind: Word::Error, message: "full".into() };
    assert_eq!(bench.commands(), [Command::HangUp, failed(full)]);
}

#[test]
fn who_is_not_wanted_does_not_keep_trying() {
    let mut bench = Bench::with(|settings| settings.keep_trying = true);
    bench.commands();
    bench.at(0.0).dialled();
    bench.at(0.0).frame(TAKEN);
    assert_eq!(bench.commands(), [Command::HangUp, failed(taken()), destroyed()]);
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let mut bench = Bench::with(|_| {});
    bench.commands();
    bench.at(0.0).dialled();
    bench.at(9.9).time();
    assert_eq!(bench.commands(), []);
    bench.at(10.0).time();
    let commands = bench.commands();
    let [Command::HangUp, Command::Tell(Happening::Failed(failure)), last] = &commands[..] else {
        panic!("{commands:?}")
    };
    assert_eq!((failure.kind(), last), (PeerErrorKind::ServerError, &destroyed()));
}

#[test]
fn a_heartbeat_is_sent_every_five_seconds_and_a_silent_server_is_pinged() {
    let mut bench = Bench::open();
    assert_eq!(bench.timeout(), Some(5.0));
    bench.at(4.9).time();
    assert_eq!(bench.commands(), []);
    bench.at(5.0).time();
    assert_eq!((bench.commands(), bench.timeout()), (vec![heartbeat()], Some(10.0)));
    bench.at(10.0).time();
    assert_eq!(bench.commands(), [heartbeat(), Command::Ping]);
    let now = bench.start + Duration::from_secs(11);
    bench.session.handle_heard(now);
    bench.at(15.0).time();
    assert_eq!(bench.commands(), [heartbeat()]);
}

#[test]
fn a_dead_socket_is_noticed_and_replaced() {
    let mut bench = Bench::open();
    bench.at(7.0).frame(LEAVE);
    assert_eq!(bench.commands(), [leave()]);
    for (second, expected) in [
        (10.0, vec![heartbeat()]),
        (15.0, vec![heartbeat()]),
        (20.0, vec![heartbeat(), Command::Ping]),
        (25.0, vec![heartbeat(), Command::Ping]),
        (
            27.0,
            vec![Command::HangUp, failed(lost("no sign of life for 20 seconds")), disconnected()],
        ),
    ] {
        bench.at(second).time();
        assert_eq!(bench.commands(), expected, "{second}");
    }
    assert_eq!(bench.session.status(), Status::Reconnecting);
    let second = bench.next_attempt();
    assert!((27.25..=27.5).contains(&second), "{second}");
    bench.at(second).dialled();
    bench.at(second).frame(OPEN);
    assert_eq!(bench.commands(), [reopened()]);
}

#[test]
fn a_socket_of_another_address_has_two_seconds_to_show_that_it_lives() {
    for answers in [true, false] {
        // Time before the start is needed to count back.
        let mut bench = Bench::open();
        bench.at(30.0).frame(LEAVE);
        bench.commands();
        let now = bench.start + Duration::from_secs(31);
        bench.session.handle_moved(now);
        assert_eq!(bench.commands(), [Command::Ping]);
        if answers {
            bench.session.handle_heard(now + Duration::from_secs(1));
        }
        bench.at(33.0).time();
        let lives = bench.session.status() == Status::Open;
        assert_eq!(lives, answers);
    }
}

#[test]
fn silence_means_nothing_while_nothing_is_read() {
    let mut bench = Bench::open();
    let now = bench.start;
    bench.session.handle_reading(false, now);
    for second in 1..=20 {
        bench.at(f64::from(second) * 5.0).time();
        let commands = bench.commands();
        assert!(commands.contains(&heartbeat()), "{second}: {commands:?}");
        assert!(!commands.contains(&Command::HangUp));
    }
    let now = bench.start + Duration::from_secs(101);
    bench.session.handle_reading(true, now);
    bench.at(105.0).time();
    assert_eq!(bench.commands(), [heartbeat()]);
    bench.at(121.0).time();
    assert_eq!(bench.commands()[0], Command::HangUp);
}

#[test]
fn a_lost_connection_is_told_in_the_order_of_peerjs() {
    let mut bench = Bench::open();
    bench.at(1.0).closed();
    assert_eq!(bench.commands(), [failed(lost("gone")), disconnected()]);
    let second = bench.next_attempt();
    bench.at(second).fails();
    // "lost" and "refused" are of one kind.
    let second = bench.next_attempt();
    bench.at(second).dialled();
    bench.session.say("queued".into());
    bench.at(second).frame(OPEN);
    assert_eq!(bench.commands(), [reopened(), say("queued")]);
}

#[test]
fn attempts_end_where_the_user_says() {
    let mut bench = Bench::with(|settings| settings.backoff = backoff(Some(1)));
    bench.at(0.0).dialled();
    bench.at(0.0).frame(OPEN);
    bench.commands();
    bench.at(1.0).closed();
    assert_eq!(bench.commands(), [failed(lost("gone")), disconnected()]);
    let second = bench.next_attempt();
    bench.at(second).fails();
    assert_eq!((bench.commands(), bench.timeout()), (vec![], None));
    assert_eq!(bench.session.status(), Status::Disconnected);
    bench.session.reconnect();
    assert_eq!(bench.commands(), [dial()]);
}

#[test]
fn an_id_that_is_lost_to_another_is_not_fought_for() {
    let mut bench = Bench::open();
    bench.at(1.0).closed();
    bench.commands();
    let second = bench.next_attempt();
    bench.at(second).dialled();
    bench.at(second).frame(TAKEN);
    assert_eq!(bench.commands(), [Command::HangUp, failed(taken())]);
    assert_eq!(bench.session.status(), Status::Disconnected);
}

#[test]
fn two_that_take_over_from_each_other_do_it_ever_more_slowly() {
    let mut bench = Bench::open();
    let mut second = 0.0;
    let mut waits = Vec::new();
    for _ in 0..4 {
        bench.at(second + 1.0).closed();
        bench.commands();
        let next = bench.next_attempt();
        waits.push(next - second - 1.0);
        second = next;
        bench.at(second).dialled();
        bench.at(second).frame(OPEN);
        bench.commands();
    }
    assert!(waits[3] >= 2.0, "{waits:?}");
    // Once it has been open for long, the first wait is short again.
    bench.at(second + 10.0).closed();
    bench.commands();
    assert!(bench.next_attempt() <= second + 10.5);
}

/// `PeerServer` attaches a known id with the same token without a word.
#[test]
fn a_server_that_takes_us_back_silently_is_believed_after_three_seconds() {
    let mut bench = Bench::open();
    bench.at(1.0).closed();
    bench.commands();
    let second = bench.next_attempt();
    bench.at(second).dialled();
    assert_eq!((bench.commands(), bench.timeout()), (vec![], Some(second + 3.0)));
    bench.at(second + 3.0).time();
    assert_eq!(bench.commands(), [reopened()]);
}

#[test]
fn a_relayed_frame_shows_that_we_were_taken_back() {
    let mut bench = Bench::with(|settings| settings.own_token = true);
    bench.commands();
    bench.at(0.0).dialled();
    bench.at(0.1).frame(LEAVE);
    assert_eq!(bench.commands(), [opened(), leave()]);
}

#[test]
fn a_frame_from_a_server_that_does_not_know_us_is_nothing() {
    let mut bench = Bench::with(|_| {});
    bench.commands();
    bench.at(0.0).dialled();
    for frame in [LEAVE, r#"{"type":"PING"}"#, "nonsense", "[]"] {
        bench.at(0.1).frame(frame);
    }
    assert_eq!(bench.commands(), []);
}

#[test]
fn an_error_while_open_is_told_and_no_end() {
    let mut bench = Bench::open();
    bench.at(1.0).frame(r#"{"type":"ERROR","payload":{"msg":"Too many messages"}}"#);
    let failure = Failure::Said { kind: Word::Error, message: "Too many messages".into() };
    assert_eq!(bench.commands(), [failed(failure)]);
    assert_eq!(bench.session.status(), Status::Open);
}

#[test]
fn a_late_no_is_final_all_the_same() {
    let mut bench = Bench::open();
    bench.at(1.0).frame(TAKEN);
    assert_eq!(bench.commands(), [Command::HangUp, failed(taken()), disconnected()]);
    assert_eq!((bench.session.status(), bench.timeout()), (Status::Disconnected, None));
}

#[test]
fn disconnecting_lasts_until_reconnecting() {
    let mut bench = Bench::open();
    bench.session.disconnect();
    assert_eq!(bench.commands(), [Command::HangUp, disconnected()]);
    assert_eq!((bench.session.status(), bench.timeout()), (Status::Disconnected, None));
    bench.session.disconnect();
    bench.session.say("lost".into());
    assert_eq!(bench.commands(), []);
    bench.session.reconnect();
    assert_eq!(bench.commands(), [dial()]);
    assert_eq!(bench.session.status(), Status::Reconnecting);
    bench.at(9.0).dialled();
    bench.at(9.0).frame(OPEN);
    assert_eq!(bench.commands(), [reopened()]);
}

#[test]
fn reconnecting_does_not_wait() {
    let mut bench = Bench::open();
    bench.session.reconnect();
    assert_eq!(bench.commands(), [], "it is open");
    bench.at(1.0).closed();
    bench.commands();
    bench.session.reconnect();
    assert_eq!((bench.commands(), bench.timeout()), (vec![dial()], None));
}

#[test]
fn what_comes_late_is_nothing() {
    let mut bench = Bench::open();
    bench.session.disconnect();
    bench.commands();
    bench.at(1.0).dialled();
    bench.at(1.0).frame(OPEN);
    bench.at(1.0).closed();
    bench.at(99.0).time();
    let now = bench.start;
    bench.session.handle_id(Ok("other".into()), now);
    assert_eq!(bench.commands(), []);
    assert_eq!(bench.session.id(), Some("ann"));
}

#[test]
fn destroying_is_told_in_the_order_of_peerjs_and_final() {
    let mut bench = Bench::open();
    bench.session.destroy();
    assert_eq!(bench.commands(), [Command::HangUp, disconnected(), destroyed()]);
    bench.session.destroy();
    bench.session.reconnect();
    bench.session.disconnect();
    assert_eq!(bench.commands(), []);
    assert_eq!(bench.session.status(), Status::Destroyed);

    let mut bench = Bench::open();
    bench.session.disconnect();
    bench.commands();
    bench.session.destroy();
    assert_eq!(bench.commands(), [destroyed()]);
}
