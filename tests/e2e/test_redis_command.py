"""chatgate redis check and reshard: what is found, what is refused, and that nothing is lost on the way."""

import asyncio
import contextlib
import json
import signal

import pytest
import redis

from gateway import Agent, Backend, Gateway, Redis, wait_for
from redis_topology import asked_again
from test_exactly_once import RULES, counted, run, settle, talk


def check(g, code=0, fmt="json"):
    done = g.cli("redis", "check", "--config", g.config, "--format", fmt, check=False)
    assert done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout) if fmt == "json" else done.stdout


def codes(report, kind="problems"):
    return {p["code"] for p in report[kind]}


async def some_work(b, g, cases=True):
    """Conversations that wait, that were answered, and complaints."""
    async with Agent(g.url, "amy") as a:
        for k in range(60):
            await b.say("amy", f"c{k}", "我要投诉 订单 1234567890123" if cases and k % 10 == 0 else "在吗", f"in-{k}")
            await a.until("message")
        for k in range(0, 60, 2):
            await a.send(f"c{k}", "好的 亲", f"out-{k}")
            await a.until("ack")
    await settle(g)


def test_a_fit_redis(folder):
    async def go():
        async with Backend() as b:
            redis = Redis(folder / "redis")
            g = Gateway(folder / "g", b.port, redis=redis, rules=RULES)
            await some_work(b, g)
            report = check(g)
            assert report["fit"] and report["problems"] == [] and report["shards"] == 16
            assert report["notes"] == [] and "no problems" in check(g, fmt="text")
            redis.client().config_set("aof-load-truncated", "yes")
            assert codes(check(g), "notes") == {"truncated"}
            g.stop()
            redis.stop()
    run(go())


def test_what_check_finds(folder):
    """One contradiction or unfit setting after the other; each is named, and only it."""
    async def go():
        async with Backend() as b:
            redis = Redis(folder / "redis")
            g = Gateway(folder / "g", b.port, redis=redis, rules=RULES)
            await some_work(b, g)
            db = redis.client()

            def shard_with(name):
                return next(s for s in range(16) if db.exists(f"cg:{{{s}}}:{name}"))

            def expect(code, where, do, undo):
                do()
                report = check(g, 1)
                assert codes(report) == {code}, report
                assert any(where in p["where"] for p in report["problems"]), report
                undo()

            expect("evicts", "redis.sock", lambda: db.config_set("maxmemory-policy", "allkeys-lru"),
                   lambda: db.config_set("maxmemory-policy", "noeviction"))
            expect("not_durable", "redis.sock", lambda: db.config_set("appendonly", "no"),
                   lambda: db.config_set("appendonly", "yes"))
            s = shard_with("waiting")
            expect("waiting", f"shard {s}, ghost", lambda: db.zadd(f"cg:{{{s}}}:waiting", {"ghost": 1}),
                   lambda: db.zrem(f"cg:{{{s}}}:waiting", "ghost"))
            conv, since = db.zrange(f"cg:{{{s}}}:waiting", 0, 0, withscores=True)[0]
            expect("waiting", f"shard {s}, {conv.decode()}", lambda: db.zrem(f"cg:{{{s}}}:waiting", conv),
                   lambda: db.zadd(f"cg:{{{s}}}:waiting", {conv: since}))
            s = shard_with("case_open")
            case, at = db.zrange(f"cg:{{{s}}}:case_open", 0, 0, withscores=True)[0]
            expect("case_index", case.decode(), lambda: db.zrem(f"cg:{{{s}}}:case_open", case),
                   lambda: db.zadd(f"cg:{{{s}}}:case_open", {case: at}))
            packed = db.hget(f"cg:{{{s}}}:case", case)
            expect("unreadable", case.decode(), lambda: db.hset(f"cg:{{{s}}}:case", case, "x"),
                   lambda: db.hset(f"cg:{{{s}}}:case", case, packed))
            expect("leftover", "cg:{20}:", lambda: db.hset("cg:{20}:info", "events", 1), lambda: db.delete("cg:{20}:info"))
            kept = db.dump(f"cg:{{{s}}}:info")
            expect("type", f"cg:{{{s}}}:info", lambda: db.set(f"cg:{{{s}}}:info", "x"),
                   lambda: db.restore(f"cg:{{{s}}}:info", 0, kept, replace=True))
            expect("expires", f"cg:{{{s}}}:info", lambda: db.expire(f"cg:{{{s}}}:info", 1000),
                   lambda: db.persist(f"cg:{{{s}}}:info"))
            expect("applied", "abc", lambda: db.hset("cg:{2}:applied", "abc", "many"), lambda: db.hdel("cg:{2}:applied", "abc"))
            other = next(o for o in range(16) if o != s and not db.hexists(f"cg:{{{o}}}:conv", "c0"))
            home = next(o for o in range(16) if db.hexists(f"cg:{{{o}}}:conv", "c2"))
            away = (home + 1) % 16
            packed = db.hget(f"cg:{{{home}}}:conv", "c2")

            def misplace():
                db.hset(f"cg:{{{away}}}:conv", "c2", packed)
                db.zadd(f"cg:{{{away}}}:conv_at", {"c2": db.zscore(f"cg:{{{home}}}:conv_at", "c2")})

            def put_back():
                db.hdel(f"cg:{{{away}}}:conv", "c2")
                db.zrem(f"cg:{{{away}}}:conv_at", "c2")
            expect("misplaced", f"shard {away}, c2", misplace, put_back)
            assert other is not None
            text = g.config.read_text()
            expect("shards", "cg:meta", lambda: g.config.write_text(text.replace("redis:\n", "redis:\n  shards: 8\n")),
                   lambda: g.config.write_text(text))
            expect("replicas", "redis.sock", lambda: g.config.write_text(text.replace("redis:\n", "redis:\n  wait_replicas: 1\n")),
                   lambda: g.config.write_text(text))
            expect("counting", "test-node", lambda: g.config.write_text(text + "\ntracking: {preset: jd}\n"),
                   lambda: g.config.write_text(text))
            who = g.config.parent / "elsewhere.yaml"
            who.write_text("calendars: {far: {zone: Asia/Tokyo, hours: {daily: '09:00-18:00'}}}\nshops: {s: {calendar: far}}\n")
            expect("counting", "test-node", lambda: g.config.write_text(text + f"\ndirectory: {who}\n"),
                   lambda: g.config.write_text(text))
            expect("counting", "nowhere.yaml", lambda: g.config.write_text(text + "\ndirectory: nowhere.yaml\n"),
                   lambda: g.config.write_text(text))
            assert check(g)["fit"]
            g.stop(signal.SIGKILL)      # the ring of a node that died, and a Redis that knows more of it than it does
            ring, number = next((r, int(n)) for r, n in db.hgetall(f"cg:{{{s}}}:applied").items())
            expect("ring_behind", ".ring", lambda: db.hset(f"cg:{{{s}}}:applied", ring, number + 1000),
                   lambda: db.hset(f"cg:{{{s}}}:applied", ring, number))
            redis.stop()
            failed = g.cli("redis", "check", "--config", g.config, check=False)
            assert failed.returncode == 2 and "not connected" in failed.stderr
    run(go())


