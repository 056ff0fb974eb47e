"""A disk of Redis that is full, and a journal that was copied to another node."""

import asyncio
import resource
import shutil

from gateway import Agent, Backend, Gateway, Process, Redis, wait_for
from test_exactly_once import RULES, counted, run, settle, talk
from test_journal import tracking


class LimitedRedis(Redis):
    """Its files can be kept from growing, as on a full disk: a write that would go further fails."""

    def start(self):
        argv = ["redis-server", "--port", 0, "--unixsocket", self.socket, "--dir", self.folder, "--appendonly", "yes",
                "--appendfsync", "everysec", "--save", "", "--maxmemory-policy", "noeviction"]
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
