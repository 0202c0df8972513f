#!/usr/bin/env bash
# Runs in a clean Debian in which the packages were installed, and sees only what they brought: compiles, serves, plays, reads, removes.
set -euo pipefail

wrong() { printf 'wrong: %s\n' "$*" >&2; exit 1; }
ok() { printf 'in a clean root: %s\n' "$*"; }
media=/wmlicense/packager-webm-video.webm
work=$(mktemp -d)
cd "$work"

# --- a program of the README, in both forms
examples=/usr/share/doc/libwmlicense-dev/examples-c
# shellcheck disable=SC2046
cc -std=c11 -Wall -Wextra -Werror $examples/ensure.c $(pkg-config --cflags --libs wmlicense) -o ensure
# shellcheck disable=SC2046
cc -std=c11 $examples/ensure.c "$(pkg-config --variable=libdir wmlicense)/libwmlicense.a" \
  $(pkg-config --static --libs-only-l wmlicense | sed 's/-lwmlicense //') -o ensure-static
# The program under a heading of the README that was installed, as its reader copies it.
first_license() { # language, file
  zcat -f /usr/share/doc/libwmlicense-dev/README.md* | sed -n '/^## First license in ten lines/,/^## [^F]/p' |
    sed -n "/^\`\`\`$1\$/,/^\`\`\`\$/p" | sed '/^```/d' >"$2"
  [ -s "$2" ] || wrong "README has no program for $1"
}
first_license c first.c
first_license cpp first.cpp
# shellcheck disable=SC2046
cc -std=c11 -Wall -Wextra -Werror first.c $(pkg-config --cflags --libs wmlicense) -o first-c
# shellcheck disable=SC2046
c++ -std=c++17 -Wall -Wextra -Werror first.cpp $(pkg-config --cflags --libs wmlicense) -o first-cpp
# shellcheck disable=SC2046
cc -std=c11 $examples/play_ffmpeg.c $(pkg-config --cflags --libs wmlicense-av libavcodec libavutil) -o play-av
ok "compiled with the shared and the static library and with that on FFmpeg; README's ten lines in C and C++"

# --- the service, by the command line of its unit
unit=/lib/systemd/system/wmlicensed.service
systemd-analyze verify "$unit" || wrong "the unit"
systemctl is-enabled wmlicensed >/dev/null || wrong "the unit is not enabled"
[ "$(stat -c '%U %a' /var/lib/wmlicensed)" = "wmlicensed 700" ] || wrong "the data folder is not the service's own"
owner() { runuser -u wmlicensed -- wmlicensed "$@" --data /var/lib/wmlicensed; }
authority=$(owner init --name "A clean root" | sed -n 's/^authority: //p')
owner content add --kid a1a2a3a4b1b2c1c2d1d2d3d4d5d6d7d8 --key 00112233445566778899aabbccddeeff --title "Test picture" --open >/dev/null
token=$(owner account add viewer | sed -n 's/^token: //p')
mkfifo said
user=$(sed -n 's/^User=//p' $unit)
setpriv --reuid="$user" --regid="$user" --init-groups sh -c "exec $(sed -n 's/^ExecStart=//p' $unit)" >said 2>log &
service=$!
trap 'kill $service; wait $service || :' EXIT
url=$(sed -n '/^listening on /{s///p;q}' said)
[ "$url" = http://127.0.0.1:8080 ] || wrong "the service listens on $url"
ok "the service listens on $url"

for program in ensure ensure-static; do
  said=$(./$program "store-$program" "$authority" "$url" "$token" $media) || wrong "$program failed"
  [ "$said" = "license acquired" ] || wrong "$program says: $said"
done
for program in first-c first-cpp; do
  for expected in "The license is stored." "Done."; do
    said=$(./$program "store-$program" "$authority" "$url" $media) || wrong "$program failed: $said"
    [ "$said" = "$expected" ] || wrong "$program says: $said"
  done
done
ok "README's ten lines bring a license"
said=$(./play-av store-first-c "$authority" - - $media 2>&1) || wrong "the player on libwmlicense-av failed: $said"
[ "$(grep -cE '^[0-9]+, ' <<<"$said")" -gt 10 ] || wrong "the player on libwmlicense-av says: $said"
ok "a player on libwmlicense-av plays it offline"

# --- a player, which acquires what it lacks
export GST_REGISTRY=$work/registry HOME=$work
play() { gst-play-1.0 --no-interactive --videosink=fakesink --audiosink=fakesink $media 2>&1; }
said=$(play) || :
grep -q ERROR <<<"$said" || wrong "it plays without a license: $said"
export WMLICENSE_STORE_PATH=$work/store WMLICENSE_AUTHORITY=$authority WMLICENSE_SERVICE_URL=$url WMLICENSE_ACCOUNT_TOKEN=$token
said=$(play) || wrong "gst-play-1.0 failed: $said"
! grep -q 'ERROR\|WARNING' <<<"$said" || wrong "gst-play-1.0 says: $said"
grep -q 'Reached end of play list' <<<"$said" || wrong "gst-play-1.0 says: $said"
said=$(wmlicense list --store "$work/store")
grep -q a1a2a3a4b1b2c1c2d1d2d3d4d5d6d7d8 <<<"$said" || wrong "the player has no license: $said"
ok "gst-play-1.0 plays a protected file"

# --- pages of man, completions
packages=(libwmlicense0.1 libwmlicense-dev libwmlicense-av0.1 libwmlicense-av-dev wmlicense-tools wmlicense-server gstreamer1.0-wmlicense)
pages=$(dpkg -L "${packages[@]}" | grep '/man/man.*\.gz$')
for page in $pages; do
  said=$(MANWIDTH=200 man --warnings -l "$page" 2>&1 >page) || wrong "$page: $said"
  [ -z "$said" ] || wrong "$page: $said"
  grep -q NAME page || wrong "$page is empty"
done
man wmlicensed >page
grep -q 'authority, role keys and certificates' page || wrong "man wmlicensed"
ok "$(wc -l <<<"$pages") pages of man"
for program in wmlicense wmlicensed; do
  bash -n /usr/share/bash-completion/completions/$program
  [ -s /usr/share/zsh/vendor-completions/_$program ] && [ -s /usr/share/fish/vendor_completions.d/$program.fish ] || wrong "completions"
done

# --- and away again: only the owner's data stays
kill $service
wait $service || wrong "the service did not end well: $(tail -n 3 log)"
trap - EXIT
dpkg --purge "${packages[@]}" >log 2>&1 || wrong "$(cat log)"
left=$(find / -xdev -path /proc -prune -o -path /wmlicense -prune -o -path "$work" -prune -o -path /var/lib/dpkg -prune -o \
  -path /var/lib/systemd -prune -o -name '*wmlicense*' -print | grep -v '^/var/\(log\|cache\)/')
! grep -qv '^/var/lib/wmlicensed' <<<"$left" || wrong "after a purge there is left: $left"
[ -s /var/lib/wmlicensed/authority.cose ] || wrong "the owner's data is gone"
ok "removed, all but the owner's data"
