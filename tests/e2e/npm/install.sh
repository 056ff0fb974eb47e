#!/bin/sh
# Installs the npm packages of package.json into a folder outside the source tree:
#   tests/e2e/npm/install.sh DIR
# Does nothing when that folder holds them already. Tests find them through CHATGATE_NPM_DIR.
set -eu
[ $# -eq 1 ] || { echo "usage: $0 DIR" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
command -v npm >/dev/null || { echo "$0: npm is missing: install nodejs and npm" >&2; exit 1; }
mkdir -p "$1"
cd "$1"
if [ -f installed.json ] && cmp -s "$here/package.json" installed.json; then
    exit 0
fi
rm -f installed.json
cp "$here/package.json" package.json
npm install --no-package-lock --no-audit --no-fund --ignore-scripts
cp package.json installed.json
