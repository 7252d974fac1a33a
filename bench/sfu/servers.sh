# shellcheck shell=bash disable=SC2154 # sfu.sh sets what is not set here
# Starts and stops the servers. Sourced by sfu.sh.

start_server() {
  local threads=${1#*-} command
  [[ $1 == *-* ]] || threads=
  case $1 in
    peerway*)
      peerway_settings "$threads" >"$cache/sfu.toml"
      command=("$peerway" serve --config "$cache/sfu.toml")
      ;;
    janus*)
      mkdir -p "$cache/janus"
      janus_settings "$threads" >"$cache/janus/janus.jcfg"
      echo 'general: {}' >"$cache/janus/janus.plugin.videoroom.jcfg"
      janus_websockets >"$cache/janus/janus.transport.websockets.jcfg"
      command=(janus --config "$cache/janus/janus.jcfg" --configs-folder "$cache/janus")
      ;;
  esac
  # 9>&-: a server that outlives the script must not keep the lock.
  "${command[@]}" >"$cache/sfu.$1.log" 2>&1 9>&- &
  server_pid=$!
  for _ in $(seq 100); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then return; fi
    kill -0 "$server_pid" 2>/dev/null || break
    sleep 0.1
  done
  fail "$1 does not listen on port $port: $(tail -n 5 "$cache/sfu.$1.log")"
}

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

# $1: how many workers, or nothing.
peerway_settings() {
  cat <<SETTINGS
host = "127.0.0.1"
port = $port
[log]
level = "warn"
[turn]
enabled = false
[limits]
# Who joins asks for its offer at once, and the whole crowd comes from one address.
messages_per_second = 1000000
[sfu]
udp = ["$address:$port"]
tcp = []
${1:+workers = $1}
SETTINGS
}

# $1: how many event loops; nothing for a thread for each connection, as Janus comes.
janus_settings() {
  cat <<SETTINGS
general: {
  configs_folder = "$cache/janus"
  plugins_folder = "$janus_files/plugins"
  transports_folder = "$janus_files/transports"
  debug_level = 3
  # No keep-alives in the measured window.
  session_timeout = 0
  ${1:+event_loops = $1}
}
media: { rtp_port_range = "20000-29999" }
nat: { ice_enforce_list = "$address" }
plugins: { disable = "$(others plugins videoroom)" }
transports: { disable = "$(others transports websockets)" }
SETTINGS
}

janus_websockets() {
  cat <<SETTINGS
general: {
  json = "compact"
  ws = true
  ws_port = $port
  ws_ip = "127.0.0.1"
}
SETTINGS
}

# The modules of a kind ($1) that are not the one in use ($2).
others() {
  local all=("$janus_files/$1"/*.so)
  all=("${all[@]##*/}")
  local IFS=,
  echo "${all[*]}" | sed "s/libjanus_$2\.so,\?//; s/,\$//"
}
