#!/usr/bin/env bash
# Every test that docs/promises.md and docs/threat-model.md name stands as passed in a log of `cargo test`. What C programs
# are made of runs in the harness, whose own test must be there.
set -euo pipefail
cd "$(dirname "$0")/.."
log=$1
missing=0
while read -r name; do
  grep -Eq "test (.*::)?$name \\.\\.\\. ok" "$log" || { echo "named in docs/ and did not run: $name" >&2; missing=1; }
done < <(
  echo the_harness_passes_with_gcc_and_the_shared_library
  awk -F'`' '{
    file = ""
    for (i = 2; i <= NF; i += 2)
      if ($i ~ /[.](rs|c)$/) file = $i
      else if (file ~ /tests/ && file !~ /[.]c$/ && $i ~ /^[a-z0-9_]+$/) print $i
      else if (file ~ /[.]rs$/ && $i ~ /^[a-z0-9_]+$/ && FILENAME ~ /promises/) print $i
  }' docs/promises.md docs/threat-model.md | sort -u
)
exit $missing
