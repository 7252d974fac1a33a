//! `peerway send` and `peerway receive`, as processes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod peers;
#[path = "coturn/ports.rs"]
mod ports;

use std::process::{Command, Stdio};

use peers::{Ended, Process, Scratch, Server, noise};

const MEGABYTE: usize = 1_000_000;

#[test]
fn files_and_folders_arrive_as_they_were() {
    let world = World::new();
    let files = [
        world.from.write("a.bin", &noise(3 * MEGABYTE, 1)),
        world.from.write("empty", b""),
        world.from.write("ファイル 👍.txt", "grüße".as_bytes()),
        world.from.at("folder"),
    ];
    world.from.write("folder/deep/er/x", b"x");
    std::fs::create_dir(world.from.path().join("folder/none")).unwrap();
    let receiver = world.receive(&[]);
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let sent = world.send(&files).end().success();
    let taken = receiver.end().success();
    let diff = Command::new("diff").arg("-r").args([world.from.path(), world.to.path()]).output();
    let diff = diff.unwrap();
    assert!(diff.status.success(), "{}", String::from_utf8_lossy(&diff.stdout));
    let modified = |folder: &Scratch| {
        let modified = folder.path().join("a.bin").metadata().unwrap().modified().unwrap();
        modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis()
    };
    assert_eq!(modified(&world.from), modified(&world.to));
    for (ended, moved) in [(sent, 3_000_008), (taken, 3_000_008)] {
        let end = ended.event("end");
        assert_eq!((&end["files"], &end["done"]), (&5.into(), &5.into()), "{end}");
        assert_eq!(end["moved"], moved, "{end}");
    }
}

#[test]
fn a_thousand_small_files_arrive() {
    let world = World::new();
    for number in 0..1000 {
        world.from.write(&format!("folder/{}/{number}", number % 7), &noise(number, 3));
    }
    let receiver = world.receive(&[]);
    world.send(&[&world.from.at("folder")]).end().success();
    let end = receiver.end().success().event("end");
    assert_eq!(end["done"], 1000);
    for number in 0..1000 {
        let name = format!("folder/{}/{number}", number % 7);
        assert!(world.to.read(&name) == noise(number, 3), "{name}");
    }
}

#[test]
fn a_hundred_megabytes_go_on_after_the_sender_was_killed() {
    let world = World::new();
    let content = noise(100 * MEGABYTE, 4);
    let file = world.from.write("big", &content);
    let receiver = world.receive(&[]);
    let mut sender = world.send(&[&file]);
    world.to.wait_for_length("big.peerway-part", 20 << 20);
    sender.kill();
    let there = world.to.length("big.peerway-part");
    assert!(!world.to.names().contains(&"big".to_owned()));

    let moved = world.send(&[&file]).end().success().event("end")["moved"].as_u64().unwrap();
    receiver.end().success();
    assert!(world.to.read("big") == content);
    assert!(moved + there <= 100_000_000, "{moved} after {there}");
    assert_eq!(world.to.names(), ["big"]);
}

#[test]
fn a_hundred_megabytes_go_on_after_the_receiver_was_killed() {
    let world = World::new();
    let content = noise(100 * MEGABYTE, 5);
    let file = world.from.write("big", &content);
    let mut receiver = world.receive(&[]);
    let sender = world.send(&[&file]);
    world.to.wait_for_length("big.peerway-part", 20 << 20);
    receiver.kill();
    let there = world.to.length("big.peerway-part");

    let receiver = world.receive(&[]);
    sender.end().success();
    let moved = receiver.end().success().event("end")["moved"].as_u64().unwrap();
    assert!(world.to.read("big") == content);
    assert_eq!(moved + there, 100_000_000);
}

#[test]
fn a_relayed_transfer_outlives_its_server_and_relay() {
    let (from, to) = (Scratch::new(), Scratch::new());
    let [http, turn, relays] = [1, 1, 20].map(ports::block);
    let (key, folder) = (from.at("peerway.toml"), to.at(""));
    let settings = format!(
        "port = {http}\nhost = \"127.0.0.1\"\n[turn]\nudp = [\"127.0.0.1:{turn}\"]\ntcp = []\ntls = []\n\
         public_host = \"127.0.0.1\"\nrelay_ports = \"{relays}-{}\"\nallow_peers = [\"127.0.0.0/8\"]\n\
         [sfu]\nenabled = false\n",
        relays + 19
    );
    from.write("peerway.toml", settings.as_bytes());
    let serve = || Server::with_turn(&["serve", "--config", &key]);
    let mut server = serve();
    let content = noise(60 * MEGABYTE, 11);
    let file = from.write("big", &content);
    let rest = ["--relay-only", "--server", &server.url, "--json"];
    let receiver = Process::start(&[&["receive", &folder, "--id", "bob"], &rest[..]].concat());
    receiver.wait_for_output("\"open\"");
    let sender = Process::start(&[&["send", &file, "--to", "bob"], &rest[..]].concat());
    to.wait_for_length("big.peerway-part", 10 << 20);
    server.kill();
    let _server = serve();
    let sent = sender.end().success();
    let taken = receiver.end().success();
    assert!(to.read("big") == content);
    assert_eq!(taken.event("end")["moved"], 60 * MEGABYTE);
    for ended in [sent, taken] {
        ended.event("resumed");
    }
}

