//! Counts the instructions of everything in `counts::counted`, each in a run of its own under callgrind.
//!
//! `counts` (benches/counts/src/main.rs) runs this and judges what comes out.

// gungraun's macros write modules and constants of their own.
#![expect(missing_docs, reason = "what the macros write has no documentation, and nobody reads it")]

use counts::counted::{self, Prepared};
use gungraun::Callgrind;
use gungraun::prelude::*;

#[library_benchmark(setup = counted::prepare)]
#[bench::hash_of_a_request("hash_of_a_request")]
#[bench::reserve_granted("reserve_granted")]
#[bench::reserve_queued_behind_a_short_line("reserve_queued_behind_a_short_line")]
#[bench::reserve_queued_behind_a_long_line("reserve_queued_behind_a_long_line")]
#[bench::repeat_under_a_known_key("repeat_under_a_known_key")]
#[bench::refusal_when_sold_out("refusal_when_sold_out")]
#[bench::order_and_confirm("order_and_confirm")]
#[bench::cancel_with_promotion("cancel_with_promotion")]
#[bench::expiry_with_promotion("expiry_with_promotion")]
#[bench::fold_of_an_event("fold_of_an_event")]
#[bench::encode_an_event("encode_an_event")]
#[bench::decode_an_event("decode_an_event")]
#[bench::frame_a_group_of_1("frame_a_group_of_1")]
#[bench::frame_a_group_of_64("frame_a_group_of_64")]
#[bench::reserve_granted_to_the_log("reserve_granted_to_the_log")]
fn counted_run(mut prepared: Prepared) -> Prepared {
    prepared();
    prepared
}

library_benchmark_group!(name = core, benchmarks = [counted_run]);
main!(
    // Only instructions: no caches are simulated, which halves the time.
    config = LibraryBenchmarkConfig::default().tool(Callgrind::with_args(["--cache-sim=no"])),
    library_benchmark_groups = core
);
