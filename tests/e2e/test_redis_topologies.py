"""One Redis, Sentinels, a Cluster, each with TLS and an ACL user: every event once, whatever dies.

CHATGATE_EVENTS=100000 makes the load a long one (minutes)."""

import asyncio
import collections
import contextlib
import json
import os
import random
import re
import signal
import time

import msgpack
import pytest
import redis as redis_py
import websockets

from board_rig import Board, Client
from gateway import LONGEST, PATIENCE, SOURCE, Agent, Backend, Gateway, wait_for
from redis_topology import ADMIN
from test_exactly_once import RULES, is_drained, run, settle, talk
from test_track_order import compare, feed
from track_model import HOUR, Maker, Reference
from track_redis import Shard, read_stream

EVENTS = int(os.environ.get("CHATGATE_EVENTS", 5000))
PACE = 2500     # events per second, if the machine can
TEXTS = ["好的", "加我微信", "最好的"]


def counted(entries, kind):
    return collections.Counter(e["mid"] for e in entries if e.get("k") == kind and "mid" in e)


def redis_extra(topology):
    """What a gateway can wait for."""
    return "" if topology.name == "single" else "  wait_replicas: 1\n"


def test_every_verdict_is_recorded_once(folder, topology):
    async def go():
        async with Backend() as b:
            g = Gateway(folder / "g", b.port, redis=topology, rules=RULES, redis_extra=redis_extra(topology))
            async with Agent(g.url, "amy") as a, Agent(g.url, "bob") as c:
                await asyncio.gather(talk(a, "c1", 200), talk(c, "c2", 200))
                for k in range(20):
                    await b.say("amy", f"c{k}", "在吗", f"in-{k}")
                    await a.until("message")
            await settle(g)
            entries = topology.entries()
            assert counted(entries, "out") == {f"{n}-{k}": 1 for n in ("amy", "bob") for k in range(200)}
            assert counted(entries, "in") == {f"in-{k}": 1 for k in range(20)}
            g.stop()
    run(go())


COMPLAINT = "收到的衣服破了个洞，我要投诉你们！"


def test_everybody_follows_a_fail_over(folder, topology):
    """Reminders, the command line and the dashboard find the masters as the gateway does, before and after one changes."""
    async def go():
        async with Backend() as b:
            g = Gateway(folder / "g", b.port, redis=topology, rules=RULES, redis_extra=redis_extra(topology),
                        extra="reminders: {unanswered: [{after: 1s, to: agent}]}")
            board = Board(folder / "board", topology)
            sue = Client(board, "sue")

            def cli(*args):
                return json.loads(g.cli(*args, "--config", g.config, "--json").stdout)

            async def off(fn, *args):
                return await asyncio.to_thread(fn, *args)

            async def complain(a, *customers):
                for customer in customers:
                    await b.say("amy", customer, COMPLAINT, "in-" + customer)
                for customer in customers:
                    await a.until("notice")     # the reminder of a customer who waits

            async with Agent(g.url, "amy") as a:
                await complain(a, "c1", "c2")
                await settle(g)
                report = await off(lambda: json.loads(g.cli("redis", "check", "--config", g.config, "--json").stdout))
                assert report["fit"] and len(report["masters"]) == (3 if topology.name == "cluster" else 1), report
                cases = await off(cli, "cases")
                assert {c["customer"] for c in cases} == {"c1", "c2"}
                await off(sue.now_until, "both wait", lambda d: sum(r["waiting"] for r in d["agents"]) == 2)
                await off(g.cli, "cases", "ack", cases[0]["id"], "--reason", "seen", "--config", g.config)

                await off(getattr(topology, "fail_over", topology.heal))
                await complain(a, "c3", "c4", "c5")
                await settle(g)
                assert len(await off(cli, "cases")) == 5
                await off(g.cli, "cases", "ack", cases[1]["id"], "--reason", "seen", "--config", g.config)
                await off(sue.now_until, "all wait", lambda d: sum(r["waiting"] for r in d["agents"]) == 5)
                for c in cases:
                    assert (await off(sue.call, "POST", f"/api/v1/cases/{c['id']}/move",
                                      {"to": "solved", "why": "done"}))[0] == 200
                assert {r["what"] for r in await off(cli, "reminders")} >= {"raised", "delivered"}
            board.stop()
            g.stop()
    run(go())