#[test]
fn what_is_there_is_kept_unless_told() {
    let world = World::new();
    let content = noise(MEGABYTE, 6);
    let files = [world.from.write("same", &content), world.from.write("other", b"theirs")];
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    world.to.write("same", &content);
    world.to.write("other", b"mine..");

    let receiver = world.receive(&[]);
    let sent = world.send(&files).end().exit(5);
    let taken = receiver.end().exit(5);
    assert_eq!(world.to.read("other"), b"mine..");
    for ended in [sent, taken] {
        assert_eq!(ended.event("end")["done"], 1);
        assert!(ended.event("end")["moved"].as_u64().unwrap() <= 6);
        let text = String::from_utf8_lossy(&ended.stdout);
        let refused = text.lines().find(|line| line.contains("\"reason\":\"exists\""));
        assert!(refused.is_some_and(|line| line.contains("\"name\":\"other\"")), "{text}");
        assert!(ended.stderr.contains("1 of the files did not arrive"), "{}", ended.stderr);
    }

    let receiver = world.receive(&["--force"]);
    world.send(&files).end().success();
    receiver.end().success();
    assert_eq!(world.to.read("other"), b"theirs");
}

#[test]
fn ctrl_c_is_told_to_the_other_side_and_keeps_the_part() {
    for (who, sender_code, receiver_code) in [("sender", 130, 4), ("receiver", 4, 130)] {
        let world = World::new();
        let file = world.from.write("big", &noise(100 * MEGABYTE, 7));
        let receiver = world.receive(&[]);
        let sender = world.send(&[&file]);
        world.to.wait_for_length("big.peerway-part", 1 << 20);
        (if who == "sender" { &sender } else { &receiver }).signal("-INT");
        let sent = sender.end().exit(sender_code);
        let taken = receiver.end().exit(receiver_code);
        let told = format!("the {who} stopped");
        let other = if who == "sender" { taken } else { sent };
        assert!(other.stderr.contains(&told), "{}", other.stderr);
        assert!(world.to.length("big.peerway-part") >= 1 << 20);
    }
}

#[test]
fn a_pipe_goes_through() {
    let world = World::new();
    let content = noise(5 * MEGABYTE, 8);
    let arguments = ["receive", "-", "--id", "bob", "--server", &world.server.url];
    let receiver = Process::start(&arguments);
    receiver.wait_for("link");
    let arguments = ["send", "-", "--to", "bob", "--server", &world.server.url];
    let mut sender = Process::start_with(&arguments, Stdio::piped(), None);
    let mut stdin = sender.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, &content).unwrap();
    drop(stdin);
    sender.end().success();
    let taken = receiver.end().success();
    assert!(taken.stdout == content);
}

#[test]
fn a_full_disk_is_told_to_both() {
    let world = World::new();
    let file = world.from.write("a", &noise(MEGABYTE, 9));
    let mut command = Command::new(env!("CARGO_BIN_EXE_peerway"));
    command.args(["receive", "-", "--id", "bob", "--server", &world.server.url]).env_clear();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    command.stdin(Stdio::null()).stdout(full).stderr(Stdio::piped());
    let receiver = Process::spawn(command);
    receiver.wait_for("link");
    let sent = world.send(&[&file]).end().exit(4);
    assert!(sent.stderr.contains("the disk is full"), "{}", sent.stderr);
    receiver.wait_for("cannot write to the standard output: the disk is full");
}

#[test]
fn a_sender_can_wait_to_be_asked_too() {
    // A receiver that calls is a page; here it is enough that the link and the id are told.
    let world = World::new();
    let file = world.from.write("a", b"a");
    let arguments =
        ["send", &file, "--id", "ann", "--qr", "--server", &world.server.url, "--timeout", "1s"];
    let ended = Process::start(&arguments).end().exit(3);
    assert!(ended.stderr.contains(&format!("link  {}#ann", world.server.url)), "{}", ended.stderr);
    assert!(ended.stderr.contains('█'), "{}", ended.stderr);
}

#[test]
fn a_link_leads_to_the_receiver() {
    let world = World::new();
    let file = world.from.write("a", b"abc");
    let receiver = world.receive(&[]);
    let link = format!("{}#bob", world.server.url);
    Process::start(&["send", &file, "--to", &link]).end().success();
    receiver.end().success();
    assert_eq!(world.to.read("a"), b"abc");
}

