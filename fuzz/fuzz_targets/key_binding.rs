//! Feeds `targets::key_binding`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::key_binding(data));
