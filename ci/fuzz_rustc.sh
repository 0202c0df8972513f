#!/usr/bin/env bash
# Compiles as cargo asks, and our own crates with what libFuzzer needs to see where an input leads.
set -euo pipefail

instrument=()
name=
for word in "$@"; do
  case $name,$word in
    --crate-name,wmlicense | --crate-name,wmlicense_core | --crate-name,wmlicense_media | --crate-name,wmlicense_server | --crate-name,wmlicense_wire | *,*fuzz_targets/*.rs | *,*crates/cli/src/fuzzing.rs)
      instrument=(--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
        -Cllvm-args=-sanitizer-coverage-trace-compares)
      ;;
  esac
  name=$word
done
exec "$@" "${instrument[@]}"
