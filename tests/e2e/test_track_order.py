"""Whatever way the rings' records interleave, are batched, repeated or held back, Redis ends in the state that the
time-ordered stream means."""
import random
import re

import msgpack
import pytest
import redis

from track_model import DAY, HOUR, Maker, Reference
from track_redis import LUA, SOURCE, Server, Shard, fingerprint, plain_form, short_form, text


@pytest.fixture(scope="module")
def db(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("redis"))
    yield server.db
    server.stop()


def fresh(db):
    db.flushall()
    return Shard(db)


def feed(shard, maker, rng, shuffle_rings=False):
    """All records of all rings, in a random interleaving, with repeats and with attempts to leave something out."""
    rings = [list(r) for r in maker.rings]
    if shuffle_rings:
        for r in rings:
            rng.shuffle(r)
    at = [0] * len(rings)
    while any(a < len(r) for a, r in zip(at, rings)):
        i = rng.choice([i for i, r in enumerate(rings) if at[i] < len(r)])
        ring, n = rings[i], rng.choice((1, 1, 2, 7, 64, 256))
        records = list(enumerate(ring, 1))  # as gateways write them, and now and then as older ones did
        records = [(s, rng.random() < 0.9 and rng.choice((plain_form, plain_form, short_form))(e) or e) for s, e in records]
        if rng.random() < 0.2 and at[i] + 1 < len(ring):  # a hole: nothing of it may be applied
            got = shard.apply(f"ring{i}", records[at[i] + 1:at[i] + 1 + n], maker.offset[i])
            assert got == (at[i], 0, 0, "GAP")
        back = rng.randint(0, min(at[i], 5)) if rng.random() < 0.3 else 0
        batch = records[at[i] - back:at[i] + n][:256]
        fresh_ones = max(0, len(batch) - back)
        got = shard.apply(f"ring{i}", batch, maker.offset[i])
        assert got == (at[i] + fresh_ones, fresh_ones, min(back, len(batch)), "OK")
        at[i] += fresh_ones


def compare(got, want):
    for part in want:
        if isinstance(want[part], dict):
            for name in sorted(set(got[part]) | set(want[part])):
                assert got[part].get(name) == want[part].get(name), (part, name)
        assert got[part] == want[part], part


@pytest.mark.parametrize("seed", range(60))
def test_every_interleaving_means_the_same(db, seed):
    rng = random.Random(seed)
    maker = Maker(rng, Shard(db).now() - 20 * HOUR, rng.choice((10, 40, 120)), rings=rng.randint(1, 4))
    want = Reference(maker.true).state()
    for attempt in range(4):
        shard = fresh(db)
        feed(shard, maker, rng, shuffle_rings=attempt > 1)
        compare(shard.state(), want)


@pytest.mark.parametrize("seed", range(8))
def test_long_conversations_with_small_displacement(db, seed):
    """Beyond 32 events a conversation is folded: exact as long as no record comes more than a few places late."""
    rng = random.Random(1000 + seed)
    maker = Maker(rng, Shard(db).now() - 20 * HOUR, 400, conversations=2, rings=1, per_conversation=10**6)
    maker.log_left = {}
    shard = fresh(db)
    ring = maker.rings[0]
    order = sorted(range(len(ring)), key=lambda i: i + rng.uniform(0, 12))
    shard_records = [plain_form(ring[i]) or ring[i] for i in order]
    for i in range(0, len(shard_records), 50):
        shard.apply("r", list(enumerate(shard_records, 1))[i:i + 50], 0)
    compare(shard.state(), Reference(maker.true).state())


def conversation(shard, *events):
    """Messages of one conversation in the order of arrival: (at, 'in' | 'out', id)."""
    for seq, (at, k, mid) in enumerate(events, 1):
        e = {"k": k, "at": at, "conv": "c", "cust": "u", "agent": "ann", "mid": mid, "live": True, "dlv": True, "human": True,
             "sender": "u"}
        shard.apply(f"ring{seq}", [(1, plain_form(e))])


