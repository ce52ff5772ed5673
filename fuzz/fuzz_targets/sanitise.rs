//! Feeds `targets::sanitise`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::sanitise(data));
