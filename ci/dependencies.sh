#!/usr/bin/env bash
# Holds what the project depends on against deny.toml: licenses, bans and sources. Known flaws are looked up where a copy of the
# RustSec database is at hand (ADVISORY_DB names a folder with one); nothing is fetched for that.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-$PWD/target}
version=0.20.2
tool=$target/tools/bin/cargo-deny

# Built once, and without optimisation: it reads one file.
if [ "$("$tool" --version 2>/dev/null)" != "cargo-deny $version" ]; then
  echo "building cargo-deny $version"
  cargo install --quiet --locked --debug --root "$target/tools" --target-dir "$target/tools/build" "cargo-deny@$version"
  rm -rf "$target/tools/build"
fi

"$tool" --workspace check --hide-inclusion-graph licenses bans sources
if [ -n "${ADVISORY_DB:-}" ]; then
  config=$target/tools/deny.toml
  { cat deny.toml; printf '[advisories]\ndb-path = "%s"\n' "$ADVISORY_DB"; } >"$config"
  "$tool" --workspace check --config "$config" --disable-fetch advisories
else
  echo "no copy of the RustSec database: known flaws of dependencies were not looked up (ADVISORY_DB)"
fi
