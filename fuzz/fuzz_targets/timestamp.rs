//! Feeds `targets::timestamp`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::timestamp(data));
