#!/usr/bin/env bash
# Library and service beside their peers, in one run; the arguments are those of bench/src/main.rs: rows by name, such as
# `ci/bench.sh lookup-100k acquire`.
set -euo pipefail
cd "$(dirname "$0")/.."

# Together, so that one build serves both.
cargo build --quiet --profile bench -p wmlicense -p wmlicense-server -p wmlicense-bench
target=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
# What is packaged is another build, and measured where there is one.
if [ -e "$target/packaged/libwmlicense.so" ]; then set -- --library "$target/packaged/libwmlicense.so" "$@"; fi
exec "$target/release/wmlicense-bench" "$@"
