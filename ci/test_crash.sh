#!/usr/bin/env bash
# Every crash point there is: through C beside a real service, in the core, in exchanges, in revoking and migrating. Counts them.
set -euo pipefail
cd "$(dirname "$0")/.."
export WM_TEST_ALL_TOOLS=1 WM_TEST_LONG=1 WM_TEST_CRASH_ALL=1
log=$(mktemp)
trap 'rm -f "$log"' EXIT
cargo test --test c_programs crash -- --nocapture 2>&1 | tee "$log"
cargo test -p wmlicense-core --test crashes --test exchange_crashes --test revocation --test migrations \
  -- --nocapture 2>&1 | tee -a "$log"
total=$(grep -Eo '(killed at|faults at) [0-9]+ points' "$log" | awk '{ sum += $3 } END { print sum + 0 }')
echo "$total points in all"
[ "$total" -ge 1000 ]
