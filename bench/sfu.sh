#!/usr/bin/env bash
# Loads peerway and Debian's Janus (VideoRoom) in turn with the same WebRTC peers, over UDP on this machine, and prints
# tables of both. Needs cargo and the package janus (`apt-get install janus`, and `systemctl disable --now janus`).
#   SERVERS="peerway peerway-1 janus janus-2 janus-1"   peerway[-WORKERS], janus[-EVENT_LOOPS]
#   ROUNDS=3                   how often each cell runs against each server
#   CELLS="video:200 ..."      shape:subscribers, see `cells` below
#   SECONDS_EACH=10            length of the measured window
#   ADDRESS=...                an address of this machine that is not loopback, which Janus takes no media on
#   SFU_BIN=... BENCH_BIN=...  a peerway and a peerway-bench that are built already
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
cache=$here/.cache
target=${CARGO_TARGET_DIR:-$root/target}
reports=$cache/sfu.jsonl
port=9473
server_pid=
peerway=${SFU_BIN:-$target/release/peerway}
bench=${BENCH_BIN:-$target/release/peerway-bench}
janus_files=/usr/lib/x86_64-linux-gnu/janus
# Settings of the server; here only its file counts.
unset "${!PEERWAY_@}"

read -ra servers <<<"${SERVERS:-peerway peerway-1 janus janus-2 janus-1}"
read -ra cells <<<"${CELLS:-video:50 video:200 video:400 full:50 all:5 all:10 audio:200 join:40 latency:50 latency:200}"

# shellcheck source-path=SCRIPTDIR source=sfu/servers.sh
source "$here/sfu/servers.sh"

main() {
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock --nonblock 9 || fail "another run is under way on this machine"
  ulimit -n "$(ulimit -Hn)"
  trap stop_server EXIT
  trap 'exit 130' INT TERM
  address=${ADDRESS:-$(ip -4 -brief address show scope global up | awk '{ sub("/.*", "", $3); print $3; exit }')}
  [[ -n $address ]] || fail "this machine has no address but loopback; say ADDRESS=..."
  build
  : >"$reports"
  # The rounds alternate the servers, so that a slow minute of the machine hits all.
  for round in $(seq "${ROUNDS:-3}"); do
    for cell in "${cells[@]}"; do
      for server in "${servers[@]}"; do
        echo "round $round: $server: $cell" >&2
        measure "$server" "$cell"
      done
    done
  done
  "$bench" sfu-table "$reports"
}

build() {
  local packages=()
  [[ -n ${BENCH_BIN:-} ]] || packages+=(-p peerway-bench)
  for server in "${servers[@]}"; do
    case $server in
      peerway*) [[ -n ${SFU_BIN:-} ]] || packages+=(-p peerway-cli) ;;
      janus*) command -v janus >/dev/null || fail "janus is missing (Debian package janus)" ;;
      *) fail "no such server: $server (peerway, peerway-WORKERS, janus, janus-EVENT_LOOPS)" ;;
    esac
  done
  ((${#packages[@]} == 0)) || cargo build --release --manifest-path "$root/Cargo.toml" "${packages[@]}" >&2
}

# Every cell meets a fresh server, so that none inherits the memory of another.
measure() {
  local server=$1
  start_server "$server"
  "$bench" sfu --shape "${2%:*}" --subscribers "${2#*:}" --seconds "${SECONDS_EACH:-10}" --api "${server%%-*}" \
    --server "$server" --media "$address" --port "$port" --pid "$server_pid" --json >>"$reports"
  stop_server
}

fail() {
  echo "bench/sfu.sh: $1" >&2
  exit 1
}

main
