#!/bin/bash
# What tracking costs Redis in operation: a gateway with one worker and 10,000 words at several rates, its events pumped to a
# Redis of its own (no persistence, Unix socket). How many events share a script call depends on the rate and the shards.
#
#   bench/events.sh --build build --out results [--rates "50 500 2000 5000"] [--shards 16] [--conns 200] [--secs 5]
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=bench/lib.sh
. "$root/bench/lib.sh"
out='' rates='50 500 2000 5000' shards=16 conns=200 secs=5 port_base=19980
read_options "build out rates shards conns secs port_base" "$@"
need redis-server redis-cli

ask() { redis-cli -s "$work/redis.sock" "$@" | tr -d '\r'; }
# figures: events that Redis has, script calls, its CPU seconds.
figures() {
    ask --raw eval "local n = 0
        for s = 0, $shards - 1 do n = n + tonumber(redis.call('HGET', 'cg:{' .. s .. '}:info', 'events') or '0') end
        return n" 0
    ask info commandstats | awk -F'[=,]' '/^cmdstat_evalsha:/ {n = $2} END {print n + 0}'
    ask info cpu | awk -F: '/^used_cpu_(sys|user):/ {s += $2} END {print s}'
}
# settled: when all events have come.
settled() {
    local before=-1 now
    while now=$(figures | head -1) && [ "$now" != "$before" ]; do
        before=$now
        sleep 1
    done
}

redis-server --port 0 --unixsocket "$work/redis.sock" --save "" --appendonly no --maxmemory-policy noeviction \
    --dir "$work" >"$out/redis.log" 2>&1 &
pids+=($!)
until [ -S "$work/redis.sock" ]; do
    kill -0 "${pids[-1]}" || exit 1
    sleep 0.05
done
"$bench" echo --listen "127.0.0.1:$port_base" --quiet &
pids+=($!)
"$root/bench/words.py" 10000 --texts "$root/bench/texts.txt" --regexes "$root/bench/regexes.txt" >"$work/words.yaml"
redis="{address: \"unix:$work/redis.sock\", shards: $shards}"
start_gate gate $((port_base + 1)) 1 "$work/words.yaml"

{
    echo "| messages a second | events | script calls a second | events a call | Redis CPU us per event |"
    echo "| --- | --- | --- | --- | --- |"
    for rate in $rates; do
        settled
        mapfile -t before < <(figures)
        began=$EPOCHREALTIME
        "$bench" load --target "gate=ws://127.0.0.1:$((port_base + 1))/ws" --conns "$conns" --rate "$rate" --secs "$secs" --warm 0 \
            --rounds 1 --corpus "$root/bench/texts.txt" >"$out/load-$rate.txt" 2>&1
        took=$(awk "BEGIN {print $EPOCHREALTIME - $began}")
        settled
        mapfile -t after < <(figures)
        awk -v rate="$rate" -v secs="$took" -v b="${before[*]}" -v a="${after[*]}" 'BEGIN {
            split(b, B, " "); split(a, A, " "); n = A[1] - B[1]; calls = A[2] - B[2]
            printf "| %d | %d | %.0f | %.1f | %.0f |\n", rate, n, calls / secs, n / calls, (A[3] - B[3]) / n * 1e6}'
    done
} | tee "$out/table.md"
