"""Starts the real programs for the end-to-end tests: each in a folder of its own, on ports that the kernel draws, on the
loopback interface, ended by process id."""

import asyncio
import contextlib
import http
import json
import os
import re
import random
import signal
import socket
import subprocess
import time
import weakref
from pathlib import Path

import websockets

SOURCE = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("CHATGATE_BUILD", SOURCE / "build"))
SMALL_RULES = SOURCE / "tests" / "e2e" / "rules"  # what a gateway has unless it is said: the shipped packs take seconds to load
PATIENCE = 60.0   # how long a test waits for one event: far more than any machine needs, so that slowness is no failure
LONGEST = 900.0   # and for the whole of one test; each wait in it has its own limit, which says what did not come


def run(coro, seconds=LONGEST):
    return asyncio.run(asyncio.wait_for(coro, seconds))


def wait_for(what, probe, seconds=PATIENCE):
    """Polls until probe() is true; fails with what was awaited."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = probe()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


async def until(what, probe, seconds=PATIENCE):
    """The same beside what the test's own loop does."""
    return await asyncio.to_thread(wait_for, what, probe, seconds)


clients = weakref.WeakSet()  # writers of what `dial` opened


async def dial(port, **kw):
    """A bare client: reader and writer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, **kw)
    clients.add(writer)
    return reader, writer


def hang_up(port):
    """Those of them that are connected there say no more. A test that waits for the end of a gateway in its event loop keeps
    them from answering, and the gateway would wait for that as long as it may."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    for writer in list(clients):
        peer = writer.get_extra_info("peername")
        if peer and peer[1] == port:
            with contextlib.suppress(OSError):
                writer.get_extra_info("socket").shutdown(socket.SHUT_WR)


kept_ports = []


def free_port():
    """A port for a program that cannot draw one itself, or one where nobody listens. It is this test process's alone: it lies
    outside of the range from which the kernel draws, and an abstract socket of its name, which ends with the process,
    keeps other tests from choosing it."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
        first, last = map(int, f.read().split())
    ports = [p for p in range(10000, 65000) if not first <= p <= last]
    if len(ports) < 1000:
        ports = range(10000, 65000)  # the kernel draws from nearly all: only other tests are kept away
    for port in random.sample(ports, 1000):
        mark = socket.socket(socket.AF_UNIX)
        try:
            mark.bind(f"\0chatgate-test-port-{port}")
            with socket.socket() as s:
                s.bind(("127.0.0.1", port))
        except OSError:
            mark.close()
            continue
        kept_ports.append(mark)
        return port
    raise AssertionError("no free port")


class Process:
    """A program with its output in a file; ended by its pid."""

    started = []  # conftest.py ends what a failed test left behind

    def __init__(self, argv, log, **popen):
        self.log = Path(log)
        self.out = open(self.log, "ab")
        self.proc = subprocess.Popen([str(a) for a in argv], stdout=self.out, stderr=self.out, stdin=subprocess.DEVNULL,
                                     **popen)
        Process.started.append(self.proc)

    @property
    def pid(self):
        return self.proc.pid

    def text(self):
        return self.log.read_text(errors="replace")

    def wait_line(self, pattern, seconds=PATIENCE):
        def probe():
            if self.proc.poll() is not None and not re.search(pattern, self.text()):
                raise AssertionError(f"ended with {self.proc.returncode} before /{pattern}/:\n{self.text()[-3000:]}")
            return re.search(pattern, self.text())
        return wait_for(f"/{pattern}/ in {self.log}:\n{self.text()[-2000:]}", probe, seconds)

    def stop(self, sig=signal.SIGTERM, seconds=PATIENCE):
        if self.proc.poll() is None:
            self.proc.send_signal(sig)
            try:
                self.proc.wait(seconds)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
                raise AssertionError(f"did not end after signal {sig}:\n{self.text()[-3000:]}") from None
        self.out.close()
        return self.proc.returncode


# As docs/redis.md wants every server of a deployment to be.
DURABLE = ["--appendonly", "yes", "--aof-load-truncated", "no", "--save", "", "--maxmemory-policy", "noeviction"]


def repair_aof(folder):
    """What stands before every start of Redis: it may have been killed while it wrote."""
    subprocess.run([SOURCE / "scripts" / "redis-repair.sh", Path(folder) / "appendonlydir"], check=True)


class Redis(Process):
    """A private redis-server on a Unix socket, append-only with every write on disk before it is answered."""

    def __init__(self, folder, extra=()):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.socket = self.folder / "redis.sock"
        self.extra = list(extra)
        self.start()

    def start(self):
        repair_aof(self.folder)
        super().__init__(["redis-server", "--port", 0, "--unixsocket", self.socket, "--dir", self.folder, *DURABLE,
                          "--appendfsync", "always", *self.extra], self.folder / "redis.log")
        wait_for("redis-server answers PING", self.is_up)

    def is_up(self):
        import redis
        try:
            return self.client().ping()
        except redis.RedisError:
            return False

    def client(self):
        import redis
        return redis.Redis(unix_socket_path=str(self.socket))


class Gateway(Process):
    """chatgated with a configuration written from a template; its ports are read from its log."""

    def __init__(self, folder, upstream_port, profile="plain-ws-json", redis=None, extra="", listener_extra="",
                 rules=None, limits="", program=None, workers=2, args=(), upstream_extra="", servers=None, redis_extra="", ring_size="4M",
                 profiles_dir=None, node="test-node", port=0):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.program = program or BUILD / "src" / "chatgated"
        self.cli_program = BUILD / "src" / "cli" / "chatgate"
        self.config = self.folder / "chatgate.yaml"
        self.control = self.folder / "control.sock"
        self.args = list(args)
        rules = rules if rules is not None else SMALL_RULES
        servers = servers or [f"127.0.0.1:{upstream_port}"]
        self.write_config(f"""