DIRECTORY = """
calendars: {default: {zone: Asia/Shanghai, hours: {daily: "00:00-24:00"}}}
shops: {s1: , s2: }
agents:
  - {id: amy, team: day, shop: s1}
  - {id: bob, team: night, shop: s2}
"""


def test_what_people_read_and_do(folder, topology):
    """Rounds, complaints, promises and reminders as the gateways record them; read, decided about and erased with the
    command line, and read on the dashboard."""
    async def go():
        async with Backend() as b:
            (folder / "g").mkdir()
            (folder / "g" / "who.yaml").write_text(DIRECTORY)
            g = Gateway(folder / "g", b.port, redis=topology, rules=SOURCE / "rules", redis_extra=redis_extra(topology), extra="directory: who.yaml\n"
                        "reminders: {unanswered: [{after: 1s, to: agent}], commitment: [{after: 0, to: supervisor}]}")
            board = Board(folder / "board", topology)

            def run_cli(*args):
                return g.cli(*args, "--config", g.config).stdout

            def cli(*args):
                return json.loads(run_cli(*args, "--json"))

            async def off(fn, *args):
                return await asyncio.to_thread(fn, *args)

            async def ask(a, conv, text, mid):
                await b.say(a.name, conv, text, mid)
                while (await a.until("message"))["id"] != mid:
                    pass
                await asyncio.sleep(0.002)      # in one millisecond nobody can say which came first

            async def answer(a, conv, text, mid):
                await a.send(conv, text, mid)
                while (m := await a.until("ack"))["ref"] != mid:
                    assert m["ref"] != mid

            async with Agent(g.url, "amy") as amy, Agent(g.url, "bob") as bob:
                # Rounds: two messages are one; a blocked reply ends nothing; the second round is a next reply.
                await ask(amy, "c1", "在吗", "q1")
                await ask(amy, "c1", "有人吗", "q2")
                await amy.send("c1", "加我微信 abc_123", "x1")
                await amy.until("error")
                await answer(amy, "c1", "您好亲，在的", "a1")
                await ask(amy, "c1", "什么时候发货", "q3")
                await answer(amy, "c1", "亲，我2小时内给您回复", "a2")
                # A complaint, the same customer again, and a customer who waits.
                await ask(bob, "c2", "收到的衣服破了个洞，我要投诉你们！", "q4")
                await ask(bob, "c2", "订单 20260101123456，再不处理我找12315", "q5")
                assert (await bob.until("notice"))["conversationId"] == "c2"
                await settle(g)

                (first, second) = await off(cli, "agents")
                assert (first["agent"], first["first"]["count"], first["next"]["count"], first["blocked"]) == ("amy", 1, 1, 1)
                assert (first["incoming"], first["passed"], first["waiting"]) == (3, 2, 0)
                assert first["first_business"]["count"] == 1 and first["first"]["p50_ms"] >= first["first_business"]["mean_ms"] >= 2
                assert (second["agent"], second["waiting"], second["first"]["count"]) == ("bob", 1, 0)
                shops = await off(cli, "agents", "--by", "shop", "--days", 2)
                assert [(r["shop"], r["first"]["count"]) for r in shops] == [("s1", 1), ("s2", 0)]
                rounds = await off(cli, "agents", "show", "amy", "--rounds")
                assert [(r["first"], r["messages"], r["customer"]) for r in rounds] == [(False, 1, "c1"), (True, 2, "c1")]
                (promise,) = await off(cli, "commitments")
                assert (promise["agent"], promise["conversation"]) == ("amy", "c1") and promise["due_ms"] - promise["made_ms"] > 7_000_000
                (case,) = await off(cli, "cases")
                assert (case["state"], case["severity"], case["orders"], case["complaints"]) == ("open", 4, "20260101123456", 2)
                await off(run_cli, "cases", "solve", case["id"], "--by", "sue", "--reason", "退了款")
                await answer(bob, "c2", "亲，已为您退款", "a3")
                await ask(bob, "c2", "还没收到退款，我要投诉！", "q6")
                await settle(g)
                history = (await off(cli, "cases", "show", case["id"]))["history"]
                assert [h["to"] for h in history] == ["open", "solved", "reopened"], history
                await off(run_cli, "commitments", "extend", promise["id"], "--for", "2h", "--reason", "等仓库")
                await off(run_cli, "commitments", "keep", promise["id"], "--reason", "电话说了")
                assert await off(cli, "commitments") == []
                # Customer c2 waits again: read and put off.
                (due,) = [r for r in await off(cli, "reminders", "next") if r["kind"] == "stale_case"]
                await off(run_cli, "reminders", "snooze", due["id"], "--for", "2h")
                assert {r["what"] for r in await off(cli, "reminders")} >= {"raised", "delivered", "snoozed"}

                sue = Client(board, "sue")
                now = await off(sue.now_until, "all is read", lambda d: d["today"]["complete"] and d["today"]["promises_kept"] == 1)
                assert (now["today"]["replies"], now["today"]["blocked"], [w["customer"] for w in now["set"]]) == (3, 1, ["c2"])
                for path, key, n in (("agents", "agents", 2), ("agents?by=team", "groups", 2), ("agents/amy", "rounds", 2),
                                     ("cases", "cases", 1)):
                    assert len((await off(sue.get, "/api/v1/" + path))[key]) == n, path
                assert {v["action"] for v in (await off(sue.get, "/api/v1/violations"))["violations"]} >= {"block"}
                code, _ = await off(sue.call, "POST", f"/api/v1/cases/{case['id']}/act", {"what": "note", "why": "问过了"})
                assert code == 200

            erased = await off(cli, "erase", "--customer", "c2", "--with-open-cases")
            assert erased["erased"]["rounds"] == 1, erased
            assert await off(cli, "cases") == [] and [r["waiting"] for r in await off(cli, "agents")] == [0, 0]
            await off(sue.now_until, "nobody waits", lambda d: d["set"] == [])
            await off(wait_for, "no case", lambda: sue.get("/api/v1/cases")["cases"] == [])
            left = [m for m in topology.read(lambda db, shard: db.hgetall(topology.key(shard, "conv"))) if b"c2" in m]
            assert left == []
            board.stop()
            g.stop()
    run(go())


