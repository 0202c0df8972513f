#!/usr/bin/env bash
# Installs the Debian packages of a folder in a clean root of this machine's release and uses them there as a stranger does; needs to be
# root. What is done inside is in ci/test_root_inside.sh. `ci/test_root.sh FOLDER`.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 130' INT TERM
root=$work/root
# shellcheck source=/dev/null
release=$(. /etc/os-release && echo "$VERSION_CODENAME")
sources=()
for file in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources; do [ ! -e "$file" ] || sources+=("$file"); done

# What a stranger has: compilers, man, and a player with its own decoders.
if ! mmdebstrap --quiet --variant=minbase --mode=root \
  --include=ca-certificates,gcc,g++,libc6-dev,pkg-config,man-db,gstreamer1.0-plugins-base-apps,gstreamer1.0-plugins-good \
  "$release" "$root" "${sources[@]}" >"$work/log" 2>&1; then
  tail -n 30 "$work/log" >&2
  exit 1
fi
mkdir "$root/wmlicense"
cp "$packages"/*.deb tests/data/media/packager-webm-video.webm ci/test_root_inside.sh "$root/wmlicense"
rm -f "$root"/wmlicense/*-dbgsym_*.deb
inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
export -f inside
export root
# The scripts of packages look at processes, as they can on a real system.
if ! unshare --mount --pid --fork bash -euc '
  mount -t proc proc "$root/proc"
  inside apt-get -q update
  inside sh -c "apt-get -q -y install --no-install-recommends /wmlicense/*.deb"' >"$work/log" 2>&1; then
  tail -n 30 "$work/log" >&2
  exit 1
fi
# Processes and ports of its own: nothing that is started there outlives this, and the address in the package's settings is free.
unshare --mount --pid --net --fork bash -euc '
  ip link set lo up
  mount -t proc proc "$root/proc"
  inside bash /wmlicense/test_root_inside.sh'
