#!/usr/bin/env bash
# Packs what `make install` puts in place, to be unpacked anywhere, and the sources, into the folder dist of the target folder, with a
# bill of materials (CycloneDX) and SHA-256 of all. The same commit makes the same archives of what is built.
set -euo pipefail
cd "$(dirname "$0")/.."

version=$(sed -n '/^\[workspace\.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
system=$(uname -s | tr '[:upper:]' '[:lower:]')-$(uname -m)
name=wmlicense-$version-$system
built=$(ci/build_packaged.sh)
out=$(dirname "$built")/dist
rm -rf "$out"
mkdir -p "$out/stage"
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH

DESTDIR=$out/stage PREFIX=/$name LIBDIR= ci/package.sh --built "$built" >&2
# Where it is unpacked, it goes with its folder.
rm -r "$out/stage/$name/share/wmlicense"
ci/sbom.py >"$out/$name.cdx.json"
cp "$out/$name.cdx.json" "$out/stage/$name/share/doc/wmlicense/sbom.cdx.json"
tar --create --directory="$out/stage" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" "$name" |
  gzip --no-name -9 >"$out/$name.tar.gz"
rm -r "$out/stage"
git archive --format=tar --prefix="wmlicense-$version/" HEAD | gzip --no-name -9 >"$out/wmlicense-$version.tar.gz"
cd "$out"
sha256sum -- *.tar.gz *.cdx.json >SHA256SUMS
ls "$out"/*
