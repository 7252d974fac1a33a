#!/usr/bin/env bash
# Loads peerway and another server in turn on this machine and prints a table of both.
#   SUITE=peerjs                   clients of PeerJS, beside the npm package `peer` 1.0.2; or
#   SUITE=skyway                   clients of skyway-js, beside a plain relay on socket.io 2.5 (socketio/server.mjs)
#   SERVERS="peerway peerserver"   which of the two: peerway, and peerserver or socketio
#   ROUNDS=2                       how often each scenario runs against each server
#   BENCH_BIN=...                a peerway that is built already
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
cache=$here/.cache
target=${CARGO_TARGET_DIR:-$root/target}
reports=$cache/reports.jsonl
port=9310
server_pid=
built=${BENCH_BIN:-}
# Settings of the servers; here only the flags below count, and that the limit of messages per
# client is lifted, which PeerServer does not have.
unset "${!PEERWAY_@}" PORT PEERSERVER_PATH
export PEERWAY_LIMITS__MESSAGES_PER_SECOND=1000000

suite=${SUITE:-peerjs}
case $suite in
  peerjs) theirs=peerserver key=peerjs ;;
  skyway) theirs=socketio key=12345678-1234-1234-1234-123456789abc ;;
  *) echo "bench/run.sh: no such suite: $suite (peerjs, skyway)" >&2; exit 2 ;;
esac
read -ra servers <<<"${SERVERS:-peerway $theirs}"
scenarios=(
  "idle --clients 10000"
  "connect --count 10000 --concurrency 16"
  "relay --pairs 50 --rate 2000 --seconds 15"
  "relay --pairs 50 --window 8 --rate 0 --seconds 8"
  "flood --seconds 4"
)
# Node keeps some 20 KiB per socket, and a room's joins go to all who are in it.
[[ $suite == peerjs ]] || scenarios=(
  "idle --clients 5000"
  "connect --count 5000 --concurrency 16"
  "room --rooms 4 --members 50 --size 200"
  "${scenarios[2]}"
  "${scenarios[3]}"
)

main() {
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock --nonblock 9 || fail "another run is under way on this machine"
  ulimit -n "$(ulimit -Hn)"
  trap stop_server EXIT
  trap 'exit 130' INT TERM
  build
  : >"$reports"
  for round in $(seq "${ROUNDS:-2}"); do
    for scenario in "${scenarios[@]}"; do
      for server in "${servers[@]}"; do
        echo "round $round: $server: $scenario" >&2
        measure "$server" "$scenario"
      done
    done
  done
  "$bench" table --suite "$suite" --theirs "$theirs" "$reports"
}

build() {
  local packages=(-p peerway-bench)
  bench=$target/release/peerway-bench
  for server in "${servers[@]}"; do
    case $server in
      peerway)
        peerway=${built:-$target/release/peerway}
        [[ -n $built ]] || packages+=(-p peerway-cli)
        ;;
      peerserver)
        peerserver=$cache/node_modules/.bin/peerjs
        [[ -x $peerserver ]] || (cd "$here" && npm install --prefix "$cache" --no-save peer@1.0.2 >&2)
        ;;
      socketio)
        [[ -d $cache/node_modules/socket.io ]] || (cd "$here" && npm install --prefix "$cache" --no-save socket.io@2.5.1 >&2)
        ;;
      *) fail "no such server: $server (peerway, $theirs)" ;;
    esac
  done
  cargo build --release --manifest-path "$root/Cargo.toml" "${packages[@]}" >&2
}

# Every scenario meets a fresh server, so that none inherits the garbage of another.
measure() {
  local server=$1 scenario
  read -ra scenario <<<"$2"
  start_server "$server"
  "$bench" "${scenario[@]}" --server "$server" --dialect "$suite" --key "$key" --port "$port" --pid "$server_pid" --json >>"$reports"
  stop_server
}

start_server() {
  local flags=(--port "$port" --key "$key" --concurrent_limit 100000) command
  case $1 in
    # PeerServer has no TURN.
    peerway) command=("$peerway" "${flags[@]}" --sessions_per_address 1000000 --no-turn --no-sfu) ;;
    peerserver) command=("$peerserver" "${flags[@]}") ;;
    socketio) command=(env NODE_PATH="$cache/node_modules" node "$here/socketio/server.cjs" "$port") ;;
  esac
  # 9>&-: a server that outlives the script must not keep the lock.
  "${command[@]}" >/dev/null 2>"$cache/$1.stderr" 9>&- &
  server_pid=$!
  for _ in $(seq 100); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then return; fi
    kill -0 "$server_pid" 2>/dev/null || break
    sleep 0.1
  done
  fail "$1 does not listen on port $port: $(tail -n 5 "$cache/$1.stderr")"
}

# A server deep in its garbage may not hear SIGTERM.
stop_server() {
  [[ -n $server_pid ]] || return 0
  kill "$server_pid" 2>/dev/null || true
  for _ in $(seq 30); do
    kill -0 "$server_pid" 2>/dev/null || break
    sleep 0.1
  done
  kill -KILL "$server_pid" 2>/dev/null || true
  wait "$server_pid" 2>/dev/null || true
  server_pid=
}

fail() {
  echo "bench/run.sh: $1" >&2
  exit 1
}

main
