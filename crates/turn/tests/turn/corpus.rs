//! Replays the committed corpus of the fuzz target, so that an input that once broke something is
//! tried by every `cargo test`.

#[path = "../../../../fuzz/src/turn.rs"]
mod target;

use std::fs;
use std::path::Path;

#[test]
fn the_corpus_of_datagrams_holds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/turn_datagram");
    let mut inputs: Vec<_> = fs::read_dir(&corpus)
        .expect("the corpora are committed beside the fuzz targets")
        .map(|entry| entry.expect("a folder can be listed").path())
        .collect();
    inputs.sort();
    assert!(inputs.len() > 5, "the corpus is missing");
    for input in inputs {
        // The name is on the screen if the check panics.
        println!("{}", input.display());
        target::turn_datagram(&fs::read(&input).expect("an input can be read"));
    }
}
