#!/usr/bin/env bash
# Holds what the project depends on against deny.toml: licenses, bans and sources. Known flaws are looked up where a copy of the
# RustSec database is at hand (ADVISORY_DB names a folder with one); nothing is fetched for that.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-$PWD/target}
tool=$target/tools/bin/cargo-deny

ci/install.sh dependencies
"$tool" --workspace check --hide-inclusion-graph licenses bans sources
if [ -n "${ADVISORY_DB:-}" ]; then
  config=$target/tools/deny.toml
  { cat deny.toml; printf '[advisories]\ndb-path = "%s"\n' "$ADVISORY_DB"; } >"$config"
  "$tool" --workspace check --config "$config" --disable-fetch advisories
else
  echo "no copy of the RustSec database: known flaws of dependencies were not looked up (ADVISORY_DB)"
fi
