"""One Redis, Sentinels, a Cluster, each with TLS and an ACL user: every event once, whatever dies."""

import asyncio
import collections
import time

from gateway import Agent, Backend, Gateway, wait_for
from test_exactly_once import RULES, run, settle, talk


def counted(topology, kind):
    return collections.Counter(e["mid"] for e in topology.entries() if e.get("k") == kind and "mid" in e)


def replicas(topology):
    """What a gateway can wait for."""
    return "" if topology.name == "single" else "  wait_replicas: 1\n"


def test_every_verdict_is_recorded_once(folder, topology):
    async def go():
        async with Backend() as b:
            g = Gateway(folder / "g", b.port, redis=topology, rules=RULES, redis_extra=replicas(topology))
            async with Agent(g.url, "amy") as a, Agent(g.url, "bob") as c:
                await asyncio.gather(talk(a, "c1", 200), talk(c, "c2", 200))
                for k in range(20):
                    await b.say("amy", f"c{k}", "在吗", f"in-{k}")
                    await a.until("message")
            await settle(g)
            assert counted(topology, "out") == {f"{n}-{k}": 1 for n in ("amy", "bob") for k in range(200)}
            assert counted(topology, "in") == {f"in-{k}": 1 for k in range(20)}
            g.stop()
    run(go())
