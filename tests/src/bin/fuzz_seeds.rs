//! Writes the seeds of the corpus anew: `cargo run -p tests --bin fuzz_seeds`. Files that no seed makes stay.

use anyhow::Result;
use std::path::Path;
use tests::fuzz::seeds;

fn main() -> Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    println!("{} seeds in {}", seeds::write(&corpus)?, corpus.display());
    Ok(())
}
