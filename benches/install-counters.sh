#!/usr/bin/env bash
# Installs what instructions are counted with: valgrind from the distribution, and gungraun's runner, which must be of
# the same version as the library, into target/tools.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v valgrind >/dev/null; then
  echo "installing: valgrind"
  apt-get update -qq
  # Without libc6-dbg valgrind refuses to run where the distribution's loader is stripped.
  apt-get install -y -qq --no-install-recommends valgrind libc6-dbg
fi
version="$(sed -n '/^name = "gungraun"$/{n;s/^version = "\(.*\)"$/\1/p}' Cargo.lock)"
tools="${CARGO_TARGET_DIR:-target}/tools"
# Does nothing where that version is installed already. Unoptimized: it only starts valgrind and reads what that wrote.
cargo install gungraun-runner --quiet --locked --debug --version "$version" --root "$tools"
