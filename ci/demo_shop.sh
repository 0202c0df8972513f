#!/usr/bin/env bash
# A shop that rents, sells and subscribes through the owner's API and by tokens of its own, a printed line per step: a service of its
# own on a free port, three devices of one account of which two may have what it bought, and the title in a browser where there
# is one. Leaves nothing behind.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -z "${WM_TEST_PROGRAMS_BUILT-}" ]; then
  ci/install.sh demo-shop
  printf 'building the command line and the service; some minutes the first time\n' >&2
  cargo build -p wmlicense-cli -p wmlicense-server
fi
built=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/debug

# Tokens are for their owner alone.
umask 077
work=$(mktemp -d)
: >"$work/log"
service= site= browser=
finish() {
  local code=$?
  trap - EXIT
  for process in $browser $site $service; do
    kill "$process" 2>/dev/null && wait "$process" 2>/dev/null || :
  done
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
shop() { python3 examples-python/shop.py "$@" 2>>"$work/log"; }

# --- the service, which trusts the shop
kid=a1a2a3a4b1b2c1c2d1d2d3d4d5d6d7d8
mkdir "$work/service"
authority=$(admin init | field authority:)
admin content add --kid $kid --key 00112233445566778899aabbccddeeff --title "Test picture" >/dev/null
openssl genpkey -algorithm ed25519 -out "$work/shop.pem" 2>>"$work/log"
shop keys "$work/shop.pem" >"$work/shop.json"
mkfifo "$work/site.address" "$work/address"
python3 ci/shop_site.py tests/data/media >"$work/site.address" 2>>"$work/log" &
site=$!
exec 4<"$work/site.address"
read -r site_url <&4
"$built/wmlicensed" serve --listen 127.0.0.1:0 --management-listen 127.0.0.1:0 --data "$work/service" --shop-keys "$work/shop.json" \
  --shop-issuer shop --shop-audience licenses --clearkey-origin "$site_url" >"$work/address" 2>>"$work/log" &
service=$!
exec 3<"$work/address"
read -r listening <&3
read -r managing <&3
url=${listening#listening on } SHOP_API=${managing#management on }
SHOP_TOKEN=$(admin admin add shop --role owner | field token:)
export SHOP_API SHOP_TOKEN
say service "$url, and the owner's API at $SHOP_API/admin/v1"
shop open $kid
say "on sale" "one title: rent for two days, buy on two devices, subscribe by the month"

device() { # name, file of a token: the license that the device gets, or why none
  local code=0
  printed=$("$built/wmlicense" acquire --store "$work/$1" --service "$url" --authority "$authority" --token-file "$2" --individualize \
    $kid 2>&1) || code=$?
  printf '%s\n' "$printed" >>"$work/log"
  return $code
}
gets() { device "$@" || exit 1; }
is_refused() { if device "$@"; then exit 1; fi; }

# --- rent
shop sell renter rent >"$work/renter"
gets tablet "$work/renter"
say rented "$("$built/wmlicense" list --store "$work/tablet" | grep -c "$kid") license on the tablet"

# --- buy, on two of three devices
shop sell family buy 2 >"$work/family"
for name in television phone; do
  gets $name "$work/family"
  say bought "a license on the $name"
done
is_refused car "$work/family"
say "third device" "$(sed -n 's/^error: //p' <<<"$printed")"
phone=$(admin device list --account family --json | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["device"])')
say freed "the phone: it drops $(shop free family "$phone") license when it asks next"
gets car "$work/family"
say "third device" "has its license"

# --- subscribe, by a token that the shop signs
shop token "$work/shop.pem" subscriber "order 17" >"$work/subscriber"
gets notebook "$work/subscriber"
say subscribed "an account by the shop's word, until $(admin grant list --account subscriber --json |
  python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["until"])')"

# --- in a browser
if chromium=$(command -v chromium || command -v google-chrome); then
  "$chromium" --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --disable-background-networking \
    --disable-component-update --no-proxy-server --autoplay-policy=no-user-gesture-required --user-data-dir="$work/browser" \
    "$site_url/?file=packager-cenc-video.mp4&server=$url/clearkey&token=$(cat "$work/subscriber")" >>"$work/log" 2>&1 &
  browser=$!
  read -r told <&4
  case $told in *"frames"*) say "in a browser" "$told" ;; *) printf '%s\n' "$told" >>"$work/log"; exit 1 ;; esac
else
  say "in a browser" "not shown: there is no Chromium"
fi
say "sold so far" "$(admin stats | tr -s ' \n' ' ' | grep -o 'licenses [0-9]*' | head -n 1), audit of $(admin audit list --json |
  python3 -c 'import json, sys; print(len(json.load(sys.stdin)))') acts"
