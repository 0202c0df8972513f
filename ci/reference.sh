#!/usr/bin/env bash
# Makes the HTML reference of the library in FOLDER/html, and the same as XML for tools in FOLDER/xml. A function, constant or field
# without a description and a link that leads nowhere are errors. `ci/reference.sh FOLDER`
set -euo pipefail
[ $# = 1 ] || { echo "usage: ci/reference.sh FOLDER" >&2; exit 2; }
command -v doxygen >/dev/null || { echo "doxygen is missing: apt-get install doxygen, or ci/install.sh" >&2; exit 1; }
mkdir -p "$1"
WMLICENSE_OUT=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
WMLICENSE_VERSION=$(sed -n '/^\[workspace\.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
export WMLICENSE_OUT WMLICENSE_VERSION
doxygen docs/doxygen/Doxyfile