def test_what_a_user_may_not(folder):
    """A right that is missing is named by the ACL rule that gives it."""
    rules = ["~cg:*", "+@read", "+@write", "+@scripting", "+@connection", "+time", "+wait", "+info", "+config|get"]
    redis = Redis(folder / "redis", extra=["--user", "gate", "on", ">pw", *rules])
    (folder / "pw").write_text("pw")
    g = Gateway(folder / "g", 1, redis=redis, rules=RULES, redis_extra=f"  username: gate\n  password_file: {folder / 'pw'}")
    wait_for("connected", lambda: g.ask("status")["status"]["tracking"]["redis_connected"])
    wait_for("cg:meta is written", lambda: redis.client().exists("cg:meta"))
    assert check(g)["fit"]
    for taken, named in (("-config|get", "+config|get"), ("-wait", "+wait"), ("-info", "+info"), ("-xadd", "docs/redis.md")):
        redis.client().execute_command("ACL", "SETUSER", "gate", taken)
        report = check(g, 1)
        assert codes(report) == {"acl"} and any(named in p["what"] for p in report["problems"]), report
        redis.client().execute_command("ACL", "SETUSER", "gate", "+" + taken[1:])
    g.stop()
    redis.stop()


def test_a_password_that_nobody_gave(folder):
    """The reason is Redis' own, not that it hung up on a script; once the password is there nothing else is needed."""
    redis = Redis(folder / "redis")
    redis.client().config_set("requirepass", "pw")
    g = Gateway(folder / "g", 1, redis=redis, rules=RULES)
    g.wait_line(r'redis_unreachable .*why="login refused: NOAUTH')
    assert "redis_script_refused" not in g.text() and "bulk length" not in g.text(), g.text()
    g.stop()
    (folder / "pw").write_text("pw")
    g = Gateway(folder / "g2", 1, redis=redis, rules=RULES, redis_extra=f"  password_file: {folder / 'pw'}")
    wait_for("connected", lambda: g.ask("status")["status"]["tracking"]["redis_connected"])
    assert "redis_unreachable" not in g.text(), g.text()
    g.stop()
    redis.stop()


