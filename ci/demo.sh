#!/usr/bin/env bash
# The whole journey, a printed line per step: a service of its own on a free port, five devices (each a license store of its
# own), and the programs of examples-c/, each built by the line in its first comment. Leaves nothing behind.
set -euo pipefail
cd "$(dirname "$0")/.."

ci/install.sh demo
printf 'building the library and the service; some minutes the first time\n' >&2
cargo build -p wmlicense -p wmlicense-server
built=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/debug

work=$(mktemp -d)
: >"$work/log"
service=
finish() {
  local code=$?
  trap - EXIT
  if [ -n "$service" ]; then
    kill "$service" 2>/dev/null && wait "$service" 2>/dev/null || :
  fi
  # An interrupt is the reader's own wish and needs no explanation.
  if [ $code != 0 ] && [ $code != 130 ]; then
    printf '\nthe demonstration stopped; the last program said:\n' >&2
    tail -n 20 "$work/log" >&2
  fi
  rm -rf "$work"
  exit $code
}
trap finish EXIT
trap 'exit 130' INT TERM

say() { printf '%-16s%s\n' "$1" "$2"; }
admin() { "$built/wmlicensed" "$@" --data "$work/service" 2>>"$work/log"; }
field() { sed -n "s/^$1 *//p" | head -n 1; }
example() { # name, arguments: runs it and keeps what it printed in $printed
  printed=$("$work/$1" "${@:2}" 2>"$work/log")
}
refused() { # the same for a program that must fail
  if printed=$("$work/$1" "${@:2}" 2>"$work/log"); then
    echo "$1 was expected to fail" >>"$work/log"
    exit 1
  fi
}
partly() { # the same for a program that must do its work in part
  local code=0
  printed=$("$work/$1" "${@:2}" 2>"$work/log") || code=$?
  if [ $code != 3 ]; then
    echo "$1 was expected to end in part" >>"$work/log"
    exit 1
  fi
}
count() { grep -c "^$1" <<<"$printed" || :; }

# --- the examples, as their first comments say, in a folder that looks like this one with a release build
mkdir -p "$work/clone/target"
ln -s "$PWD/include" "$PWD/examples-c" "$PWD/ffmpeg" "$work/clone"
ln -s "$built" "$work/clone/target/release"
compiled=0
for source in examples-c/*.c; do
  line=$(sed -n 's/^ \* Build:  //p' "$source")
  # Those that need another library are shown where its development files are.
  modules=$(sed -n 's/.*\$(pkg-config --cflags --libs \([^)]*\)).*/\1/p' <<<"$line")
  # shellcheck disable=SC2086
  if [ -n "$modules" ] && ! pkg-config --exists $modules; then
    say "not built" "$(basename "$source"): it needs the development files of $modules"
    continue
  fi
  case $line in *" -lwmlicense-av "*) make -s -C ffmpeg BUILT="$built" 2>>"$work/log" ;; esac
  (cd "$work/clone" && eval "${line% -o *} -o \"\$work/\$(basename \"\$source\" .c)\"") 2>>"$work/log"
  compiled=$((compiled + 1))
done
say built "$compiled examples with $(cc --version | head -n 1)"

# --- the service: an authority, media, ten titles, one that may not be backed up, one that the user must accept
mkdir "$work/service"
authority=$(admin init | field authority:)
no_backup=$work/no-backup.json
echo '{"actions":{"Play":{}},"backup":false}' >"$no_backup"
admin policy set no-backup "$no_backup" >/dev/null
titles=()
add() { # title, key ID, key, more words
  admin content add --title "$1" --kid "$2" --key "$3" --open "${@:4}" >/dev/null
}
add "Test picture" a1a2a3a4b1b2c1c2d1d2d3d4d5d6d7d8 00112233445566778899aabbccddeeff
add "Test tone" 0f0e0d0c0b0a09080706050403020100 ffeeddccbbaa99887766554433221100
for number in 01 02 03 04 05 06 07 08 09 10; do
  kid=c00000000000000000000000000000$number
  titles+=("$kid")
  add "Title $number" "$kid" "$(rev <<<"$kid")"
done
restricted=c1000000000000000000000000000001
add "Only on this device" $restricted "$(rev <<<$restricted)" --policy no-backup
asks=$work/asks.json
echo '{"actions":{"Play":{}},"interaction":"page"}' >"$asks"
admin policy set asks "$asks" >/dev/null
asked=ca000000000000000000000000000001
add "Ask me first" $asked "$(rev <<<$asked)" --policy asks
token=$(admin account add viewer | field token:)