@pytest.mark.parametrize("arrival", ("in out", "out in"))
def test_at_the_same_millisecond_the_customer_still_waits(db, arrival):
    shard = fresh(db)
    at = shard.now() - 60000
    conversation(shard, (at - 5000, "in", "m1"), *((at, k, "m2" + k) for k in arrival.split()))
    s = shard.state()
    assert s["waiting"]["c"][0] == at, "nobody vanishes because a reply to something else left at that moment"
    assert [r[2:4] for r in s["rounds"]] == [(at - 5000, at)]
    conversation(shard, (0, "in", ""), (0, "in", ""), (0, "in", ""), (at + 1, "out", "m3"))
    assert shard.state()["waiting"] == {}


@pytest.mark.parametrize("form", (plain_form, lambda e: e))
def test_a_clock_a_little_ahead_leaves_nobody_waiting_who_was_answered(db, form):
    """Redis's clock is known to some milliseconds only: both seem to come from the future."""
    shard = fresh(db)
    at = shard.now() + 60000
    whole = {"conv": "c", "cust": "u", "agent": "ann", "live": True, "dlv": True, "human": True, "sender": "u"}
    events = [whole | {"k": k, "at": at + n, "mid": f"m{n}"} for n, k in enumerate(("in", "in", "out", "in", "out"))]
    assert shard.apply("r", [(n, form(e)) for n, e in enumerate(events, 1)])[3] == "OK"
    s = shard.state()
    assert s["waiting"] == {} and len(s["rounds"]) == 2 and all(r[3] <= shard.now() + 5 for r in s["rounds"])
    while shard.now() <= s["rounds"][-1][3]:
        pass
    shard.apply("r", [(6, form(whole | {"k": "in", "at": at + 9, "mid": "m9"}))])
    assert set(shard.state()["waiting"]) == {"c"}


