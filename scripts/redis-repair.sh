#!/bin/sh
# Takes half a transaction off the end of Redis's append-only file. To be run before Redis starts, as the user that Redis
# runs as:
#
#   redis-repair.sh /var/lib/redis/appendonlydir
#
# A Redis that is killed, or whose machine dies, while it writes what a script changed leaves the beginning of that
# transaction in its file. At the next start it passes over it and cuts off the last command alone; what it writes from
# then on stands behind an open MULTI, so the start after that one reads the half transaction and what was sent again
# for it: changes count twice, entries are missing (Redis until 8, Valkey until 9; docs/redis.md). redis-check-aof cuts
# off all of it. More than 4 MiB is no half transaction: that is left to a person, with the file as it is.
set -eu

most=4194304
[ $# = 1 ] || { echo "usage: redis-repair.sh FOLDER-OF-THE-APPEND-ONLY-FILES" >&2; exit 2; }
for manifest in "$1"/*.manifest; do
    [ -e "$manifest" ] || continue # nothing was ever written
    report=$(redis-check-aof "$manifest" 2>&1) && continue
    bytes=$(echo "$report" | sed -n 's/^AOF analyzed: .*diff=//p' | tail -1)
    case $bytes in '' | *[!0-9]* | ????????*) bytes=$((most + 1)) ;; esac
    if [ "$bytes" -gt $most ]; then
        echo "redis-repair: $manifest: more is wrong than an unfinished end:" >&2
        echo "$report" >&2
        exit 1
    fi
    echo y | redis-check-aof --fix "$manifest" >/dev/null
    echo "redis-repair: $manifest: $bytes bytes of an unfinished transaction were cut off" >&2
done
