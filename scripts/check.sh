#!/usr/bin/env bash
# The test command: installs what the tests need, builds with sanitizers and warnings as errors, runs every test, and ends
# with `N passed, N failed, N skipped`. Arguments go to ctest, for example: scripts/check.sh -R unit
# Everything is kept in build/check (CHATGATE_CHECK_DIR names another folder).
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/packages.sh
. scripts/packages.sh
install_packages "${packages_build[@]}" "${packages_test[@]}"

mkdir -p "${CHATGATE_CHECK_DIR:-build/check}"
build=$(cd "${CHATGATE_CHECK_DIR:-build/check}" && pwd)
cmake -G Ninja -S . -B "$build" -DCMAKE_BUILD_TYPE=Debug -DCHATGATE_TESTS=ON -DCHATGATE_SANITIZE=ON -DCHATGATE_WERROR=ON >/dev/null
ninja -C "$build" --quiet
if [ -x tests/e2e/npm/install.sh ]; then
    tests/e2e/npm/install.sh "$build/npm"
fi
shellcheck -x scripts/*.sh

report=$build/report.xml
rm -f "$report"
status=0
# Four places: tests/CMakeLists.txt says what a test takes of them.
ctest --test-dir "$build" -j4 --output-on-failure --no-tests=error --test-output-size-passed 100000 \
    --test-output-size-failed 1000000 --output-junit "$report" "$@" || status=$?
/usr/bin/python3 scripts/count.py "$report" || status=1
exit "$status"
