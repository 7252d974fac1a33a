//! `peerway chat`, `peerway call` and `peerway listen`, as processes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod peers;

use std::process::{Command, Stdio};

use peers::{Process, Scratch, Server};

#[test]
fn lines_go_both_ways() {
    let server = Server::start();
    for serialization in ["binary", "json", "MsgPack", "raw"] {
        let mut ann = start(&["chat", "--id", "ann", "--server", &server.url]);
        ann.wait_for("link");
        let arguments = [
            "chat",
            "ann",
            "--id",
            "bob",
            "--serialization",
            serialization,
            "--server",
            &server.url,
        ];
        let mut bob = start(&arguments);
        ann.wait_for("bob is here");
        bob.wait_for("ann is here");
        bob.say("grüße 👍\n");
        ann.wait_for_output("bob: grüße 👍");
        ann.say("und \u{1b}[31mzurück\n");
        bob.wait_for_output("ann: und \u{fffd}[31mzurück");
        // Ctrl-D at one side ends the chat of who called.
        bob.say("zuletzt\n");
        let bob = bob.end();
        assert_eq!(bob.code, Some(0), "{}", bob.stderr);
        ann.wait_for_output("bob: zuletzt");
        ann.wait_for("bob is gone");
        // The end of its input would end it too.
        let input = ann.stdin.take();
        ann.signal("-INT");
        assert_eq!(ann.end().code, Some(130));
        drop(input);
    }
}

#[test]
fn several_may_come_to_a_chat() {
    let server = Server::start();
    let mut ann = start(&["chat", "--id", "ann", "--server", &server.url, "--json"]);
    ann.wait_for_output("\"open\"");
    let mut guests: Vec<_> = (0..3)
        .map(|number| {
            let id = format!("guest{number}");
            start(&["chat", "ann", "--id", &id, "--server", &server.url])
        })
        .collect();
    for guest in &guests {
        guest.wait_for("ann is here");
    }
    for number in 0..3 {
        ann.wait_for_output(&format!("\"peer\":\"guest{number}\""));
    }
    ann.say("to all\n");
    for guest in &mut guests {
        guest.wait_for_output("ann: to all");
    }
    drop(ann.stdin.take());
    assert_eq!(ann.end().code, Some(0));
    for guest in guests {
        assert_eq!(guest.end().code, Some(0));
    }
}

#[test]
fn a_chat_with_nobody_ends() {
    let server = Server::start();
    let arguments = ["chat", "nobody", "--server", &server.url, "--timeout", "10s"];
    let ended = start(&arguments).end();
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
}

#[test]
fn an_echo_sends_everything_back() {
    let server = Server::start();
    let echo = start(&["listen", "--echo", "--id", "echo", "--server", &server.url]);
    echo.wait_for("link");
    for serialization in ["binary", "json", "MsgPack", "raw"] {
        let arguments = ["chat", "echo", "--serialization", serialization, "--server", &server.url];
        let mut chat = start(&arguments);
        chat.wait_for("echo is here");
        chat.say("hällo\n");
        chat.wait_for_output("echo: hällo");
        assert_eq!(chat.end().code, Some(0));
    }
    echo.signal("-TERM");
    assert_eq!(echo.end().code, Some(130));
}

#[test]
fn a_test_source_goes_to_an_echo_and_back_into_a_file() {
    let server = Server::start();
    let scratch = Scratch::new();
    let echo = start(&["listen", "--echo", "--id", "echo", "--server", &server.url]);
    echo.wait_for("link");
    let file = scratch.at("call.webm");
    let arguments = [
        "call",
        "echo",
        "--test-source",
        "--record",
        &file,
        "--duration",
        "4s",
        "--server",
        &server.url,
    ];
    let ended = start(&[&arguments[..], &["--json"]].concat()).end().success();
    let hangup = ended.event("hangup");
    let tracks = hangup["tracks"].as_array().unwrap();
    for kind in ["audio", "video"] {
        for sent in [true, false] {
            let track = tracks.iter().find(|it| it["kind"] == kind && it["sent"] == sent);
            let track = track.unwrap_or_else(|| panic!("no {kind} {sent} in {hangup}"));
            assert!(track["packets"].as_u64().unwrap() > 30, "{track}");
        }
    }
    assert!(ended.event("recorded")["seconds"].as_f64().unwrap() > 2.0);
    assert_eq!(&scratch.read("call.webm")[..4], [0x1a, 0x45, 0xdf, 0xa3], "it is EBML");
    let again = start(&arguments).end();
    assert_eq!(again.code, Some(1), "{}", again.stderr);
    assert!(again.stderr.contains("cannot create"), "{}", again.stderr);
    if let Ok(probed) = probe(&file) {
        assert!(probed.contains("vp8") && probed.contains("opus"), "{probed}");
    }
}

#[test]
fn a_call_to_nobody_ends_and_leaves_no_file() {
    let server = Server::start();
    let scratch = Scratch::new();
    let file = scratch.at("call.webm");
    let arguments = ["call", "nobody", "--record", &file, "--server", &server.url];
    let ended = start(&[&arguments[..], &["--timeout", "10s"]].concat()).end();
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert_eq!(scratch.names(), Vec::<String>::new());
    let wrong = start(&["call", "nobody", "--record", "call.mp4", "--server", &server.url]).end();
    assert_eq!(wrong.code, Some(1), "{}", wrong.stderr);
    assert!(wrong.stderr.contains(".webm"), "{}", wrong.stderr);
}

fn start(arguments: &[&str]) -> Process {
    Process::start_with(arguments, Stdio::piped(), None)
}

/// The codecs of a file, where ffprobe is installed.
fn probe(file: &str) -> std::io::Result<String> {
    let arguments = ["-v", "error", "-show_entries", "stream=codec_name", file];
    let output = Command::new("ffprobe").args(arguments).output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
