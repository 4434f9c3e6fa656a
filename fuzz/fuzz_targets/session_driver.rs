#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| roadbed_fuzz::run("session_driver", data));
