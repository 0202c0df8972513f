#!/usr/bin/env bash
# The service as it is run for many: a PostgreSQL of its own, two replicas behind nginx as deploy/nginx.conf has it, licenses
# pre-delivered to ten devices (`ci/demo_scale.sh 2000` for so many in all) while one replica is killed and started again, and restores
# up to the limit. A line for each outcome, an exit status that is not 0 if one is wrong. Leaves nothing behind.
set -euo pipefail
cd "$(dirname "$0")/.."

licenses=${1:-100000} devices=10 at_once=2
case $licenses in *[!0-9]* | 0*) echo "usage: ci/demo_scale.sh [NUMBER]" >&2; exit 2 ;; esac
titles=$(((licenses + devices - 1) / devices))
licenses=$((titles * devices))
# Devices in all that may hold a license, and how long somebody asks again who got no answer, in seconds.
limit=4 patience=120

if [ -z "${WM_TEST_PROGRAMS_BUILT:-}" ]; then
  ci/install.sh demo-scale
  printf 'building the library and the service; some minutes the first time\n' >&2
  cargo build --workspace --bin wmlicense --bin wmlicensed
fi
built=${CARGO_TARGET_DIR:-$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')}/debug

work=$(mktemp -d)
# Short, because the name of a socket is, and where another user may look, because PostgreSQL does not run as root.
cluster=$(mktemp -d /tmp/wmscale-XXXXXX)
: >"$work/log"
# What is said at the end is seen, wherever what is said just then goes.
exec 4>&2
replicas=() workers=() proxy= server=
finish() {
  local code=$? process
  trap - EXIT
  # nginx and PostgreSQL are no children of this shell: their files say which processes they are.
  if [ -n "$proxy" ] && [ -s "$work/nginx.pid" ]; then
    kill "$(cat "$work/nginx.pid")" 2>/dev/null || :
  fi
  # A replica that was killed is a process that is no more; its number may be another's.
  for process in "${workers[@]}" "${replicas[@]}"; do
    if [ -n "$process" ]; then
      kill "$process" 2>/dev/null && wait "$process" 2>/dev/null || :
    fi
  done
  [ -z "$server" ] || as_server "$programs/pg_ctl" -D "$cluster/data" -m immediate -s -w stop >>"$work/log" 2>&1 || :
  if [ $code != 0 ] && [ $code != 130 ]; then
    printf '\nthe demonstration stopped; the last program said:\n' >&4
    tail -n 20 "$work/log" >&4
  fi
  rm -rf "$work" "$cluster"
  exit $code
}
trap finish EXIT
trap 'exit 130' INT TERM

say() { printf '%-22s%s\n' "$1" "$2"; }
fail() { echo "$*" >>"$work/log"; exit 1; }
field() { sed -n "s/^$1 *//p" | head -n 1; }
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
program() { # name: from the search path, or unpacked by ci/install.sh
  local place
  for place in "$(command -v "$1" || :)" "$PWD/.tools/usr/sbin/$1" "/usr/sbin/$1"; do
    if [ -n "$place" ] && [ -x "$place" ]; then echo "$place"; return; fi
  done
  fail "$1 is missing: ci/install.sh demo-scale installs it"
}

# --- PostgreSQL: a cluster on a socket; as another user for root, whom it refuses
as_server() { if [ "$(id -u)" = 0 ]; then (cd / && runuser -u postgres -- "$@"); else "$@"; fi; }
found=$(printf '%s\n' /usr/lib/postgresql/*/bin/initdb | sort -V | tail -n 1)
[ -x "$found" ] || found=$(command -v initdb || :)
programs=${found%/*}
[ -x "$programs/initdb" ] || fail "PostgreSQL is missing: ci/install.sh demo-scale installs it"
if [ "$(id -u)" = 0 ]; then chown postgres: "$cluster"; fi
as_server "$programs/initdb" -D "$cluster/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >>"$work/log" 2>&1
server=running
as_server "$programs/pg_ctl" -D "$cluster/data" -w -s -l "$cluster/log" -o "-k $cluster -c listen_addresses=" start \
  </dev/null >>"$work/log" 2>&1
as_server "$programs/createdb" -h "$cluster" -U postgres licenses >>"$work/log" 2>&1
export WMLICENSED_DATABASE="postgres://postgres@/licenses?host=$cluster"

# --- what is licensed
begun=$SECONDS
admin() { "$built/wmlicensed" "$@" --data "$work/service" 2>>"$work/log"; }
mkdir "$work/service"
authority=$(admin init | field authority:)
python3 -c "for number in range($titles): print('%032x,%032x,Title %d' % (number, number, number))" >"$work/keys.csv"
printf '{"actions":{"Play":{}},"backup":true,"restoreDevices":%d}' $limit >"$work/terms.json"
admin policy set terms "$work/terms.json" >/dev/null
admin content import "$work/keys.csv" --scope gold --policy terms >/dev/null
token=$(admin account add viewer --scope gold | field token:)

# --- two replicas on copies of one folder, and nginx before them
port=$(free_port)
url=https://127.0.0.1:$port
replica() { # number, port: serves a copy of the data folder
  local place=$work/replica$1
  if [ ! -d "$place" ]; then cp -a "$work/service" "$place"; fi
  rm -f "$place.address"
  mkfifo "$place.address"
  "$built/wmlicensed" serve --data "$place" --listen "127.0.0.1:$2" --management-listen 127.0.0.1:0 --public-url "$url" \
    --trusted-proxy 127.0.0.1 >"$place.address" 2>>"$place.log" &
  replicas[$1]=$!
  read -r listening <"$place.address" || fail "replica $1 does not start: $(tail -n 1 "$place.log")"
}
replica 0 0
first=${listening##*:}
replica 1 0
second=${listening##*:}

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=127.0.0.1 -keyout "$work/key.pem" \
  -out "$work/cert.pem" -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE >>"$work/log" 2>&1
site() { # the sample with the lines filled in that its user fills in
  sed -e "s|server 127.0.0.1:8080;.*|server 127.0.0.1:$first; server 127.0.0.1:$second;|" \
    -e "s|listen 443 ssl;.*|listen 127.0.0.1:$port ssl;|" -e 's|server_name .*|server_name 127.0.0.1;|' \
    -e "s|/etc/letsencrypt/.*/fullchain.pem|\"$work/cert.pem\"|" -e "s|/etc/letsencrypt/.*/privkey.pem|\"$work/key.pem\"|" \
    deploy/nginx.conf
}
site >"$work/site.conf"
{
  # Its workers are other users otherwise, who may not look into the folder; only root is asked for one.
  if [ "$(id -u)" = 0 ]; then echo "user root root;"; fi
  printf 'pid "%s/nginx.pid";\nerror_log "%s/nginx.log" warn;\nevents {}\nhttp {\n' "$work" "$work"
  for place in client_body proxy fastcgi uwsgi scgi; do printf '%s_temp_path "%s/%s";\n' $place "$work" $place; done
  printf 'include "%s/site.conf";\n}\n' "$work"
} >"$work/nginx.conf"
nginx=$(program nginx)
proxy=running
# It goes into the background when it listens.
"$nginx" -e "$work/nginx.log" -p "$work" -c "$work/nginx.conf" >>"$work/log" 2>&1
say service "PostgreSQL $("$programs/postgres" --version | grep -Eo '[0-9][0-9.]*' | head -n 1), two replicas behind nginx at $url, $titles titles"

# --- devices: each is a store of its own, kept up by the command line
export WMLICENSE_SERVICE=$url WMLICENSE_AUTHORITY=$authority WMLICENSE_TOKEN=$token SSL_CERT_FILE=$work/cert.pem
insist() { # name, words of wmlicense: asks again, as its user would, until the service answered
  local name=$1 since=$SECONDS
  shift
  until "$built/wmlicense" "$@" --store "$work/$name" --json >"$work/$name.told" 2>>"$work/log"; do
    echo again >>"$work/again"
    [ $((SECONDS - since)) -lt $patience ] || return 1
  done
}
deliver() { # number
  insist "device$1" acquire --scope gold --individualize && echo "$1" >>"$work/delivered"
}
count() { if [ -e "$work/$1" ]; then wc -l <"$work/$1"; else echo 0; fi; }
background() { # function and its words
  "$@" &
  workers[$!]=$!
}
settle() { # waits for the next device; one that got nothing ends it all
  local ended= code=0
  wait -n -p ended "${workers[@]}" || code=$?
  unset "workers[$ended]"
  [ $code = 0 ] || fail "a device got no answer for $patience s"
}
settle_all() { while [ ${#workers[@]} -gt 0 ]; do settle; done; }
delivering=$SECONDS meanwhile=0 killed= started=
for number in $(seq $devices); do
  background deliver "$number"
  # So many ask side by side; with the third one under way a replica falls, and two devices later it is there again.
  if [ ${#workers[@]} -lt $at_once ] || [ "$number" = $devices ]; then continue; fi
  if [ "$number" -gt $at_once ] && [ -z "$killed" ]; then
    kill -9 "${replicas[0]}"
    wait "${replicas[0]}" 2>/dev/null || :
    replicas[0]=
    killed=$(count delivered)
  fi
  settle
  if [ -n "$killed" ] && [ -z "$started" ] && [ "$(count delivered)" -ge $((killed + 2)) ]; then
    meanwhile=$(($(count delivered) - killed))
    replica 0 "$first"
    started=yes
  fi
done
settle_all
[ "$(count delivered)" = $devices ] && [ -n "$started" ] || fail "not every device was served"
seconds=$((SECONDS - delivering))
say delivered "$licenses licenses to $devices devices in $seconds s"
say killed "one replica by signal 9; $meanwhile devices went on at the other, then it was started again"

# --- restores on other devices, up to the limit, all at once; and one more
mkdir "$work/usb"
"$built/wmlicense" backup --store "$work/device1" --to "$work/usb" --json >>"$work/log" 2>&1
restoring=$SECONDS
for number in $(seq 2 $limit); do
  background insist "other$number" restore --from "$work/usb" --individualize
done
settle_all
say restored "$titles licenses on $((limit - 1)) other devices in $((SECONDS - restoring)) s"
if "$built/wmlicense" restore --from "$work/usb" --individualize --store "$work/toomany" --json >"$work/toomany.told" 2>>"$work/log"; then
  fail "a restore beyond the limit was granted"
fi

# --- what the devices hold against what the service has written down
for store in "$work"/device? "$work"/device?? "$work"/other?; do
  if [ -d "$store" ]; then "$built/wmlicense" list --json --store "$store" >"$store.held"; fi
done
admin device list --json >"$work/devices.json"
admin license list --json >"$work/licenses.json"
admin restore list --json >"$work/restores.json"
python3 - "$work" "$devices" "$titles" "$limit" <<'PYTHON' || fail "the service and its devices do not agree"
import collections, glob, json, os, sys

work, devices, titles, limit = sys.argv[1], *map(int, sys.argv[2:])
def read(name):
    with open(os.path.join(work, name)) as file:
        return json.load(file)

# Whose a license is, the service says: a device holds licenses of one device ID alone.
written, seats = collections.defaultdict(set), collections.defaultdict(set)
for row in read("licenses.json"):
    written[row["lid"]].add(row["device"])
for row in read("restores.json"):
    seats[row["lid"]].add(row["device"])
oversold = sum(len(on | written[lid]) > limit for lid, on in seats.items())
lost = kept = restored = 0
for path in glob.glob(os.path.join(work, "*.held")):
    held = {row["lid"] for row in read(path)["licenses"]}
    where = written if os.path.basename(path).startswith("device") else seats
    # The device of a store is the one that the service has beside every license of it.
    owners = set.intersection(*(where[lid] for lid in held)) if held else set()
    lost += (0 if owners else len(held)) + titles - len(held)
    kept += len(held) if where is written else 0
    restored += len(held) if where is seats else 0
refused = read("toomany.told")
at_limit = sum(row["reason"] == 3 for row in refused["refused"])
for name, value, wanted in [
    ("refused at the limit", f"{at_limit} licenses on one more device", at_limit == titles and refused["restored"] == 0),
    ("oversold", oversold, oversold == 0),
    ("lost", lost, lost == 0 and kept == devices * titles and restored == (limit - 1) * titles
     and sum(map(len, written.values())) == kept and sum(map(len, seats.values())) == restored),
]:
    print(f"{name:<22}{value}", flush=True)
    if not wanted:
        sys.exit(f"that is wrong: {name}: {value}; held {kept}, restored {restored}")
PYTHON
say seconds "$((SECONDS - begun)), $(count again) requests were given again by their users"
