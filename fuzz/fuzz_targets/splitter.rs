//! Feeds `targets::splitter`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::splitter(data));
