"""The journal between gateway and Redis: other numbers of workers, two generations in one folder, a Redis that is frozen,
full, or wants a password. Each event once, whatever happens."""

import asyncio
import os
import signal

from gateway import Agent, Backend, Gateway, Redis, wait_for
from test_exactly_once import RULES, counted, run, settle, talk

KEEP = "  keep: 200ms"


def rings(gateway):
    return sorted(p.name for p in (gateway.folder / "ring").iterdir())


def tracking(gateway):
    return gateway.ask("status")["status"]["tracking"]


def expected(names, n):
    return {f"{name}-{k}": 1 for name in names for k in range(n)}


async def talk_all(url, names, n, first=0):
    async def one(name):
        async with Agent(url, name) as a:
            await talk(a, "c-" + name, n, first)
    await asyncio.gather(*(one(name) for name in names))


def test_fewer_workers_after_a_kill(folder):
    """Four workers' rings wait while Redis is away; killed, then started with one worker: all four are drained, those that
    no worker holds are deleted."""
    async def go():
        async with Backend() as b:
            redis = Redis(folder / "redis")
            redis.stop(signal.SIGKILL)
            g = Gateway(folder / "g", b.port, redis=redis, rules=RULES, workers=4,
                        redis_extra=KEEP + "\n  timeout: 30s")   # what is slow is not sent twice
            names = [f"a{i}" for i in range(12)]
            await talk_all(g.url, names, 40)
            assert len(rings(g)) == 4
            g.stop(signal.SIGKILL)
            g.config.write_text(g.config.read_text().replace("workers: 4", "workers: 1"))
            redis.start()
            g.start()
            await talk_all(g.url, names, 10, 40)
            await settle(g)
            assert counted(redis, "out") == expected(names, 50)
            await asyncio.to_thread(wait_for, "rings without a worker are deleted",
                                    lambda: rings(g) == ["worker-0.ring"])
            assert tracking(g)["events_duplicate"] == 0 and tracking(g)["events_lost"] == 0
            g.stop()
            redis.stop()
    run(go())


def test_two_generations_share_a_folder(folder):
    """A binary upgrade: the new process starts beside the old one, which then ends without having reached Redis."""
    async def go():
        async with Backend() as b:
            redis = Redis(folder / "redis")
            redis.stop(signal.SIGKILL)
            old = Gateway(folder / "old", b.port, redis=redis, rules=RULES, workers=2, redis_extra=KEEP)
            (folder / "new").mkdir()
            os.symlink(folder / "old" / "ring", folder / "new" / "ring")
            new = Gateway(folder / "new", b.port, redis=redis, rules=RULES, workers=2, redis_extra=KEEP)
            assert rings(new) == ["worker-0+1.ring", "worker-0.ring", "worker-1+1.ring", "worker-1.ring"]
            await talk_all(old.url, ["amy", "bob"], 100)
            await talk_all(new.url, ["cat", "dan"], 100)
            old.stop(signal.SIGKILL)
            redis.start()
            await asyncio.to_thread(wait_for, "the old rings are drained",
                                    lambda: rings(new) == ["worker-0+1.ring", "worker-1+1.ring"])
            await settle(new)
            assert counted(redis, "out") == expected(["amy", "bob", "cat", "dan"], 100)
            new.stop()
            redis.stop()
    run(go())


def test_redis_frozen_and_full(folder):
    """Frozen past the time-out, then out of memory: messages flow, events come later, each once."""
    async def go():
        async with Backend() as b:
            redis = Redis(folder / "redis")
            g = Gateway(folder / "g", b.port, redis=redis, rules=RULES, redis_extra=KEEP + "\n  timeout: 500ms")
            names = ["amy", "bob", "cat"]
            await talk_all(g.url, names, 100)
            await settle(g)
            os.kill(redis.pid, signal.SIGSTOP)
            await talk_all(g.url, names, 100, 100)
            await asyncio.to_thread(wait_for, "the link times out",
                                    lambda: "no answer within" in tracking(g)["redis_error"])
            os.kill(redis.pid, signal.SIGCONT)
            await settle(g)
            redis.client().config_set("maxmemory", 1)
            await talk_all(g.url, names, 100, 200)
            await asyncio.to_thread(wait_for, "the status names the trouble",
                                    lambda: "OOM" in tracking(g)["redis_error"])
            assert tracking(g)["unsent_bytes"] > 0
            redis.client().config_set("maxmemory", 0)
            await settle(g)
            assert counted(redis, "out") == expected(names, 300)
            assert tracking(g)["redis_error"] == ""
            g.stop()
            redis.stop()
    run(go())


def test_password_wrong_then_right(folder):
    """The password file is read at every connect: putting it right needs no restart."""
    async def go():
        async with Backend() as b:
            redis = Redis(folder / "redis", extra=["--user", "gate", "on", ">k9-other", "~cg:*", "+@all"])
            password = folder / "password"
            password.write_text("k9-first\n")
            g = Gateway(folder / "g", b.port, redis=redis, rules=RULES,
                        redis_extra=f"{KEEP}\n  username: gate\n  password_file: {password}")
            await talk_all(g.url, ["amy"], 50)
            await asyncio.to_thread(wait_for, "the status names the trouble",
                                    lambda: "WRONGPASS" in tracking(g)["redis_error"])
            assert "k9-" not in g.text()
            password.write_text("k9-other\n")
            await settle(g)
            assert counted(redis, "out") == expected(["amy"], 50)
            g.stop()
            redis.stop()
    run(go())
