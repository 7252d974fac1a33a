//! Replays the committed corpora of the fuzz targets, so that an input that once broke something
//! is tried by every `cargo test`.

#[path = "../../../fuzz/src/data.rs"]
mod data;
#[path = "../../../fuzz/src/socketio.rs"]
mod socketio;
#[path = "../../../fuzz/src/lib.rs"]
mod targets;

use std::fs;
use std::path::Path;

#[test]
fn the_corpus_of_frames_holds() {
    replay("peerjs_frame", targets::peerjs_frame);
}

#[test]
fn the_corpus_of_handshakes_holds() {
    replay("peerjs_handshake", targets::peerjs_handshake);
}

#[test]
fn the_corpus_of_data_channels_holds() {
    replay("data_channel", data::data_channel);
}

#[test]
fn the_corpus_of_polling_bodies_holds() {
    replay("engineio_payload", socketio::engineio_payload);
}

#[test]
fn the_corpus_of_socket_io_messages_holds() {
    replay("socketio_packet", socketio::socketio_packet);
}

fn replay(target: &str, check: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut inputs: Vec<_> = fs::read_dir(&corpus)
        .expect("the corpora are committed beside the fuzz targets")
        .map(|entry| entry.expect("a folder can be listed").path())
        .collect();
    inputs.sort();
    assert!(inputs.len() > 5, "the corpus of {target} is missing");
    for input in inputs {
        // The name is on the screen if the check panics.
        println!("{}", input.display());
        check(&fs::read(&input).expect("an input can be read"));
    }
}
