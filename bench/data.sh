#!/usr/bin/env bash
# Measures data connections between Rust peers and pages with PeerJS 1.5.5 in Chromium, in all four directions, over
# loopback, and prints tables of them beside Chromium to Chromium. Needs cargo, node 20 and Debian's chromium.
#   ROUNDS=3                                 how often each cell runs
#   FIGURES="connect throughput memory"      which tables
#   PAIRS="rust:rust rust:chromium ..."      from:to
#   CONNECTS=50                              connections per round, one after the other
#   SIZES="16 64"                            KiB per message
#   AMOUNT_MB=128 WARM_UP_MB=16              MB per transfer, and before it over the same connection
#   BUFFER_KB=1024                           what a page lets wait in its channel, KiB
#   HELD="100 500"                           idle connections
#   BENCH_BIN=... DATA_PEER=...              a peerway and an example data_peer that are built already
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
cache=$here/.cache
target=${CARGO_TARGET_DIR:-$root/target}
# Settings of the server; here only its flags count, and that there may be many offers at once.
unset "${!PEERWAY_@}" "${!E2E_@}"
export PEERWAY_LIMITS__MESSAGES_PER_SECOND=1000000

export ROUNDS=${ROUNDS:-3} CONNECTS=${CONNECTS:-50} AMOUNT_MB=${AMOUNT_MB:-128} WARM_UP_MB=${WARM_UP_MB:-16}
export FIGURES=${FIGURES:-connect throughput memory} SIZES=${SIZES:-16 64} HELD=${HELD:-100 500}
export PAIRS=${PAIRS:-rust:rust rust:chromium chromium:rust chromium:chromium} BUFFER_KB=${BUFFER_KB:-1024}

main() {
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock --nonblock 9 || fail "another run is under way on this machine"
  ulimit -n "$(ulimit -Hn)"
  command -v chromium >/dev/null || fail "chromium is missing (Debian package chromium)"
  [[ -d $root/e2e/node_modules/puppeteer-core ]] || npm ci --prefix "$root/e2e" --ignore-scripts >&2
  build
  # 9>&-: a browser that outlives the script must not keep the lock.
  node "$here/data/run.mjs" 9>&- &
  trap 'kill %1 2>/dev/null || true' EXIT
  trap 'exit 130' INT TERM
  wait %1
}

build() {
  local wanted=()
  [[ -n ${BENCH_BIN:-} ]] || wanted+=(-p peerway-cli --bin peerway)
  [[ -n ${DATA_PEER:-} ]] || wanted+=(-p peerway-bench --example data_peer)
  export E2E_BIN=${BENCH_BIN:-$target/release/peerway} DATA_PEER=${DATA_PEER:-$target/release/examples/data_peer}
  ((${#wanted[@]} == 0)) || cargo build --release --manifest-path "$root/Cargo.toml" "${wanted[@]}" >&2
}

fail() {
  echo "bench/data.sh: $1" >&2
  exit 1
}

main
