#!/usr/bin/env bash
# Puts the manual pages of the library below a folder (such as /usr/local/share/man): each page under its name, and a line that
# leads to it under every other name that it explains, so that `man wm_acquire_license` finds it. `ci/man.sh FOLDER`
set -euo pipefail
[ $# = 1 ] || { echo "usage: ci/man.sh FOLDER" >&2; exit 2; }
pages=$(cd "$(dirname "$0")/../docs/man" && pwd)

for page in "$pages"/man*/*; do
  file=${page#"$pages"/}
  install -D -m 644 "$page" "$1/$file"
  sed -n '/^\.Sh NAME/,/^\.Nd/s/^\.Nm \([a-z0-9_]*\).*/\1/p' "$page" | while read -r name; do
    alias=${file%%/*}/$name.${file##*.}
    [ "$alias" = "$file" ] || printf '.so %s\n' "$file" | install -m 644 /dev/stdin "$1/$alias"
  done
done
