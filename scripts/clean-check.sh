#!/usr/bin/env bash
# Shows that the two commands of the README work on a fresh machine: makes a bare Debian 12 root, clones the committed tree into
# it, and runs there, as a new user would, scripts/quickstart.sh --once and scripts/check.sh. Needs root, mmdebstrap, git.
#   scripts/clean-check.sh [DIR]       DIR: where the root is made and removed again (default: a new folder in $TMPDIR or /var/tmp)
# Packages come from the Debian sources that this machine is configured with, npm packages from its npm registry.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "error: run as root (it mounts and changes root)" >&2; exit 1; }
for program in mmdebstrap git unshare; do
    command -v "$program" >/dev/null || { echo "error: $program is missing" >&2; exit 1; }
done
# All mounts are made in a mount namespace of its own: whatever happens, they end with this script.
if [ -z "${CHATGATE_CLEAN_NAMESPACE:-}" ]; then
    CHATGATE_CLEAN_NAMESPACE=1 exec unshare --mount --propagation private --pid --mount-proc --fork --kill-child "$0" "$@"
fi
root=${1:-$(mktemp -d "${TMPDIR:-/var/tmp}/chatgate-clean.XXXXXX")}
mkdir -p "$root"
root=$(cd "$root" && pwd)
[ -z "$(ls -A "$root")" ] || { echo "error: $root is not empty" >&2; exit 1; }

clean_up() {
    local status=$? mount
    trap - EXIT
    for mount in dev/shm dev proc; do
        ! mountpoint -q "$root/$mount" || umount -l "$root/$mount" || status=1
    done
    # never across what may still be mounted
    rm -rf --one-file-system "$root" || status=1
    if [ "$status" = 0 ]; then echo "clean-check: ok, $SECONDS s"; else echo "clean-check: FAILED, $SECONDS s" >&2; fi
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

commit=$(git rev-parse HEAD)
echo "== a bare Debian 12 root"
# shellcheck disable=SC2016 # apt-get's own variables
sources=$(apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(REPO_URI) $(COMPONENT)' 'Created-By: Packages' |
    awk '$1 == "Debian" && $2 ~ /^bookworm(-updates|-security)?$/ {print "deb", $3, $2, $4}' | sort -u)
[ -n "$sources" ] || { echo "error: apt-get knows no Debian 12 source here; configure one and run apt-get update" >&2; exit 1; }
mmdebstrap --quiet --variant=apt --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Retries "5"' bookworm "$root" - <<<"$sources"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for node in null zero full random urandom tty; do
    touch "$root/dev/$node"
    mount --bind "/dev/$node" "$root/dev/$node"
done
mkdir "$root/dev/pts"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/0 "$root/dev/stdin"
ln -s /proc/self/fd/1 "$root/dev/stdout"
ln -s /proc/self/fd/2 "$root/dev/stderr"
mkdir "$root/dev/shm"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"

# What this machine needs to reach its npm registry, if anything.
environment=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb)
for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
    [ -z "${!name:-}" ] || environment+=("$name=${!name}")
done
if command -v npm >/dev/null; then
    environment+=("npm_config_registry=$(npm config get registry 2>/dev/null)")
    authorities=$(npm config get cafile 2>/dev/null)
    if [ -r "$authorities" ]; then
        cp -L "$authorities" "$root/root/npm-authorities.pem"
        environment+=(npm_config_cafile=/root/npm-authorities.pem)
    fi
fi
echo "== a clone of $commit"
git -c advice.detachedHead=false clone --quiet --no-hardlinks --no-local . "$root/root/chatgate"
git -C "$root/root/chatgate" checkout --quiet --detach "$commit"

inside() {
    echo "== in the bare root: $*"
    chroot "$root" env -i "${environment[@]}" sh -c 'cd /root/chatgate && exec "$@"' sh "$@" </dev/null
}
inside scripts/quickstart.sh --once
echo "   after $SECONDS s"
inside scripts/check.sh
