#!/bin/bash
# What a second worker brings: the same load on a gateway with one worker and on one with two, all shipped packs, in
# alternating rounds. Load generator and backend take the same two cores, so what shows whether workers get into each other's way is
# the CPU time of a message: a second worker costs nothing when it stays the same.
#
#   bench/workers.sh --build build --out results [--rounds 5] [--secs 3] [--rate 5000]
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=bench/lib.sh
. "$root/bench/lib.sh"
out='' rounds=5 secs=3 rate=5000 port_base=19950
read_options "build out rounds secs rate port_base" "$@"
need

"$bench" echo --listen "127.0.0.1:$port_base" --quiet &
pids+=($!)
targets=()
for n in 1 2; do
    start_gate "workers-$n" $((port_base + n)) $n "$root/rules"
    targets+=(--target "workers-$n=ws://127.0.0.1:$((port_base + n))/ws" --pid "workers-$n=${pids[-1]}")
done

load() { # OPTIONS…
    "$bench" load "${targets[@]}" --rounds "$rounds" --secs "$secs" --warm 0.5 --corpus "$root/bench/texts.txt" "$@"
}
load --rate "$rate" --json "$out/workers-rate.json"
load --closed 1 --json "$out/workers-closed.json"
