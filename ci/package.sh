#!/usr/bin/env bash
# Installs below PREFIX (default /usr/local; DESTDIR and LIBDIR respected): headers, shared library with a soname, static library
# that shows its own symbols only, programs with their completions and man pages, examples, documents, and files for pkg-config
# and CMake. What it put there stands in a list, by which `--uninstall` takes away just that. `--built FOLDER` takes libraries and
# programs that are built already; else ci/build_packaged.sh builds them with the features that `--features` names, by default all.
# `--keep-symbols` leaves to others what a debugger reads.
set -euo pipefail
here=$(pwd)
cd "$(dirname "$0")/.."

built=
beside=
features=default
strip=1
action=install
while [ $# -gt 0 ]; do
  case $1 in
    --built) built=$(cd "$here" && realpath -e -- "${2:?"--built names a folder"}"); shift ;;
    --features) features=${2?"--features names features"}; shift ;;
    --keep-symbols) strip= ;;
    --uninstall) action=uninstall ;;
    *) echo "usage: ci/package.sh [--uninstall | [--built FOLDER | --features LIST] [--keep-symbols]]" >&2; exit 2 ;;
  esac
  shift
done

absolute() { (cd "$here" && realpath -ms -- "$1"); }
prefix=$(absolute "${PREFIX:-/usr/local}")
libdir=$(absolute "${LIBDIR:-$prefix/lib}")
root=${DESTDIR:+$(absolute "$DESTDIR")}
share=$prefix/share
version=$(sed -n '/^\[workspace\.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
soname=$(ci/link.sh --soname)
abi=${soname#libwmlicense.so.}

# --- what was installed: a list for each version, its lines relative to PREFIX, folders with a slash at their end

lists=$root$share/wmlicense
list=$lists/installed-$version
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: >"$work/list"

relative() { # place: sets REPLY
  case $1 in
    "$prefix") REPLY=. ;;
    "$prefix"/*) REPLY=${1#"$prefix"/} ;;
    *) REPLY=$(realpath -ms --relative-to="$prefix" -- "$1") ;;
  esac
}
note() {
  relative "$1"
  printf '%s\n' "$REPLY${2:-}" >>"$work/list"
}
note_folders() { # the folders above a place that are not there yet, the deepest last; those above PREFIX are nobody's
  local folder=${1%/*}
  if [ -d "$root$folder" ] || [[ $prefix/ == "${folder%/}"/?* ]]; then return; fi
  note_folders "$folder"
  relative "$folder"
  grep -qxF -- "$REPLY/" "$work/list" || note "$folder" /
}
put() { # mode, file, place
  note_folders "$3"
  install -D -m "$1" -- "$2" "$root$3"
  note "$3"
}
put_link() { # target, place
  ln -sfn -- "$1" "$root$2"
  note "$2"
}
drop() { # lines of a list: takes these files away, then folders that are empty
  local line
  while IFS= read -r line; do rm -f -- "$root$prefix/$line"; done < <(grep -v '/$' "$1")
  while IFS= read -r line; do
    rmdir --ignore-fail-on-non-empty -- "$line" 2>/dev/null || :
  done < <(grep '/$' "$1" | while IFS= read -r line; do realpath -ms -- "$root$prefix/$line"; done | LC_ALL=C sort -r)
}

# --- the two libraries

link_libraries() {
  local symbols=$work/symbols system=() linker
  grep -oE '^wm_[a-z0-9_]+' abi/symbols.txt >"$symbols"
  # The plain build has no soname, because programs run it in place.
  ci/link.sh "$built/libwmlicense.a" "$work/libwmlicense.so" ${strip:+-Wl,--strip-all}
  if readelf -dW "$work/libwmlicense.so" | grep 'NEEDED.*libsqlite3' >"$work/needed"; then system=(-lsqlite3); fi

  # One object, so that two Rust archives or another SQLite in the same program cannot meet. Its section groups are dissolved: a
  # linker that knows a group of the same name from another archive would throw ours away, and what is in it is needed.
  linker=$(command -v ld.bfd || command -v ld)
  "$linker" -r --force-group-allocation --whole-archive "$built/libwmlicense.a" -o "$work/wmlicense.o"
  objcopy --remove-section .llvmbc --remove-section .llvmcmd --keep-global-symbols="$symbols" "$work/wmlicense.o"
  objcopy --strip-unneeded "$work/wmlicense.o"
  ar crsD "$work/libwmlicense.a" "$work/wmlicense.o"
  static_libraries="${system[*]+-lsqlite3;}-lpthread;-ldl;-lm"
  requires=${system[*]+sqlite3}
}

# --- the files by which build systems find them

fill() { # template
  local name=${1##*/} pc_prefix pc_libdir
  case $prefix in
    # Never moved; and what is searched anyway is left out of the flags only where it is named plainly.
    /usr) pc_prefix=$prefix pc_libdir=$libdir ;;
    *)
      pc_prefix="\${pcfiledir}/$(realpath -ms --relative-to="$libdir/pkgconfig" -- "$prefix")"
      pc_libdir="\${pcfiledir}/.."
      ;;
  esac
  INCLUDE=$(realpath -ms --relative-to="$libdir/cmake/wmlicense" -- "$prefix/include")
  export INCLUDE PC_PREFIX=$pc_prefix PC_LIBDIR=$pc_libdir VERSION=$version SONAME=$soname ABI=${abi//./\\\\.} \
    STATIC=$static_libraries REQUIRES=$requires
  # Values are put in as they are, whatever letters they have.
  awk 'BEGIN {
         split("prefix PC_PREFIX libdir PC_LIBDIR version VERSION soname SONAME include_from_here INCLUDE abi_pattern ABI " \
               "static_libraries STATIC requires REQUIRES", pairs, " ")
       }
       /^Requires.private: @requires@$/ && ENVIRON["REQUIRES"] == "" { next }
       {
         for (at = 1; at in pairs; at += 2)
           while (found = index($0, "@" pairs[at] "@"))
             $0 = substr($0, 1, found - 1) ENVIRON[pairs[at + 1]] substr($0, found + length(pairs[at]) + 2)
         print
       }' "$1" >"$work/${name%.in}"
}

