#!/usr/bin/env bash
# Fuzzes everything that reads what strangers wrote, for a while each, starting from the vectors, the media files and the inputs
# that are kept in fuzz/seeds. `ci/fuzz.sh SECONDS [TARGET…]`.
# Built with the coverage of the stable compiler, so neither a nightly toolchain nor cargo-fuzz is needed.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
[ $# -eq 0 ] || shift
targets=("$@")
# The first name is that of the package.
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(sed -n 's/^name = "\(.*\)"/\1/p' fuzz/Cargo.toml | tail -n +2)

export CARGO_TARGET_DIR=${FUZZ_TARGET_DIR:-$PWD/fuzz/target}
# Of a target that makes folders, none stays behind, and none costs a disk's time.
TMPDIR=$(mktemp -d -p "$([ -w /dev/shm ] && echo /dev/shm || echo "${TMPDIR:-/tmp}")" wmlicense-fuzz.XXXXXX)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
bins=("${targets[@]/#/--bin=}")
# The wrapper has the compiler count what is reached in our own crates.
RUSTC_WRAPPER=$PWD/ci/fuzz_rustc.sh cargo build --quiet --manifest-path fuzz/Cargo.toml "${bins[@]}"

seed() { # the target, the file, its bytes on standard input
  mkdir -p "fuzz/corpus/$1"
  cat >"fuzz/corpus/$1/seed-$(basename "$2")"
}

bytes() { # a vector
  sed '1,/^$/d' "$1" | base64 -d
}

# In front of a length of 16 bits, as targets that take several policies read them.
with_length() { # the vector, bytes in front as printf writes them
  local length
  length=$(bytes "$1" | wc -c)
  # shellcheck disable=SC2059
  printf "$2\\x$(printf %02x $((length >> 8)))\\x$(printf %02x $((length & 255)))"
  bytes "$1"
}

# In front of a length of 32 bits, as items stand in a backup.
item() { # the vector, bytes in front as printf writes them
  local length
  length=$(bytes "$1" | wc -c)
  # shellcheck disable=SC2059
  printf "$2\\x00\\x00\\x$(printf %02x $((length >> 8)))\\x$(printf %02x $((length & 255)))"
  bytes "$1"
}

vectors() {
  local file
  for file in tests/vectors/*.wmv; do
    seed command_line "$file" <"$file"
    bytes "$file" | seed command_line "$file.bytes"
    case $(basename "$file") in
      answer-* | given-*) bytes "$file" | seed answer "$file" ;;
      *certificate-* | request-* | service-document-* | signed-time-* | footer-* | status-list-* | revocation-* | acknowledgement-*)
        bytes "$file" | seed signed "$file"
        ;;
      backup-header-*) bytes "$file" | seed backup "$file" ;;
      policy-* | license-* | record-* | item-* | page-* | cbor-*) bytes "$file" | seed documents "$file" ;;
    esac
    case $(basename "$file") in
      policy-*)
        with_length "$file" '' | seed answer "$file"
        with_length "$file" '\x03' | seed store_merge "$file"
        { head -c 34 /dev/zero && bytes "$file"; } | seed rights "$file"
        ;;
      item-* | page-*) item "$file" '\x00' | seed backup_reader "$file" ;;
    esac
  done
}

media() {
  local file target
  for file in tests/data/media/*.mp4; do
    [ -e "$file" ] || continue
    head -c 65536 "$file" | seed content_header "$file"
    head -c 65536 "$file" | seed mp4_samples "$file"
    seed clear_view "$file" <"$file"
  done
  for file in tests/data/reported/*.mp4; do
    seed clear_view "$file" <"$file"
  done
  for file in tests/data/media/*.webm; do
    [ -e "$file" ] && seed webm "$file" <"$file"
  done
  for file in tests/vectors/headers/*.wmv; do
    target=$(sed -n 's/^read-as: //p' "$file")
    bytes "$file" | seed "$target" "$file"
  done
  for file in tests/data/manifests/*.mpd; do
    seed text "$file" <"$file"
  done
  return 0
}

vectors
media
for target in "${targets[@]}"; do
  printf '== %s, %s s\n' "$target" "$seconds"
  mkdir -p "fuzz/corpus/$target" fuzz/artifacts
  kept=()
  [ ! -d "fuzz/seeds/$target" ] || kept=("fuzz/seeds/$target")
  "$CARGO_TARGET_DIR/debug/$target" "fuzz/corpus/$target" "${kept[@]}" -max_total_time="$seconds" -timeout=10 \
    -rss_limit_mb=2048 -max_len=131072 -print_final_stats=1 -verbosity=0 -artifact_prefix="fuzz/artifacts/$target-"
done
