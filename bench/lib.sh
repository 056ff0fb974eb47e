# shellcheck shell=bash
# What the measuring scripts share: their own help, programs that must be there, a folder of their own, and the end of what
# they started, by process id. Sourced by them; $build is set.
# shellcheck disable=SC2034 # used by those
bench=$build/bench/chatgate-bench
gate=$build/src/chatgated
work=$(mktemp -d)
pids=()

# need PROGRAM…: or ends with the name of what is missing.
need() {
    local program
    for program in "$bench" "$gate" "$@"; do
        command -v "$program" >/dev/null || { echo "not found: $program" >&2; exit 2; }
    done
}

finish() {
    local pid
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
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