@pytest.mark.parametrize("seed", [3, 14])
def test_every_interleaving_means_the_same_everywhere(topology, seed):
    """The scripts on the server of shard 0, under TLS: all orders of arrival give one state."""
    rng = random.Random(seed)
    with contextlib.closing(topology.of_shard(0).db) as db:
        maker = Maker(rng, Shard(db).now() - 20 * HOUR, 80, rings=3)
        want = Reference(maker.true).state()
        for attempt in range(2):
            db.flushall()
            shard = Shard(db)
            feed(shard, maker, rng, shuffle_rings=attempt > 0)
            compare(shard.state(), want)


def entries_of(topology, node, shards=16):
    """What one server has in its streams, a replica as well."""
    with contextlib.closing(node.db) as db:
        return [e for shard in range(shards) for e in read_stream(db, topology.key(shard, "stream"))]


@pytest.mark.parametrize("topology", ["sentinel"], indirect=True)
def test_a_replica_that_fell_behind_is_promoted(folder, topology):
    """Both replicas lose the master (a wrong password) while it goes on: what it confirmed and they never saw is in the
    ring, since WAIT did not confirm it, and is sent again to the one that takes over."""
    async def go():
        async with Backend() as b:
            g = Gateway(folder / "g", b.port, redis=topology, rules=RULES, redis_extra=redis_extra(topology))
            old = topology.masters()[0]
            others = [n for n in topology.nodes if n is not old]
            async with Agent(g.url, "amy") as a:
                await talk(a, "c1", 100)
                await settle(g)
                for n in others:
                    n.run("CONFIG", "SET", "masterauth", "wrong")
                    n.run("CLIENT", "KILL", "TYPE", "MASTER")
                await asyncio.to_thread(wait_for, "the master is alone", lambda: old.info()["connected_slaves"] == 0)
                await talk(a, "c1", 300, 100)
                await settle(g)
                assert len(counted(topology.entries(), "out")) == 400
                for n in others:  # looked at before the fail-over: the gateway sends again at once
                    assert len(counted(await asyncio.to_thread(entries_of, topology, n), "out")) < 400
                old.kill()
                await asyncio.to_thread(wait_for, "a fail-over", lambda: topology.master() in others, 2 * PATIENCE)
                await talk(a, "c1", 100, 400)
                await settle(g)
                for n in others:
                    n.run("CONFIG", "SET", "masterauth", ADMIN)
                await asyncio.to_thread(wait_for, "all is sent again", lambda: len(topology.entries()) > 500)
            assert counted(topology.entries(), "out") == {f"amy-{k}": 1 for k in range(500)}
            g.stop()
    run(go())


