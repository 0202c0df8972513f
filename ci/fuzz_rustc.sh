#!/usr/bin/env bash
# Compiles as cargo asks, and our own crates with what libFuzzer needs to see where an input leads.
set -euo pipefail
for word in "$@"; do
  case $word in
    wmlicense_wire | wmlicense_core | content_header | documents | signed | answer | backup | sample | asf | \
    wrmheader | playready | pssh | text | webm | mp4_samples)
      exec "$@" --cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
        -Cllvm-args=-sanitizer-coverage-trace-compares
      ;;
  esac
done
exec "$@"
