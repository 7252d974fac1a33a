//! `peerway room join`, as processes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod peers;

use peers::{Process, Scratch, Server};

/// `peerway room join NAME` as this peer.
fn join(server: &Server, name: &str, id: &str, more: &[&str]) -> Process {
    let common = ["room", "join", name, "--id", id, "--server", &server.url];
    Process::start(&[&common, more].concat())
}

#[test]
fn what_one_publishes_another_one_records() {
    let server = Server::start();
    let folder = Scratch::new();
    let target = folder.at("recordings");
    let bob = join(&server, "studio", "bob", &["--record", &target, "--json"]);
    bob.wait_for_output("\"joined\"");
    let ann = join(&server, "studio", "ann", &["--publish-test-source", "--size", "320x180"]);
    bob.wait_for_output("\"kind\":\"video\"");
    bob.wait_for_output("\"kind\":\"audio\"");
    folder.wait_for_length("recordings/ann.webm", 20_000);
    // Ctrl-C is the usual way to leave.
    ann.signal("-INT");
    let ann = ann.end().success();
    assert!(ann.stderr.contains("video sent"), "{}", ann.stderr);
    bob.wait_for_output("\"member_left\"");
    bob.signal("-INT");
    let bob = bob.end().success();
    let recorded = bob.event("recorded");
    assert_eq!(recorded["peer"], "ann");
    assert!(recorded["seconds"].as_f64().unwrap() > 0.5, "{recorded}");
    let file = folder.read("recordings/ann.webm");
    assert_eq!(recorded["bytes"], file.len());
    assert_eq!(file[..4], [0x1a, 0x45, 0xdf, 0xa3], "the beginning of every WebM");
    assert_eq!(folder.names(), ["recordings"]);
}

#[test]
fn members_see_each_other_and_what_is_said() {
    let server = Server::start();
    let ann = join(&server, "tea", "ann", &["--mode", "mesh"]);
    ann.wait_for("In the room tea as ann, alone");
    let said =
        ["--mode", "mesh", "--send", "grüße \u{1b}[31m", "--send", "zwei", "--duration", "1s"];
    let bob = join(&server, "tea", "bob", &said);
    bob.wait_for("with ann");
    ann.wait_for("bob is here");
    ann.wait_for_output("bob: grüße \u{fffd}[31m");
    ann.wait_for_output("bob: zwei");
    bob.end().success();
    ann.wait_for("bob is gone");
    ann.signal("-TERM");
    ann.end().success();
}

#[test]
fn what_cannot_be_says_why() {
    let server = Server::start();
    let mesh = join(&server, "tea", "ann", &["--mode", "mesh", "--publish-test-source"]);
    assert!(mesh.end().exit(1).stderr.contains("peerway call"));

    let ann = join(&server, "tea", "ann", &["--mode", "mesh"]);
    ann.wait_for("alone");
    let other = join(&server, "tea", "bob", &[]).end().exit(4);
    assert!(other.stderr.contains("of type mesh"), "{}", other.stderr);

    let file = Scratch::new();
    let taken = file.write("taken", b"");
    let ended = join(&server, "studio", "bob", &["--record", &taken]).end().exit(1);
    assert!(ended.stderr.contains("cannot record into"), "{}", ended.stderr);
}
