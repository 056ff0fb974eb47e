"""A disk of Redis that is full, half a transaction, a journal that was copied to another node, servers that tell nonsense."""

import asyncio
import contextlib
import resource
import shutil
import signal
import socket
import subprocess
import threading

import pytest

from gateway import BUILD, DURABLE, SOURCE, Agent, Backend, Gateway, Process, Redis, repair_aof, wait_for
from test_exactly_once import RULES, counted, run, settle, stream, talk
from test_journal import tracking


class LimitedRedis(Redis):
    """Its files can be kept from growing, as on a full disk: a write that would go further fails."""

    def start(self):
        repair_aof(self.folder)
        argv = ["redis-server", "--port", 0, "--unixsocket", self.socket, "--dir", self.folder, *DURABLE,
                "--appendfsync", "everysec"]
        Process.__init__(self, ["sh", "-c", 'trap "" XFSZ; exec "$@"', "sh", *argv], self.folder / "redis.log")
        wait_for("redis-server answers PING", self.is_up)

    def disk_is_full(self, is_full):
        biggest = max(p.stat().st_size for p in (self.folder / "appendonlydir").iterdir())
        limit = biggest + 100 if is_full else resource.RLIM_INFINITY
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


def test_a_full_disk_of_redis(folder):
    """Redis refuses writes (MISCONF) while its append-only file cannot grow: events wait, then come, each once; what was
    confirmed before is still there after a restart."""
    async def go():
        async with Backend() as b:
            redis = LimitedRedis(folder / "redis")
            g = Gateway(folder / "g", b.port, redis=redis, rules=RULES)
            async with Agent(g.url, "amy") as a:
                await talk(a, "c1", 100)
                await settle(g)
                redis.disk_is_full(True)
                sent = 100

                def is_refused():
                    return "MISCONF" in tracking(g)["redis_error"]
                while not is_refused() and sent < 5000:
                    await talk(a, "c1", 50, sent)
                    sent += 50
                await asyncio.to_thread(wait_for, "the status says it", is_refused)
                report = g.cli("redis", "check", "--config", g.config, check=False)
                assert report.returncode == 1 and "disk" in report.stdout, report.stdout
                await talk(a, "c1", 50, sent)
                assert tracking(g)["unsent_bytes"] > 0
                redis.disk_is_full(False)
                await settle(g)
            assert counted(redis, "out") == {f"amy-{k}": 1 for k in range(sent + 50)}
            redis.stop()
            redis.start()
            assert counted(redis, "out") == {f"amy-{k}": 1 for k in range(sent + 50)}
            g.stop()
            redis.stop()
    run(go())


def cut_last_transaction(redis):
    """As a kill in the middle of a write leaves it: some of its commands, and a part of the next one."""
    (file,) = (redis.folder / "appendonlydir").glob("*.incr.aof")
    content = file.read_bytes()
    begin, end = content.rindex(b"MULTI"), content.rindex(b"EXEC")
    command = content.index(b"*", content.index(b"*", begin) + 1)   # the second one behind MULTI
    assert command < end
    file.write_bytes(content[:command + 9])


def test_half_a_transaction(folder):
    """Redis is killed while it writes, and again later: what is between counts once, and nothing older goes away."""
    async def has_all(redis, n):
        """The gateway needs a moment to learn that Redis has less than it confirmed."""
        def probe():
            return counted(redis, "out") == {f"amy-{k}": 1 for k in range(n)}
        await asyncio.to_thread(wait_for, f"{n} messages, each once", probe)

    async def go():
        async with Backend() as b:
            redis = Redis(folder / "redis")
            g = Gateway(folder / "g", b.port, redis=redis, rules=RULES)
            async with Agent(g.url, "amy") as a:
                for k in range(3):
                    await talk(a, "c1", 100, 100 * k)
                    await has_all(redis, 100 * k + 100)
                    redis.stop(signal.SIGKILL)
                    cut_last_transaction(redis)
                    redis.start()
                await has_all(redis, 300)
            redis.stop(signal.SIGKILL)
            redis.start()
            await has_all(redis, 300)

            def is_even():  # that the agent has gone may be told between the two
                events = sum(int(redis.client().hget(f"cg:{{{s}}}:info", "events") or 0) for s in range(16))
                return events == len(stream(redis))
            await asyncio.to_thread(wait_for, "as many entries as events", is_even)
            g.stop()
            redis.stop()
    run(go())