#[test]
fn who_is_not_there_is_waited_for_and_given_up() {
    let world = World::new();
    let file = world.from.write("a", b"abc");
    let to_nobody = ["send", &file, "--to", "nobody", "--server", &world.server.url];
    let ended = Process::start(&[&to_nobody[..], &["--timeout", "2s"]].concat()).end().exit(3);
    assert!(ended.stderr.contains("nobody"), "{}", ended.stderr);

    let early = world.send(&[&file]);
    let receiver = world.receive(&[]);
    early.end().success();
    receiver.end().success();
}

#[test]
fn mistakes_are_told_before_anybody_is_called() {
    let world = World::new();
    let file = world.from.write("a", b"abc");
    for (arguments, code, part) in [
        (vec!["send", "/no/such/file", "--to", "bob"], 1, "cannot read /no/such/file"),
        (vec!["send", &file, "--to", ""], 2, "must not be empty"),
        (vec!["send", &file, "--to", "http://x/"], 2, "no '#'"),
        (vec!["send", &file, "--server", "localhost"], 2, "a server is given like"),
        (vec!["send"], 2, "<FILE>..."),
        (vec!["receive", "/no/such/folder"], 1, "/no/such/folder is no folder"),
        (vec!["receive", "--server", "http://127.0.0.1:9/"], 3, ""),
        (vec!["receive", "--id", "a--b"], 1, "cannot be an id"),
    ] {
        let ended = Process::start(&arguments).end();
        assert_eq!(ended.code, Some(code), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(part), "{arguments:?}: {}", ended.stderr);
    }
}

#[test]
fn an_id_that_is_taken_is_refused() {
    let world = World::new();
    let _receiver = world.receive(&[]);
    let arguments = ["receive", "--id", "bob", "--server", &world.server.url];
    Process::start(&arguments).end().exit(4);
}

#[test]
fn too_much_and_the_wrong_sender_are_declined() {
    let world = World::new();
    let file = world.from.write("a", &noise(2000, 1));
    let receiver = world.receive(&["--limit", "1kB"]);
    let sent = world.send(&[&file]).end().exit(4);
    assert!(sent.stderr.contains("takes no more than 1.0 kB"), "{}", sent.stderr);
    receiver.end().exit(4);

    let receiver = world.receive(&["--from", "ann"]);
    let sent = world.send(&[&file]).end().exit(4);
    assert!(sent.stderr.contains("declined"), "{}", sent.stderr);
    let arguments = ["send", &file, "--to", "bob", "--id", "ann", "--server", &world.server.url];
    Process::start(&arguments).end().success();
    receiver.end().success();
}

#[test]
fn a_receiver_may_stay_for_the_next_one() {
    let world = World::new();
    let receiver = world.receive(&["--keep"]);
    for name in ["a", "b", "c"] {
        let file = world.from.write(name, name.as_bytes());
        world.send(&[&file]).end().success();
    }
    receiver.signal("-TERM");
    receiver.end().exit(130);
    assert_eq!(world.to.names(), ["a", "b", "c"]);
}

#[test]
fn the_second_of_two_senders_waits_for_the_first_or_is_told() {
    let world = World::new();
    let files = [
        world.from.write("a", &noise(10 * MEGABYTE, 1)),
        world.from.write("b", &noise(10 * MEGABYTE, 2)),
    ];
    let receiver = world.receive(&["--keep"]);
    let senders: Vec<_> = files.iter().map(|file| world.send(&[file])).collect();
    for sender in senders {
        let ended: Ended = sender.end();
        let busy = ended.code == Some(4) && ended.stderr.contains("another transfer is on");
        assert!(ended.code == Some(0) || busy, "{}", ended.stderr);
    }
    receiver.signal("-INT");
    receiver.end().exit(130);
    assert!(
        world.to.names().contains(&"a".to_owned()) || world.to.names().contains(&"b".to_owned())
    );
}

/// A server, a folder to send from and one to receive into.
struct World {
    server: Server,
    from: Scratch,
    to: Scratch,
}

impl World {
    fn new() -> Self {
        Self { server: Server::start(), from: Scratch::new(), to: Scratch::new() }
    }

    /// A receiver that is there.
    fn receive(&self, more: &[&str]) -> Process {
        let folder = self.to.at("");
        let arguments = ["receive", &folder, "--id", "bob", "--server", &self.server.url, "--json"];
        let receiver = Process::start(&[&arguments[..], more].concat());
        receiver.wait_for_output("\"open\"");
        receiver
    }

    fn send(&self, files: &[&str]) -> Process {
        let rest = ["--to", "bob", "--server", &self.server.url, "--json"];
        Process::start(&[&["send"], files, &rest].concat())
    }
}