mkfifo "$work/address"
"$built/wmlicensed" serve --listen 127.0.0.1:0 --data "$work/service" >"$work/address" 2>"$work/service.log" &
service=$!
exec 3<"$work/address"
read -r listening <&3
url=${listening#listening on }
say service "$url, ${#titles[@]} titles, 2 protected tracks, 1 that may not be backed up, 1 that the user must accept"

# --- the first device
media=tests/data/media
example acquire "$work/device1" "$authority" "$url" "$token" $media/packager-cenc-video.mp4
say individualized "$(field 'individualized:' <<<"$printed")"
sed -n 's/^license acquired: //p' <<<"$printed" | while read -r key_id; do say acquired "license for key ID $key_id"; done
# What the store is worth before the other licenses come; put back below to lose them.
cp -a "$work/device1" "$work/device1.before"
example acquire "$work/device1" "$authority" "$url" "$token" "${titles[@]}" $restricted
say acquired "$(count 'license acquired:') more licenses, silently"

play() { # store
  local track
  for track in cenc-video cenc-audio cbcs-video cbcs-audio; do
    example play "$1" "$authority" $media/packager-$track.mp4 $media/src.mp4
    say decrypted "$(field equal: <<<"$printed") ($track)"
  done
}
play "$work/device1"
watch() { # store, file: decodes it with libav and counts the frames
  [ -x "$work/play_ffmpeg" ] || return 0
  example play_ffmpeg "$1" "$authority" - - "$2"
  say "decoded frames" "$(count '[0-9]*, ') of $(basename "$2"), with licenses that were there"
}
watch "$work/device1" $media/packager-cbcs-video.mp4
if command -v gst-launch-1.0 >/dev/null && pkg-config --exists gstreamer-base-1.0; then
  mkdir "$work/plugins"
  make -s -C gstreamer BUILT="$built" OUT="$work/plugins" >>"$work/log" 2>&1
  printed=$(GST_REGISTRY="$work/registry" GST_PLUGIN_PATH="$work/plugins" WMLICENSE_STORE_PATH="$work/device1" \
    WMLICENSE_AUTHORITY="$authority" gst-launch-1.0 playbin uri="file://$PWD/$media/packager-cenc-video.mp4" \
    video-sink=checksumsink 2>"$work/log")
  say "in GStreamer" "$(count '[0-9]:[0-9:.]* ') frames of packager-cenc-video.mp4 through playbin"
fi

mkdir "$work/usb"
example backup "$work/device1" "$authority" "$work/usb"
say "backed up" "$(field 'backed up:' <<<"$printed" | cut -d' ' -f1-2), $(du -k "$work/usb"/* | cut -f1) KiB"
say restricted "$(field 'not in the backup:' <<<"$printed")"

# --- the same device loses its licenses; the service is not asked
rm -rf "$work/device1"
mv "$work/device1.before" "$work/device1"
example restore "$work/device1" "$authority" "$work/usb"
say "restored here" "$(field restored <<<"$printed")"
play "$work/device1"

# --- other devices, through the service, which counts: four in all, the first included
for number in 2 3 4; do
  example restore "$work/device$number" "$authority" "$work/usb" "$url" "$token"
  say "on device $number" "restored $(field restored <<<"$printed")"
done
play "$work/device2"
refused restore "$work/device5" "$authority" "$work/usb" "$url" "$token"
say "on device 5" "refused, $(count refused:) licenses; see $(field 'more about it:' <<<"$printed")"

# --- the owner lets eight titles go to a fifth device and takes one back: each license left out is told with its own reason
five=$work/five.json
echo '{"actions":{"Play":{}},"backup":true,"restoreDevices":5}' >"$five"
admin policy set five "$five" >/dev/null
for number in 01 02 03 04 05 06 07 08; do
  kid=c00000000000000000000000000000$number
  add "Title $number" "$kid" "$(rev <<<"$kid")" --policy five
done
admin license revoke --kid "${titles[9]}" >/dev/null
partly restore "$work/device5" "$authority" "$work/usb" "$url" "$token"
say "in part" "on device 5: $(field restored <<<"$(grep -v 'in part' <<<"$printed")"); $(field 'restored in part:' <<<"$printed")"
sed -n 's/^refused: //p' <<<"$printed" | while read -r left_out; do say "  left out" "$left_out"; done

# --- a catalogue before it is needed: everything that the account may have, and the next time only what changed
example predeliver "$work/device6" "$authority" "$url" "$token"
say delivered "$(field delivered: <<<"$printed") to device 6, $(field stored: <<<"$printed") stored"
example predeliver "$work/device6" "$authority" "$url" "$token"
say "delivered again" "$(head -n 1 <<<"$printed")"

# --- what ends within 30 days is renewed without its content, and one title is given back
example renew "$work/device6" "$authority" "$url" "$token" 30 "${titles[0]}"
say renewed "$(head -n 1 <<<"$printed"), within 30 days"
say "given back" "$(field 'given back:' <<<"$printed") from device 6"

# --- a title that its user must accept first, on a page of the service; a script plays user and browser
kid=$(printf '%b' "$(sed 's/../\\x&/g' <<<$asked)" | base64)
example non_silent "$work/device6" "$authority" "$url" "$token" "$kid" ci/user.py
say accepted "on the page that shows $(field code: <<<"$printed"): $(tail -n 1 <<<"$printed")"

# --- an application that does not link the library
example dynamic_load "$built/libwmlicense.so" "$work/device2" "$authority"
say loaded "$(head -n 1 <<<"$printed"): $(count license:) licenses on device 2"