def test_repairing_leaves_alone_what_it_does_not_know(folder):
    """A file that is damaged in its middle is a person's business."""
    redis = Redis(folder / "redis")
    db = redis.client()
    for k in range(100):
        db.set(f"k{k}", "x" * 100_000)
    redis.stop()
    (file,) = (redis.folder / "appendonlydir").glob("*.incr.aof")
    content = bytearray(file.read_bytes())
    content[500_000:500_010] = b"#" * 10
    at = content.index(b"*3", 600_000)
    content[at:at + 2] = b"?3"
    file.write_bytes(content)
    with pytest.raises(subprocess.CalledProcessError):
        repair_aof(redis.folder)
    assert file.read_bytes() == content


def test_a_cloned_node(folder):
    """A node's disk is copied and both run: the copy counts under names of its own, nothing counts twice or is lost."""
    async def go():
        async with Backend() as b:
            redis = Redis(folder / "redis")
            g = Gateway(folder / "g", b.port, redis=redis, rules=RULES)
            async with Agent(g.url, "amy") as a:
                await talk(a, "c1", 200)
                await settle(g)
                shutil.copytree(folder / "g" / "ring", folder / "clone" / "ring")
                clone = Gateway(folder / "clone", b.port, redis=redis, rules=RULES)
                assert "ring_is_a_copy" in clone.text()
                async with Agent(clone.url, "bob") as c:
                    await asyncio.gather(talk(a, "c1", 200, 200), talk(c, "c1", 200))
            for gate in (g, clone):
                await settle(gate)
            assert counted(redis, "out") == {**{f"amy-{k}": 1 for k in range(400)}, **{f"bob-{k}": 1 for k in range(200)}}
            assert tracking(clone)["events_lost"] == 0 and tracking(clone)["gaps"] == 0
            for gate in (g, clone):
                gate.stop()
            redis.stop()
    run(go())


class Liar(threading.Thread):
    """Speaks RESP, but tells nonsense about slots and masters."""

    def __init__(self, answer):
        super().__init__(daemon=True)
        self.answer, self.sock = answer, socket.create_server(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def serve(self, conn):
        with conn, contextlib.suppress(OSError, ValueError):
            file = conn.makefile("rb")
            while line := file.readline():
                words = []
                for _ in range(int(line[1:])):
                    words.append(file.read(int(file.readline()[1:]) + 2)[:-2].upper())
                if words[0] in (b"CLUSTER", b"SENTINEL"):
                    conn.sendall(b"$0\r\n\r\n" if words[1] == b"INFO" else self.answer)
                else:
                    conn.sendall(b"+PONG\r\n")


@pytest.mark.parametrize("answer", [
    b"*0\r\n", b"$-1\r\n", b":7\r\n", b"*1\r\n*0\r\n", b"*1\r\n*3\r\n:0\r\n:99999\r\n*2\r\n$1\r\nx\r\n:1\r\n",
    b"*1\r\n*3\r\n:-5\r\n:5\r\n*2\r\n$1\r\nx\r\n:1\r\n", b"*1\r\n*3\r\n:9\r\n:5\r\n*2\r\n$1\r\nx\r\n:1\r\n",
    b"*1\r\n*3\r\n:0\r\n:5\r\n*2\r\n$400\r\n" + b"h" * 400 + b"\r\n:1\r\n",
    b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:70000\r\n", b"*2\r\n$0\r\n\r\n$3\r\nabc\r\n",
    b"*2\r\n$9\r\n127.0.0.1\r\n$20\r\n99999999999999999999\r\n",
    b"*200\r\n" + b"".join(b"*3\r\n:%d\r\n:%d\r\n*2\r\n$9\r\n127.0.0.1\r\n:%d\r\n" % (i, i, i + 1) for i in range(200)),
    b"-ERR no\r\n"], ids=lambda a: f"{len(a)}-bytes")
def test_nonsense_about_masters(folder, answer):
    """No answer of a Sentinel or of a Cluster's node does more than keep us from Redis."""
    liar = Liar(answer)
    for how in (f"sentinel: {{ master: shop, addresses: ['127.0.0.1:{liar.port}'] }}",
                f"cluster: {{ addresses: ['127.0.0.1:{liar.port}'] }}"):
        (folder / "c.yaml").write_text(f"""
profiles_dir: {SOURCE / 'conf' / 'profiles'}
listeners: [{{ name: a, address: "127.0.0.1:0", profile: plain-ws-json, upstream: im }}]
upstreams: [{{ name: im, servers: ["127.0.0.1:1"] }}]
rules: {{ packs: [{RULES}] }}
redis:
  timeout: 300ms
  {how}
""")
        done = subprocess.run([str(BUILD / "src" / "cli" / "chatgate"), "redis", "check", "--config", str(folder / "c.yaml")],
                              capture_output=True, text=True, timeout=120)
        assert done.returncode == 2 and "not connected within 300 ms" in done.stderr, (done.stdout, done.stderr)
    liar.sock.close()
