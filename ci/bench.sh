#!/usr/bin/env bash
# The library beside its peers, in one run; the arguments are those of bench/src/main.rs. Builds the service in the same
# profile, because pre-delivery and restore are measured with it.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --quiet --profile bench -p wmlicense-server
exec cargo run --quiet --profile bench -p wmlicense-bench -- "$@"
