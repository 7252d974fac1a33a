#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| peerway_fuzz::peerjs_handshake(data));