# --- programs, and what they tell about themselves

put_program() { # name
  local program=$built/$1
  [ -x "$program" ] || return 0
  install -m 755 -- "$program" "$work/$1"
  if [ -n "$strip" ]; then strip --strip-all -- "$work/$1"; fi
  put 755 "$work/$1" "$prefix/bin/$1"
  "$program" completions bash >"$work/completion"
  put 644 "$work/completion" "$share/bash-completion/completions/$1"
  "$program" completions zsh >"$work/completion"
  put 644 "$work/completion" "$share/zsh/site-functions/_$1"
  "$program" completions fish >"$work/completion"
  put 644 "$work/completion" "$share/fish/vendor_completions.d/$1.fish"
  mkdir "$work/man-$1"
  "$program" man "$work/man-$1" >"$work/said"
  put_man_pages "$work/man-$1"
}
# The library on FFmpeg, where `make -C ffmpeg` made one beside the others: linked anew with what is installed, so that it needs
# that by its soname and knows no folder of this machine.
put_av() {
  local name=libwmlicense-av.so
  [ -e "${beside:-$built}/$name" ] || return 0
  make --silent -C ffmpeg OUT="$work/av" WMLICENSE="-I../include -L'$work' -lwmlicense" LDFLAGS="-Wl,-z,relro -Wl,-z,now" \
    CFLAGS="-O2 -fstack-protector-strong -fstack-clash-protection -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 ${strip:+-s}"
  put 755 "$work/av/$name.$abi" "$libdir/$name.$version"
  put_link "$name.$version" "$libdir/$name.$abi"
  put_link "$name.$abi" "$libdir/$name"
  put 644 ffmpeg/wmlicense_av.h "$prefix/include/wmlicense_av.h"
  fill ffmpeg/wmlicense-av.pc.in
  put 644 "$work/wmlicense-av.pc" "$libdir/pkgconfig/wmlicense-av.pc"
}
put_man_pages() { # folder: each page goes where its section says
  local page
  for page in "$1"/*.[1-8]; do
    [ ! -e "$page" ] || put 644 "$page" "$share/man/man${page##*.}/${page##*/}"
  done
}
put_all() { # folder in the sources, place
  local file
  while IFS= read -r file; do put 644 "$file" "$2/${file#"$1"/}"; done < <(find -H "$1" -type f ! -path '*/__pycache__/*' | sort)
}

