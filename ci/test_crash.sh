#!/usr/bin/env bash
# Every crash point there is: through C beside a real service, in the core, in exchanges, in revoking and migrating, and in the
# service and its commands. Counts them.
set -euo pipefail
cd "$(dirname "$0")/.."
export WM_TEST_ALL_TOOLS=1 WM_TEST_LONG=1 WM_TEST_CRASH_ALL=1
log=$(mktemp)
trap 'rm -f "$log"' EXIT
cargo test --test c_programs crash -- --nocapture 2>&1 | tee "$log"
cargo test -p wmlicense-core --test client -- crashes:: revocation:: migrations:: \
  --nocapture 2>&1 | tee -a "$log"
cargo test -p wmlicense-server --test service -- _crashes:: --nocapture 2>&1 | tee -a "$log"
points() { grep -Eo "$1(killed at|faults at) [0-9]+ points" "$log" | awk '{ sum += $(NF - 1) } END { print sum + 0 }'; }
total=$(points '') service=$(points 'wmlicensed [a-z]+: ')
echo "$total points in all, $service of them at the service"
[ "$total" -ge 1500 ] && [ "$service" -ge 500 ]
