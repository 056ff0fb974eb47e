# Debian 12 packages by purpose; sourced by the other scripts. install_packages LIST… installs what is missing.
packages_build="gcc make cmake ninja-build pkg-config libevent-dev libssl-dev libhiredis-dev libpcre2-dev libyaml-dev
 libicu-dev libopencc-dev libopencc-data unicode-data libbz2-dev ca-certificates"
packages_demo="redis-server python3 python3-websockets python3-redis"
packages_test="$packages_demo libcmocka-dev libutf8proc-dev libjansson-dev clang-format-14 python3-pytest python3-yaml
 python3-msgpack python3-jsonschema nodejs npm openssl systemd git procps"

install_packages() {
    missing=
    for p in "$@"; do
        case $(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null) in
        installed) ;;
        *) missing="$missing $p" ;;
        esac
    done
    # a Node.js that is there already, from whatever source, will do
    if command -v node >/dev/null && command -v npm >/dev/null; then
        missing=$(printf '%s\n' $missing | grep -vxE 'nodejs|npm' | tr '\n' ' ')
    fi
    [ -n "${missing# }" ] || return 0
    echo "installing:$missing"
    sudo=
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || { echo "error: run as root or install sudo; missing:$missing" >&2; return 1; }
        sudo=sudo
    fi
    export DEBIAN_FRONTEND=noninteractive
    $sudo apt-get update -q >/dev/null
    # no service is to start by itself: everything here starts its own servers
    $sudo apt-get install -q -y --no-install-recommends $missing >/dev/null
}
