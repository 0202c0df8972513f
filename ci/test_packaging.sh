#!/usr/bin/env bash
# What is packaged, as strangers get it: built, packed, checked by the tools of distributions, installed in a clean Debian and used
# there. `ci/test_packaging.sh STEP…` runs only those steps; each builds what it needs.
set -euo pipefail
cd "$(dirname "$0")/.."

steps=("$@")
[ ${#steps[@]} -gt 0 ] || steps=(install build tarball wheel features porting deb root)
target=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
work=$(mktemp -d)
services=()
finish() {
  local code=$?
  trap - EXIT
  for service in ${services[@]+"${services[@]}"}; do kill "$service" 2>/dev/null && wait "$service" 2>/dev/null || :; done
  rm -rf --one-file-system "$work"
  exit $code
}
trap finish EXIT
trap 'exit 130' INT TERM

wrong() { printf 'wrong: %s\n' "$*" >&2; exit 1; }

install() { ci/install.sh packaging; }

# --- what several steps are made of

# A service of the programs in $1, with the two keys of the media in tests/data, on a free port; more words are for `serve`. Sets url,
# authority and token.
serve() {
  local programs=$1 data said=$work/said key
  shift
  data=$(mktemp -d "$work/service-XXXXXX")
  rm -f "$said"
  mkfifo "$said"
  authority=$("$programs/wmlicensed" init --data "$data" | sed -n 's/^authority: //p')
  for key in a1a2a3a4b1b2c1c2d1d2d3d4d5d6d7d8:00112233445566778899aabbccddeeff 0f0e0d0c0b0a09080706050403020100:ffeeddccbbaa99887766554433221100; do
    "$programs/wmlicensed" content add --data "$data" --kid "${key%:*}" --key "${key#*:}" --title Test --open >"$work/log"
  done
  token=$("$programs/wmlicensed" account add --data "$data" viewer | sed -n 's/^token: //p')
  "$programs/wmlicensed" serve --data "$data" --listen 127.0.0.1:0 "$@" >"$said" 2>"$work/log-service" &
  services+=($!)
  url=$(sed -n '/^listening on /{s///p;q}' "$said")
}

# The example program ensure, already built, gets a license, and is then told that it has one; the command line sees it.
use() { # program, folder of the command line, store
  local media=$PWD/tests/data/media/packager-cenc-video.mp4 said
  said=$("$1" "$3" "$authority" "$url" "$token" "$media") || wrong "$1 failed"
  [ "$said" = "license acquired" ] || wrong "$1 says: $said"
  said=$("$1" "$3" "$authority" "$url" "$token" "$media")
  [ "$said" = "may be played" ] || wrong "$1 says then: $said"
  said=$("$2/wmlicense" list --store "$3")
  grep -q a1a2a3a4b1b2c1c2d1d2d3d4d5d6d7d8 <<<"$said" || wrong "wmlicense list says: $said"
}

# --- the build: hardened, stripped, nothing of this machine inside

# The most bytes that the shared library may have.
most=6000000

build() {
  local built place=$work/build size strings
  built=$(ci/build_packaged.sh)
  DESTDIR=$place PREFIX=/usr LIBDIR= ci/package.sh --built "$built"
  size=$(stat -c %s "$place"/usr/lib/libwmlicense.so.*.*.*)
  printf 'libwmlicense.so: %d bytes; libwmlicense.a: %d; wmlicensed: %d; wmlicense: %d\n' "$size" \
    "$(stat -c %s "$place/usr/lib/libwmlicense.a")" "$(stat -c %s "$place/usr/bin/wmlicensed")" "$(stat -c %s "$place/usr/bin/wmlicense")"
  [ "$size" -le "$most" ] || wrong "libwmlicense.so has $size bytes, of $most that it may have"
  ci/glibc.sh "$place"/usr/lib/libwmlicense.so.*.*.* "$place"/usr/bin/*
  for file in "$place"/usr/lib/libwmlicense.so.*.*.* "$place/usr/lib/libwmlicense.a" "$place"/usr/bin/*; do
    strings=$(strings -a "$file" | grep -F -e "$PWD" -e "$HOME/" -e "$target" | head -n 3) || :
    [ -z "$strings" ] || wrong "$file tells where it was built: $strings"
  done
  for file in "$place"/usr/lib/libwmlicense.so.*.*.* "$place"/usr/bin/*; do hardened "$file"; done
  control_flow "$built/libwmlicense.a"
}

hardened() { # shared library or program
  local names headers dynamic
  names=$(nm -D --undefined-only "$1")
  headers=$(readelf -lW "$1")
  dynamic=$(readelf -dW "$1")
  grep -q __stack_chk_fail <<<"$names" || wrong "$1: no stack protector"
  grep -qE '__[a-z]+_chk' <<<"$(grep -v __stack_chk_fail <<<"$names")" || wrong "$1: no FORTIFY"
  grep -q GNU_RELRO <<<"$headers" && grep -q 'NOW' <<<"$dynamic" || wrong "$1: the table of functions stays writable"
  grep -qE 'GNU_STACK .* RW ' <<<"$headers" || wrong "$1: the stack is executable"
  [ "$(nm "$1" 2>/dev/null | wc -l)" = 0 ] || wrong "$1: not stripped"
}

# Each object that a compiler of C made says that its calls and jumps are guarded.
control_flow() { # archive
  local place=$work/objects object count=0
  mkdir "$place"
  (cd "$place" && ar x "$1")
  # What the toolchain brings is as its makers built it.
  for object in "$(rustc --print sysroot)"/lib/rustlib/*/lib/libcompiler_builtins-*.rlib; do
    ar t "$object" | (cd "$place" && xargs rm -f --)
  done
  for object in "$place"/*; do
    readelf -p .comment "$object" 2>/dev/null | grep -q 'GCC:\|clang' || continue
    readelf -p .comment "$object" | grep -q rustc && continue
    readelf -n "$object" | grep -q 'IBT' || wrong "${object##*/} of $1 is not guarded"
    count=$((count + 1))
  done
  [ $count -ge 100 ] || [ "$(uname -m)" != x86_64 ] || wrong "only $count objects of C in $1"
  printf '%d objects of C are guarded\n' $count
}

# --- the archive: unpacked in a folder with another name, used there

tarball() {
  local place="$work/ein Präfix mit Blanks" unpacked prefix
  ci/tarball.sh >"$work/log"
  (cd "$target/dist" && sha256sum --check --quiet SHA256SUMS)
  for file in "$target"/dist/*.cdx.json; do .venv/bin/python ci/check_sbom.py "$file"; done
  mkdir "$place"
  tar --extract --directory="$place" --file="$(ls "$target"/dist/wmlicense-*-*.tar.gz)"
  unpacked=$(ls -d "$place"/wmlicense-*)
  prefix="$place/verschoben ☂"
  mv "$unpacked" "$prefix"
  serve "$prefix/bin"
  eval "cc -std=c11 -Wall -Werror examples-c/ensure.c \
    $(PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config --cflags --libs wmlicense) -o \"\$work/ensure\""
  LD_LIBRARY_PATH=$prefix/lib use "$work/ensure" "$prefix/bin" "$work/store-tarball"
  [ -s "$prefix/share/man/man1/wmlicensed.1" ] || wrong "no man page"
  tar --list --file="$(find "$target/dist" -name 'wmlicense-*.tar.gz' ! -name 'wmlicense-*-*.tar.gz')" >"$work/log"
  grep -q '/Cargo.lock$' "$work/log" || wrong "the archive of the sources has no Cargo.lock"
}

# --- the wheel for Python: built as README says, installed by itself, used for the ten lines

wheel() {
  local place=$work/python said lines
  rm -rf python/build python/wmlicense.egg-info
  .venv/bin/python -m pip --quiet --disable-pip-version-check wheel --no-build-isolation --no-deps --wheel-dir "$place" ./python
  rm -rf python/build python/wmlicense.egg-info
  .venv/bin/python -m venv --without-pip "$place/umgebung mit Blanks"
  .venv/bin/python -m pip --quiet --disable-pip-version-check --python "$place/umgebung mit Blanks/bin/python" install \
    --no-index --no-deps "$place"/wmlicense-*-py3-none-linux_*.whl
  lines=$(sed -n '/^## First license in ten lines/,/^## [^F]/p' README.md | sed -n '/^```python$/,/^```$/p' | sed '/^```/d')
  serve "$(ci/build_packaged.sh)"
  for expected in "The license is stored." "Done."; do
    said=$("$place/umgebung mit Blanks/bin/python" -c "$lines" "$work/store-wheel" "$authority" "$url" \
      tests/data/media/packager-cenc-video.mp4)
    [ "$said" = "$expected" ] || wrong "the ten lines say: $said"
  done
}

# --- the features that distributions choose, each by itself

feature_build() { # features: builds the three programs apart, prints their folder
  cargo build --quiet --target-dir "$target/features" -p wmlicense -p wmlicense-server -p wmlicense-cli \
    --no-default-features --features "$1" >&2
  printf '%s/features/debug\n' "$target"
}

features() {
  system_sqlite
  system_roots
}

link_example() { # folder with the library, program
  cc -std=c11 -Wall -Werror -Iinclude examples-c/ensure.c "-L$1" "-Wl,-rpath,$1" -lwmlicense -o "$2"
}

# A SQLite of the system: Debian's, or where that is too old, the one that is bundled otherwise, installed by itself.
provide_sqlite() {
  local place=$target/sqlite sources
  if [ -z "$(ci/build_packaged.sh --system)" ]; then return; fi
  sources=$(cargo metadata --format-version 1 --locked |
    python3 -c 'import json, sys; print(next(p["manifest_path"] for p in json.load(sys.stdin)["packages"] if p["name"] == "libsqlite3-sys"))')
  sources=$(dirname "$sources")/sqlite3
  if [ ! -e "$place/lib/pkgconfig/sqlite3.pc" ]; then
    mkdir -p "$place/lib/pkgconfig" "$place/include"
    cc -O1 -fPIC -shared -DSQLITE_THREADSAFE=1 "$sources/sqlite3.c" -Wl,-soname,libsqlite3.so.0 -o "$place/lib/libsqlite3.so.0"
    ln -sf libsqlite3.so.0 "$place/lib/libsqlite3.so"
    cp "$sources/sqlite3.h" "$place/include"
    printf 'prefix=%s\nName: SQLite\nDescription: SQL database engine\nVersion: %s\nLibs: -L${prefix}/lib -lsqlite3\nCflags: -I${prefix}/include\n' \
      "$place" "$(sed -n 's/^#define SQLITE_VERSION  *"\(.*\)"/\1/p' "$sources/sqlite3.h")" >"$place/lib/pkgconfig/sqlite3.pc"
  fi
  export PKG_CONFIG_PATH=$place/lib/pkgconfig LD_LIBRARY_PATH=$place/lib LIBRARY_PATH=$place/lib
}

# In a shell of its own, whose settings end with it.
system_sqlite() (
  built='' place=$work/no-sqlite services=()
  trap 'for service in "${services[@]}"; do kill "$service" && wait "$service" || :; done' EXIT
  provide_sqlite
  built=$(feature_build bundled-roots)
  readelf -d "$built/libwmlicense.so" | grep 'NEEDED.*libsqlite3' >"$work/log" || wrong "SQLite of the system is not linked"
  serve "$built"
  link_example "$built" "$work/no-bundle"
  use "$work/no-bundle" "$built" "$work/store-no-bundle"
  # What is installed says what it lacks.
  PREFIX=$place LIBDIR='' ci/package.sh --built "$built" >"$work/log"
  export PKG_CONFIG_PATH=$place/lib/pkgconfig:${PKG_CONFIG_PATH-}
  # shellcheck disable=SC2046
  cc -std=c11 examples-c/ensure.c $(pkg-config --cflags wmlicense) "$place/lib/libwmlicense.a" \
    $(pkg-config --static --libs wmlicense | sed 's/-lwmlicense//') -o "$work/no-bundle-static"
  use "$work/no-bundle-static" "$built" "$work/store-no-bundle-static"
  printf 'without the bundled SQLite: %s\n' "$(pkg-config --modversion sqlite3)"
)

# Against a service with a certificate of an authority that only the system's folder names.
system_roots() {
  local built said
  built=$(feature_build bundled-sqlite)
  # A name of an authority that the bundled list has.
  ! grep -q 'ISRG Root X1' "$built/libwmlicense.so" || wrong "certificates are bundled"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=authority -keyout "$work/ca.key" \
    -out "$work/ca.pem" 2>"$work/log"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=service -keyout "$work/tls.key" \
    -CA "$work/ca.pem" -CAkey "$work/ca.key" -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE \
    -out "$work/tls.pem" 2>"$work/log"
  serve "$built" --tls-cert "$work/tls.pem" --tls-key "$work/tls.key"
  link_example "$built" "$work/system-roots"
  SSL_CERT_FILE=$work/ca.pem use "$work/system-roots" "$built" "$work/store-system-roots"
  mkdir "$work/nothing"
  for roots in "SSL_CERT_FILE=$work/none.pem SSL_CERT_DIR=$work/nothing" "SSL_CERT_FILE=$work/other.pem"; do
    cp "$work/tls.pem" "$work/other.pem"
    # shellcheck disable=SC2086
    if said=$(env $roots "$work/system-roots" "$work/store-refused" "$authority" "$url" "$token" \
      "$PWD/tests/data/media/packager-cenc-video.mp4" 2>&1); then wrong "a stranger's certificate was trusted"; fi
    printf '%s\n' "$said"
    rm -rf "$work/store-refused"
  done
}

# --- the old API above the header: programs in every form, and the headers of Windows

porting() { ci/test_porting.sh; }

# --- packages of Debian

deb() {
  ci/deb.sh
  lintian --allow-root --fail-on error --suppress-tags initial-upload-closes-no-bugs "$target"/deb/*.changes
}

root() {
  [ -n "$(ls "$target"/deb/*.deb 2>/dev/null)" ] || ci/deb.sh >"$work/log"
  ci/test_root.sh "$target/deb"
}

begin=$SECONDS
for step in "${steps[@]}"; do
  since=$SECONDS
  printf '== %s\n' "$step"
  "$step"
  printf '== %s: %d s\n' "$step" $((SECONDS - since))
done
printf 'what is packaged passed in %d s\n' $((SECONDS - begin))