node: {node}
workers: {workers}
profiles_dir: {profiles_dir or SOURCE / 'conf' / 'profiles'}
listeners:
  - name: agents
    address: 127.0.0.1:{port}
    profile: {profile}
    upstream: im
{listener_extra}
upstreams:
  - name: im
    servers: [{', '.join(f'"{s}"' for s in servers)}]
{upstream_extra}
rules:
  packs: [{', '.join(f'"{r}"' for r in (rules if isinstance(rules, (list, tuple)) else [rules]))}]
ring:
  dir: {self.folder / 'ring'}
  size: {ring_size}
control: {self.control}
admin: 127.0.0.1:0
limits:
  connections: 5000
{limits}
redis:
{getattr(redis, 'config', None) or (f'  address: {redis.socket}' if redis else '  enabled: false')}
{redis_extra}
{extra}
""")
        self.start()

    def write_config(self, text):
        (self.folder / "ring").mkdir(exist_ok=True)
        self.config.write_text(text)

    def start(self):
        log = self.folder / "chatgated.log"
        skip = log.stat().st_size if log.exists() else 0
        env = dict(os.environ, ASAN_OPTIONS="detect_leaks=1:abort_on_error=0", UBSAN_OPTIONS="print_stacktrace=1")
        super().__init__([self.program, "--config", self.config, *self.args], log, env=env)
        self.skip = skip
        self.wait_line(r" ready admin_port=\d+")
        self.port = int(re.search(r" listening listener=agents .* port=(\d+)", self.text()).group(1))
        self.admin_port = int(re.search(r" ready admin_port=(\d+)", self.text()).group(1))

    def text(self):
        with open(self.log, "rb") as f:
            f.seek(getattr(self, "skip", 0))
            return f.read().decode(errors="replace")

    @property
    def url(self):
        return f"ws://127.0.0.1:{self.port}/ws"

    def cli(self, *args, check=True):
        command = [str(self.cli_program), *map(str, args)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=2 * PATIENCE)
        if check:
            assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def ask(self, command):
        """One command over the control socket."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5 * PATIENCE)  # a reload compiles all rules: a thread sanitizer's build takes its time for that
            s.connect(str(self.control))
            s.sendall(command.encode() + b"\n")
            data = b""
            while not data.endswith(b"\n"):
                got = s.recv(65536)
                if not got:
                    break
                data += got
        return json.loads(data)

    def metrics(self):
        import urllib.request
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}/metrics", timeout=PATIENCE) as answer:
            text = answer.read().decode()
        return {m[1] + (m[2] or ""): float(m[3])
                for m in re.finditer(r"(?m)^(chatgate_\w+)(\{[^}]*\})? (\S+)$", text)}

    def stop(self, sig=signal.SIGTERM, seconds=PATIENCE):
        hang_up(self.port)
        code = super().stop(sig, seconds)
        assert "ERROR: " not in self.text() and "runtime error" not in self.text(), self.text()[-6000:]
        return code


