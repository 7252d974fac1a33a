#!/usr/bin/env bash
# Measures the browser SDK (sdk/browser/dist) beside PeerJS 1.5.5 and beside a bare RTCDataChannel, between two Chromiums
# over loopback, and prints a table. Needs cargo, node 20 and Debian's chromium.
#   ROUNDS=5                    how often each cell runs; the medians count
#   AMOUNT_MB=100 WARM_UP_MB=20 MB per transfer, and before it over the same connection
#   CONNECTS=30                 connections per round, one after the other
#   CELLS="raw:throughput peerjs:whole peerway:whole ..."
#   BENCH_BIN=...               a peerway that is built already
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
target=${CARGO_TARGET_DIR:-$root/target}
# Settings of the server; here only its flags count, and that there may be many offers at once.
unset "${!PEERWAY_@}" "${!E2E_@}"
export PEERWAY_LIMITS__MESSAGES_PER_SECOND=1000000

export ROUNDS=${ROUNDS:-5} AMOUNT_MB=${AMOUNT_MB:-100} WARM_UP_MB=${WARM_UP_MB:-20} CONNECTS=${CONNECTS:-30}
export CELLS=${CELLS:-raw:throughput peerjs:whole peerway:whole peerjs:values peerway:values peerjs:connect peerway:connect}

main() {
  mkdir -p "$here/.cache"
  exec 9>"$here/.cache/lock"
  flock --nonblock 9 || fail "another run is under way on this machine"
  command -v chromium >/dev/null || fail "chromium is missing (Debian package chromium)"
  [[ -d $root/e2e/node_modules/puppeteer-core ]] || npm ci --prefix "$root/e2e" --ignore-scripts >&2
  [[ -f $root/sdk/browser/dist/peerway.js ]] || fail "sdk/browser/dist is missing: npm run build --prefix sdk/browser"
  if [[ -z ${BENCH_BIN:-} ]]; then
    cargo build --release --manifest-path "$root/Cargo.toml" -p peerway-cli --bin peerway >&2
  fi
  export E2E_BIN=${BENCH_BIN:-$target/release/peerway}
  # 9>&-: a browser that outlives the script must not keep the lock.
  node "$here/browser/run.mjs" 9>&- &
  trap 'kill %1 2>/dev/null || true' EXIT
  trap 'exit 130' INT TERM
  wait %1
}

fail() {
  echo "bench/browser.sh: $1" >&2
  exit 1
}

main
