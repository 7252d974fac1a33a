#!/usr/bin/env bash
# Makes tone.opus: one second of 440 Hz at -20 dBFS, 50 packets of 80 bytes one after the other.
# It is cut out of a longer tone, so that it joins its own beginning. Needs Debian's ffmpeg.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

ffmpeg -v error -f lavfi -i 'aevalsrc=0.1*sin(2*PI*440*t):s=48000:d=3' \
  -map 0:a -c:a libopus -application audio -vbr off -b:a 32k -frame_duration 20 -f data - |
  { head -c 8000; cat >/dev/null; } | tail -c 4000 >tone.opus
