# shellcheck shell=bash disable=SC2154 # turn.sh sets what is not set here
# Runs `turnutils_uclient` and appends one line of figures to $reports. Sourced by turn.sh.
#
# How packets are counted. Each message is relayed twice on either path: to the peer and back, or by the
# two allocations of a pair. So packets are messages sent plus messages received, from the totals
# that uclient prints once a second. A server that hands a message from one of its allocations to the
# other without the kernel has relayed it twice as well. A message that got lost counts once; the
# loss is told beside it.
#
# What is measured. uclient opens an allocation each 100 ms, starts every client at random 1 to 6 s
# after that, and then sends as many messages for each. The figures are of the seconds in which all
# are sending, from the sixth until the first client has sent its last: no allocation, no refresh and
# no ramp is in them. Afterwards, with all allocations still open, memory is read.
#
# uclient is one thread, and on two cores it shares them with the server and the peer. Its part of a core
# is in the report; near 1 the client is the bottleneck, and the packets per second are its own.
# Therefore packets per second per core are derived from CPU per packet, not from saturation.

sending_seconds=10

# Milliseconds between two messages of a client.
interval_for() {
  if (($1 <= 100)); then
    echo 5
  else
    echo 20
  fi
}

load() {
  local server=$1 path=$2 bytes=$3 clients=$4 interval=$5
  local line lines loss='' now from='' until base memory=() first=() last=()
  local flags=(-c -u user -w password -p "$turn_port" -m "$clients" -l "$bytes" -z "$interval"
    -n "$((sending_seconds * 1000 / interval))")
  case $path in
    echo) flags+=(-e 127.0.0.1 -r "$peer_port") ;;
    pair) flags+=(-y) ;;
    *) fail "no such path: $path (echo, pair)" ;;
  esac
  read -ra base < <(memory_of "${pids[server]}")
  exec {lines}< <(exec stdbuf -oL turnutils_uclient "${flags[@]}" 127.0.0.1 2>&1 9>&-)
  pids[client]=$!
  while IFS= read -r line <&"$lines"; do
    now=${EPOCHREALTIME/./}
    if [[ $line == *'Total connect time'* ]]; then
      from=$((now + 6000000)) until=$((now + 1000000 + sending_seconds * 1000000))
    elif [[ $line =~ tot_send_msgs=([0-9]+),' 'tot_recv_msgs=([0-9]+),\  && -n $from ]]; then
      if ((now > until)); then
        ((${#memory[@]})) || read -ra memory < <(memory_of "${pids[server]}")
      elif ((now > from)); then
        sample "$now" "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
        ((${#first[@]})) || first=("${last[@]}")
      fi
    elif [[ $line =~ 'Total lost packets '[0-9]+' ('([0-9.]+)% ]]; then
      loss=${BASH_REMATCH[1]}
    fi
  done
  exec {lines}<&-
  pids[client]=
  [[ -n $loss && ${#memory[@]} -eq 2 && ${last[0]:-0} -gt ${first[0]:-0} ]] ||
    fail "no figures from uclient against $server, $path:$bytes:$clients:$interval"
  report "$server" "$path" "$bytes" "$clients" "$interval" "$loss" "${base[@]}" "${memory[@]}" >>"$reports"
}

# Into `last`: time, messages sent and received, CPU of server, client, peer and machine; microseconds.
sample() {
  local cpu=() pid ticks
  for pid in "${pids[server]}" "${pids[client]}" "${pids[peer]}"; do
    cpu+=("$(cpu_of "$pid")")
  done
  # cpu user nice system idle iowait irq softirq
  read -ra ticks </proc/stat
  last=("$@" "${cpu[@]}" $(((ticks[1] + ticks[2] + ticks[3] + ticks[6] + ticks[7]) * 10000)))
}

# CPU time of all threads, user and kernel, from schedstat: nanoseconds, where utime and stime of /proc/PID/stat have
# steps of 10 ms. What the kernel does to deliver a datagram over loopback is part of the sender's time.
cpu_of() {
  local task nanoseconds sum=0
  for task in "/proc/$1/task/"*; do
    read -r nanoseconds _ 2>/dev/null <"$task/schedstat" && sum=$((sum + nanoseconds))
  done
  echo $((sum / 1000))
}

# Resident and proportional set size, KiB.
memory_of() {
  awk '$1 == "Rss:" { rss = $2 } $1 == "Pss:" { pss = $2 } END { print rss, pss }' "/proc/$1/smaps_rollup"
}

# Columns as in table.awk.
report() {
  local i delta=() others
  for i in "${!last[@]}"; do
    delta+=($((last[i] - first[i])))
  done
  others=$((delta[6] - delta[3] - delta[4] - delta[5]))
  ((others * 10 < delta[0])) || echo "  the rest of the machine was busy: $((others * 100 / delta[0])) % of a core" >&2
  (
    IFS=$'\t'
    echo "$*	${delta[0]}	$((delta[1] + delta[2]))	${delta[*]:3:3}"
  )
}
