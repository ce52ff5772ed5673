//! Feeds `targets::price_list`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::price_list(data));
