#!/usr/bin/env bash
# Which mutants of the modules that keep promises the tests notice: `ci/mutants.sh [--module NAME] [--file PART] [--sample N]
# [--survivors] [--rest] [--unit] [--test PROGRAM] [--budget SECONDS] [--workers N] [--list]`. Modules and equivalents are
# listed in ci/mutants/.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-target}
# What measures is tested before it measures.
for step in test build; do
  cargo "$step" --quiet --manifest-path ci/mutants/Cargo.toml --target-dir "$target/mutants/tool" >/dev/null
done
exec "$target/mutants/tool/debug/mutants" "$@"
