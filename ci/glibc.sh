#!/usr/bin/env bash
# The newest glibc whose symbols these libraries and programs need, a line each; fails if one needs more than README promises.
# `ci/glibc.sh FILE…`; `ci/glibc.sh --promised` prints the promise.
set -euo pipefail

# That of Enterprise Linux 9; Ubuntu 22.04 has 2.35, Debian 12 has 2.36.
promised=2.34

if [ "${1-}" = --promised ]; then
  echo "$promised"
  exit
fi
code=0
for file; do
  versions=$(objdump -p -- "$file" | awk '/^Version References:/ { on = 1 } on && $4 ~ /^GLIBC_/ { print substr($4, 7) }')
  # Some needs have a name and no number, such as that of packed relocations.
  newest=$(sort -V <<<"${versions:?"$file needs no glibc: is it a program?"}" | tail -n 1)
  printf '%s needs glibc %s\n' "$file" "$newest"
  if [ "$(printf '%s\n' "$promised" "$newest" | sort -V | tail -n 1)" != "$promised" ]; then
    printf '%s: glibc %s is promised, and these need more: %s\n' "$file" "$promised" \
      "$(objdump -T -- "$file" | grep -F "GLIBC_$newest" | awk '{ print $NF }' | tr '\n' ' ')" >&2
    code=1
  fi
done
exit $code
