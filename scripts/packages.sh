# shellcheck shell=bash
# Debian 12 packages by purpose; sourced by the other scripts.
# shellcheck disable=SC2034 # used by those
packages_build=(gcc libc6-dev make cmake ninja-build pkg-config libevent-dev libssl-dev libhiredis-dev libpcre2-dev
    libcrypt-dev libyaml-dev libexpat1-dev libicu-dev libopencc-dev libopencc-data unicode-data libbz2-dev ca-certificates)
packages_demo=(tzdata redis-server python3 python3-websockets python3-redis)
packages_demo_xmpp=(prosody python3-slixmpp openssl)
packages_test=("${packages_demo[@]}" libcmocka-dev libutf8proc-dev libjansson-dev clang-format python3-pytest
    python3-yaml python3-msgpack python3-jsonschema python3-selenium chromium chromium-driver fonts-noto-cjk nodejs npm
    prometheus openssl systemd git groff-base procps shellcheck prosody prosody-modules ejabberd python3-slixmpp libstrophe-dev)
packages_fuzz=(clang-14 libclang-rt-14-dev llvm-14)

# again COMMAND… runs it up to four times, with pauses: what a network refuses once it may give a moment later.
again() {
    local pause
    for pause in 5 15 45; do
        "$@" && return 0
        echo "failed: $*; once more in $pause s" >&2
        sleep "$pause"
    done
    "$@"
}

update_and_install() { # SUDO PACKAGE…
    $1 apt-get -o Acquire::Retries=3 update -qq &&
        $1 env DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 install -qq -y \
            --no-install-recommends "${@:2}" >/dev/null 2> >(grep -v 'apt-utils is not installed' >&2)
}

# install_packages PACKAGE… installs what is missing. Says nothing when all is there.
install_packages() {
    local p sudo='' policy='' status=0
    local -a missing=()
    if ! command -v dpkg-query >/dev/null; then
        echo "error: no dpkg-query: this script knows Debian 12 only; needed are: $*" >&2
        return 1
    fi
    for p in "$@"; do
        # a Node.js that is there already, from whatever source, will do
        case $p in nodejs | npm) if command -v node >/dev/null && command -v npm >/dev/null; then continue; fi ;; esac
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing+=("$p")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "error: run as root, or install sudo; missing packages: ${missing[*]}" >&2
            return 1
        fi
        sudo=sudo
    fi
    echo "installing ${#missing[@]} packages: ${missing[*]}"
    # no service is to start by itself: everything here starts its own servers
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        policy=/usr/sbin/policy-rc.d
        printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null
        $sudo chmod 755 $policy
    fi
    again update_and_install "$sudo" "${missing[@]}" || status=$?
    [ -z "$policy" ] || $sudo rm -f "$policy"
    [ "$status" = 0 ] || echo "error: apt-get could not install: ${missing[*]}" >&2
    return "$status"
}
