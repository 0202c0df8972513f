#!/usr/bin/env bash
# Fuzzes every parser for a while, starting from the vectors and the media files. `ci/fuzz.sh SECONDS [TARGET…]`.
# Built with the coverage of the stable compiler, so neither a nightly toolchain nor cargo-fuzz is needed.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
[ $# -eq 0 ] || shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(content_header documents signed answer backup sample asf wrmheader playready pssh text webm \
  mp4_samples)

export CARGO_TARGET_DIR=${FUZZ_TARGET_DIR:-$PWD/fuzz/target}
bins=("${targets[@]/#/--bin=}")
# The wrapper has the compiler count what is reached in our own crates.
RUSTC_WRAPPER=$PWD/ci/fuzz_rustc.sh cargo build --quiet --manifest-path fuzz/Cargo.toml "${bins[@]}"

seed() { # the target, the file, its bytes on standard input
  mkdir -p "fuzz/corpus/$1"
  cat >"fuzz/corpus/$1/seed-$(basename "$2")"
}

seeds() {
  local file target
  for file in tests/vectors/*.wmv; do
    case $(basename "$file") in
      answer-*) target=answer ;;
      *certificate-* | request-* | service-document-* | signed-time-* | footer-*) target=signed ;;
      backup-header-*) target=backup ;;
      policy-* | license-* | record-* | item-* | cbor-*) target=documents ;;
      *) continue ;;
    esac
    sed '1,/^$/d' "$file" | base64 -d | seed "$target" "$file"
  done
  for file in tests/data/media/*.mp4; do
    [ -e "$file" ] || continue
    head -c 65536 "$file" | seed content_header "$file"
    head -c 65536 "$file" | seed mp4_samples "$file"
  done
  for file in tests/data/media/*.webm; do
    [ -e "$file" ] && seed webm "$file" <"$file"
  done
  for file in tests/vectors/headers/*.wmv; do
    target=$(sed -n 's/^read-as: //p' "$file")
    sed '1,/^$/d' "$file" | base64 -d | seed "$target" "$file"
  done
  for file in tests/data/manifests/*.mpd; do
    seed text "$file" <"$file"
  done
  return 0
}

seeds
for target in "${targets[@]}"; do
  printf '== %s, %s s\n' "$target" "$seconds"
  mkdir -p "fuzz/corpus/$target" fuzz/artifacts
  "$CARGO_TARGET_DIR/debug/$target" "fuzz/corpus/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
    -max_len=131072 -print_final_stats=1 -verbosity=0 -artifact_prefix="fuzz/artifacts/$target-"
done
