#!/usr/bin/env bash
# Checks everything and ends with a count. Installs what is missing (Debian packages, npm packages).
#   ./test.sh         formatting, lints, Rust tests, browser tests
#   ./test.sh quick   the same without browsers
#   ./test.sh slow    the same with the tests that take minutes of idling, and a release build
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit

passed=0
failed=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

main() {
  local mode=${1:-full} part built
  case $mode in
    full | quick | slow) ;;
    *) echo "usage: ./test.sh [quick|slow]" >&2; exit 2 ;;
  esac

  need cc build-essential
  need turnutils_uclient coturn
  need ffprobe ffmpeg
  # The Rust tests talk to PeerServer, which comes from there too.
  need npm npm
  check "npm packages" npm ci --prefix e2e --ignore-scripts
  # The page is made with the SDK.
  for part in sdk/browser sdk/page; do
    check "npm packages of $part" npm ci --prefix $part --ignore-scripts
    page_tests npm test --prefix $part
  done
  check "formatting" cargo fmt --all --check
  check "lints" cargo clippy --workspace --all-targets --locked -- -D warnings
  # Features are encoders and decoders, which add to the API and change nothing else.
  check "lints with codecs" cargo clippy -p peerway --all-targets --all-features --locked -- -D warnings
  # Most tests wait for something most of the time, those with coturn's programs for seconds.
  export RUST_TEST_THREADS=${RUST_TEST_THREADS:-4}
  rust_tests cargo test --workspace --all-features --locked --no-fail-fast
  if [[ $mode != quick ]]; then
    need chromium chromium
    need firefox-esr firefox-esr
    need openssl openssl
    need certutil libnss3-tools
    need ip iproute2
    need nft nftables
    # What the Rust tests have built does for the browsers.
    built=$(realpath -m "${CARGO_TARGET_DIR:-target}")/debug
    export E2E_BIN=$built/peerway E2E_AGENT=$built/examples/agent E2E_SOCKETIO_ECHO=$built/examples/socketio_echo
    browser_tests npm test --prefix e2e
    if [[ $mode == slow ]]; then
      browser_tests npm run slow --prefix e2e
      check "release build" cargo build --release --locked
    fi
  fi

  echo
  echo "$passed passed, $failed failed"
  ((failed == 0))
}

# need COMMAND PACKAGE: installs the Debian package if the command is not there.
need() {
  command -v "$1" >/dev/null && return
  local sudo=
  ((EUID == 0)) || sudo=sudo
  echo "== installing $2"
  $sudo apt-get update -q && $sudo apt-get install -y -q --no-install-recommends "$2" || {
    echo "cannot install $2: install it by hand and try again" >&2
    exit 1
  }
}

# check NAME COMMAND...: counts as one test.
check() {
  echo "== $1"
  if "${@:2}"; then ((passed += 1)); else failure "$1"; fi
}

# rust_tests COMMAND...: counts what the test runner of Rust reports.
rust_tests() {
  counted "Rust tests" 's/^test result:.* ([0-9]+) passed.*/\1/p' 's/^test result:.* ([0-9]+) failed.*/\1/p' "$@"
}

# page_tests COMMAND...: counts what Vitest reports.
page_tests() {
  counted "tests of pages" 's/^ *Tests .*[^0-9]([0-9]+) passed.*/\1/p' 's/^ *Tests +([0-9]+) failed.*/\1/p' env NO_COLOR=1 "$@"
}

# browser_tests COMMAND...: counts what the test runner of Node reports.
browser_tests() {
  counted "browser tests" 's/^(#|ℹ) pass ([0-9]+)$/\2/p' 's/^(#|ℹ) fail ([0-9]+)$/\2/p' "$@"
}

# counted NAME PASSED FAILED COMMAND...: adds the numbers that two sed scripts find in the output.
counted() {
  echo "== $1"
  "${@:4}" 2>&1 | tee "$log"
  local status=${PIPESTATUS[0]} before=$failed
  add "$(sum "$2")" "$(sum "$3")"
  ((status == 0 || failed > before)) || failure "$1 did not run"
}

sum() { sed -nE "$1" "$log" | awk '{ total += $1 } END { print total + 0 }'; }
add() { ((passed += $1, failed += $2)); }
failure() { echo "FAILED: $1" >&2; ((failed += 1)); }

main "$@"
