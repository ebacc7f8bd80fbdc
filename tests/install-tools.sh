#!/usr/bin/env bash
# Installs what the tests need beyond Rust, from the distribution: strace, curl, faketime.
set -euo pipefail
missing=()
for tool in strace curl faketime; do command -v "$tool" >/dev/null || missing+=("$tool"); done
if [ "${#missing[@]}" -gt 0 ]; then
  echo "installing: ${missing[*]}"
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi
