"""Debian's Prosody and ejabberd, each in a folder of its own, on ports of the test's own, on the loopback interface."""

import os
import socket
from pathlib import Path

from gateway import PATIENCE, Process, free_port, wait_for

DOMAIN = "localhost"
FILES = "files.example.com"  # what stands in the addresses of uploads


def is_open(port):
    with socket.socket() as s:
        s.settimeout(5)
        return s.connect_ex(("127.0.0.1", port)) == 0


class Prosody(Process):
    """Accounts are data files with their passwords; nothing is registered over the wire."""

    ws_path = "/xmpp-websocket"
    rooms = f"rooms.{DOMAIN}"

    def __init__(self, folder, accounts, certificates=None, extra="", host_extra=""):
        self.folder = Path(folder)
        data = self.folder / "data"
        (data / DOMAIN / "accounts").mkdir(parents=True, exist_ok=True)
        for name, password in accounts.items():
            (data / DOMAIN / "accounts" / f"{name}.dat").write_text(f'return {{ ["password"] = "{password}"; }};\n')
        self.c2s, self.http = free_port(), free_port()
        self.tls_c2s = free_port() if certificates else 0
        tls = ""
        if certificates:
            tls = f"""
ssl = {{ certificate = "{certificates / 'server.pem'}"; key = "{certificates / 'server.key'}" }}
c2s_direct_tls_ports = {{ {self.tls_c2s} }}
c2s_direct_tls_ssl = {{ certificate = "{certificates / 'server.pem'}"; key = "{certificates / 'server.key'}" }}
"""
        config = self.folder / "prosody.cfg.lua"
        config.write_text(f"""
data_path = "{data}"
pidfile = "{self.folder / 'prosody.pid'}"
daemonize = false
run_as_root = true
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {self.c2s} }}
s2s_ports = {{}}
http_ports = {{ {self.http} }}
https_ports = {{}}
consider_websocket_secure = true
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "internal_plain"
archive_expires_after = "1d"
max_archive_query_results = 50
smacks_hibernation_time = 600
{tls}
modules_enabled = {{ "roster", "saslauth", "tls", "disco", "ping", "presence", "message", "iq", "smacks", "carbons", "mam",
                     "offline", "pep", "vcard4", "vcard_legacy", "blocklist", "posix", "websocket", "http" }}
modules_disabled = {{ "s2s" }}
log = {{ debug = "*console" }}
{extra}
VirtualHost "{DOMAIN}"
{host_extra}
Component "rooms.{DOMAIN}" "muc"
  modules_enabled = {{ "muc_mam" }}
Component "upload.{DOMAIN}" "http_file_share"
  http_host = "{FILES}"
  http_external_url = "http://{FILES}:{self.http}/"
""")
        env = dict(os.environ, HOME=str(self.folder))
        super().__init__(["prosody", "--config", config, "-F"], self.folder / "prosody.log", env=env,
                         cwd=str(self.folder))
        for port in (self.c2s, self.http, self.tls_c2s):
            if port:
                wait_for(f"prosody listens on {port}: {self.log}", lambda p=port: is_open(p))


class Ejabberd(Process):
    """Runs in the foreground, without Erlang's distribution; accounts are made by its own functions at the start."""

    ws_path = "/ws"
    rooms = f"conference.{DOMAIN}"

    def __init__(self, folder, accounts):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.c2s, self.http = free_port(), free_port()
        config = self.folder / "ejabberd.yml"
        config.write_text(f"""
hosts: [{DOMAIN}]
loglevel: info
auth_method: internal
auth_password_format: plain
certfiles: []
disable_sasl_mechanisms: []
listen:
  - {{port: {self.c2s}, ip: "127.0.0.1", module: ejabberd_c2s, max_stanza_size: 262144, access: c2s, shaper: none}}
  - {{port: {self.http}, ip: "127.0.0.1", module: ejabberd_http, request_handlers: {{/ws: ejabberd_http_ws, /upload: mod_http_upload}}}}
access_rules:
  c2s: {{allow: all}}
  muc_create: {{allow: all}}
shaper_rules: {{}}
modules:
  mod_roster: {{}}
  mod_disco: {{}}
  mod_carboncopy: {{}}
  mod_offline: {{}}
  mod_caps: {{}}
  mod_pubsub: {{plugins: [flat, pep]}}
  mod_vcard: {{}}
  mod_stream_mgmt: {{resend_on_timeout: if_offline, resume_timeout: 600s}}
  mod_mam: {{default: always, assume_mam_usage: true}}
  mod_http_upload: {{put_url: "http://{FILES}:{self.http}/upload", docroot: "{self.folder / 'upload'}", access: all, host: upload.{DOMAIN}}}
  mod_muc: {{access_create: muc_create, default_room_options: {{mam: true}}}}
""")
        spool = self.folder / "spool"
        spool.mkdir(exist_ok=True)
        lib = next(Path("/usr/lib").glob("*/ejabberd-*")).parent
        make = ", ".join(f'ok = ejabberd_auth:try_register(<<"{n}">>, <<"{DOMAIN}">>, <<"{p}">>)'
                         for n, p in accounts.items())
        env = dict(os.environ, HOME=str(self.folder), ERL_LIBS=str(lib), EJABBERD_CONFIG_PATH=str(config),
                   EJABBERD_LOG_PATH=str(self.folder / "ejabberd.log"), ERL_CRASH_DUMP=str(self.folder / "crash.dump"),
                   ERL_CRASH_DUMP_BYTES="0")
        super().__init__(["erl", "-noinput", "+S", "2", "-mnesia", "dir", f'"{spool}"', "-eval",
                          '{ok, _} = application:ensure_all_started(ejabberd), '
                          f'{make}, io:format("accounts made~n").'], self.folder / "erl.log", env=env,
                         cwd=str(self.folder))
        self.wait_line("accounts made", 5 * PATIENCE)  # half a minute where it is busy
        for port in (self.c2s, self.http):
            wait_for(f"ejabberd listens on {port}: {self.log}", lambda p=port: is_open(p))
