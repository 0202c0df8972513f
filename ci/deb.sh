#!/usr/bin/env bash
# Builds the Debian packages of this machine's release into the folder deb of the target folder, in a copy of the sources: the tools
# of Debian write beside what they package. `--built FOLDER` takes libraries and programs that are built already.
set -euo pipefail
cd "$(dirname "$0")/.."

case ${1:-} in
  '') built=$(ci/build_packaged.sh "$(ci/build_packaged.sh --system)") ;;
  --built) built=$(realpath -e -- "${2:?"--built names a folder"}") ;;
  *) echo "usage: ci/deb.sh [--built FOLDER]" >&2; exit 2 ;;
esac
version=$(sed -n '/^\[workspace\.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
packaged=$(dpkg-parsechangelog --show-field Version)
if [ "${packaged%-*}" != "$version" ]; then
  echo "debian/changelog begins with $packaged, Cargo.toml says $version: add an entry for it" >&2
  exit 1
fi
out=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/deb
rm -rf "$out"
mkdir -p "$out/tree" "$out/built"
# What a later build with other features does not replace.
cp "$built"/{libwmlicense.a,wmlicensed,wmlicense} "$out/built"
tar --create --exclude-vcs --exclude=./target --exclude=./.venv --exclude=./fuzz/corpus . | tar --extract --directory="$out/tree"
# The tools of Debian give the build another home, where no toolchain is.
export CARGO_HOME="${CARGO_HOME:-$HOME/.cargo}" RUSTUP_HOME="${RUSTUP_HOME:-$HOME/.rustup}"
if ! (cd "$out/tree" && WM_BUILT=$out/built DEB_BUILD_OPTIONS="nocheck ${DEB_BUILD_OPTIONS:-}" dpkg-buildpackage -us -uc -b) >"$out/log" 2>&1; then
  tail -n 60 "$out/log" >&2
  exit 1
fi
rm -rf "$out/tree" "$out/built"
ls "$out"/*.deb
