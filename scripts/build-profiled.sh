#!/bin/bash
# A build whose hot code lies close together (profile-guided and link-time optimisation of gcc): builds with counters, lets
# three gateways relay and judge messages for some seconds each, and builds again by what was counted. A message then takes
# a seventh fewer instructions and finds most of them in the first cache; docs/performance.md has figures. Takes about three
# minutes; needs what a build needs, and redis-server. Everything it starts is on loopback, in a folder of its own, and is
# ended by its process id.
#
#   scripts/build-profiled.sh [--build build/release] [--port_base 19500]
#   cmake --install build/release
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=bench/lib.sh
. "$root/bench/lib.sh"
build=$root/build/release port_base=19500 out=$work
read_options "build port_base" "$@"
mkdir -p "$build"
build=$(realpath "$build")

make_build() { # generate|use
    echo "== build, CHATGATE_PROFILE=$1" >&2
    cmake -G Ninja -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release -DCHATGATE_PROFILE="$1" >/dev/null
    ninja -C "$build" --quiet
}

# Messages that the packs refuse: the examples of their rules.
violations() {
    /usr/bin/python3 - "$root"/rules/*.yaml <<'END'
import sys, yaml
for path in sys.argv[1:]:
    for rule in yaml.safe_load(open(path)).get("rules") or []:
        for text in rule["examples"].get("hit", []):
            if isinstance(text, str) and "\n" not in text and rule.get("direction") != "incoming":
                print(text)
END
}

# train NAME PORT OPTIONS…: messages through the gateway.
train() {
    local name=$1 port=$2
    shift 2
    echo "== $name" >&2
    "$bench" load --echo "127.0.0.1:$port_base" --target "$name=ws://127.0.0.1:$port/ws" --conns 100 --rate 1500 --warm 1 \
        --secs 8 --rounds 1 --corpus "$root/bench/texts.txt" "$@" >"$work/$name.txt" 2>&1 || { cat "$work/$name.txt" >&2; exit 1; }
}

rm -rf "$build/profile"
make_build generate
need redis-server
redis-server --port 0 --unixsocket "$work/redis.sock" --save "" --appendonly no --maxmemory-policy noeviction \
    --dir "$work" >"$work/redis.log" 2>&1 &
pids+=($!)
violations >"$work/violations.txt"
"$root/bench/words.py" 10000 --texts "$root/bench/texts.txt" --regexes "$root/bench/regexes.txt" >"$work/list.yaml"
start_gate bare $((port_base + 1)) 1 ""
redis="{address: \"unix:$work/redis.sock\"}"
start_gate words $((port_base + 2)) 1 "$work/list.yaml"
start_gate packs $((port_base + 3)) 1 "$root/rules"
train bare $((port_base + 1))
train words $((port_base + 2))
train packs $((port_base + 3)) --hits "$work/violations.txt" --hit-rate 0.05
finish # the counts are written when a gateway ends
make_build use
echo "$build: built with what was counted; cmake --install $build" >&2
