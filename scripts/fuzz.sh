#!/usr/bin/env bash
# Builds the fuzz targets of tests/fuzz with libFuzzer and the address and undefined-behaviour sanitizers, and runs each:
#   scripts/fuzz.sh [SECONDS [TARGET…]]      30 seconds each, all targets; TARGET is for example proto_json
# New inputs that reach new code gather in build/fuzz/found/TARGET (CHATGATE_FUZZ_DIR names another folder than build/fuzz), inputs
# that fail in build/fuzz/crash/TARGET. Exit code 1 when a target failed. Run one again: build/fuzz/tests/fuzz/fuzz_TARGET FILE
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/packages.sh
. scripts/packages.sh
seconds=${1:-30}
case $seconds in
'' | *[!0-9]*)
    echo "usage: scripts/fuzz.sh [SECONDS [TARGET…]]" >&2
    exit 2
    ;;
esac
shift $(($# > 0))
install_packages "${packages_build[@]}" "${packages_test[@]}" "${packages_fuzz[@]}"

mkdir -p "${CHATGATE_FUZZ_DIR:-build/fuzz}"
build=$(cd "${CHATGATE_FUZZ_DIR:-build/fuzz}" && pwd)
cmake -G Ninja -S . -B "$build" -DCMAKE_C_COMPILER=clang-14 -DCMAKE_BUILD_TYPE=None -DCHATGATE_TESTS=ON -DCHATGATE_SANITIZE=ON \
    -DCMAKE_C_FLAGS="-O1 -g -fsanitize=fuzzer-no-link -Wno-format-nonliteral" -DCMAKE_PROJECT_INCLUDE="$PWD/scripts/fuzz.cmake" >/dev/null
if [ $# = 0 ]; then
    for source in tests/fuzz/fuzz_*.c; do
        name=${source##*/fuzz_}
        set -- "$@" "${name%.c}"
    done
fi
for name in "$@"; do
    if [ ! -e "tests/fuzz/fuzz_$name.c" ]; then
        echo "error: no fuzz target $name; there are: $(cd tests/fuzz && echo fuzz_*.c | sed 's/fuzz_//g;s/\.c//g')" >&2
        exit 2
    fi
done
ninja -C "$build" --quiet "${@/#/fuzz_}"

failed=()
for name in "$@"; do
    found=$build/found/$name crash=$build/crash/$name log=$build/$name.log
    mkdir -p "$found" "$crash"
    dictionary=tests/fuzz/$name.dict
    arguments=(-max_total_time="$seconds" -timeout=60 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 -artifact_prefix="$crash/")
    [ ! -e "$dictionary" ] || arguments+=(-dict="$dictionary")
    if "$build/tests/fuzz/fuzz_$name" "${arguments[@]}" "$found" "tests/fuzz/corpus/$name" >"$log" 2>&1; then
        awk -v name="$name" '/stat::number_of_executed_units/ {n = $2} / cov: / {for (i = 1; i < NF; i++) if ($i == "cov:") c = $(i + 1)}
            END {if (n) printf "ok      %-24s %10d inputs, %6d points reached\n", name, n, c; else printf "ok      %-24s (it silences the statistics)\n", name}' "$log"
    else
        failed+=("$name")
        echo "FAILED  $name: $(grep -m 1 -E 'ERROR: |runtime error: |Test unit written' "$log" || tail -n 1 "$log")"
        grep 'Test unit written' "$log" || true
        echo "        whole output: $log"
    fi
done
echo "$(($# - ${#failed[@]})) of $# targets without a finding, $seconds s each"
[ ${#failed[@]} = 0 ]
