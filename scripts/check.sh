#!/usr/bin/env bash
# The test command: installs what the tests need, builds with sanitizers and warnings as errors, runs every test, and ends
# with `N passed, N failed, N skipped`. Arguments go to ctest, for example: scripts/check.sh -R unit
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh
install_packages $packages_build $packages_test

build=${CHATGATE_CHECK_DIR:-build/check}
cmake -G Ninja -S . -B "$build" -DCMAKE_BUILD_TYPE=Debug -DCHATGATE_TESTS=ON -DCHATGATE_SANITIZE=ON -DCHATGATE_WERROR=ON >/dev/null
ninja -C "$build"
if [ -x tests/e2e/npm/install.sh ]; then
    tests/e2e/npm/install.sh "$PWD/$build/npm"
fi

report=$build/report.xml
rm -f "$report"
status=0
ctest --test-dir "$build" -j2 --output-on-failure --no-tests=error --output-junit "$PWD/$report" "$@" || status=$?
read -r tests failed skipped <<<"$(sed -nE '/<testsuite/,/>/{s/.*tests="([0-9]+)".*/t \1/p;s/.*failures="([0-9]+)".*/f \1/p;s/.*skipped="([0-9]+)".*/s \1/p;s/.*disabled="([0-9]+)".*/d \1/p}' "$report" |
    awk '{v[$1]=$2} END {print v["t"]+0, v["f"]+0, v["s"]+0}')"
echo "$((tests - failed - skipped)) passed, $failed failed, $skipped skipped"
exit "$status"
