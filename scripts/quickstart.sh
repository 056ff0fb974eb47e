#!/usr/bin/env bash
# Builds chatgate and shows its main job on this machine: a private Redis, a small IM server, the gateway before it, a short
# real conversation, and a page to try it by hand.
#   scripts/quickstart.sh          start what does not run yet, play the conversation, leave it running
#   scripts/quickstart.sh stop     end exactly what was started
#   scripts/quickstart.sh --once   start, play the conversation, end what this run started
#   scripts/quickstart.sh --xmpp [--once]   the same with a private Prosody and XMPP clients
# Everything is kept in build/ (CHATGATE_DEMO_DIR and CHATGATE_RELEASE_DIR name other folders).
set -euo pipefail
cd "$(dirname "$0")/.."
top=$PWD
# shellcheck source=scripts/packages.sh
. scripts/packages.sh

build=${CHATGATE_RELEASE_DIR:-$top/build/release}
reminder_s=8
mode=start kind=websocket
for word in "$@"; do
    case $word in
    stop | --once) mode=$word ;;
    --xmpp) kind=xmpp ;;
    *)
        echo "usage: scripts/quickstart.sh [--xmpp] [stop | --once]" >&2
        exit 2
        ;;
    esac
done
mkdir -p "${CHATGATE_DEMO_DIR:-$top/build/demo}"
data=$(cd "${CHATGATE_DEMO_DIR:-$top/build/demo}" && pwd)
if [ ${#data} -gt 90 ]; then
    echo "error: $data is too long for the path of a socket (90 bytes); set CHATGATE_DEMO_DIR to a shorter one" >&2
    exit 1
fi
chmod 700 "$data"
exec 9>"$data/lock"
if ! flock -n 9; then
    echo "error: another scripts/quickstart.sh is at work in $data; wait for its end" >&2
    exit 1
fi

# A process is named by its id and its start time, so that a recycled id is never taken for ours.
start_time() { sed -E 's/^.*\) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }
running() {
    local pid began
    [ -s "$data/$1.pid" ] || return 1
    read -r pid began <"$data/$1.pid" || return 1
    [ -n "$began" ] && [ "$(start_time "$pid")" = "$began" ] && ! grep -q '^State:.*Z' "/proc/$pid/status" 2>/dev/null
}
started=()
# launch NAME COMMAND… starts it in a session of its own, so that neither Ctrl-C here nor a closed terminal ends it.
launch() {
    local name=$1
    shift
    (umask 077 && exec setsid "$@") </dev/null >"$data/$name.log" 2>&1 9>&- &
    echo "$! $(start_time $!)" >"$data/$name.pid"
    started=("$name" "${started[@]}")
}
stop_one() {
    local pid
    if running "$1"; then
        read -r pid _ <"$data/$1.pid"
        kill "$pid"
        for _ in $(seq 1200); do
            running "$1" || break
            sleep 0.05
        done
        if running "$1"; then
            echo "error: $1 (process $pid) did not end within 60 s" >&2
            return 1
        fi
    fi
    rm -f "$data/$1.pid"
}
stop_all() { # NAME…
    local what='' name
    for name in "$@"; do
        ! running "$name" || what="$what $name"
        stop_one "$name"
    done
    if [ -n "$what" ]; then echo "stopped:$what"; else echo "nothing was running"; fi
}
# wait_for NAME COMMAND… waits until the command succeeds, for at most 60 s, and no longer than NAME lives.
wait_for() {
    local name=$1
    shift
    for _ in $(seq 1200); do
        "$@" && return 0
        running "$name" || break
        sleep 0.05
    done
    echo "error: $name did not start; the end of $data/$name.log:" >&2
    tail -n 20 "$data/$name.log" >&2
    return 1
}
# free_port PORT… prints the first of them that nobody has, else one that the kernel draws.
free_port() {
    /usr/bin/python3 - "$@" <<'PYTHON'
import socket, sys
for port in [*map(int, sys.argv[1:]), 0]:
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            continue
        print(s.getsockname()[1])
        break
PYTHON
}
last_port() { cat "$data/$1.port" 2>/dev/null || true; }
redis_answers() { [ "$(redis-cli -s "$data/redis.sock" ping 2>/dev/null)" = PONG ]; }

# The IM server of the demonstration, and what the gateway before it is told; both keep ports that they had.
start_im() {
    local port
    if ! running im; then
        echo "== a small IM server"
        # shellcheck disable=SC2046 # none or one word
        port=$(free_port $(last_port im))
        rm -f "$data/im.port"
        launch im /usr/bin/python3 scripts/demo/im_server.py --port "$port" --ready-file "$data/im.port"
        wait_for im test -s "$data/im.port"
    fi
    im_port=$(last_port im)
}
choose_port() { # NAME PORT… sets $port to the one that it has or had, else to one of these or any
    if running "$1"; then
        port=$(last_port "$1")
    else
        # shellcheck disable=SC2046 # none or one word
        port=$(free_port $(last_port "$1") "${@:2}")
    fi
}
write_config() { # NODE PROFILE SERVER DIRECTORY [TLS]: prints what the gateway is told; the rest is alike in both demonstrations
    cat <<YAML
node: $1
listeners:
  - {name: agents, address: "127.0.0.1:$port", profile: $2, upstream: im${5:-}}
upstreams:
  - {name: im, servers: ["$3"], health: {interval: 500ms, rise: 1}}
profiles_dir: $top/conf/profiles
rules: {packs: ["$top/rules"]}
directory: $4
redis: {address: "$data/redis.sock"}
ring: {dir: "$data/$1-ring", size: 4M}
reminders: {unanswered: [{after: ${reminder_s}s, to: agent}, {after: 60s, to: supervisor}]}
limits: {connections: 200}
timeouts: {drain: 1s}
control: $data/$1.sock
admin: 127.0.0.1:0
workers: 2
YAML
}
write_directory() { # SUFFIX the agents, with what XMPP puts behind their names
    cat <<YAML
agents:
  - {id: xiaomei$1, team: presale, shop: demo-shop, role: agent}
  - {id: xiaoli$1, team: presale, shop: demo-shop, role: agent}
shops:
  demo-shop: {platform: taobao}
YAML
}

if [ "$mode" = stop ]; then
    stop_all gateway im xmpp-gateway prosody redis
    exit 0
fi
on_exit() {
    local status=$?
    if [ "$mode" = --once ]; then
        stop_all "${started[@]}"
    elif [ "$status" != 0 ]; then
        echo "quickstart failed; logs: $data/*.log; scripts/quickstart.sh stop ends what was started" >&2
    fi
}
trap on_exit EXIT

echo "== packages and build (Release, in $build)"
install_packages "${packages_build[@]}" "${packages_demo[@]}"
[ "$kind" != xmpp ] || install_packages "${packages_demo_xmpp[@]}"
mkdir -p "$build"
(
    flock 9 # another one may be building in the same folder
    cmake -G Ninja -S . -B "$build" -DCMAKE_BUILD_TYPE=Release >/dev/null
    ninja -C "$build" --quiet chatgated chatgate
) 9>"$build/.lock"
chatgate=$build/src/cli/chatgate

if ! running redis; then
    echo "== a private Redis (its own folder and socket, append-only)"
    rm -f "$data/redis.sock"
    scripts/redis-repair.sh "$data/appendonlydir"
    launch redis redis-server --port 0 --unixsocket "$data/redis.sock" --dir "$data" --appendonly yes --aof-load-truncated no --save '' \
        --maxmemory-policy noeviction
    wait_for redis redis_answers
fi
if [ "$kind" = xmpp ]; then
    # shellcheck source=scripts/demo/xmpp.sh
    . scripts/demo/xmpp.sh
    gate=xmpp-gateway config=$data/xmpp.yaml agent=xiaomei@localhost
    make_certificate
    start_prosody
    choose_port "$gate" 5222
    write_directory @localhost >"$data/xmpp-directory.yaml"
    write_config demo-xmpp xmpp "127.0.0.1:$prosody_port" xmpp-directory.yaml \
        ", tls: {certificate: $data/prosody/localhost.pem, key: $data/prosody/localhost.key}" >"$config.new"
else
    gate=gateway config=$data/chatgate.yaml agent=xiaomei
    start_im
    choose_port "$gate" 8080
    write_directory "" >"$data/directory.yaml"
    write_config demo plain-ws-json "127.0.0.1:$im_port" directory.yaml >"$config.new"
fi
# A gateway that runs already is kept, unless it was built or configured anew.
if running "$gate" && { ! cmp -s "$config.new" "$config" ||
    [ "$(readlink "/proc/$(cut -d' ' -f1 "$data/$gate.pid")/exe")" != "$(readlink -f "$build/src/chatgated")" ]; }; then
    stop_one "$gate"
fi
mv "$config.new" "$config"
if ! running "$gate"; then
    echo "== chatgated before it"
    mkdir -p "$(sed -nE 's/^ring: .*dir: "([^"]*)".*/\1/p' "$config")"
    launch "$gate" "$build/src/chatgated" --config "$config"
    wait_for "$gate" grep -q ' ready ' "$data/$gate.log"
    echo "$port" >"$data/$gate.port"
fi

echo "== a conversation through it (▶ sent, ◀ received, ✗ refused, ! notice)"
if [ "$kind" = xmpp ]; then
    play_xmpp
else
    /usr/bin/python3 scripts/demo/play.py --agent-url "ws://127.0.0.1:$port/ws" \
        --customer-url "ws://127.0.0.1:$im_port/ws" --reminder-s "$reminder_s" --conversation-file "$data/conversation"
fi
conversation=$(cat "$data/conversation")

read_back() { # WORD COMMAND… prints what the command reads from Redis, once the pump has brought WORD there
    local word=$1 out=''
    shift
    for _ in $(seq 600); do
        out=$("$chatgate" "$@" --config "$config")
        case $out in *"$word"*) break ;; esac
        sleep 0.05
    done
    echo "$out"
    case $out in *"$word"*) return 0 ;; esac
    echo "error: $word is missing in what chatgate $* prints" >&2
    return 1
}
echo
echo "== read back from Redis: how fast the agent answers (chatgate agents)"
read_back "$conversation" agents "$agent"
echo
echo "== read back from Redis: the open case (chatgate cases)"
read_back "$conversation" cases
echo
echo "== read back from Redis: the reminder (chatgate reminders)"
read_back "$conversation" reminders --most 5

[ "$mode" = start ] || exit 0
echo
if [ "$kind" = xmpp ]; then
    say_xmpp_by_hand
else
    echo "Running. Open http://127.0.0.1:$port/ : agent and customer side by side; type 加我微信 and see."
fi
cat <<EOT
  status   $chatgate status --config $config
  explain  $chatgate explain 加我薇信 --rules rules
  metrics  http://127.0.0.1:$(sed -nE 's/.* ready .*admin_port=([0-9]+).*/\1/p' "$data/$gate.log" | tail -n 1)/metrics
  stop     scripts/quickstart.sh stop
EOT
