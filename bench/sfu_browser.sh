#!/usr/bin/env bash
# Measures how long a page with skyway-js 4.4.5 in Chromium takes from joining a room of mode SFU to the first decoded
# picture of one who is there, over loopback, and prints a table of the steps. Needs cargo, node 20 and Debian's chromium.
#   JOINS=20      how many, one after the other
#   PAUSE_MS=500  between them; Chromium gives no two key frames within 300 ms
#   SFU_BIN=...   a peerway that is built already
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
target=${CARGO_TARGET_DIR:-$root/target}
# Settings of the server; here only its file counts.
unset "${!PEERWAY_@}" "${!E2E_@}"
export JOINS=${JOINS:-20} PAUSE_MS=${PAUSE_MS:-500}

command -v chromium >/dev/null || {
  echo "bench/sfu_browser.sh: chromium is missing (Debian package chromium)" >&2
  exit 1
}
[[ -d $root/e2e/node_modules/puppeteer-core ]] || npm ci --prefix "$root/e2e" --ignore-scripts >&2
[[ -n ${SFU_BIN:-} ]] || cargo build --release --manifest-path "$root/Cargo.toml" -p peerway-cli >&2
E2E_BIN=${SFU_BIN:-$target/release/peerway} exec node "$here/sfu/browser.mjs"
