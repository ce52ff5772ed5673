//! Feeds `targets::socket_line`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::socket_line(data));
