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
c_flags=(-fstack-protector-strong -fstack-clash-protection -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
# Nothing is thrown through C; what a debugger needs for it stands in the debug information.
c_flags+=(-fno-asynchronous-unwind-tables -fno-unwind-tables)
case $(uname -m) in
  x86_64) c_flags+=(-fcf-protection) ;;
  aarch64) c_flags+=(-mbranch-protection=standard) ;;
esac
flags=${CARGO_ENCODED_RUSTFLAGS:-}
for map in "${maps[@]}"; do
  c_flags+=("-ffile-prefix-map=$map")
  flags+=${flags:+$'\x1f'}--remap-path-prefix=$map
done
# Without code for the widest vectors and without large tables, which the library's own ciphers need for nothing that is felt.
export AWS_LC_SYS_SMALL=${AWS_LC_SYS_SMALL-1}
# SQLite without extensions, deprecated words, what no statement here uses, and checks of its own caller, which is safe; the rest as in
# .cargo/config.toml.
sqlite_flags=(-DHAVE_FDATASYNC=1 -DSQLITE_DEFAULT_MEMSTATUS=0 -DSQLITE_UNTESTABLE)
for unused in ENABLE_API_ARMOR ENABLE_COLUMN_METADATA ENABLE_DBSTAT_VTAB ENABLE_FTS3 ENABLE_FTS3_PARENTHESIS ENABLE_FTS5 \
  ENABLE_LOAD_EXTENSION ENABLE_RTREE ENABLE_STAT4 SOUNDEX; do sqlite_flags+=("-USQLITE_$unused"); done
for left_out in AUTHORIZATION AUTOMATIC_INDEX COMPILEOPTION_DIAGS COMPLETE DATETIME_FUNCS DECLTYPE DEPRECATED DESERIALIZE GET_TABLE INCRBLOB JSON LIKE_OPTIMIZATION LOAD_EXTENSION PROGRESS_CALLBACK SHARED_CACHE TRACE UTF16; do
  sqlite_flags+=("-DSQLITE_OMIT_$left_out")
done
export LIBSQLITE3_FLAGS="${sqlite_flags[*]}"
# The flags of C are words of a shell here, because folders may have blanks.
quoted=
for flag in "${c_flags[@]}"; do quoted+="'${flag//\'/\'\\\'\'}' "; done
export CC_SHELL_ESCAPED_FLAGS=1 CFLAGS="$quoted" CARGO_ENCODED_RUSTFLAGS="$flags"
# The library by itself, or it gets the features that the service wants of what both depend on; and as an archive only, because a
# crate that other crates link as well is not optimised as a whole.
cargo rustc --locked --profile packaged -p wmlicense --lib --crate-type staticlib ${features[@]+"${features[@]}"} >&2
ci/link.sh "$target/packaged/libwmlicense.a" "$target/packaged/libwmlicense.so"
cargo build --locked --profile packaged -p wmlicense-server -p wmlicense-cli ${features[@]+"${features[@]}"} >&2
printf '%s/packaged\n' "$target"
