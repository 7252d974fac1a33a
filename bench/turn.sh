#!/usr/bin/env bash
# Loads peerway and Debian's coturn in turn with coturn's own client, `turnutils_uclient`, over
# loopback UDP and prints tables of both. Needs the package coturn.
#   SERVERS="peerway coturn"   which of them
#   ROUNDS=3                   how often each cell runs against each server
#   CELLS="echo:200:100 ..."   path:bytes:clients[:interval in ms], see `cells` below
#   TURN_BIN=...               a peerway that is built already
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
cache=$here/.cache
reports=$cache/turn.tsv
turn_port=9478
peer_port=9480
declare -A pids=()
peerway=${TURN_BIN:-${CARGO_TARGET_DIR:-$root/target}/release/peerway}
# Settings of the server; here only its file counts.
unset "${!PEERWAY_@}"
export LC_ALL=C

read -ra servers <<<"${SERVERS:-peerway coturn}"
# echo: to turnutils_peer and back; pair: from one client to another. The last two are heavy: 66 000
# relayed packets a second, where the others are 8000 (20 clients) and 40 000.
read -ra cells <<<"${CELLS:-$(echo {echo,pair}:{200,1200}:{20,100,400} {echo,pair}:200:100:3)}"

# shellcheck source-path=SCRIPTDIR source=turn/load.sh
source "$here/turn/load.sh"

main() {
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock --nonblock 9 || fail "another run is under way on this machine"
  ulimit -n "$(ulimit -Hn)"
  trap 'stop client; stop server; stop peer' EXIT
  trap 'exit 130' INT TERM
  check
  : >"$reports"
  # The rounds alternate the servers, so that a slow minute of the machine hits both.
  for round in $(seq "${ROUNDS:-3}"); do
    for cell in "${cells[@]}"; do
      for server in "${servers[@]}"; do
        echo "round $round: $server: $cell" >&2
        measure "$server" "$cell"
      done
    done
  done
  awk -f "$here/turn/table.awk" "$reports"
}

check() {
  local server tool
  for tool in turnutils_uclient turnutils_peer turnutils_stunclient stdbuf; do
    command -v "$tool" >/dev/null || fail "$tool is missing (Debian packages coturn, coreutils)"
  done
  for server in "${servers[@]}"; do
    case $server in
      peerway)
        [[ -n ${TURN_BIN:-} ]] || cargo build --release --manifest-path "$root/Cargo.toml" -p peerway-cli >&2
        ;;
      coturn) command -v turnserver >/dev/null || fail "turnserver is missing (Debian package coturn)" ;;
      *) fail "no such server: $server (peerway, coturn)" ;;
    esac
  done
}

# Every cell meets a fresh server, so that none inherits the memory of another.
measure() {
  local server=$1 path bytes clients interval
  IFS=: read -r path bytes clients interval <<<"$2"
  [[ -n $interval ]] || interval=$(interval_for "$clients")
  start_peer
  start_server "$server"
  load "$server" "$path" "$bytes" "$clients" "$interval"
  stop server
  stop peer
}

start_server() {
  case $1 in
    peerway)
      peerway_settings >"$cache/turn.toml"
      set -- "$1" "$peerway" serve --config "$cache/turn.toml"
      ;;
    coturn)
      # As many relay threads as it takes by itself, and nothing that costs and is not used here.
      set -- "$1" turnserver -n --listening-ip 127.0.0.1 --relay-ip 127.0.0.1 \
        --listening-port "$turn_port" --no-tls --no-dtls --no-cli --lt-cred-mech \
        --user user:password --realm bench --allow-loopback-peers \
        --no-auth-pings --no-dynamic-ip-list --no-dynamic-realms --userdb "$cache/turn.sqlite" \
        --log-file /dev/null --simple-log --no-stdout-log --pidfile "$cache/turn.pid"
      ;;
  esac
  # 9>&-: a server that outlives the script must not keep the lock.
  "${@:2}" >/dev/null 2>"$cache/turn.$1.stderr" 9>&- &
  pids[server]=$!
  for _ in $(seq 100); do
    # It asks once and then waits for ever.
    if timeout 0.2 turnutils_stunclient -p "$turn_port" 127.0.0.1 &>/dev/null; then return; fi
    kill -0 "${pids[server]}" 2>/dev/null || break
  done
  fail "$1 does not answer on port $turn_port: $(tail -n 5 "$cache/turn.$1.stderr")"
}

peerway_settings() {
  cat <<SETTINGS
host = "127.0.0.1"
port = 0
[log]
level = "warn"
[turn]
udp = ["127.0.0.1:$turn_port"]
tcp = []
tls = []
realm = "bench"
users = ["user:password"]
allow_peers = ["127.0.0.0/8"]
# The whole crowd is one user at one address.
allocations_per_user = 1000
answers_per_source = 1000000
SETTINGS
}

start_peer() {
  turnutils_peer -L 127.0.0.1 -p "$peer_port" &>/dev/null 9>&- &
  pids[peer]=$!
}

stop() {
  local pid=${pids[$1]:-}
  pids[$1]=
  [[ -n $pid ]] || return 0
  kill "$pid" 2>/dev/null || true
  for _ in $(seq 30); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  kill -KILL "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
}

fail() {
  echo "bench/turn.sh: $1" >&2
  exit 1
}

main
