# shellcheck shell=bash
# The XMPP half of scripts/quickstart.sh: a private Prosody, and what is said to a person who wants to try it by hand.
# shellcheck disable=SC2154 # data, port and reminder_s are that script's

# The gateway's certificate for localhost, which the demonstration's clients are told to trust; Prosody has the same one.
make_certificate() {
    mkdir -p "$data/prosody"
    [ ! -s "$data/prosody/localhost.pem" ] || return 0
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj /CN=localhost \
        -addext 'subjectAltName=DNS:localhost' -keyout "$data/prosody/localhost.key" -out "$data/prosody/localhost.pem.new" \
        2>/dev/null
    mv "$data/prosody/localhost.pem.new" "$data/prosody/localhost.pem"
}
# account NAME (letters and digits: others are spelled otherwise in a file's name) makes one with a random password, kept in Prosody's own data folder; prints the password.
account() {
    local file=$data/prosody/data/localhost/accounts/$1.dat
    mkdir -p "${file%/*}"
    [ -s "$file" ] || echo "return { [\"password\"] = \"$(od -An -N9 -tx1 /dev/urandom | tr -d ' \n')\"; };" >"$file"
    sed -nE 's/.*"password"\] = "([^"]*)".*/\1/p' "$file"
}
prosody_answers() { (exec 3<>"/dev/tcp/127.0.0.1/$prosody_port") 2>/dev/null; }
start_prosody() {
    account xiaomei >/dev/null
    prosody_port=$(last_port prosody)
    running prosody && return 0
    echo "== a private Prosody (its own folder, loopback only)"
    # shellcheck disable=SC2046 # none or one word
    prosody_port=$(free_port $(last_port prosody))
    cat >"$data/prosody/prosody.cfg.lua" <<LUA
data_path = "$data/prosody/data"
pidfile = "$data/prosody/prosody.pid"
run_as_root = true
interfaces = { "127.0.0.1" }
c2s_ports = { $prosody_port }
s2s_ports = {}
http_ports = {}
https_ports = {}
-- the gateway comes over the loopback, in the clear; customers here may use TLS
c2s_require_encryption = false
authentication = "internal_plain"
ssl = { certificate = "$data/prosody/localhost.pem"; key = "$data/prosody/localhost.key" }
modules_enabled = { "roster", "saslauth", "tls", "disco", "ping", "smacks", "carbons", "mam", "offline", "pep" }
modules_disabled = { "s2s" }
log = { warn = "*console" }
VirtualHost "localhost"
LUA
    HOME=$data/prosody launch prosody prosody --config "$data/prosody/prosody.cfg.lua" -F
    wait_for prosody prosody_answers
    echo "$prosody_port" >"$data/prosody.port"
}
# A customer of its own for each conversation.
play_xmpp() {
    local customer
    customer=guke$(date +%m%d%H%M%S)
    echo "$customer@localhost" >"$data/conversation"
    AGENT_PASSWORD=$(account xiaomei) CUSTOMER_PASSWORD=$(account "$customer") \
        /usr/bin/python3 scripts/demo/play_xmpp.py --agent-port "$port" --customer-port "$prosody_port" \
        --customer "$customer" --ca "$data/prosody/localhost.pem" --reminder-s "$reminder_s"
}
say_xmpp_by_hand() {
    account guke >/dev/null
    cat <<EOT
Running. Try it with any two XMPP clients on this machine, TLS by STARTTLS or from the first byte; both will ask you about the
certificate, which is $data/prosody/localhost.pem:
  agent    xiaomei@localhost, server 127.0.0.1 port $port (the gateway)
  customer guke@localhost, server 127.0.0.1 port $prosody_port (Prosody itself, STARTTLS)
  their passwords stand in $data/prosody/data/localhost/accounts
EOT
}
