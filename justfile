# Every recipe is one plain command; just stays optional.

# The main job: a flash sale from start to audited end.
demo:
    cargo run --release -- demo

# The test command of the README.
test:
    cargo test --workspace

# What CI runs.
check:
    bash .ci/run

fmt:
    cargo fmt --all

lint:
    cargo clippy --workspace --all-targets -- -D warnings

doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# The bench, all of it; `just bench --quick` takes less than three minutes, `just bench ladder` is one part.
bench *ARGS:
    cargo run --release -p benches -- {{ARGS}}

# Instructions and allocations of the core, compared with the committed ones; `just counts --bless` commits to new ones.
counts *ARGS:
    cargo run --release -p counts -- {{ARGS}}

# What instructions are counted with: valgrind, from the distribution, and gungraun's runner, into target/tools.
counters:
    bash benches/install-counters.sh

# What some tests need beyond Rust (strace), from the distribution.
tools:
    bash tests/install-tools.sh

# One seed of the simulation, told event by event; or many: just sim --seeds 100000.
sim *ARGS:
    cargo run --release -p tests --bin sim -- {{ARGS}}

# What the bench compares Holdfast with (Redis, PostgreSQL), from the distribution.
peers:
    bash benches/install-peers.sh

# The proofs with larger numbers than the test command has, and a file with what came out.
prove FILE:
    cargo run --release -p tests --bin prove -- {{FILE}}

# Fuzzing with coverage (decoder, snapshot, webhook or json): needs a nightly compiler, and cargo-fuzz
# (cargo install cargo-fuzz). What it finds goes into tests/fuzz/corpus, with a fix and a test.
fuzz TARGET SECONDS="60":
    mkdir -p target/fuzz/corpus/{{TARGET}} target/fuzz/artifacts/{{TARGET}}
    cargo +nightly fuzz run --fuzz-dir tests/fuzz --target-dir target/fuzz {{TARGET}} target/fuzz/corpus/{{TARGET}} tests/fuzz/corpus/{{TARGET}} -- -max_total_time={{SECONDS}} -max_len=65600 -artifact_prefix=target/fuzz/artifacts/{{TARGET}}/

# Whether the simulation finds the bugs that are planted in a build of its own (docs/safety.md).
planted *ARGS:
    RUSTFLAGS="--cfg planted" cargo run --release -p tests --bin planted --target-dir target/planted -- {{ARGS}}