class Backend:
    """A small IM server of the plain-ws-json kind for tests: answers auth, acknowledges and keeps every message, echoes
    nothing by itself. Runs in the test's own event loop."""

    def __init__(self, port=0):
        self.port = port        # one from free_port() when it is to be there again after an end
        self.messages = []      # (agent, message) in the order of arrival
        self.agents = {}        # agent id -> connection
        self.raw = []           # every text frame as it came
        self.requests = []      # handshake headers
        self.on_message = None  # async callback(agent, connection, message)

    async def __aenter__(self):
        self.server = await websockets.serve(self.serve, "127.0.0.1", self.port, compression=None, max_size=2**24,
                                             process_request=self.on_request, ping_interval=None)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc):
        self.server.close()
        await self.server.wait_closed()

    async def on_request(self, path, headers):
        self.requests.append((path, headers))
        if not path.startswith("/ws"):
            return http.HTTPStatus.OK, [("Content-Type", "text/plain"), ("X-Path", path)], b"page " + path.encode()
        return None

    async def serve(self, ws):
        agent = None
        with contextlib.suppress(websockets.ConnectionClosed):
            async for text in ws:
                self.raw.append(text)
                try:
                    m = json.loads(text)
                except (ValueError, UnicodeDecodeError):
                    continue
                if not isinstance(m, dict):
                    continue
                if m.get("type") == "auth":
                    agent = m["token"]
                    self.agents[agent] = ws
                    await ws.send(json.dumps({"type": "auth_ok", "agentId": agent, "name": agent}))
                elif m.get("type") == "message":
                    self.messages.append((agent, m))
                    await ws.send(json.dumps({"type": "ack", "ref": m.get("id")}))
                    if self.on_message:
                        await self.on_message(agent, ws, m)

    async def say(self, agent, conv, text, mid, sender=None):
        """A customer writes."""
        await self.agents[agent].send(json.dumps(
            {"type": "message", "conversationId": conv, "id": mid, "text": text,
             "sender": {"id": sender or conv, "role": "customer"}}, ensure_ascii=False))


class Agent:
    """A WebSocket client of an agent."""

    def __init__(self, url, name, **kw):
        self.url, self.name, self.kw = url, name, kw

    async def __aenter__(self):
        self.ws = await websockets.connect(self.url, **{"open_timeout": PATIENCE, "max_size": 2**24, "ping_interval": None, **self.kw})
        await self.ws.send(json.dumps({"type": "auth", "token": self.name}))
        assert (await self.recv())["type"] == "auth_ok"
        return self

    async def __aexit__(self, *exc):
        await self.ws.close()

    async def send(self, conv, text, mid):
        await self.ws.send(json.dumps({"type": "message", "conversationId": conv, "id": mid, "text": text},
                                      ensure_ascii=False))

    async def recv(self, seconds=PATIENCE):
        return json.loads(await asyncio.wait_for(self.ws.recv(), seconds))

    async def until(self, kind, seconds=PATIENCE):
        while True:
            m = await self.recv(seconds)
            if m.get("type") == kind:
                return m
