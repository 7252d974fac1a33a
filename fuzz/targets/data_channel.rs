#![no_main]

#[path = "../src/data.rs"]
mod data;

libfuzzer_sys::fuzz_target!(|data: &[u8]| data::data_channel(data));
