//! Feeds `targets::config_toml`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::config_toml(data));
