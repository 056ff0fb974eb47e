#!/bin/bash
# What a reload of a large rule set costs the messages that are under way: the same load without and with a reload of
# 50,000 words every half second, in alternating rounds. The gateway has one worker; it may use both cores, since a set is
# compiled in a thread of its own.
#
#   bench/reload.sh --build build [--words 50000] [--rounds 5] [--secs 4] [--rate 5000]
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=bench/lib.sh
. "$root/bench/lib.sh"
words=50000 rounds=5 secs=4 rate=5000 port_base=19960
read_options "build words rounds secs rate port_base" "$@"
need /usr/bin/time
cli=$build/src/cli/chatgate

"$root/bench/words.py" "$words" >"$work/words.yaml"
cat >"$work/gate.yaml" <<END
log_level: error
workers: 1
profiles_dir: $root/conf/profiles
control: $work/control.sock
listeners:
  - {name: agents, address: "127.0.0.1:$port_base", profile: plain-ws-json, upstream: im}
upstreams:
  - {name: im, servers: ["127.0.0.1:$((port_base + 1))"], health: {interval: 1h, fall: 100}}
limits: {connections_per_address: 0, messages_per_s: 0}
rules: {packs: [$root/rules, $work/words.yaml]}
ring: {dir: $work, size: 64M}
redis: {enabled: false}
END
"$bench" echo --listen "127.0.0.1:$((port_base + 1))" --quiet &
pids+=($!)
"$gate" --config "$work/gate.yaml" >"$work/gate.log" 2>&1 &
pids+=($!)
gate_pid=$!
await_socket "$work/control.sock" "$gate_pid" "$work/gate.log"

load() { # NAME
    "$bench" load --target "$1=ws://127.0.0.1:$port_base/ws" --rate "$rate" --secs "$secs" --warm 0.5 --rounds 1 \
        --corpus "$root/bench/texts.txt" --csv "$work/$1.csv" >"$work/$1.txt" 2>&1 || { cat "$work/$1.txt" >&2; exit 1; }
    awk -F, -v head="$1" 'NR == 1 {for (i = 1; i <= NF; i++) c[$i] = i}
        NR == 2 {print head "," $c["p50_us"] "," $c["p99_us"] "," $c["p999_us"] "," $c["max_us"] "," $c["lost"]}' \
        "$work/$1.csv" >>"$work/all.csv"
}
reload_until_told() {
    while [ ! -e "$work/over" ]; do
        /usr/bin/time -f %e -a -o "$work/reload_s" "$cli" reload --config "$work/gate.yaml" >/dev/null
        sleep 0.5
    done
}
for ((round = 0; round < rounds; round++)); do
    load without
    reload_until_told &
    load with
    touch "$work/over"
    wait $!
    rm "$work/over"
done
/usr/bin/python3 - "$work" <<'END'
import csv, pathlib, statistics, sys
work = pathlib.Path(sys.argv[1])
rows = {"without": [], "with": []}
for name, *values in csv.reader(open(work / "all.csv")):
    rows[name].append([float(v) for v in values])
print("| reloads | p50 us | p99 us | p99.9 us | max us | lost |\n| --- | --- | --- | --- | --- | --- |")
for name, all_rounds in rows.items():
    cells = []
    for column in zip(*all_rounds):
        cells.append(f"{statistics.median(column):.0f} [{min(column):.0f}-{max(column):.0f}]")
    print(f"| {name} | " + " | ".join(cells) + " |")
took = [float(x) for x in (work / "reload_s").read_text().split()]
print(f"\n{len(took)} reloads, median {statistics.median(took):.2f} s each")
END
