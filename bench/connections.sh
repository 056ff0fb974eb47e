#!/bin/bash
# How many agents fit: one daemon with 9,500 idle sessions, five daemons on one port with 45,000, and a storm in which
# all agents come at once. A process may open so many descriptors (ulimit -Hn), and a session takes two. Everything it
# starts is on loopback, in a folder of its own, and is ended by its process id.
#
#   bench/connections.sh --build build --out results [--one 9500] [--all 45000] [--daemons 5]
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=bench/lib.sh
. "$root/bench/lib.sh"
out='' one=9500 all=45000 daemons=5 port_base=19800 loaders=3
read_options "build out one all daemons port_base" "$@"
need
gates=()
ulimit -n "$(ulimit -Hn)"

servers=
for ((i = 0; i < loaders; i++)); do # a backend process has the same limit, hence several
    "$bench" echo --listen "127.0.0.1:$((port_base + 1 + i))" 2>"$out/echo$i.log" &
    pids+=($!)
    servers+="${servers:+, }\"127.0.0.1:$((port_base + 1 + i))\""
done

start_gate() { # NUMBER
    mkdir -p "$work/g$1"
    cat >"$work/g$1.yaml" <<END
log_level: warn
node: g$1
workers: 1
profiles_dir: $root/conf/profiles
control: $work/g$1/control.sock
listeners:
  - {name: agents, address: "127.0.0.1:$port_base", profile: plain-ws-json, upstream: im}
upstreams:
  - {name: im, servers: [$servers]}
limits: {connections: 9950, connections_per_address: 0}
rules: {packs: [$root/rules]}
ring: {dir: $work/g$1, size: 16M}
redis: {enabled: false}
END
    "$gate" --config "$work/g$1.yaml" >"$out/g$1.log" 2>&1 &
    pids+=($!)
    gates+=($!)
    await_socket "$work/g$1/control.sock" "${gates[-1]}" "$out/g$1.log"
}

# fill NAME AGENTS OPENING PIDS: idle sessions, spread over several load generators.
fill() {
    local each=$((($2 + loaders - 1) / loaders)) waits=() i
    for ((i = 0; i < loaders; i++)); do
        "$bench" idle --target "gate=ws://127.0.0.1:$port_base/ws" --pid "gate=$4" --conns "$each" --opening "$3" --secs 15 \
            --first-agent $((i * each)) --csv "$out/$1-$i.csv" >"$out/$1-$i.txt" 2>&1 &
        waits+=($!)
        pids+=($!)
    done
    for i in "${waits[@]}"; do wait "$i" || { cat "$out/$1"-*.txt >&2; exit 1; }; done
}

rss_kb() { # PIDS: in all
    local sum=0 pid
    for pid in ${1//,/ }; do sum=$((sum + $(awk '/^VmRSS/ {print $2}' "/proc/$pid/status"))); done
    echo $sum
}

report() { # NAME AGENTS PIDS BEFORE_KB
    local i agents=0
    for ((i = 0; i < loaders; i++)); do
        [ "$(awk -F, 'NR == 1 {for (i = 1; i <= NF; i++) if ($i == "ended") c = i} NR == 2 {print $c}' "$out/$1-$i.csv")" = 0 ] ||
            { echo "$1: connections were lost" >&2; exit 1; }
        agents=$((agents + ($2 + loaders - 1) / loaders))
    done
    awk -F, -v name="$1" -v agents=$agents -v before="$4" '
        FNR == 1 {for (i = 1; i <= NF; i++) {if ($i == "rss_mb") rss = i; if ($i == "rss_peak_mb") peak = i
                                             if ($i == "open_s") open = i}}
        FNR == 2 {r = $rss > r ? $rss : r; p = $peak > p ? $peak : p; o = $open > o ? $open : o}
        END {printf "| %s | %d | %.1f | %d | %.2f | %.1f | %.1f |\n", name, agents, o, agents / o,
             (r * 1024 - before) / agents, r, p}' "$out/$1"-*.csv >>"$out/table.md"
}

{
    echo "| what | agents | s until all were logged in | logins/s | RSS kB per session | RSS MB in all | highest RSS MB |"
    echo "| --- | --- | --- | --- | --- | --- | --- |"
} >"$out/table.md"
start_gate 0
before=$(rss_kb "${gates[0]}")
fill one "$one" 64 "${gates[0]}"
report one "$one" "${gates[0]}" "$before"
before=$(rss_kb "${gates[0]}")
fill storm "$one" "$one" "${gates[0]}"
report storm "$one" "${gates[0]}" "$before"
for ((i = 1; i < daemons; i++)); do start_gate $i; done
list=$(IFS=,; echo "${gates[*]}")
before=$(rss_kb "$list")
fill many "$all" 64 "$list"
report many "$all" "$list" "$before"
cat "$out/table.md"
