#!/usr/bin/env bash
# Builds chatgate and shows its main job on this machine: a private Redis, a small IM server, the gateway before it, a short
# real conversation, and a page to try it by hand.
#   scripts/quickstart.sh          start (or show again, when it is running)
#   scripts/quickstart.sh stop     end exactly what was started
#   scripts/quickstart.sh --once   start, play the conversation, stop (for tests)
set -euo pipefail
cd "$(dirname "$0")/.."
top=$PWD
. scripts/packages.sh

data=${CHATGATE_DEMO_DIR:-$top/build/demo}
build=${CHATGATE_RELEASE_DIR:-$top/build/release}
reminder_s=8

# A process is named by its id and its start time, so that a recycled id is never taken for ours.
start_time() { awk '{sub(/^.*\) /, ""); print $20}' "/proc/$1/stat" 2>/dev/null || true; }
remember() { echo "$2 $(start_time "$2")" >"$data/$1.pid"; }
running() {
    [ -r "$data/$1.pid" ] || return 1
    read -r pid began <"$data/$1.pid"
    [ -n "$began" ] && [ "$(start_time "$pid")" = "$began" ]
}
stop_one() {
    if running "$1"; then
        read -r pid _ <"$data/$1.pid"
        kill "$pid"
        for _ in $(seq 300); do running "$1" || break; sleep 0.05; done
        if running "$1"; then echo "warning: $1 (process $pid) did not end within 15 s" >&2; return 1; fi
    fi
    rm -f "$data/$1.pid"
}
stop_all() { stop_one gateway; stop_one im; stop_one redis; }

wait_for() { # what, file that grows, command that succeeds
    for _ in $(seq 200); do "${@:3}" && return 0; sleep 0.05; done
    echo "error: $1 did not start; the end of its log ($2):" >&2
    tail -n 20 "$2" >&2
    return 1
}

if [ "${1:-}" = stop ]; then
    stop_all
    echo "stopped"
    exit 0
fi
case ${1:-} in '' | --once) ;; *) echo "usage: scripts/quickstart.sh [stop | --once]" >&2; exit 2 ;; esac

echo "== packages and build"
install_packages $packages_build $packages_demo
cmake -G Ninja -S . -B "$build" -DCMAKE_BUILD_TYPE=Release >/dev/null
ninja -C "$build" --quiet chatgated chatgate
mkdir -p "$data"
chmod 700 "$data"

if ! running redis; then
    echo "== a private Redis (its own folder and socket)"
    (umask 077; exec redis-server --port 0 --unixsocket "$data/redis.sock" --dir "$data" --appendonly yes --save '' \
        --maxmemory-policy noeviction </dev/null >"$data/redis.log" 2>&1) &
    remember redis $!
    wait_for redis "$data/redis.log" test -S "$data/redis.sock"
    wait_for redis "$data/redis.log" sh -c "redis-cli -s '$data/redis.sock' ping 2>/dev/null | grep -q PONG"
fi
if ! running im; then
    echo "== a small IM server"
    rm -f "$data/im.port"
    /usr/bin/python3 scripts/demo/im_server.py --ready-file "$data/im.port" </dev/null >"$data/im.log" 2>&1 &
    remember im $!
    wait_for "the IM server" "$data/im.log" test -s "$data/im.port"
fi
im_port=$(cat "$data/im.port")
if ! running gateway; then
    echo "== chatgated before it"
    port=8080
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then port=0; fi # taken: any free one
    cat >"$data/directory.yaml" <<YAML
agents:
  - {id: xiaomei, team: presale, shop: demo-shop, role: agent}
shops:
  demo-shop: {platform: taobao}
YAML
    cat >"$data/chatgate.yaml" <<YAML
listeners:
  - {name: agents, address: "127.0.0.1:$port", profile: plain-ws-json, upstream: im}
upstreams:
  - {name: im, servers: ["127.0.0.1:$im_port"]}
profiles_dir: $top/conf/profiles
rules: {packs: ["$top/rules"]}
directory: directory.yaml
redis: {address: "$data/redis.sock"}
ring: {dir: "$data/ring", size: 4M}
reminders: {unanswered: [{after: ${reminder_s}s, to: agent}, {after: 60s, to: supervisor}]}
control: $data/control.sock
admin: 127.0.0.1:0
workers: 2
YAML
    mkdir -p "$data/ring"
    "$build/src/chatgated" --config "$data/chatgate.yaml" </dev/null >"$data/chatgated.log" 2>&1 &
    remember gateway $!
    wait_for chatgated "$data/chatgated.log" grep -q ' ready ' "$data/chatgated.log"
fi
gate_port=$(sed -nE 's/.* listening listener=agents .* port=([0-9]+).*/\1/p' "$data/chatgated.log" | tail -n 1)
chatgate=$build/src/cli/chatgate

echo "== a conversation (▶ sent, ◀ received, ✗ refused, ! notice)"
/usr/bin/python3 scripts/demo/play.py --agent-url "ws://127.0.0.1:$gate_port/ws" \
    --customer-url "ws://127.0.0.1:$im_port/ws" --reminder-s "$reminder_s"
echo
echo "== read back from Redis: the agent's reply times"
"$chatgate" agents xiaomei --rounds --config "$data/chatgate.yaml"
echo
echo "== read back from Redis: the case and the reminder"
"$chatgate" cases --config "$data/chatgate.yaml"
"$chatgate" reminders --config "$data/chatgate.yaml"

if [ "${1:-}" = --once ]; then
    stop_all
    echo "stopped"
    exit 0
fi
cat <<EOT

Running. Open http://127.0.0.1:$gate_port/ : agent and customer side by side; type 加我微信 and see.
  status   $chatgate status --config $data/chatgate.yaml
  explain  $chatgate explain 加我薇信 --rules rules
  stop     scripts/quickstart.sh stop
EOT
