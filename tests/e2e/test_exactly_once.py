"""Events reach Redis exactly once, whatever dies: the gateway, Redis, both; two gateways on one Redis."""

import asyncio
import collections
import json
import random
import signal

import websockets

from gateway import SOURCE, Agent, Backend, Gateway, Redis, run, wait_for
from track_redis import read_stream

RULES = SOURCE / "tests" / "e2e" / "rules"
SHARDS = 16


def stream(redis):
    """All stream entries of all shards, in no particular order across shards."""
    r = redis.client()
    return [e for shard in range(SHARDS) for e in read_stream(r, f"cg:{{{shard}}}:stream")]


def counted(redis, kind):
    """How often each message id stands in the stream as an event of this kind."""
    return collections.Counter(e["mid"] for e in stream(redis) if e.get("k") == kind and "mid" in e)


def is_drained(g):
    t = g.ask("status")["status"]["tracking"]
    return t["redis_connected"] and t["unsent_bytes"] == 0


async def settle(g):
    await asyncio.to_thread(wait_for, "all events pumped", lambda: is_drained(g))


async def talk(a, conv, n, first=0):
    for k in range(first, first + n):
        await a.send(conv, random.choice(["好的 %d", "加我微信 %d", "最好的 %d"]) % k, f"{a.name}-{k}")
    for _ in range(n):
        m = await a.recv()
        assert m["type"] in ("ack", "error"), m


def test_every_verdict_is_recorded_once(folder):
    async def go():
        async with Backend() as b:
            redis = Redis(folder / "redis")
            g = Gateway(folder / "g", b.port, redis=redis, rules=RULES)
            async with Agent(g.url, "amy") as a, Agent(g.url, "bob") as c:
                await asyncio.gather(talk(a, "c1", 200), talk(c, "c2", 200))
                for k in range(20):
                    await b.say("amy", "c1", "在吗", f"in-{k}")
                    await a.until("message")
            await settle(g)
            out, incoming = counted(redis, "out"), counted(redis, "in")
            assert out == {f"{n}-{k}": 1 for n in ("amy", "bob") for k in range(200)}
            assert incoming == {f"in-{k}": 1 for k in range(20)}
            g.stop()
            redis.stop()
    run(go())


def test_redis_away_messages_flow_events_wait(folder):
    async def go():
        async with Backend() as b:
            redis = Redis(folder / "redis")
            g = Gateway(folder / "g", b.port, redis=redis, rules=RULES)
            async with Agent(g.url, "amy") as a:
                await talk(a, "c1", 50)
                redis.stop(signal.SIGKILL)
                await talk(a, "c1", 300, 50)     # nobody waits for Redis
                assert g.ask("status")["status"]["tracking"]["unsent_bytes"] > 0
                redis.start()
                await talk(a, "c1", 50, 350)
                await settle(g)
                assert counted(redis, "out") == {f"amy-{k}": 1 for k in range(400)}
                for _ in range(3):               # again and again, in the middle of the load
                    load = asyncio.create_task(talk(a, "c1", 200, 400 + 200 * _))
                    await asyncio.sleep(0.05)
                    redis.stop(signal.SIGKILL)
                    await load
                    redis.start()
                await settle(g)
            assert counted(redis, "out") == {f"amy-{k}": 1 for k in range(1000)}
            g.stop()
            redis.stop()
    run(go())


def test_redis_never_there(folder):
    async def go():
        async with Backend() as b:
            redis = Redis(folder / "redis")
            redis.stop(signal.SIGKILL)
            g = Gateway(folder / "g", b.port, redis=redis, rules=RULES)
            async with Agent(g.url, "amy") as a:
                await talk(a, "c1", 100)
            g.stop(signal.SIGTERM)               # the ring keeps what nobody took
            redis.start()
            g.start()
            await settle(g)
            assert counted(redis, "out") == {f"amy-{k}": 1 for k in range(100)}
            g.stop()
            redis.stop()
    run(go())


def test_kill_9_of_the_gateway_loses_no_delivered_message(folder):
    """Agents write all the time while the gateway is killed again and again; every message that the backend has is in
    Redis exactly once, and nothing at all is there twice."""
    async def go():
        async with Backend() as b:
            redis = Redis(folder / "redis")
            g = Gateway(folder / "g", b.port, redis=redis, rules=RULES, limits="  messages_per_s: 0")
            stop = False

            async def agent(name):
                k = 0
                while not stop:
                    try:
                        async with Agent(g.url, name) as a:
                            while not stop:
                                await a.send("c-" + name, random.choice(["好的", "加我微信", "最好的"]), f"{name}-{k}")
                                k += 1
                                if k % 5 == 0:
                                    await a.recv()
                    except (OSError, websockets.WebSocketException, asyncio.TimeoutError, AssertionError):
                        await asyncio.sleep(0.02)

            agents = [asyncio.create_task(agent(f"a{i}")) for i in range(8)]
            for round_ in range(5):
                seen = len(b.messages)
                while len(b.messages) < seen + 200:
                    await asyncio.sleep(0.01)
                g.stop(signal.SIGKILL)
                if round_ == 2:
                    redis.stop(signal.SIGKILL)
                    redis.start()
                await asyncio.to_thread(g.start)
            stop = True
            await asyncio.gather(*agents)
            await settle(g)
            out = counted(redis, "out")
            delivered = collections.Counter(m["id"] for _, m in b.messages)
            assert len(delivered) > 1000
            assert all(n == 1 for n in delivered.values())
            missing = [m for m in delivered if out[m] != 1]
            assert not missing, f"{len(missing)} of {len(delivered)} delivered messages not once in Redis: {missing[:5]}"
            twice = [m for m, n in out.items() if n != 1]
            assert not twice, twice[:5]
            g.stop()
            redis.stop()
    run(go())


def test_two_gateways_one_redis(folder):
    async def go():
        async with Backend() as b:
            redis = Redis(folder / "redis")
            gates = [Gateway(folder / f"g{i}", b.port, redis=redis, rules=RULES) for i in range(2)]
            async with Agent(gates[0].url, "amy") as a, Agent(gates[1].url, "bob") as c:
                await asyncio.gather(talk(a, "c1", 200), talk(c, "c1", 200))
            for g in gates:
                await settle(g)
            assert counted(redis, "out") == {f"{n}-{k}": 1 for n in ("amy", "bob") for k in range(200)}
            for g in gates:
                g.stop()
            redis.stop()
    run(go())


def test_a_full_ring_follows_its_policy(folder):
    async def go():
        async with Backend() as b:
            redis = Redis(folder / "redis")
            redis.stop(signal.SIGKILL)
            g = Gateway(folder / "g", b.port, redis=redis, rules=RULES, workers=1, ring_size="1M")
            async with Agent(g.url, "amy") as a:
                n = 0
                while g.metrics()["chatgate_events_lost_total"] == 0 and n < 20000:
                    await talk(a, "c1", 500, n)
                    n += 500
                assert g.metrics()["chatgate_events_lost_total"] > 0, n
                await talk(a, "c1", 10, n)       # default: messages still flow
                redis.start()
                await settle(g)
                await talk(a, "c1", 10, n + 10)
                await settle(g)
            lost = g.ask("status")["status"]["tracking"]
            assert lost["gaps"] >= 1 and lost["events_lost"] > 0, lost
            out = counted(redis, "out")
            assert all(c == 1 for c in out.values())
            assert all(out[f"amy-{k}"] == 1 for k in range(n + 10, n + 20))
            g.stop()
            redis.stop()
    run(go())