def whole_state(topology, shards):
    """What must be the same for every number of shards: everything but which shard it lies in, and the numbers of cases."""
    return asked_again(lambda: whole_state_once(topology, shards))


def whole_state_once(topology, shards):
    import msgpack
    state = {"figures": {}, "info": {}, "waiting": {}, "conv": {}, "cases": [], "rounds": [], "cust": {}, "remind": {},
             "hooks": [], "counting": set()}

    def read(db, s):
        def key(name):
            return topology.key(s, name)

        def unpack(v):
            return msgpack.unpackb(v, strict_map_key=False)

        def merge(into, more):
            for k, v in more.items():
                if isinstance(v, dict):
                    merge(into.setdefault(k, {}), v)
                elif isinstance(v, list):
                    into[k] = [a + b for a, b in zip(into.get(k, [0] * len(v)), v)]
                else:
                    into[k] = into.get(k, 0) + v
        for slot in [f"hours:{i}" for i in range(8)] + [f"days:{i}" for i in range(4)]:
            for field, v in db.hgetall(key(slot)).items():
                if field != b"#":
                    merge(state["figures"].setdefault((slot, field), {}), unpack(v))
        for name, v in db.hgetall(key("info")).items():
            if name in (b"zone", b"zones", b"tracking"):
                state["counting"].add((name, v))
            elif name not in (b"case_seq", b"schema", b"fence", b"held_seq", b"hooks_until", b"swept",
                            b"folded", b"folded_at", b"marks", b"tracking_at"):
                state["info"][name] = state["info"].get(name, 0) + int(v)
        state["waiting"].update(db.zrange(key("waiting"), 0, -1, withscores=True))
        state["conv"].update(db.hgetall(key("conv")))
        state["rounds"] += db.zrange(key("rounds"), 0, -1, withscores=True)
        for v in db.hvals(key("case")):
            c = unpack(v)
            del c["id"]
            state["cases"].append(msgpack.packb(sorted(c.items())))
        state["cust"].update({k: len(unpack(v)["l"]) for k, v in db.hgetall(key("cust")).items()})
        state["remind"].update({k: v for k, v in db.zrange(key("remind_at"), 0, -1, withscores=True) if k[:1] not in b"cnv"})
        state["hooks"] += sorted(db.zrange(key("hook_at"), 0, -1, withscores=True) +
                                 db.zrange(key("hook_urgent"), 0, -1, withscores=True))
    topology.read_once(read, shards)
    state["rounds"].sort()
    state["hooks"].sort()
    state["cases"].sort()
    return state


def set_shards(g, n):
    import re
    g.config.write_text(re.sub(r"\n  shards: \d+", f"\n  shards: {n}", g.config.read_text()))


def forget_beats(topology):
    """A gateway that was stopped is believed dead after 20 s; the test does not wait for it."""
    for m in topology.masters():
        with contextlib.suppress(redis.ResponseError):  # of a Cluster's masters the key is one's
            m.run("DEL", "cg:{nodes}:at")


