#!/bin/bash
# Compares chatgated with haproxy, nginx and the direct connection on this machine: memory of idle connections, new
# connections, messages at a fixed rate, saturation; plain and TLS. Proxies run on core 0 with one thread each, load and
# echo backend together, in one process, on core 1. Everything it starts is on loopback, in a folder of its own, and is ended by its
# process id.
#
#   bench/compare.sh --build build --out results            the whole comparison, about ten minutes
#   bench/compare.sh --build build --out results --quick    to see that it works; the figures mean nothing
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=bench/lib.sh
. "$root/bench/lib.sh"
out='' rounds=5 secs=5 conns=200 convs='' idle=2000 rate=5000 port_base=19700 tls=yes plain=yes awake=no only='' parts="idle rate load closed"

usage() {
    cat <<'END'
usage: bench/compare.sh --out DIR [options]
  --build DIR     build folder with chatgated and chatgate-bench (build)
  --out DIR       results: table.md, *.json, *.csv, configurations, logs
  --rounds N      rounds of each part (5)
  --secs S        measured seconds per target and round (5)
  --conns N       agents (200)
  --convs N       conversations over all agents (one each); with 25 messages a second in each, as by default, every message
                  has others before it in the rules' windows
  --idle N        idle connections (2000)
  --rate R        messages a second (5000)
  --parts LIST    of: idle rate load closed knee (the first four)
  --targets LIST  of: direct relay haproxy-tcp haproxy-http nginx-stream nginx-http chatgated-bare chatgated-words
                  chatgated-full (all)
  --port-base N   first of 16 loopback ports (19700)
  --no-tls        plain only
  --no-plain      TLS only
  --awake         keep the cores from halting (/dev/cpu_dma_latency, needs root): on a virtual machine a sleeping core's waking
                  is the host's work, and may cost more than any proxy's
  --quick         one short round of everything
END
}

while [ $# -gt 0 ]; do
    case $1 in
    --build) build=$2; shift ;;
    --out) out=$2; shift ;;
    --rounds) rounds=$2; shift ;;
    --secs) secs=$2; shift ;;
    --conns) conns=$2; shift ;;
    --convs) convs=$2; shift ;;
    --idle) idle=$2; shift ;;
    --rate) rate=$2; shift ;;
    --parts) parts=$2; shift ;;
    --port-base) port_base=$2; shift ;;
    --targets) only=$2; shift ;;
    --no-tls) tls=no ;;
    --no-plain) plain=no ;;
    --awake) awake=yes ;;
    --quick) rounds=1 secs=0.5 conns=50 idle=200 rate=2000 ;;
    -h | --help) usage; exit 0 ;;
    *) echo "unknown option '$1'" >&2; usage >&2; exit 2 ;;
    esac
    shift
done
make_out
need haproxy nginx openssl taskset gnuplot redis-server
chmod 755 "$work"
if [ $awake = yes ]; then # as long as this shell holds it open
    exec {latency}>/dev/cpu_dma_latency
    printf '\0\0\0\0' >&"$latency"
fi

proxy_core=0 load_core=1
[ "$(nproc)" -ge 2 ] || { echo "note: one core only, proxies and load share it" >&2; load_core=0; }

# start NAME CORE COMMAND…: runs it in the background; its id is then in $pid.
start() {
    local name=$1 core=$2
    shift 2
    taskset -c "$core" "$@" >"$out/$name.log" 2>&1 &
    pid=$!
    pids+=("$pid")
}

# answers NAME PORT: waits until the port accepts, at most 10 s.
answers() {
    local i
    for ((i = 0; i < 200; i++)); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$2") 2>/dev/null; then
            return 0
        fi
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.05
    done
    echo "$1 does not answer on port $2; $out/$1.log says:" >&2
    tail -5 "$out/$1.log" >&2
    exit 1
}

port() { echo $((port_base + $1)); }
echo_port=$(port 0)
declare -A plain_port=([haproxy-tcp]=$(port 1) [haproxy-http]=$(port 2) [nginx-stream]=$(port 3) [nginx-http]=$(port 4)
    [chatgated-bare]=$(port 5) [chatgated-words]=$(port 13) [chatgated-full]=$(port 6) [relay]=$(port 12))
declare -A tls_port=([haproxy-tcp]=$(port 7) [haproxy-http]=$(port 8) [nginx-stream]=$(port 9) [nginx-http]=$(port 10)
    [chatgated-words]=$(port 14) [chatgated-full]=$(port 11))
declare -A packs=([chatgated-bare]='' [chatgated-words]=$work/words.yaml [chatgated-full]=$root/rules)

certificate() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=bench \
        -addext subjectAltName=IP:127.0.0.1 -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
    cat "$work/cert.pem" "$work/key.pem" >"$work/both.pem"
    chmod 644 "$work/key.pem" "$work/both.pem"
}

