#!/usr/bin/env bash
# Builds what is packaged: library, service and command line, apart from other builds because the C parts get the hardening flags
# of distributions, and no path of this machine stays inside. `ci/build_packaged.sh [FEATURES]` names the features (default: all
# that are on by default; an empty word: none) and prints the folder with the programs. `ci/build_packaged.sh --system` prints the
# features that a package of this system needs: what it has itself is not bundled.
set -euo pipefail
cd "$(dirname "$0")/.."

# The oldest SQLite that has every function that is called.
sqlite=3.45.3
has_sqlite() { pkg-config --exists "sqlite3 >= $sqlite" 2>/dev/null; }
if [ "${1-}" = --system ]; then
  if has_sqlite; then echo; else echo bundled-sqlite; fi
  exit
fi

features=()
if [ "${1-default}" != default ]; then
  features=(--no-default-features --features "$1")
  if [[ " ${1//,/ } " != *" bundled-sqlite "* ]] && ! has_sqlite; then
    echo "Without the feature bundled-sqlite, SQLite $sqlite or newer with its development files (pkg-config: sqlite3) is needed." >&2
    exit 1
  fi
fi
target=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
home=${CARGO_HOME:-$HOME/.cargo}

# Of C and of Rust alike: folders of this machine get names that say nothing about it.
maps=("$home/registry/src=crates" "$target=target" "$PWD=wmlicense")
hardening=(-fstack-protector-strong -fstack-clash-protection -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
case $(uname -m) in
  x86_64) hardening+=(-fcf-protection) ;;
  aarch64) hardening+=(-mbranch-protection=standard) ;;
esac
flags=${CARGO_ENCODED_RUSTFLAGS:-}
for map in "${maps[@]}"; do
  hardening+=("-ffile-prefix-map=$map")
  flags+=${flags:+$'\x1f'}--remap-path-prefix=$map
done
# The flags of C are words of a shell here, since folders may have blanks.
quoted=
for flag in "${hardening[@]}"; do quoted+="'${flag//\'/\'\\\'\'}' "; done
export CC_SHELL_ESCAPED_FLAGS=1 CFLAGS="$quoted" CARGO_ENCODED_RUSTFLAGS="$flags"
cargo build --locked --profile packaged -p wmlicense -p wmlicense-server -p wmlicense-cli ${features[@]+"${features[@]}"} >&2
printf '%s/packaged\n' "$target"
