#!/bin/bash
# What a second worker brings: the same load on a gateway with one worker and on one with two, all shipped packs, in
# alternating rounds. Load generator and backend take the same two cores, so what shows whether workers get into each other's way is
# the CPU time of a message: a second worker costs nothing when it stays the same.
#
#   bench/workers.sh --build build --out results [--rounds 5] [--secs 3] [--rate 5000]
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
build=$root/build out='' rounds=5 secs=3 rate=5000 base=19950
while [ $# -gt 0 ]; do
    case $1 in
    --build) build=$(realpath "$2") ;;
    --out) out=$2 ;;
    --rounds) rounds=$2 ;;
    --secs) secs=$2 ;;
    --rate) rate=$2 ;;
    --port-base) base=$2 ;;
    *) sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    esac
    shift 2
done
[ -n "$out" ] || { echo "--out DIR is missing" >&2; exit 2; }
# shellcheck source=bench/lib.sh
. "$root/bench/lib.sh"
need
mkdir -p "$out"
out=$(realpath "$out")

"$bench" echo --listen "127.0.0.1:$base" --quiet &
pids+=($!)
targets=()
for n in 1 2; do
    start_gate "workers-$n" $((base + n)) $n "$root/rules"
    targets+=(--target "workers-$n=ws://127.0.0.1:$((base + n))/ws" --pid "workers-$n=${pids[-1]}")
done

load() { # OPTIONS…
    "$bench" load "${targets[@]}" --rounds "$rounds" --secs "$secs" --warm 0.5 --corpus "$root/bench/texts.txt" "$@"
}
load --rate "$rate" --json "$out/workers-rate.json"
load --closed 1 --json "$out/workers-closed.json"