# One process per path, so that CPU time and memory belong to it alone.
haproxy_conf() { # NAME MODE
    cat >"$work/$1.cfg" <<END
global
    nbthread 1
    maxconn 9800
defaults
    mode $2
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    timeout tunnel 1h
frontend plain
    bind 127.0.0.1:${plain_port[$1]}
    bind 127.0.0.1:${tls_port[$1]} ssl crt $work/both.pem
    default_backend echo
backend echo
    server echo 127.0.0.1:$echo_port
END
}

nginx_conf() { # NAME
    local modules=/usr/lib/nginx/modules/ngx_stream_module.so ssl="ssl_certificate $work/cert.pem;
        ssl_certificate_key $work/key.pem;"
    {
        if [ "$1" = nginx-stream ] && [ -e $modules ]; then
            echo "load_module $modules;"
        fi
        cat <<END
daemon off;
master_process off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid $work/$1.pid;
error_log stderr;
events { worker_connections 19000; }
END
        if [ "$1" = nginx-stream ]; then
            cat <<END
stream {
    server {
        listen 127.0.0.1:${plain_port[$1]} backlog=4096;
        listen 127.0.0.1:${tls_port[$1]} ssl backlog=4096;
        $ssl
        proxy_pass 127.0.0.1:$echo_port;
        proxy_timeout 1h;
    }
}
END
        else
            cat <<END
http {
    access_log off;
    client_body_temp_path $work/body; proxy_temp_path $work/proxy; fastcgi_temp_path $work/fastcgi;
    uwsgi_temp_path $work/uwsgi; scgi_temp_path $work/scgi;
    server {
        listen 127.0.0.1:${plain_port[$1]} backlog=4096;
        listen 127.0.0.1:${tls_port[$1]} ssl backlog=4096;
        $ssl
        location / {
            proxy_pass http://127.0.0.1:$echo_port;
            proxy_http_version 1.1;
            proxy_set_header Upgrade \$http_upgrade;
            proxy_set_header Connection \$http_connection;
            proxy_set_header Host \$http_host;
            proxy_read_timeout 1h;
            proxy_send_timeout 1h;
        }
    }
}
END
        fi
    } >"$work/$1.conf"
}

# bare: relays and reads, without a rule and without tracking; words: 10,000 words, 200 regular expressions, journal and
# Redis; full: all packs instead.
gate_conf() { # NAME
    local name=$1
    mkdir -p "$work/$name"
    {
        cat <<END
log_level: warn
node: $name
workers: 1
profiles_dir: $root/conf/profiles
control: $work/$name/control.sock
listeners:
  - {name: plain, address: "127.0.0.1:${plain_port[$name]}", profile: plain-ws-json, upstream: im}
END
        if [ -n "${tls_port[$name]:-}" ] && [ $tls = yes ]; then
            cat <<END
  - name: tls
    address: 127.0.0.1:${tls_port[$name]}
    profile: plain-ws-json
    upstream: im
    tls: {certificate: $work/cert.pem, key: $work/key.pem}
END
        fi
        cat <<END
upstreams:
  - name: im
    servers: ["127.0.0.1:$echo_port"]
    health: {interval: 1h, fall: 100} # the backend is there only while something is measured
limits: {connections: 9500}
ring: {dir: $work/$name, size: 64M}
END
        echo "rules: {packs: [${packs[$name]}]}"
        if [ -n "${packs[$name]}" ]; then
            echo "redis: {address: \"unix:$work/redis.sock\"}"
        else
            echo "redis: {enabled: false}"
        fi
    } >"$work/$name.yaml"
}

declare -A pid_of
start_all() {
    certificate
    haproxy_conf haproxy-tcp tcp
    haproxy_conf haproxy-http http
    nginx_conf nginx-stream
    nginx_conf nginx-http
    local name
    for name in haproxy-tcp haproxy-http; do
        start "$name" $proxy_core haproxy -db -f "$work/$name.cfg"
        answers "$name" "${plain_port[$name]}"
        pid_of[$name]=$pid
    done
    for name in nginx-stream nginx-http; do
        start "$name" $proxy_core nginx -p "$work" -c "$work/$name.conf"
        answers "$name" "${plain_port[$name]}"
        pid_of[$name]=$pid
    done
    start relay $proxy_core "$bench" relay --listen "127.0.0.1:${plain_port[relay]}" --to "127.0.0.1:$echo_port"
    answers relay "${plain_port[relay]}"
    pid_of[relay]=$pid
    names=(direct relay haproxy-tcp haproxy-http nginx-stream nginx-http)
    # idle priority: Redis shares the load's core here, which it would not do on a machine of its own
    start redis $load_core chrt --idle 0 redis-server --port 0 --unixsocket "$work/redis.sock" --save "" --appendonly no \
        --maxmemory-policy noeviction --dir "$work"
    until [ -S "$work/redis.sock" ]; do
        kill -0 "$pid" || exit 1
        sleep 0.05
    done
    "$root/bench/words.py" 10000 --texts "$root/bench/texts.txt" --regexes "$root/bench/regexes.txt" >"$work/words.yaml"
    for name in chatgated-bare chatgated-words chatgated-full; do
        gate_conf $name
        start $name $proxy_core "$gate" --config "$work/$name.yaml"
        answers $name "${plain_port[$name]}"
        pid_of[$name]=$pid
        names+=("$name")
    done
}

