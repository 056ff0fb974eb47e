#!/usr/bin/env bash
# Installs the npm packages of package.json into a folder outside the source tree:
#   tests/e2e/npm/install.sh DIR
# Does nothing when that folder holds them already. Tests find them through CHATGATE_NPM_DIR.
set -euo pipefail
[ $# -eq 1 ] || { echo "usage: $0 DIR" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/packages.sh
. "$here/../../../scripts/packages.sh" # again
command -v npm >/dev/null || { echo "$0: npm is missing: install nodejs and npm" >&2; exit 1; }
mkdir -p "$1"
cd "$1"
if [ -f installed.json ] && cmp -s "$here/package.json" installed.json; then
    exit 0
fi
rm -rf installed.json node_modules
cp "$here/package.json" package.json
again npm install --no-package-lock --no-audit --no-fund --ignore-scripts
# These two name packages of type declarations that nothing needs at run time and whose own dependencies npm cannot resolve, so they
# are unpacked without dependencies; what they do need stands in package.json. (npm's overrides would do, but fail in npm 9.2 of Debian 12.)
for package in $(node -p 'require("./package.json").unpacked.join(" ")'); do
    folder=node_modules/${package%@*}
    mkdir -p "$folder"
    tarball=$(again npm pack --silent "$package")
    tar -xzf "$tarball" -C "$folder" --strip-components=1
    rm -f "$tarball"
done
cp package.json installed.json
