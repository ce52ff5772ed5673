//! Feeds `targets::line_parser`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::line_parser(data));