# targets plain|tls: the options for chatgate-bench, in $targets.
targets() {
    local name
    targets=(--echo "127.0.0.1:$echo_port")
    for name in "${names[@]}"; do
        [ -z "$only" ] || [[ " $only " = *" $name "* ]] || continue
        if [ "$name" = direct ]; then
            targets+=(--target "direct=ws://127.0.0.1:$echo_port/ws")
        elif [ "$1" = plain ]; then
            targets+=(--target "$name=ws://127.0.0.1:${plain_port[$name]}/ws")
        elif [ -n "${tls_port[$name]:-}" ]; then
            targets+=(--target "$name=wss://127.0.0.1:${tls_port[$name]}/ws")
        else
            continue
        fi
        [ "$name" = direct ] || targets+=(--pid "$name=${pid_of[$name]}")
    done
    [ "$1" = plain ] || targets+=(--ca "$work/cert.pem")
}

section() { # TITLE NAME COMMAND…
    local title=$1 name=$2
    shift 2
    echo "== $title" >&2
    {
        printf '\n## %s\n\n`chatgate-bench %s`\n' "$title" \
            "$(printf '%s ' "$@" | sed "s#$work/##g; s#$root/##g; s#--[ct][a-z]* [^ ]*=ws[^ ]* ##g; s#--pid [^ ]* ##g; s#--ca [^ ]* ##g; s#--echo [^ ]* ##g")"
        "$bench" "$@" --core $load_core --json "$out/$name.json" --csv "$out/$name.csv" | grep -v '^round '
    } >>"$out/table.md"
}

texts=(--corpus "$root/bench/texts.txt")
[ -z "$convs" ] || texts+=(--convs "$convs" --message '{"type":"message","id":"{id}","conversationId":"c{c}","text":"{text}"}')

run_parts() { # plain|tls
    local part
    targets "$1"
    for part in $parts; do
        case $part in
        idle) section "$1: memory of $idle idle connections" "idle-$1" idle "${targets[@]}" --reference haproxy-http \
            --conns "$idle" --secs 1 ;;
        rate) section "$1: new connections" "rate-$1" rate "${targets[@]}" --reference haproxy-http --rounds "$rounds" \
            --secs "$(awk "BEGIN {print $secs / 2}")" ;;
        load) section "$1: $rate messages a second over $conns connections" "load-$1" load "${targets[@]}" \
            --reference haproxy-tcp --direct direct "${texts[@]}" --conns "$conns" --rate "$rate" --secs "$secs" --rounds "$rounds" --hgrm "$out/latency-$1" ;;
        closed) section "$1: saturation, closed loop, $conns connections" "closed-$1" load "${targets[@]}" \
            --reference haproxy-tcp --closed 1 "${texts[@]}" --conns "$conns" --secs "$secs" --rounds "$rounds" ;;
        knee) section "$1: highest rate held with p99 below 10 ms" "knee-$1" knee "${targets[@]}" --reference haproxy-tcp \
            "${texts[@]}" --conns "$conns" --from 5000 --secs 1 --rounds 1 ;;
        *) echo "--parts: unknown part '$part'" >&2; exit 2 ;;
        esac
    done
}

# plot plain|tls: what share of the messages took how long, all targets in one picture.
plot() {
    [ -d "$out/latency-$1" ] || return 0
    local file lines=
    for file in "$out/latency-$1"/*.hgrm; do
        lines+="${lines:+, }\"<(grep -v '#' $file)\" using (1/(1-\$2)):1 every ::1 with lines lw 2 title \"$(basename "$file" .hgrm)\""
    done
    gnuplot <<END
set terminal svg size 900,520 font "sans,12" background "white"
set output "$out/latency-$1.svg"
set title "$1: $rate messages a second over $conns connections"
set logscale xy
set xrange [1:10000]
set xtics ("50 %%" 2, "90 %%" 10, "99 %%" 100, "99.9 %%" 1000, "99.99 %%" 10000)
set xlabel "share of the messages"
set ylabel "latency from the due time, us"
set key left top
set grid
plot $lines
END
}

start_all
{
    echo "# chatgate compared"
    echo
    echo "$(uname -srm); $(nproc) x$(sed -n 's/^model name[^:]*: */ /p' /proc/cpuinfo | head -1);" \
        "$(haproxy -v | awk 'NR == 1 {print "HAProxy", $3}');" \
        "$(nginx -v 2>&1 | sed 's/.*: //')"
    echo
    echo "bench/compare.sh --rounds $rounds --secs $secs --conns $conns${convs:+ --convs $convs} --rate $rate --idle $idle$([ $awake = no ] || echo " --awake")"
} >"$out/table.md"
[ $plain = no ] || { run_parts plain; plot plain; }
[ $tls = no ] || { run_parts tls; plot tls; }
cp "$work"/*.cfg "$work"/*.conf "$out/"
cp "$work"/*.yaml "$out/" 2>/dev/null || true
echo "results: $out/table.md" >&2
