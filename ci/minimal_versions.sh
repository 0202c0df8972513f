#!/usr/bin/env bash
# Whether the lowest versions that the manifests allow of what the project names itself are enough: chosen and checked in a copy of
# the sources below the target folder. Cargo's option for it is not stable yet; the compiler stays the reader's own.
set -euo pipefail
cd "$(dirname "$0")/.."

target=$(realpath -m "${CARGO_TARGET_DIR:-target}")/minimal
tree=$target/tree
rm -rf "$tree"
mkdir -p "$tree"
tar --create --exclude-vcs --exclude=target --exclude=./fuzz/corpus --exclude=./.venv . | tar --extract --directory="$tree"
cd "$tree"
RUSTC_BOOTSTRAP=1 cargo update --quiet -Z direct-minimal-versions
CARGO_TARGET_DIR=$target/build cargo check --quiet --locked --workspace --all-targets
echo "the lowest versions are enough"
