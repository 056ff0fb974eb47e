#!/bin/bash
# How the cost of a message grows: with the words in the rules, the length of the message, the number of connections and
# the number of conversations. One gateway with one worker on core 0, load and backend on core 1; each point is measured in
# every round, and ratios are taken inside a round to the first point. Writes growth.csv, growth.md and growth.svg.
#
#   bench/growth.sh --build build --out results [--rounds 3] [--secs 2] [--rate 5000]
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=bench/lib.sh
. "$root/bench/lib.sh"
out='' rounds=3 secs=2 rate=5000 port_base=19900
read_options "build out rounds secs rate port_base" "$@"
need gnuplot taskset

pin=(taskset -c 0)
echo "curve,x,round,cpu_us_per_msg,p50_us" >"$out/growth.csv"
# point CURVE X PORT PID ROUND OPTIONS…
point() {
    local curve=$1 x=$2 port=$3 pid=$4 round=$5
    shift 5
    "$bench" load --core 1 --echo "127.0.0.1:$port_base" --target "x=ws://127.0.0.1:$port/ws" --pid "x=$pid" --rate "$rate" \
        --secs "$secs" --warm 0.5 --rounds 1 --corpus "$root/bench/texts.txt" --csv "$work/p.csv" "$@" >"$work/p.txt" 2>&1 ||
        { cat "$work/p.txt" >&2; exit 1; }
    awk -F, -v head="$curve,$x,$round" '
        NR == 1 {for (i = 1; i <= NF; i++) c[$i] = i}
        NR == 2 {if ($c["lost"] > 0) exit 1; print head "," $c["cpu_us_per_msg"] "," $c["p50_us"]}' "$work/p.csv" \
        >>"$out/growth.csv" || { echo "$curve $x: messages were lost" >&2; exit 1; }
}

declare -A gate_pid
port=$port_base
for n in 100 1000 10000 50000; do
    port=$((port + 1))
    "$root/bench/words.py" "$n" >"$work/words$n.yaml"
    start_gate "w$n" $port 1 "$work/words$n.yaml"
    gate_pid[$n]="$port ${pids[-1]}"
done
port=$((port + 1))
start_gate packs $port 1 "$root/rules"
packs=("$port" "${pids[-1]}")
for ((round = 1; round <= rounds; round++)); do
    for n in 100 1000 10000 50000; do
        read -r p pid <<<"${gate_pid[$n]}"
        point words $n "$p" "$pid" $round
    done
    for n in 100 300 1000 3000 10000; do point bytes $n "${packs[@]}" $round --size $n --rate $((rate / 10)); done
    for n in 10 100 1000 5000 9000; do point connections $n "${packs[@]}" $round --conns $n; done
    for n in 10 1000 10000 100000; do
        point conversations $n "${packs[@]}" $round --convs $n \
            --message '{"type":"message","id":"{id}","conversationId":"c{c}","text":"{text}"}'
    done
    echo "round $round of $rounds" >&2
done

/usr/bin/python3 - "$out" <<'END'
import collections, csv, pathlib, statistics, sys
out = pathlib.Path(sys.argv[1])
at = collections.defaultdict(lambda: collections.defaultdict(dict))
for row in csv.DictReader(open(out / "growth.csv")):
    at[row["curve"]][int(row["x"])][row["round"]] = float(row["cpu_us_per_msg"])
lines = ["| curve | at | CPU us/msg, median | ratio to the first point [lowest-highest] |", "| --- | --- | --- | --- |"]
for curve, points in at.items():
    first = points[min(points)]
    data = []
    for x in sorted(points):
        ratio = sorted(points[x][r] / first[r] for r in points[x])
        middle = statistics.median(points[x].values())
        data.append(f"{x} {middle} {min(points[x].values())} {max(points[x].values())}")
        lines.append(f"| {curve} | {x} | {middle:.1f} | {statistics.median(ratio):.2f} [{ratio[0]:.2f}-{ratio[-1]:.2f}] |")
    (out / f"growth-{curve}.dat").write_text("\n".join(data) + "\n")
(out / "growth.md").write_text("\n".join(lines) + "\n")
END
gnuplot <<END
set terminal svg size 900,620 font "sans,12" background "white"
set output "$out/growth.svg"
set multiplot layout 2,2
set logscale x
set yrange [0:*]
set grid
unset key
set ylabel "CPU us per message"
set title "words in the rules"
plot "$out/growth-words.dat" with yerrorlines notitle pt 7 lc rgb "#1f5fa8"
set title "bytes of a message"
plot "$out/growth-bytes.dat" with yerrorlines notitle pt 7 lc rgb "#1f5fa8"
set title "connections"
plot "$out/growth-connections.dat" with yerrorlines notitle pt 7 lc rgb "#1f5fa8"
set title "conversations"
plot "$out/growth-conversations.dat" with yerrorlines notitle pt 7 lc rgb "#1f5fa8"
unset multiplot
END
cat "$out/growth.md"
