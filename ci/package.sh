#!/usr/bin/env bash
# Installs below PREFIX (default /usr/local; DESTDIR and LIBDIR respected): header, shared library with a soname, static library
# that shows its own symbols only, programs, and files for pkg-config and CMake. `--built FOLDER` takes libraries and programs
# that are built already.
set -euo pipefail
cd "$(dirname "$0")/.."

prefix=${PREFIX:-/usr/local}
libdir=${LIBDIR:-$prefix/lib}
root=${DESTDIR:-}
version=$(sed -n '/^\[workspace\.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
major=${version%%.*}
minor=${version#*.}
minor=${minor%%.*}
# Before 1.0 a minor release may break the ABI, so the soname follows it.
if [ "$major" = 0 ]; then abi=0.$minor; else abi=$major; fi

if [ "${1:-}" = --built ]; then
  built=$2
else
  cargo build --release --workspace
  built=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/release
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
symbols=$work/symbols
grep -oE '^wm_[a-z0-9_]+' abi/symbols.txt >"$symbols"

# The plain build has no soname, because programs run it in place. The shared library to install is linked anew from the
# archive, with a soname, one version for all symbols, and nothing else visible.
{
  echo "WMLICENSE_$abi {"
  echo "  global:"
  sed 's/.*/    &;/' "$symbols"
  echo "  local: *;"
  echo "};"
} >"$work/version"
mapfile -t wanted < <(sed 's/^/-Wl,-u,/' "$symbols")
soname=libwmlicense.so.$abi
cc -shared -o "$work/libwmlicense.so" "${wanted[@]}" "$built/libwmlicense.a" \
  -Wl,-soname,"$soname" -Wl,--version-script="$work/version" -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,now -Wl,-z,defs \
  -Wl,--gc-sections -Wl,--strip-debug -lgcc_s -lpthread -ldl -lm

# One object, so that two Rust archives or another SQLite in the same program cannot meet.
ld -r --whole-archive "$built/libwmlicense.a" -o "$work/wmlicense.o"
objcopy --remove-section .llvmbc --remove-section .llvmcmd --strip-debug --keep-global-symbols="$symbols" "$work/wmlicense.o"
ar crs "$work/libwmlicense.a" "$work/wmlicense.o"

cat >"$work/wmlicense.pc" <<PC
prefix=$prefix
libdir=$libdir
includedir=\${prefix}/include

Name: wmlicense
Description: License individualization, acquisition, backup and restore for media players
Version: $version
Cflags: -I\${includedir}
Libs: -L\${libdir} -lwmlicense
Libs.private: -lpthread -ldl -lm
PC

cat >"$work/wmlicense-config.cmake" <<CMAKE
# Targets: wmlicense::wmlicense (shared) and wmlicense::static.
get_filename_component(_wmlicense_libdir "\${CMAKE_CURRENT_LIST_DIR}/../.." ABSOLUTE)
set(_wmlicense_include "$prefix/include")
if(NOT TARGET wmlicense::wmlicense)
  add_library(wmlicense::wmlicense SHARED IMPORTED)
  set_target_properties(wmlicense::wmlicense PROPERTIES
    IMPORTED_LOCATION "\${_wmlicense_libdir}/libwmlicense.so.$version"
    IMPORTED_SONAME "$soname"
    INTERFACE_INCLUDE_DIRECTORIES "\${_wmlicense_include}")
  add_library(wmlicense::static STATIC IMPORTED)
  set_target_properties(wmlicense::static PROPERTIES
    IMPORTED_LOCATION "\${_wmlicense_libdir}/libwmlicense.a"
    INTERFACE_INCLUDE_DIRECTORIES "\${_wmlicense_include}"
    INTERFACE_LINK_LIBRARIES "pthread;dl;m")
endif()
CMAKE

cat >"$work/wmlicense-config-version.cmake" <<CMAKE
set(PACKAGE_VERSION "$version")
if(PACKAGE_FIND_VERSION VERSION_EQUAL PACKAGE_VERSION)
  set(PACKAGE_VERSION_EXACT TRUE)
endif()
# Compatible within one soname.
if(NOT PACKAGE_FIND_VERSION VERSION_GREATER PACKAGE_VERSION AND "\${PACKAGE_FIND_VERSION}." MATCHES "^${abi//./\\\\.}\\\\.")
  set(PACKAGE_VERSION_COMPATIBLE TRUE)
endif()
CMAKE

put() { install -D -m "$1" "$2" "$root$3"; }
put 644 include/wmlicense.h "$prefix/include/wmlicense.h"
for file in include/wmlicense.hpp include/wmlicense/*.hpp; do put 644 "$file" "$prefix/$file"; done
put 755 "$work/libwmlicense.so" "$libdir/libwmlicense.so.$version"
ln -sf "libwmlicense.so.$version" "$root$libdir/$soname"
ln -sf "$soname" "$root$libdir/libwmlicense.so"
put 644 "$work/libwmlicense.a" "$libdir/libwmlicense.a"
put 644 "$work/wmlicense.pc" "$libdir/pkgconfig/wmlicense.pc"
put 644 "$work/wmlicense-config.cmake" "$libdir/cmake/wmlicense/wmlicense-config.cmake"
put 644 "$work/wmlicense-config-version.cmake" "$libdir/cmake/wmlicense/wmlicense-config-version.cmake"
for program in wmlicensed wmlicense; do
  if [ -x "$built/$program" ]; then put 755 "$built/$program" "$prefix/bin/$program"; fi
done
printf 'installed wmlicense %s below %s\n' "$version" "$root$prefix"
