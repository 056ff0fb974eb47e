# shellcheck shell=bash
# What the measuring scripts share: their options and help, programs that must be there, a folder of their own, and the end
# of what they started, by process id. Sourced by them; $root is set.
# shellcheck disable=SC2034 # used by those
: "${root:?}"
build=$root/build
work=$(mktemp -d)
pids=()
redis='{enabled: false}'
pin=() # what stands before the gateway on its command line

# The script's own head.
usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2; }

# read_options "NAME…" --NAME VALUE…: into variables of these names; - is _ there.
read_options() {
    local known=" $1 " name
    shift
    while [ $# -gt 0 ]; do
        name=${1#--} name=${name//-/_}
        [[ $1 == --* && $known == *" $name "* ]] || { usage; exit 2; }
        [ $# -ge 2 ] || { echo "$1: a value is missing" >&2; exit 2; }
        printf -v "$name" %s "$2"
        shift 2
    done
    if [[ $known == *" out "* ]]; then make_out; fi
}

make_out() {
    [ -n "${out:-}" ] || { echo "--out DIR is missing" >&2; exit 2; }
    mkdir -p "$out"
    out=$(realpath "$out")
}

# shellcheck disable=SC2120 # none is none
# need PROGRAM…: sets $bench and $gate, or ends with the name of what is missing.
need() {
    local program
    build=$(realpath "$build")
    bench=$build/bench/chatgate-bench
    gate=$build/src/chatgated
    for program in "$bench" "$gate" "$@"; do
        command -v "$program" >/dev/null || { echo "not found: $program" >&2; exit 2; }
    done
}

finish() {
    local pid
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    pids=()
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

# await_socket FILE PID LOG: until the gateway's control socket is there, at most 30 s.
await_socket() {
    local i
    for ((i = 0; i < 600; i++)); do
        [ ! -S "$1" ] || return 0
        kill -0 "$2" 2>/dev/null || break
        sleep 0.05
    done
    echo "chatgated does not start; $3 says:" >&2
    cat "$3" >&2
    exit 1
}

# shellcheck disable=SC2154 # port_base and out
# start_gate NAME PORT WORKERS PACKS: a gateway before the backend on port $port_base, without Redis unless $redis says
# otherwise; its log stays in $out.
start_gate() {
    mkdir -p "$work/$1"
    cat >"$work/$1.yaml" <<END
log_level: error
node: $1
workers: $3
profiles_dir: $root/conf/profiles
control: $work/$1/control.sock
listeners:
  - {name: agents, address: "127.0.0.1:$2", profile: plain-ws-json, upstream: im}
upstreams:
  - {name: im, servers: ["127.0.0.1:$port_base"], health: {interval: 1h, fall: 100}}
limits: {connections: 9900, connections_per_address: 0, messages_per_s: 0}
rules: {packs: [$4]}
ring: {dir: $work/$1, size: 256M}
redis: $redis
END
    "${pin[@]}" "$gate" --config "$work/$1.yaml" >"$out/$1.log" 2>&1 &
    pids+=($!)
    await_socket "$work/$1/control.sock" "${pids[-1]}" "$out/$1.log"
}
