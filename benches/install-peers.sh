#!/usr/bin/env bash
# Installs the peers that the bench compares itself with, from the distribution: Redis and PostgreSQL. The bench starts
# and stops its own in a fresh folder; nothing here is left running as a service.
set -euo pipefail
missing=()
command -v redis-server >/dev/null || missing+=(redis-server)
compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || command -v postgres >/dev/null || missing+=(postgresql)
if [ "${#missing[@]}" -gt 0 ]; then
  echo "installing: ${missing[*]}"
  # Neither a service nor a default cluster is wanted: both would run on the machine that is measured.
  undo=()
  trap 'rm -f "${undo[@]}"' EXIT
  put() { [ -e "$1" ] || { mkdir -p "$(dirname "$1")"; printf '%s\n' "$2" > "$1"; chmod 755 "$1"; undo+=("$1"); }; }
  put /usr/sbin/policy-rc.d $'#!/bin/sh\nexit 101'
  put /etc/postgresql-common/createcluster.d/holdfast-bench.conf 'create_main_cluster = false'
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi
