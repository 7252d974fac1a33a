#![no_main]

#[allow(dead_code, reason = "the other target uses the rest")]
#[path = "../src/socketio.rs"]
mod socketio;

libfuzzer_sys::fuzz_target!(|data: &[u8]| socketio::socketio_packet(data));