install_all() {
  local file folder
  if [ -z "$built" ]; then
    built=$(ci/build_packaged.sh "$features")
    # Where `cargo build --release` puts what others are built beside.
    beside=${built%/*}/release
  fi
  link_libraries
  put_all include "$prefix/include"
  put 755 "$work/libwmlicense.so" "$libdir/libwmlicense.so.$version"
  put_link "libwmlicense.so.$version" "$libdir/$soname"
  put_link "$soname" "$libdir/libwmlicense.so"
  put 644 "$work/libwmlicense.a" "$libdir/libwmlicense.a"
  for file in packaging/*.in; do fill "$file"; done
  put 644 "$work/wmlicense.pc" "$libdir/pkgconfig/wmlicense.pc"
  for file in "$work"/*.cmake; do put 644 "$file" "$libdir/cmake/wmlicense/${file##*/}"; done
  put_av
  for file in wmlicensed wmlicense; do put_program "$file"; done
  ci/man.sh "$work/man"
  for folder in "$work"/man/man*; do put_man_pages "$folder"; done
  put_all deploy "$share/doc/wmlicense/deploy"
  for folder in examples-*; do put_all "$folder" "$share/doc/wmlicense/$folder"; done
  for file in README.md CHANGELOG.md SECURITY.md LICENSE-* docs/*.md docs/*.cddl; do
    put 644 "$file" "$share/doc/wmlicense/$file"
  done
  note_folders "$share/wmlicense/list"
  take_over
  printf 'installed wmlicense %s below %s\n' "$version" "$root$prefix"
}

# What this version put over files of another one is its own from then on; what an older install of it has left over goes.
take_over() {
  local other
  note "$share/wmlicense/installed-$version"
  mkdir -p "$lists"
  for other in "$lists"/installed-*; do
    [ -e "$other" ] || continue
    if [ "$other" = "$list" ]; then
      grep -vxFf "$work/list" "$list" >"$work/left" || :
      grep '/$' "$work/left" >>"$work/list" || :
      sed -i '/\/$/d' "$work/left"
      drop "$work/left"
    else
      grep '/$' "$other" >"$work/kept" || :
      { grep -v '/$' "$other" || :; } | { grep -vxFf "$work/list" || :; } >>"$work/kept"
      install -m 644 "$work/kept" "$other"
    fi
  done
  install -m 644 "$work/list" "$list"
}

uninstall_all() {
  local other line
  if [ ! -e "$list" ]; then
    printf 'wmlicense %s is not installed below %s: there is no %s; say where with PREFIX and DESTDIR\n' \
      "$version" "$root$prefix" "$list" >&2
    exit 1
  fi
  cp "$list" "$work/list"
  drop "$work/list"
  # Folders that another version still needs are that one's to take away.
  for other in "$lists"/installed-*; do
    [ -e "$other" ] || continue
    { grep '/$' "$work/list" || :; } | while IFS= read -r line; do
      if [ -d "$root$prefix/$line" ]; then printf '%s\n' "$line"; fi
    done >>"$other"
    break
  done
  printf 'removed wmlicense %s from %s\n' "$version" "$root$prefix"
}

"${action}_all"
