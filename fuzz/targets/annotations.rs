//! See `read::annotations`.
#![no_main]

#[path = "../read.rs"]
#[allow(dead_code, reason = "shared by all targets")]
mod read;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| read::annotations(bytes));
