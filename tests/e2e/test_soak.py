"""The long run: messages at a fixed rate with random blocks and rewrites while agents come and go, rules are reloaded and
Redis is killed. Nothing is lost, doubled or left behind, and Redis agrees with the load's own account.

Short in the suite; CHATGATE_SOAK_SECS and CHATGATE_SOAK_RATE make it long, with a build without sanitizers."""

import array
import json
import os
import random
import signal
import subprocess
import threading
import time
import zlib
from pathlib import Path

import redis as redis_py

from gateway import BUILD, SOURCE, Gateway, Process, Redis, free_port, wait_for
from track_redis import told

SECS = float(os.environ.get("CHATGATE_SOAK_SECS", 12))
RATE = float(os.environ.get("CHATGATE_SOAK_RATE", 600))
CONNS, SHARDS, STRANGERS = 100, 16, 1000000
BENCH = BUILD / "bench" / "chatgate-bench"
RULES = SOURCE / "tests" / "e2e" / "rules"


def is_sanitized():
    return b"asan" in subprocess.run(["ldd", BUILD / "src" / "chatgated"], capture_output=True, check=True).stdout


def memory_kib(pid):
    """Its own memory: the pages of the ring's file come on top, as far as it has been written."""
    return int(next(line for line in open(f"/proc/{pid}/status") if line.startswith("RssAnon")).split()[1])


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Reader(threading.Thread):
    """Follows the event stream of every shard, also over restarts of Redis, and counts each message of the load."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server = server
        self.seen = bytearray(int(SECS * RATE * 1.2) + 10000)
        self.event = array.array("I", bytes(4 * len(self.seen)))
        self.again = 0
        self.verdicts = {}
        self.last = {f"cg:{{{s}}}:stream": "0" for s in range(SHARDS)}
        self.over = False

    def take(self, fields):
        if fields["k"] != "out" or int(fields["agent"].split("-")[1]) >= STRANGERS:
            return
        seq = int(fields["mid"][2:], 16) - 1
        event = zlib.crc32(fields["id"].encode()) or 1
        if self.event[seq] == event:  # Redis died before it wrote what we had read: the same event comes again, by its id
            self.again += 1
            return
        self.event[seq] = event
        self.seen[seq] = min(self.seen[seq] + 1, 9)
        verdict = ("pass", "warn", "rewrite", "hold", "block")[int(fields.get("act", 0))]
        self.verdicts[verdict] = self.verdicts.get(verdict, 0) + 1

    def turn(self, client):
        n = 0
        for key, entries in client.xread(self.last, count=2000) or []:
            for at, fields in entries:
                self.last[key.decode()] = at.decode()
                for event in told(fields):
                    self.take(event)
            n += len(entries)
        return n

    def run(self):
        client = self.server.client()
        while True:
            try:
                n = self.turn(client)
            except redis_py.RedisError:
                n = 0
            if not n and self.over:
                return
            if not n:
                time.sleep(0.05)


def trouble(gate, server, until):
    """Reloads, visitors who come and go, and a Redis that dies, in turn."""
    rng, texts = random.Random(5), gate.config.read_text()
    counts = {"reloads": 0, "storms": 0, "restarts": 0}
    start, memory = time.monotonic(), 0
    while time.monotonic() < until:
        if not memory and time.monotonic() > (start + until) / 2:
            memory = memory_kib(gate.pid)  # after all kinds of trouble: what they need for good is there
        gate.write_config(texts + f"\n# {rng.random()}\n" if rng.random() < 0.5 else
                          texts.replace("    servers:", f"    health: {{interval: {rng.randrange(1, 90)}s}}\n    servers:"))
        assert gate.ask("reload")["ok"]
        counts["reloads"] += 1
        subprocess.run([BENCH, "rate", "--target", f"gate={gate.url}", "--conc", "16", "--secs", "0.5", "--warm", "0",
                        "--rounds", "1", "--first-agent", str(STRANGERS)], check=True, capture_output=True)
        counts["storms"] += 1
        if counts["storms"] % 2:
            server.stop(signal.SIGKILL)
            time.sleep(rng.random())
            server.start()
            counts["restarts"] += 1
        time.sleep(min(2.0, SECS / 20))
    return counts, memory


def drained(gate):
    t = gate.ask("status")["status"]["tracking"]
    return t["redis_connected"] and t["unsent_bytes"] == 0


def test_long_run(folder):
    port = free_port()
    echo = Process([BENCH, "echo", "--listen", f"127.0.0.1:{port}"], folder / "echo.log")
    server = Redis(folder / "redis", ["--appendfsync", "everysec"])
    gate = Gateway(folder / "g", port, redis=server, rules=RULES, ring_size="64M", limits="  messages_per_s: 0")
    (folder / "hits.txt").write_text("加我微信聊\n最好的面料给您\n大概吧\n")
    reader = Reader(server)
    reader.start()
    wait_for("the backend is up", lambda: gate.ask("status"))
    idle = descriptors(gate.pid)
    load = Process([BENCH, "load", "--target", f"gate={gate.url}", "--conns", CONNS, "--rate", RATE, "--secs", SECS,
                    "--warm", 0, "--drain", 30, "--rounds", 1, "--first-id", 1, "--corpus", SOURCE / "bench" / "texts.txt", "--hits",
                    folder / "hits.txt", "--hit-rate", 0.2, "--json", folder / "load.json"], folder / "load.log")
    start = time.monotonic()
    time.sleep(SECS / 8)
    counts, half = trouble(gate, server, start + SECS)
    load.proc.wait(SECS + 60)
    late = memory_kib(gate.pid)
    assert load.proc.returncode == 0, load.text()
    account = json.loads((folder / "load.json").read_text())["targets"][0]["rounds"][0]
    wait_for("every event is in Redis", lambda: drained(gate), 60 + SECS / 10)
    reader.over = True
    reader.join(60 + SECS / 10)
    assert not reader.is_alive()

    n = int(account["answered"] + account["refused"])
    faults = {k: account[k] for k in ("lost", "doubled", "disordered", "unsent", "ended") if account[k]}
    assert not faults, (faults, load.text())
    assert n >= SECS * RATE * 0.99 and account["refused"] > n / 50
    wrong = {i: reader.seen[i] for i in range(n) if reader.seen[i] != 1}
    assert not wrong and not any(reader.seen[n:]), (len(wrong), dict(list(wrong.items())[:5]))
    assert reader.verdicts["block"] == account["refused"]
    assert min(counts.values()) >= 1, counts
    wait_for("descriptors are back", lambda: descriptors(gate.pid) <= idle + 2, 30)
    if not is_sanitized():  # the address sanitizer keeps freed memory
        assert half and late < half * 1.1 + 4096, f"{half} KiB at half time, {late} KiB late"
    print(f"{n} messages, {reader.verdicts}, {counts}, {reader.again} entries read twice; memory {half} KiB at half time, {late} KiB at the end")
    for process in (gate, server, echo):
        process.stop()
