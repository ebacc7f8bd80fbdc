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

# Latency histograms of the pure core and of the commit path.
bench:
    cargo run --release -p benches

# What some tests need beyond Rust (strace), from the distribution.
tools:
    bash tests/install-tools.sh

# What the bench compares Holdfast with (Redis, PostgreSQL), from the distribution.
peers:
    bash benches/install-peers.sh

# The proofs with larger numbers than the test command has, and a file with what came out.
prove FILE:
    cargo run --release -p tests --bin prove -- {{FILE}}