def shard_of(customer, shards=16):
    h = 0xcbf29ce484222325  # FNV-1a, 64 bit
    for byte in customer.encode():
        h = (h ^ byte) * 0x100000001b3 % 2**64
    return h % shards


@pytest.mark.parametrize("topology", ["cluster"], indirect=True)
def test_a_slot_on_the_move_pauses_its_shard_alone(folder, topology):
    """While some keys of a slot are here and some there (TRYAGAIN), and when all are there and the slot is not (ASK):
    messages flow, other shards go on, and when the slot has moved everything is counted once. Following ASK would not help:
    there, too, a script is refused that names keys which do not exist."""
    moved, calm = "c1", next(c for c in map("c{}".format, range(2, 99)) if shard_of(c) != shard_of("c1"))
    shard = shard_of(moved)

    async def go():
        async with Backend() as b:
            g = Gateway(folder / "g", b.port, redis=topology, rules=RULES, redis_extra=redis_extra(topology))

            async def off(what, probe):
                return await asyncio.to_thread(wait_for, what, probe, 60)

            def trouble():
                return g.ask("status")["status"]["tracking"].get("redis_error") or ""

            def count(conv):
                return sum(1 for e in topology.entries() if e.get("k") == "out" and e.get("conv") == conv)
            async with Agent(g.url, "amy") as a:
                await talk(a, moved, 20)
                await settle(g)
                slot, source = topology.slot(shard), topology.of_shard(shard)
                target = next(n for n in topology.masters() if n is not source)
                ids = {n.port: topology.id[i] for i, n in enumerate(topology.nodes)}
                target.run("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source.port])
                source.run("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target.port])

                def move(keys):
                    source.run("MIGRATE", "127.0.0.1", target.port, "", 0, 10000, "AUTH", ADMIN, "KEYS", *keys)
                keys = source.run("CLUSTER", "GETKEYSINSLOT", slot, 100)
                stream, applied = (topology.key(shard, name).encode() for name in ("stream", "applied"))
                move([k for k in keys if k not in (stream, applied)][::2])
                await talk(a, moved, 50, 20)
                await talk(a, calm, 50, 70)
                await off("the shard pauses", lambda: "TRYAGAIN" in trouble())
                await off("the other goes on", lambda: count(calm) == 50)
                assert count(moved) == 20 and not is_drained(g)
                move(source.run("CLUSTER", "GETKEYSINSLOT", slot, 100))
                await off("all is there", lambda: "ASK" in trouble())
                with target.db.client() as there:   # as a follower of ASK would do
                    there.execute_command("ASKING")
                    with pytest.raises(redis_py.ResponseError, match="TRYAGAIN"):
                        there.eval("return 1", 2, stream, topology.key(shard, "never"))
                assert g.ask("status")["status"]["tracking"]["events_lost"] == 0
                for n in [target, source] + [m for m in topology.masters() if m not in (source, target)]:
                    n.run("CLUSTER", "SETSLOT", slot, "NODE", ids[target.port])
                await off("it goes on by itself", lambda: is_drained(g))
            assert counted(topology.entries(), "out") == {f"amy-{k}": 1 for k in range(120)}
            g.stop()
    run(go())


class Load:
    """Agents who write and customers who write back, all messages numbered, through gateways that come and go."""

    def __init__(self, backend, gates, n_agents=8):
        self.b, self.gates, self.names = backend, gates, [f"a{i}" for i in range(n_agents)]
        self.sent, self.seen, self.stop = 0, collections.Counter(), False
        self.begun = time.monotonic()

    def gate_of(self, name):
        return self.gates[self.names.index(name) % len(self.gates)]

    def conv(self, name, k):
        return f"c{k % 997}-{name}"   # so many that no event is later than 32 others of its own

    async def keep_pace(self):
        ahead = self.sent / PACE - (time.monotonic() - self.begun)
        if ahead > 0:
            await asyncio.sleep(ahead)

    async def turn(self, a, name, k):
        """Twenty messages out and four in; all that came to the agent is seen."""
        for i in range(k, k + 20):
            await a.send(self.conv(name, i), f"{random.choice(TEXTS)} {i}", f"{name}-{i}")
            self.sent += 1
        for i in range(k, k + 20, 5):
            await self.b.say(name, self.conv(name, i), "在吗", f"in-{name}-{i}")
            self.sent += 1
        left = 24
        while left:
            m = await a.recv()
            if m["type"] == "message":
                self.seen[m["id"]] += 1
            left -= 1

    async def agent(self, name):
        k = 0
        while not self.stop:
            try:
                async with Agent(self.gate_of(name).url, name) as a:
                    while not self.stop:
                        await self.keep_pace()
                        await self.turn(a, name, k)
                        k += 20
            except (OSError, websockets.WebSocketException, asyncio.TimeoutError, AssertionError, KeyError):
                k += 20     # what was on its way is not written again under the same number
                await asyncio.sleep(0.02)

    async def run(self, trouble):
        agents = [asyncio.create_task(self.agent(n)) for n in self.names]
        while self.sent < EVENTS:
            await trouble(self)
        self.stop = True
        await asyncio.gather(*agents)

    async def goes_on(self, n=400):
        """Trouble comes in the middle of the load."""
        until = self.sent + n
        while self.sent < until:
            await asyncio.sleep(0.01)

    def evidence(self):
        """What the journals say, for a failure."""
        lines = []
        for g in self.gates:
            log = g.log.read_text(errors="replace").splitlines()
            lines += sorted(map(str, (g.folder / "ring").iterdir()))
            lines += [line for line in log if re.search(r"ring_|pump_|redis_|started", line)][-60:]
        return "\n".join(lines)

    async def kill_gateway(self, i):
        g = self.gates[i]
        g.stop(signal.SIGKILL)
        await asyncio.to_thread(g.start)


async def make_trouble(load, topology):
    await load.goes_on()
    await asyncio.to_thread(topology.trouble)
    await load.goes_on()
    await load.kill_gateway(0)
    await load.goes_on()
    if topology.name == "cluster":
        await asyncio.to_thread(topology.migrate, 1, 0.005)
        await load.goes_on()
        await asyncio.to_thread(topology.trouble, 1)
    elif topology.name == "sentinel":
        await asyncio.to_thread(topology.fail_over)
    else:
        await asyncio.to_thread(topology.trouble)
    await load.kill_gateway(1)
    await load.goes_on()
    if EVENTS > 5000:
        await asyncio.to_thread(topology.heal)


def figures(topology):
    """What was counted, summed over shards and agents."""
    out = collections.Counter()
    for slot in range(4):
        for fields in topology.hashes(f"days:{slot}"):
            for field, packed in fields.items():
                scope = field.decode().split("|")
                if field != b"#" and scope[1] == "a" and scope[3] == "v":
                    out.update(msgpack.unpackb(packed, strict_map_key=False))
    return out


def counters(topology):
    out = collections.Counter()
    for fields in topology.hashes("info"):
        for name, value in fields.items():
            if name in (b"events", b"lost", b"bad", b"late"):
                out[name.decode()] += int(value)
    return out


def check_account(load, topology, killed):
    """Redis against what was sent, what the backend has and what the agents saw."""
    entries = topology.entries()
    out, incoming = counted(entries, "out"), counted(entries, "in")
    delivered = collections.Counter(m["id"] for _, m in load.b.messages)
    assert all(n == 1 for n in delivered.values())
    assert [m for m, n in (out + incoming).items() if n != 1] == [], "twice in Redis"
    assert [m for m in delivered if not out[m]] == [], "delivered, but not in Redis: " + load.evidence()
    assert [m for m in load.seen if not incoming[m]] == [], "seen by the agent, but not in Redis"
    # Recorded before it is written: a killed gateway may have recorded at most what was on its way then.
    undelivered = [e["mid"] for e in entries if e.get("k") == "out" and e.get("dlv") and e["mid"] not in delivered]
    assert len(undelivered) <= killed * len(load.names) * 20, len(undelivered)
    tallied, info = figures(topology), counters(topology)
    assert info["events"] == sum(1 for e in entries if e["k"] in ("in", "out", "refused", "agent_on", "agent_off", "gap"))
    assert info["lost"] == 0 and info["bad"] == 0 and info["late"] == 0
    actions = collections.Counter(e.get("act", "0") for e in entries if e["k"] == "out")
    for number, name in enumerate(["pass", "warn", "rewrite", "hold", "block"]):
        assert tallied[name] == actions[str(number)], name
    assert tallied["in"] == len(incoming)
    return len(entries)


def test_load_while_servers_and_gateways_die(folder, topology):
    """Numbered load; masters and gateways are killed, others take over, a slot moves: nothing lost, nothing twice."""
    async def go():
        async with Backend() as b:
            gates = [Gateway(folder / f"g{i}", b.port, redis=topology, rules=RULES, limits="  messages_per_s: 0",
                             redis_extra=redis_extra(topology)) for i in range(2)]
            load, killed = Load(b, gates), 0

            async def trouble(load):
                nonlocal killed
                killed += 2
                await make_trouble(load, topology)
            await load.run(trouble)
            for g in gates:
                await asyncio.to_thread(wait_for, "all events pumped", lambda g=g: is_drained(g))
            # A gateway may not know yet that its master was replaced, or leave a ring to be found: what is delivered is
            # in Redis soon.
            delivered = {m["id"] for _, m in b.messages}

            def missing():
                return sorted(delivered - counted(topology.entries(), "out").keys())
            try:
                await asyncio.to_thread(wait_for, "all that was delivered is in Redis", lambda: not missing())
            except AssertionError as e:
                raise AssertionError(f"{e}: {missing()[:50]}\n{load.evidence()}") from e
            for g in gates:
                await asyncio.to_thread(wait_for, "all events pumped", lambda g=g: is_drained(g))
            gates[0].cli("agents", "--config", gates[0].config, "--json")    # reading figures books what is not booked yet
            n = check_account(load, topology, killed)
            print(f"{topology.name}: {load.sent} messages, {n} entries, {killed} gateways killed")
            for g in gates:
                assert g.ask("status")["status"]["tracking"]["events_lost"] == 0
                g.stop()
    run(go(), LONGEST if EVENTS <= 5000 else 2 * LONGEST)
