#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| roadbed_fuzz::run("reconnecting_client", data));
