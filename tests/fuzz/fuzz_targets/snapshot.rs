//! The snapshot loader, with coverage: see tests/src/fuzz/snapshot.rs.

#![no_main]

#[global_allocator]
static METER: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

libfuzzer_sys::fuzz_target!(|input: &[u8]| { tests::fuzz::metered(&METER, tests::fuzz::snapshot::run, input); });