@pytest.mark.parametrize("tell", (True, False))
def test_a_clock_months_ahead_leaves_the_figures_of_today_alone(db, tell):
    """What the gateway counted there is taken back; that day must not take the place of today's."""
    shard = fresh(db)
    shard.tell = tell
    whole = {"k": "in", "conv": "c", "cust": "u", "agent": "ann", "team": "red", "shop": "s1", "live": True, "sender": "u"}
    today = shard.now()
    for number, at in ((1, today), (2, today + 336 * DAY), (3, today)):  # the same slots of `hours` and `days`
        shard.apply("r", [(number, plain_form(whole | {"at": at, "mid": f"m{number}"}))])
        counted = sum(m["in"] for f, m in shard.state()["figures"].items() if f[0] == "d" and f.endswith("|a|ann|v"))
        assert counted == number
    assert all(int(db.hget(shard.key(f"days:{i}"), "#") or 0) <= today // DAY // 28 for i in range(4))


def who(*names):
    return b"".join(msgpack.packb(n, use_bin_type=False) for n in names)


def state_2(at=0, since=0, n=0, last=0, news=0, rep=0, so=0, sc=0):
    sizes = (6, 6, 4, 6, 6, 1, 6, 4)
    return b"".join(v.to_bytes(s, "big") for v, s in zip((at, since, n, last, news, rep, so, sc), sizes))


def record_2(at, code, key, agent="ann", due=0):
    rule = "rule.p" if due else ""
    return (at.to_bytes(6, "big") + bytes([code]) + due.to_bytes(6, "big") + bytes(10) + text(key) + text(who(agent, "red", "s1"), 2) +
            text(key[2:]) + text(rule))


def chunk_2(top, state, records, og=b"", g=b"", p=b""):
    return top.to_bytes(6, "big") + state + text(og, 2) + text(g, 2) + text(p, 2) + b"".join(records)


def head_2(top, total, state, og, g, p, fps, body):
    """A conversation as version 2 of the schema stored it, without its chunks."""
    return (b"\2" + top.to_bytes(6, "big") + total.to_bytes(4, "big") + bytes(6) + state + text(b"u", 2) + text(og, 2) + text(g, 2) +
            text(p, 2) + text(b"", 2) + text(b"", 2) + text(b"".join(fingerprint(k, 3) for k in fps), 2) + body)


def test_conversations_of_version_2_go_on(db):
    """Six records: a chunk of four and two in the head."""
    shard = fresh(db)
    at, ann = shard.now() - 600000, who("ann", "red", "s1")
    promise = msgpack.packb([[at, at + 10**6, "o:m0", ann, "rule.p"]], use_bin_type=False)
    first = [record_2(at - 3000 + n * 1000, 3, f"i:a{n}") for n in range(3)] + [record_2(at, 1, "o:m0", due=at + 10**6)]
    tail = [record_2(at + 5000, 3, "i:m2"), record_2(at + 5500, 3, "i:m3")]
    replied = {"last": at, "news": at, "rep": 1}
    body = chunk_2(at, state_2(at=at, **replied), tail, g=ann, p=promise)
    head = head_2(at + 5500, 6, state_2(at=at + 5500, since=at + 5000, n=2, **replied), ann, ann, promise,
                  [f"i:a{n}" for n in range(3)] + ["o:m0", "i:m2", "i:m3"], body)
    db.hset(shard.key("info"), "schema", 2)
    db.hset(shard.key("conv"), "c", head)
    db.hset(shard.key("win"), "c\n0", chunk_2(0, state_2(), first))
    db.zadd(shard.key("waiting"), {"c": at + 5000})
    db.zadd(shard.key("due"), {"c\no:m0": at + 10**6})
    assert shard.read("waiting", 9) == [["c", "u", str(at + 5000), "ann", "red", "s1", "2"]]
    assert [row[:8] for row in shard.read("commitments", 9)] == [["c", "u", "ann", "red", "s1", str(at), str(at + 10**6), "rule.p"]]
    conversation(shard, (at + 6000, "in", "a1"), (at + 7000, "in", "m2"), (at + 6000, "in", "m4"))
    assert shard.read("waiting", 9) == [["c", "u", str(at + 5000), "ann", "red", "s1", "3"]], "copies are known, m4 is not"
    assert db.hget(shard.key("info"), "dup") == b"2"
    assert shard.conversations()["c"]["version"] == 3
    shard.apply("other", [(1, plain_form({"k": "out", "at": at + 4000, "conv": "c", "cust": "u", "agent": "ann", "mid": "m9",
                                          "dlv": True, "human": True}))])
    s = shard.state()
    assert s["waiting"]["c"][0] == at + 5000 and s["due"] == []
    assert [m for f, m in s["figures"].items() if f[0] == "h" and "|a|ann|v" in f][0]["promise_kept"] == 1
    shard.apply("late", [(1, plain_form({"k": "out", "at": at - 1500, "conv": "c", "cust": "u", "agent": "bob", "mid": "m10",
                                         "dlv": True, "human": True}))])
    assert (at - 3000, at - 1500, "bob") in [(r[2], r[3], r[4]) for r in shard.state()["rounds"]], "into a record of the chunk"
    assert db.hget(shard.key("info"), "schema") == b"4"


def head_3(top, total, state, og, g, fps, expires):
    """A conversation as version 3 of the schema stored it."""
    return (b"\3" + top.to_bytes(6, "big") + total.to_bytes(4, "big") + expires.to_bytes(6, "big") + state + text(b"u") + text(og, 2) +
            text(g, 2) + text(b"", 2) + b"".join(fingerprint(k, 2) for k in fps))


def test_conversations_and_figures_of_version_3_go_on(db):
    """Two messages of a customer, a reply, a further message: records in slots, the first with a state before it."""
    shard = fresh(db)
    at, ann = shard.now() - 600000, who("ann", "red", "s1")
    keys = ["i:a0", "i:a1", "o:a2", "i:a3"]
    records = [record_2(at + n * 1000, 1 if key[0] == "o" else 3, key) for n, key in enumerate(keys)]
    replied = {"last": at + 2000, "news": at + 2000, "rep": 1}
    hour = at // HOUR
    db.hset(shard.key("info"), "schema", 3)
    db.hset(shard.key("conv"), "c", head_3(at + 3000, 4, state_2(at=at + 3000, since=at + 3000, n=1, **replied), ann, ann, keys, at + 3 * 24 * HOUR))
    db.zadd(shard.key("conv_at"), {"c": at + 3 * 24 * HOUR})
    db.zadd(shard.key("waiting"), {"c": at + 3000})
    for n, record in enumerate(records):
        db.hset(shard.key("win"), f"c\n{n}", record if n else chunk_2(0, state_2(), [record]))
    db.rpush(shard.key("figlog"), msgpack.packb({hour: {ann: {"in": 3, "pass": 1, "f": [2000]}}}, use_bin_type=False))
    assert shard.read("waiting", 9) == [["c", "u", str(at + 3000), "ann", "red", "s1", "1"]]
    conversation(shard, (at + 4000, "in", "a1"), (at + 5000, "in", "a5"))
    assert db.hget(shard.key("info"), "dup") == b"1", "what version 3 saw is known"
    assert shard.conversations()["c"] | {"fps": 0} == {
        "version": 5, "top": at + 5000, "total": 5, "news": at + 2000, "at": at + 5000, "since": at + 3000, "n": 2, "last": at + 2000,
        "rep": 1, "so": 0, "sc": 0, "rare": b"", "og": ann, "g": ann, "cu": b"u", "fps": 0}
    shard.apply("other", [(1, plain_form({"k": "out", "at": at + 6000, "conv": "c", "cust": "u", "agent": "ann", "team": "red", "shop": "s1",
                                          "mid": "a6", "dlv": True, "human": True}))])
    assert shard.conversations()["c"]["version"] == 4
    shard.apply("late", [(1, plain_form({"k": "out", "at": at + 500, "conv": "c", "cust": "u", "agent": "ann", "team": "red", "shop": "s1",
                                         "mid": "a7", "dlv": True, "human": True}))])
    s = shard.state()
    assert s["waiting"] == {} and sorted((r[2], r[3]) for r in s["rounds"])[-1] == (at + 3000, at + 6000)
    assert (at, at + 500) in [(r[2], r[3]) for r in s["rounds"]], "into a record of version 3"
    figures = {f.split("|", 1)[1]: m for f, m in s["figures"].items() if f.startswith(f"h{hour}|a|")}
    assert figures["a|ann|v"] == {"in": 4, "pass": 3}
    assert figures["a|ann|f"]["n"] == 1 and figures["a|ann|n"]["sum"] == 1000 + 3000
    assert db.hget(shard.key("info"), "schema") == b"4"


@pytest.mark.parametrize("seed", range(4))
def test_what_is_told_beside_the_records_changes_nothing(db, seed):
    """Heads from text to text or by way of a table, counts of the gateway or of the script: Redis holds the same."""
    held = []
    for tell in (True, False, None):
        rng, shard = random.Random(seed), fresh(db)
        shard.tell, t, number = tell, shard.now() // HOUR * HOUR - 12 * HOUR, 1
        for _ in range(60):
            records = []
            for _ in range(rng.randrange(1, 12)):
                conv, t, is_in, is_late = rng.randrange(12), t + rng.randrange(1, 90000), rng.random() < 0.6, rng.random() < 0.05
                e = {"k": "in" if is_in else "out", "at": t - is_late * 400000, "conv": f"c{conv}", "cust": f"u{conv % 5}", "mid": f"m{rng.randrange(400)}",
                     "agent": ("ann", "bob")[rng.random() < 0.1], "team": "red", "shop": "s1"}
                e |= {"live": True, "sender": "u"} if is_in else {"dlv": True, "human": rng.random() < 0.9, "ackonly": rng.random() < 0.2}
                if conv % 3 == 0:
                    e |= {"oc": 7, "ob": t // 3}
                if not is_in and rng.random() < 0.1:
                    e |= {"due": t + 60000, "prule": "p.x"}
                if rng.random() < 0.1:
                    e |= {"rules": "r.a"}
                records.append((number, e if rng.random() < 0.1 else plain_form(e)))
                number += 1
            assert shard.apply("r", records)[3] == "OK"
        s = shard.state()
        s["heads"] = {c: {k: v for k, v in h.items() if k != "exp"} for c, h in shard.conversations().items()}
        s["win"] = db.hgetall(shard.key("win"))
        looks = dict(db.zrange(shard.key("remind_at"), 0, -1, withscores=True))  # or earlier: who waited in between was answered
        assert all(looks[b"w\n" + c.encode()] <= w[0] for c, w in s["waiting"].items())
        s["conv_at"] = sorted(db.zrange(shard.key("conv_at"), 0, -1))
        held.append(s)
    assert {h["version"] for h in held[0]["heads"].values()} & {4, 5, 6}
    assert held[0] == held[1] and held[0] == held[2]


@pytest.mark.parametrize("late", ({"k": "out", "dlv": True, "human": True}, {"k": "refused", "mid": "o9"}))
def test_a_late_record_finds_what_came_before_it_in_its_call(db, late):
    """The first message of the call goes from text to text; what follows needs the window, with that message in it."""
    shard = fresh(db)
    shard.tell = "all but who is busy"
    at = shard.now() - 600000
    whole = {"conv": "c", "cust": "u", "agent": "ann", "team": "red", "shop": "s1", "live": True, "dlv": True, "human": True, "sender": "u"}

    def send(ring, *events):
        assert shard.apply(ring, [(n, e if e["k"] == "refused" else plain_form(e)) for n, e in enumerate(events, 1)])[3] == "OK"
    send("r1", *(whole | {"k": "in" if n % 2 else "out", "at": at + n * 1000, "mid": f"o{n}"} for n in range(8)))
    send("r2", whole | {"k": "in", "at": at + 8000, "mid": "i8"})
    send("r3", whole | {"k": "out", "at": at + 9000, "mid": "o9"}, whole | {"mid": "m8"} | late | {"at": at + 8500})
    s = shard.state()
    assert db.hget(shard.key("info"), "late") is None
    rounds = [(r[2] - at, r[3] - at) for r in s["rounds"]]
    if late["k"] == "out":
        assert s["waiting"] == {} and rounds[-1] == (7000, 8500)
    else:
        assert s["waiting"]["c"][0] == at + 7000 and rounds[-1] == (5000, 6000)


def test_replay_changes_nothing(db):
    rng = random.Random(7)
    maker = Maker(rng, Shard(db).now() - 10 * HOUR, 80, rings=2)
    shard = fresh(db)
    feed(shard, maker, rng)
    before = {k: db.dump(k) for k in db.keys()}
    for i, ring in enumerate(maker.rings):
        records = list(enumerate(ring, 1))
        for j in range(0, len(records), 64):
            part = records[j:j + 64]
            assert shard.apply(f"ring{i}", part, maker.offset[i]) == (len(records), 0, len(part), "OK")
    assert {k: db.dump(k) for k in db.keys()} == before


def test_gap_applies_what_is_before_it_and_nothing_behind(db):
    shard = fresh(db)
    now = shard.now()
    records = [(s, {"k": "in", "at": now - 1000 + s, "conv": "c", "cust": "u", "mid": f"m{s}", "live": True}) for s in range(1, 6)]
    assert shard.apply("r", records[:2] + records[3:]) == (2, 2, 0, "GAP")
    assert shard.state()["waiting"]["c"][4] == 2
    assert shard.apply("r", records) == (5, 3, 2, "OK")
    assert shard.state()["waiting"]["c"][4] == 5
    assert [e["id"] for e in shard.stream()] == [f"r:0:{s}" for s in range(1, 6)]


def test_the_stream_tells_the_same_in_every_form(db):
    """Plain messages stand together in one entry; what a rule hit and copies have entries of their own."""
    at = Shard(db).now() - 60000
    whole = {"conv": "c", "cust": "u", "agent": "ann", "team": "red", "shop": "s1", "rv": "v7", "th": "00000000000000aa"}
    events = [{"k": "in", "at": at, "mid": "m1", "sender": "u", "live": True}, {"k": "in", "at": at + 1, "mid": "m2", "sender": "u"},
              {"k": "out", "at": at + 2, "mid": "o1", "dlv": True, "human": True, "due": at + 10**6, "prule": "p.x", "oc": 7, "ob": 5},
              {"k": "out", "at": at + 3, "mid": "o2", "act": 1, "rules": "r.a", "shadow": "s.x", "dlv": True, "human": True},
              {"k": "out", "at": at + 4, "act": 4}, {"k": "in", "at": at + 5, "sender": "u", "live": True, "rules": "r.b"},
              {"k": "in", "at": at, "mid": "m1", "sender": "u", "live": True},
              {"k": "out", "at": at + 7, "mid": "o3", "dlv": True, "ackonly": True, "human": True}]
    events = [whole | e for e in events]
    told = []
    for form in (lambda e: e, short_form, plain_form):
        shard = fresh(db)
        records = [(n, form(e)) for n, e in enumerate(events, 1)]
        assert shard.apply("r", records[:5]) == (5, 5, 0, "OK")
        assert shard.apply("r", records[3:]) == (8, 3, 2, "OK")
        told.append({e["id"]: e for e in shard.stream()})
        assert len(shard.stream()) == 8
    assert told[0] == told[1] == told[2]
    kinds = [e[b"k"] for _, e in db.xrange(shard.key("stream"))]
    assert kinds == [b"out", b"out", b"batch", b"in", b"in", b"batch"]


def test_the_reader_in_the_manual_reads_a_batch(db):
    shard, manual = fresh(db), {}
    exec(re.search(r"```\n(def batch.*?)```", (SOURCE.parents[1] / "docs" / "redis.md").read_text(), re.S)[1], manual)
    events = [{"k": "in", "at": 7 + n, "conv": f"c{n}", "cust": f"u{n}", "sender": "u", "agent": "ann", "mid": f"m{n}"} for n in range(5)]
    assert shard.apply("r", [(n, plain_form(e)) for n, e in enumerate(events, 1)])[3] == "OK"
    ((_, entry),) = db.xrange(shard.key("stream"))
    got = [(e["id"], e["at"], e["conv"], e["cust"], e["key"], e["rules"]) for e in manual["batch"](entry)]
    assert got == [(f"r:0:{n + 1}", 7 + n, b"c%d" % n, b"u%d" % n, b"i:m%d" % n, b"") for n in range(5)]


def test_a_rule_that_hits_a_customers_edit_is_counted(db):
    shard = fresh(db)
    e = {"k": "in", "at": shard.now() - 5000, "conv": "c", "cust": "u", "sender": "u", "live": True, "agent": "ann", "mid": "m"}
    assert shard.apply("r", [(1, e), (2, e | {"edit": True, "rules": "in.rule", "shadow": "in.shadow"})])[1:] == (2, 0, "OK")
    figures = shard.state()["figures"]
    assert [m for f, m in figures.items() if "|r|in.rule|v" in f] == [{"pass": 1}] * 2
    assert [m for f, m in figures.items() if "|x|in.shadow|v" in f] == [{"pass": 1}] * 2
    assert [m for f, m in figures.items() if "|a|ann|v" in f] == [{"in": 1}] * 2
    assert [m for f, m in figures.items() if "|a|ann|h" in f] == [{"pass@in.rule": 1, "pass?in.shadow": 1}]


def test_another_key_of_the_same_hash_is_another_message(db):
    """Two bytes of a key are kept in the head; messages that agree in them are told apart by the records."""
    def of(mid):
        h = 7
        for b in f"i:{mid}".encode():
            h = (h * 31 + b) % 65536
        return h
    first = "m0"
    other = next(m for n in range(1, 999999) if of(m := f"m{n}") == of(first))
    for plain in (True, False):
        shard = fresh(db)
        e = {"k": "in", "at": shard.now() - 5000, "conv": "c", "cust": "u", "sender": "u", "live": True, "agent": "ann", "th": "1" * 16}
        said = [e | {"mid": m, "at": e["at"] + i} for i, m in enumerate((first, "x", other, "y", first, other))]
        for seq, event in enumerate(said, 1):
            assert shard.apply("r", [(seq, plain_form(event) if plain else event)])[3] == "OK"
        assert shard.conversations()["c"]["n"] == 4 and int(db.hget(shard.key("info"), "dup")) == 2


def test_a_stream_of_many_in_one_entry_has_a_bound(db):
    source = (LUA / "names.lua").read_text()
    most = int(re.search(r"STREAM_MAX_TEXT = (\d+)", source)[1])
    shard = fresh(db)
    e = {"k": "in", "at": shard.now() - 5000, "conv": "c", "cust": "u", "sender": "u", "live": True}
    for last in range(0, 300 * 64, 64):
        records = [(n, plain_form(e | {"mid": f"{n:0150}"})) for n in range(last + 1, last + 65)]
        assert shard.apply("r", records)[3] == "OK"
        db.hincrby(shard.key("info"), "events", most // 60)  # as if so many more had come
        db.hset(shard.key("info"), "swept", 0)
        then = shard.now()
        while shard.now() == then:  # entries are told apart by the millisecond
            pass
    assert 60 <= db.xlen(shard.key("stream")) < 80, "the newest ones stay"


def test_other_versions_are_refused(db):
    shard = fresh(db)
    record = [(1, {"k": "in", "at": shard.now(), "conv": "c", "cust": "u", "mid": "m", "live": True})]
    assert shard.apply("r", record, version="5") == (0, 0, 0, "VERSION")
    db.hset(shard.key("info"), "schema", 6)
    assert shard.apply("r", record) == (0, 0, 0, "VERSION")
    db.hset(shard.key("info"), "schema", 5)
    assert shard.apply("r", record) == (1, 1, 0, "OK")
    assert db.hget(shard.key("info"), "schema") == b"5"


def test_records_that_make_no_sense_are_counted_and_passed(db):
    shard = fresh(db)
    bad = [b"\xc1", b"", msgpack.packb(7), msgpack.packb({"k": "what"}), msgpack.packb({"k": ["in"]}),
           msgpack.packb({"k": "in", "at": "x", "conv": 3, "rules": 4, "ckind": {}, "sev": "y"}),
           msgpack.packb({"k": "out", "at": -5, "conv": "c", "act": 99, "dlv": True, "human": True, "due": 2**63}),
           msgpack.packb({"k": "in", "at": float("nan"), "conv": "c", "live": True}),
           msgpack.packb({"k": "in", "at": shard.now() + DAY, "conv": "future", "live": True, "mid": "m"}),
           msgpack.packb({"k": "in", "at": 5, "conv": "ancient", "cust": "u", "mid": "m"})]
    assert shard.apply("r", list(enumerate(bad, 1))) == (len(bad), len(bad), 0, "OK")
    assert int(db.hget(shard.key("info"), "bad")) == 5
    waiting = shard.state()["waiting"]
    assert set(waiting) == {"future"}, "a time in the future is now; what is older than a day and not live is not waiting"
    assert shard.now() - 5000 < waiting["future"][0] <= shard.now()


def test_lost_events_are_counted(db):
    shard = fresh(db)
    shard.apply("r", [(1, {"k": "gap", "at": shard.now(), "count": 57}), (2, {"k": "gap", "at": shard.now()})])
    assert db.hget(shard.key("info"), "lost") == b"57"


def test_everything_has_a_bound(db):
    shard = fresh(db)
    now = shard.now()
    old = now - 3 * DAY
    for i in range(40):  # answered and silent for three days: forgotten; still waiting: kept
        shard.apply(f"ring{i}", [
            (1, {"k": "in", "at": old, "conv": f"done{i}", "cust": "u", "mid": "m", "live": True, "agent": "ann"}),
            (2, {"k": "out", "at": old + 5, "conv": f"done{i}", "cust": "u", "mid": "o", "dlv": True, "human": True}),
            (3, {"k": "in", "at": old, "conv": f"open{i}", "cust": "u", "mid": "m", "live": True, "agent": "ann"})])
    for i in range(4):  # 16 to 32 at a time, every 64 events
        shard.apply("r", [(64 * i + s, {"k": "agent_on", "at": now, "agent": "ann"}) for s in range(1, 65)])
    assert set(shard.conversations()) == {f"open{i}" for i in range(40)}
    for name in ("hours", "days"):
        for key in db.keys(shard.key(name) + ":*"):
            assert db.ttl(key) > 0
    assert db.zcard(shard.key("rounds")) == 40


def test_figures_of_a_newer_day_replace_those_in_its_place(db):
    shard = fresh(db)
    now = shard.now()

    def reply(seq, at):
        return (seq, {"k": "out", "at": at, "agent": "ann", "conv": f"c{seq}", "cust": "u", "mid": f"o{seq}", "dlv": True, "human": True})
    slot = (now // DAY) % 8
    db.hset(shard.key(f"hours:{slot}"), mapping={"#": now // DAY - 8, f"{(now // DAY - 8) * 24}|a|ann|v": msgpack.packb({"pass": 9})})
    shard.apply("r", [reply(1, now)])
    shard.state()
    held = shard.packed(f"hours:{slot}")
    assert list(held.values()) == [{"pass": 1}]
    assert int(db.hget(shard.key(f"hours:{slot}"), "#")) == now // DAY
    shard.apply("r", [reply(2, now - 8 * DAY)])
    assert list(shard.packed(f"hours:{slot}").values()) == [{"pass": 1}]


def test_buckets_are_those_of_the_program(db):
    """tests/unit/test_track_schema.c holds base/hist.c to the same table."""
    source = (LUA / "names.lua").read_text() + (LUA / "buckets.lua").read_text() + "return hist_index(tonumber(ARGV[1]))"
    lines = (SOURCE.parents[1] / "tests" / "unit" / "hist_buckets.txt").read_text().splitlines()[1:]
    assert len(lines) > 200
    for value, want in (map(int, line.split()) for line in lines):
        assert db.eval(source, 1, "cg:{0}:applied", value) == want, value


def test_a_user_with_the_rights_of_the_manual_can_do_all(db):
    shard = fresh(db)
    manual = (SOURCE.parents[1] / "docs" / "redis.md").read_text()
    rights = re.search(r"needs\s+`([^`]*)`", manual)[1].split()
    db.execute_command("ACL", "SETUSER", "gate", "on", ">secret", *rights)
    user = redis.Redis(unix_socket_path=db.connection_pool.connection_kwargs["path"], username="gate", password="secret")
    own = Shard(user)
    now = own.now()
    assert own.apply("r", [(1, {"k": "in", "at": now, "conv": "c", "cust": "u", "mid": "m", "live": True, "ckind": "refund",
                                "sev": 1, "words": "w"})])[3] == "OK"
    case = own.read("cases", "open", 10)[0][0]
    assert own.run("case_move", "move", case, "closed", "sue", "why")[0] == b"OK"
    assert own.run("remind_due", 16, "30000:agent", "", "600000")
    for command in (("INFO", "server"), ("CONFIG", "GET", "maxmemory-policy"), ("WAIT", "0", "1"), ("TIME",),
                    ("CLIENT", "SETNAME", "x"), ("HMGET", "cg:meta", "shards", "version"), ("PING",)):
        user.execute_command(*command)
    with pytest.raises(redis.exceptions.ResponseError):
        user.set("other", 1)
    assert shard.state()["done"]
