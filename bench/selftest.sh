#!/bin/bash
# chatgate-bench against its own echo backend: every message comes back once and in order, losses and refusals are seen.
set -euo pipefail
bench=$1
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT
sock=$work/echo.sock
fail() {
    echo "FAILED: $*" >&2
    cat "$work"/*.txt >&2 || true
    exit 1
}
# value FILE COLUMN: of the first row of a CSV file.
value() { awk -F, -v want="$2" 'NR == 1 {for (i = 1; i <= NF; i++) if ($i == want) c = i} NR == 2 {print $c}' "$1"; }
expect() { # FILE COLUMN VALUE
    local found
    found=$(value "$1" "$2")
    [ "$found" = "$3" ] || fail "$2 is '$found', expected '$3'"
}

"$bench" laod >"$work/wrong.txt" 2>&1 && fail "an unknown command"
grep -qx 'unknown command "laod"' "$work/wrong.txt" || fail "does not name the unknown command"
"$bench" echo --listen "unix:$work/none/echo.sock" >"$work/wrong.txt" 2>&1 && fail "no such folder"
grep -q "^echo: unix:$work/none/echo.sock: listen: " "$work/wrong.txt" || fail "does not name the address"

"$bench" load --echo "unix:$sock" --target "echo=ws+unix:$sock:/ws" --conns 20 --rate 1000 --secs 1 --warm 0.1 \
    --rounds 1 --size 50,3000,70000 --csv "$work/load.csv" --json "$work/load.json" >"$work/load.txt" 2>&1 || fail load
expect "$work/load.csv" answered 1000
for column in lost doubled disordered unsent ended; do
    expect "$work/load.csv" $column 0
done
grep -q '"answered":{"median":1000' "$work/load.json" || fail "JSON does not say what CSV says"

rm -f "$sock"
"$bench" load --echo "unix:$sock" --target "echo=ws+unix:$sock:/ws" --conns 5 --closed 3 --secs 0.5 --warm 0.1 \
    --rounds 2 --csv "$work/closed.csv" >"$work/closed.txt" 2>&1 || fail closed
expect "$work/closed.csv" lost 0
[ "$(value "$work/closed.csv" answered)" -gt 100 ] || fail "closed loop: hardly a message"

# A backend whose answers cannot be told apart by their id loses every message.
rm -f "$sock"
"$bench" load --echo "unix:$sock" --target "echo=ws+unix:$sock:/ws" --conns 2 --rate 50 --secs 0.2 --warm 0 --rounds 1 \
    --drain 0.1 --message '{"type":"auth","token":"{text}","ref":"{id}"}' --csv "$work/lost.csv" \
    >"$work/lost.txt" 2>&1 || fail lost
expect "$work/lost.csv" lost 10
expect "$work/lost.csv" answered 0

rm -f "$sock"
"$bench" rate --echo "unix:$sock" --target "echo=ws+unix:$sock:/ws" --conc 8 --secs 0.3 --warm 0 --rounds 1 \
    --csv "$work/rate.csv" >"$work/rate.txt" 2>&1 || fail rate
expect "$work/rate.csv" failed 0

# A message that is refused costs other things than one that goes through: it is no connection's success.
rm -f "$sock"
if "$bench" rate --echo "unix:$sock" --target "echo=ws+unix:$sock:/ws" --conc 2 --secs 0.1 --warm 0 --rounds 1 \
    --message '{"type":"error","id":"{id}","text":"{text}"}' >"$work/refused.txt" 2>&1; then fail "rate counts refusals"; fi
grep -q 'the message was refused' "$work/refused.txt" || fail "rate does not say that it was refused"

rm -f "$sock"
"$bench" idle --echo "unix:$sock" --target "echo=ws+unix:$sock:/ws" --conns 100 --secs 0.1 --csv "$work/idle.csv" \
    >"$work/idle.txt" 2>&1 || fail idle
expect "$work/idle.csv" ended 0

rm -f "$sock"
"$bench" idle --echo "unix:$sock" --target "echo=ws+unix:$sock:/ws" --conns 200 --opening 200 --secs 0.1 \
    --csv "$work/storm.csv" >"$work/storm.txt" 2>&1 || fail storm
expect "$work/storm.csv" ended 0

rm -f "$sock"
"$bench" load --echo "unix:$sock" --target "echo=ws+unix:$sock:/ws" --conns 5 --rate 1000 --secs 0.5 --warm 0.1 \
    --rounds 2 --hgrm "$work/hgrm" >"$work/hgrm.txt" 2>&1 || fail hgrm
grep -q "Total count    =         1000" "$work/hgrm/echo.hgrm" || fail "the distribution does not hold every message"

rm -f "$sock"
"$bench" knee --echo "unix:$sock" --target "echo=ws+unix:$sock:/ws" --conns 5 --from 200 --to 500 --step 2 --halvings 1 \
    --secs 0.2 --warm 0 --limit-ms 1000 --csv "$work/knee.csv" >"$work/knee.txt" 2>&1 || fail knee
expect "$work/knee.csv" knee_msgs_per_s 400
grep -q "holds --to 500" "$work/knee.txt" || fail "knee does not say that it stopped at --to"

# Nobody there: it says so, and not only that it failed.
rm -f "$sock"
"$bench" rate --target "gone=ws+unix:$sock:/ws" --conc 2 --secs 0.1 --warm 0 >"$work/gone.txt" 2>&1 && fail "rate to nobody"
grep -q 'No such file' "$work/gone.txt" || fail "rate does not say that nobody is there"

# TLS: the server's certificate must be trusted and bear its name. This server is no WebSocket: its answer shows that the
# handshake before it was good, also where a certificate comes again.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=bench -addext \
    subjectAltName=IP:127.0.0.1 -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
openssl s_server -accept 127.0.0.1:0 -cert "$work/cert.pem" -key "$work/key.pem" -www >"$work/server.txt" 2>&1 &
server=$!
for ((i = 0; i < 300; i++)); do
    port=$(sed -n 's/^ACCEPT .*:\([0-9]*\)$/\1/p' "$work/server.txt")
    [ -z "$port" ] || break
    kill -0 "$server" || fail "openssl s_server does not start"
    sleep 0.1
done
says() { # TEXT URL OPTION…
    local text=$1 url=$2
    shift 2
    "$bench" rate --target "tls=$url" --conc 2 --secs 0.3 --warm 0.1 "$@" >"$work/tls.txt" 2>&1 || true
    grep -q "$text" "$work/tls.txt" || fail "$url $*: does not say '$text'"
}
says 'answered with status 200' "wss://127.0.0.1:$port/" --ca "$work/cert.pem"
says 'answered with status 200' "wss://127.0.0.1:$port/" --insecure
says 'certificate verify failed' "wss://127.0.0.1:$port/"
says 'certificate verify failed' "wss://localhost:$port/" --ca "$work/cert.pem"
kill "$server"
wait "$server" || true
server=
says 'Connection refused' wss://127.0.0.1:1/

# HTTP: every request has its answer, a refused one is told apart.
port=$((20000 + $$ % 20000))
"$bench" load --echo "127.0.0.1:$port" --target "echo=http://127.0.0.1:$port/" --conns 10 --rate 1000 --secs 0.5 --warm 0.1 \
    --rounds 1 --csv "$work/http.csv" >"$work/http.txt" 2>&1 || fail http
expect "$work/http.csv" answered 500
expect "$work/http.csv" refused 0
"$bench" load --echo "127.0.0.1:$port" --target "echo=http://127.0.0.1:$port/" --conns 10 --rate 1000 --secs 0.5 --warm 0.1 \
    --rounds 1 --post --csv "$work/post.csv" >"$work/post.txt" 2>&1 || fail post
expect "$work/post.csv" refused 500
"$bench" rate --echo "127.0.0.1:$port" --target "echo=http://127.0.0.1:$port/" --conc 8 --secs 0.3 --warm 0 --rounds 1 \
    --csv "$work/rate-http.csv" >"$work/rate-http.txt" 2>&1 || fail "rate of http"
expect "$work/rate-http.csv" failed 0

# Through the relay: as many as without it.
rm -f "$sock"
"$bench" relay --listen "unix:$work/relay.sock" --to "unix:$sock" &
relay=$!
trap 'kill $relay 2>/dev/null || true; rm -rf "$work"' EXIT
until [ -S "$work/relay.sock" ]; do kill -0 $relay || fail relay; sleep 0.02; done
"$bench" load --echo "unix:$sock" --target "relay=ws+unix:$work/relay.sock:/ws" --conns 20 --rate 1000 --secs 0.5 --warm 0.1 \
    --rounds 1 --size 50,70000 --csv "$work/relay.csv" >"$work/relay.txt" 2>&1 || fail "load through the relay"
expect "$work/relay.csv" answered 500
expect "$work/relay.csv" lost 0
kill $relay
wait $relay || fail "the relay's end"

# XMPP: the backend in the same process, then in one of its own, with agents and customers at different addresses.
# xmpp_row FILE: messages a second, lost, refused and disordered of the last table's row.
xmpp_row() { awk -F'|' '/^\| x / {print int($3), int($8), int($9), int($10)}' "$1" | tail -1; }
rm -f "$sock"
"$bench" xmpp-load --backend "unix:$sock" --target "x=unix:$sock" --pairs 5 --rate 500 --secs 0.5 --rounds 1 --outstanding 20 \
    >"$work/xmpp.txt" 2>&1 || fail xmpp-load
read -r per_s lost refused disordered <<<"$(xmpp_row "$work/xmpp.txt")"
[ "$per_s" -gt 100 ] || fail "xmpp-load: hardly a message"
[ "$lost $refused $disordered" = "0 0 0" ] || fail "xmpp-load: $lost lost, $refused refused, $disordered disordered"
rm -f "$sock"
"$bench" xmpp-backend --quiet --listen "unix:$sock" &
backend=$!
trap 'kill $backend 2>/dev/null || true; rm -rf "$work"' EXIT
until [ -S "$sock" ]; do kill -0 $backend || fail xmpp-backend; sleep 0.02; done
"$bench" xmpp-load --target "x=unix:$sock,unix:$sock" --pid "x=$backend" --pairs 5 --rate 0 --secs 0.3 --rounds 2 \
    >"$work/xmpp2.txt" 2>&1 || fail "xmpp-load at a backend of its own"
read -r per_s lost refused disordered <<<"$(xmpp_row "$work/xmpp2.txt")"
[ "$per_s" -gt 100 ] || fail "xmpp-load at a backend of its own: hardly a message"
[ "$lost $refused $disordered" = "0 0 0" ] || fail "xmpp-load: $lost lost, $refused refused, $disordered disordered"
# A customer elsewhere: every message comes back as refused.
rm -f "$work/other.sock"
"$bench" xmpp-load --backend "unix:$work/other.sock" --target "x=unix:$sock,unix:$work/other.sock" --pairs 2 --rate 100 --secs 0.2 \
    --rounds 1 >"$work/xmpp3.txt" 2>&1 || fail "xmpp-load with customers elsewhere"
read -r per_s lost refused disordered <<<"$(xmpp_row "$work/xmpp3.txt")"
[ "$per_s $lost" = "0 0" ] || fail "xmpp-load: came back, and counted as $per_s delivered and $lost lost"
[ "$refused" -gt 20 ] || fail "xmpp-load: refusals were not counted"
kill $backend
wait $backend || fail "the XMPP backend's end"
"$bench" xmpp-load --target "x=unix:$work/none.sock" --pairs 1 >"$work/xmpp4.txt" 2>&1 && fail "a missing XMPP target passed"
grep -q "^xmpp-load: x: connect" "$work/xmpp4.txt" || fail "a missing XMPP target is not named"

# Nobody there: told, and not taken for a result.
"$bench" load --target "none=ws+unix:$work/none.sock:/ws" --conns 2 --secs 0.1 --rounds 1 >"$work/none.txt" 2>&1 &&
    fail "a missing target passed"
grep -q "agent 0" "$work/none.txt" || fail "a missing target is not named"
"$bench" load --target x=ftp://127.0.0.1/ >"$work/url.txt" 2>&1 && fail "a wrong URL passed"
echo "chatgate-bench: all as expected"
