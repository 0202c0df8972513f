#!/usr/bin/env bash
# Links the shared library that is installed from the static one of a build: with a soname, one version for all symbols, and nothing
# else visible. `ci/link.sh ARCHIVE LIBRARY [WORD…]` passes the words on to the compiler; `ci/link.sh --soname` prints the soname.
set -euo pipefail
root=$(realpath "$(dirname "$0")/..")

version=$(sed -n '/^\[workspace\.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$root/Cargo.toml")
major=${version%%.*}
minor=${version#*.}
minor=${minor%%.*}
# Before 1.0 a minor release may break the ABI, so the soname follows it.
if [ "$major" = 0 ]; then abi=0.$minor; else abi=$major; fi
soname=libwmlicense.so.$abi
if [ "${1-}" = --soname ]; then
  echo "$soname"
  exit
fi

archive=${1:?"usage: ci/link.sh ARCHIVE LIBRARY [WORD…] | --soname"}
library=${2:?"usage: ci/link.sh ARCHIVE LIBRARY [WORD…] | --soname"}
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
grep -oE '^wm_[a-z0-9_]+' "$root/abi/symbols.txt" >"$work/symbols"
{
  echo "WMLICENSE_$abi {"
  echo "  global:"
  sed 's/.*/    &;/' "$work/symbols"
  echo "  local: *;"
  echo "};"
} >"$work/version"
mapfile -t wanted < <(sed 's/^/-Wl,-u,/' "$work/symbols")
# A build without the bundled SQLite leaves its names open.
nm "$archive" >"$work/names" 2>/dev/null || :
if ! grep -q ' [Tt] sqlite3_open_v2$' "$work/names"; then set -- "$@" -lsqlite3; fi
${CC:-cc} -shared -o "$library" "${wanted[@]}" "$archive" -Wl,-soname,"$soname" -Wl,--version-script="$work/version" \
  -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,now -Wl,-z,defs -Wl,-z,noexecstack -Wl,--build-id -Wl,--gc-sections \
  "$@" -lgcc_s -lpthread -ldl -lm