@pytest.mark.parametrize("topology", ["cluster"], indirect=True)
def test_reshard(folder, topology):
    """8 to 3 to 5 shards: the same state, and the gateway goes on with it. Killed in the middle it can be run again."""
    async def go():
        async with Backend() as b:
            (folder / "who.yaml").write_text("calendars: {far: {zone: Asia/Tokyo, hours: {daily: '09:00-18:00'}}}\n"
                                             "shops: {s: {calendar: far}}\nagents: [{id: amy, team: t, shop: s}]\n")
            g = Gateway(folder / "g", b.port, redis=topology, rules=RULES, redis_extra="  shards: 8\n  keep: 200ms", extra=f"""
directory: {folder / "who.yaml"}
webhooks: {{allow_hosts: [localhost], allow_networks: [127.0.0.0/8], targets: [{{name: nobody, url: "http://localhost:9/"}}]}}
""")
            topology.read(lambda db, s: wait_for("webhooks are known", lambda: db.hexists(topology.key(s, "info"), "hooks_until")),
                          8)
            await some_work(b, g)
            refused = g.cli("redis", "reshard", "--to", 3, "--config", g.config, check=False)
            assert refused.returncode == 2 and "test-node" in refused.stderr, refused.stderr
            g.stop()
            forget_beats(topology)
            g.cli("agents", "--config", g.config)       # a reader of figures folds what was counted last into them
            before = whole_state(topology, 8)
            assert len(before["waiting"]) == 30 and len(before["cases"]) == 6 and len(before["conv"]) == 60
            assert {v for n, v in before["counting"] if n == b"zones"} == {f"Asia/Tokyo {9 * 3600000}\ts\t\n".encode()}
            assert len(before["hooks"]) == 6, "nobody took what webhooks were to tell"
            for wait in (0.1, 0.3):      # killed while it copies
                import subprocess
                p = subprocess.Popen([str(g.cli_program), "redis", "reshard", "--to", "3", "--config", str(g.config)],
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                try:
                    p.wait(wait)
                except subprocess.TimeoutExpired:
                    p.kill()
                    p.wait()
                for m in topology.masters():
                    m.try_run("DEL", "cg:reshard")
            done = g.cli("redis", "reshard", "--to", 3, "--config", g.config)
            assert "set redis.shards to 3" in done.stdout or "3 shards already" in done.stdout
            assert whole_state(topology, 3) == before
            assert check(g, 1)["problems"][0]["code"] == "shards"       # the configuration says 8
            set_shards(g, 3)
            assert check(g)["fit"]
            g.start()
            async with Agent(g.url, "amy") as a:
                for k in range(1, 60, 2):
                    await a.send(f"c{k}", "好的 亲", f"out-{k}")
                    await a.until("ack")
                await b.say("amy", "c0", "我要投诉", "again")
                await a.until("message")
            await settle(g)
            await asyncio.to_thread(wait_for, "rings of 8 shards are gone",
                                    lambda: len(list((g.folder / "ring").iterdir())) == 2)
            assert check(g)["fit"]
            g.stop()
            g.cli("agents", "--config", g.config)
            after = whole_state(topology, 3)
            assert set(after["waiting"]) == {b"c0"} and len(after["cases"]) == 6 and len(after["rounds"]) == 60
            forget_beats(topology)
            out = json.loads(g.cli("redis", "reshard", "--to", 5, "--config", g.config, "--json").stdout)
            assert out["conversations"] == 60 and out["cases"] == 6 and not out["resumed"]
            assert whole_state(topology, 5) == after
            set_shards(g, 5)
            assert check(g)["fit"]
            assert "5 shards already" in g.cli("redis", "reshard", "--to", 5, "--config", g.config).stdout
    run(go())


def test_a_broken_off_switch_is_finished(folder):
    """Half of the shards have switched: no gateway pumps, the check says so, and the same command ends it."""
    async def go():
        async with Backend() as b:
            redis = Redis(folder / "redis")
            g = Gateway(folder / "g", b.port, redis=redis, rules=RULES, redis_extra="  shards: 4")
            await some_work(b, g)
            g.stop()
            db = redis.client().client()            # one connection
            db.delete("cg:{nodes}:at")
            db.client_setname("chatgate-board")     # a dashboard changes cases, too
            refused = g.cli("redis", "reshard", "--to", 2, "--config", g.config, check=False)
            assert refused.returncode == 2 and "1 connection of dashboards" in refused.stderr, refused.stderr
            db.client_setname("test")
            g.cli("redis", "reshard", "--to", 2, "--config", g.config)
            # As if it had been killed before the last shard: the mark still stands, beside a state that waits.
            db.hset("cg:meta", mapping={"shards": "moving", "from": 4, "to": 2, "phase": "switch"})
            db.rename("cg:{1}:conv", "cg:{1}:new:conv")
            db.set("cg:{1}:new:ready", 1)
            convs = db.hlen("cg:{0}:conv") + db.hlen("cg:{1}:new:conv")
            report = check(g, 1)
            assert codes(report) == {"reshard_unfinished"}, report
            wrong = g.cli("redis", "reshard", "--to", 3, "--config", g.config, check=False)
            assert wrong.returncode == 2 and "from 4 to 2 was broken off" in wrong.stderr
            set_shards(g, 2)
            g.start()
            wait_for("the gateway says why it waits",
                     lambda: "reshard" in g.ask("status")["status"]["tracking"]["redis_error"])
            g.stop()
            db.delete("cg:{nodes}:at")
            assert "finished" in g.cli("redis", "reshard", "--to", 2, "--config", g.config).stdout
            assert db.hgetall("cg:meta")[b"shards"] == b"2" and convs == db.hlen("cg:{0}:conv") + db.hlen("cg:{1}:conv")
            assert not db.keys("*:new:*")
            redis.stop()
    run(go())
