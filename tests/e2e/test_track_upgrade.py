"""Data of version 3 of the schema under this version's scripts, and gateways of both versions beside each other. What version 3
does is done by its own script (apply_3.lua.gz, as its gateways sent it)."""
import gzip
import pathlib
import random
import re

import msgpack
import pytest
import redis

from track_model import HOUR, Maker, Reference
from track_redis import Server, Shard, conv_of, frame, plain_form, shifted

APPLY_3 = gzip.decompress((pathlib.Path(__file__).parent / "apply_3.lua.gz").read_bytes())
LENGTHS = (40, 120, 400)  # of streams of events


@pytest.fixture(scope="module")
def db(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("redis"))
    yield server.db
    server.stop()


class Both(Shard):
    """A shard under gateways of both versions."""

    def __init__(self, db):
        db.flushall()
        super().__init__(db)
        self.apply_3 = db.script_load(APPLY_3)

    def apply_by_3(self, ring, records, offset):
        frames, convs = b"", set()
        for number, event in records:
            if isinstance(event, bytes):
                event = shifted(event, offset)
                convs.add(conv_of(event))
            frames += frame(number, event if isinstance(event, bytes) else msgpack.packb(event))
        return self.db.evalsha(self.apply_3, len(self.keys), *self.keys, "3", ring, offset, "n0", frames, "", "", "1", "", *sorted(convs))

    def applied(self, ring):
        return int(self.db.hget(self.key("applied"), ring) or 0)

    def problems(self):
        """What `chatgate redis check` would say."""
        found = []
        for question in ("shape", "conv", "waiting", "conv_at", "due"):
            rows = self.run("check", question, "0")
            found += [row for row in rows[1:] if row[0] != b"@"]
        return found


class Rings:
    """The records of all gateways, each given to a script in its order."""

    def __init__(self, rng, shard, maker):
        self.rng, self.shard, self.maker = rng, shard, maker
        self.records = [[(n, plain_form(e) or e) for n, e in enumerate(ring, 1)] for ring in maker.rings]
        self.refused = 0

    def left(self):
        return sum(len(r) - self.shard.applied(f"ring{i}") for i, r in enumerate(self.records))

    def send(self, version):
        """The next records of some gateway, which then asks how far Redis got (as the pump does after an error)."""
        i = self.rng.randrange(len(self.records))
        ring, offset = f"ring{i}", self.maker.offset[i]
        at = self.shard.applied(ring)
        records = self.records[i][at:at + self.rng.choice((1, 2, 7, 64))]
        if not records:
            return
        if self.rng.random() < 0.2:
            self.shard.db.hset(self.shard.key("info"), "folded_at", 0)  # a minute passed
        try:
            (self.shard.apply_by_3 if version == 3 else self.shard.apply)(ring, records, offset)
        except redis.exceptions.ResponseError:
            assert version == 3
            self.refused += 1


def setting(db, seed, length):
    rng, shard = random.Random(seed), Both(db)
    maker = Maker(rng, shard.now() - 20 * HOUR, length, conversations=4, rings=3)
    return rng, shard, maker, Rings(rng, shard, maker)


def compare(shard, maker):
    got, want = shard.state(), Reference(maker.true).state()
    for part in want:
        assert got[part] == want[part], part
    assert shard.problems() == []


@pytest.mark.parametrize("seed", range(12))
def test_what_version_3_left_goes_on(db, seed):
    rng, shard, maker, rings = setting(db, seed, LENGTHS[seed % 3])
    whole = rings.left()
    while rings.left() > whole // 2:
        rings.send(3)
    assert {b[0] for b in db.hvals(shard.key("conv"))} == {3} and rings.refused == 0
    assert db.hget(shard.key("info"), "schema") == b"3" and shard.problems() == []
    waiting = {row[0].encode(): int(row[2]) for row in shard.read("waiting", 99)}
    assert waiting == dict(db.zrange(shard.key("waiting"), 0, -1, withscores=True, score_cast_func=int))
    assert len(shard.read("commitments", 99)) == db.zcard(shard.key("due"))
    while rings.left():
        rings.send(4)
    compare(shard, maker)
    assert db.hget(shard.key("info"), "schema") == b"4"


@pytest.mark.parametrize("seed", range(12))
def test_gateways_of_both_versions_count_each_event_once(db, seed):
    """What version 3 cannot read it leaves: its records wait until it is upgraded."""
    rng, shard, maker, rings = setting(db, 100 + seed, LENGTHS[seed % 3])
    for _ in range(40):
        rings.send(rng.choice((3, 4)))
    assert rings.refused > 0
    while rings.left():
        rings.send(4)
    compare(shard, maker)


def day_of_events(now):
    """Two agents: answered and open rounds, rules, a complaint, a commitment, a refusal, and what was said."""
    one = {"agent": "ann", "team": "day", "shop": "s1", "conv": "c1", "cust": "u1", "th": "5" * 16}
    two = {"agent": "bob", "team": "late", "shop": "s2", "conv": "c2", "cust": "u2", "th": "6" * 16}
    said = {"text": "您好", "tkeep": 30 * 24 * HOUR}
    start = now - 3 * HOUR
    events = [
        one | {"k": "in", "live": True, "sender": "u1", "mid": "m1"},
        two | {"k": "in", "live": True, "sender": "u2", "mid": "m2", "ckind": "quality", "sev": 3, "words": "12345678901"} | said,
        one | {"k": "out", "dlv": True, "human": True, "mid": "m3", "act": 1, "rules": "tone.vague"},
        two | {"k": "out", "dlv": True, "human": True, "mid": "m4", "shadow": "tone.slow", "due": now + HOUR, "prule": "promise"} | said,
        one | {"k": "out", "mid": "m5", "act": 4, "rules": "a.b,c.d", "txm": "加我**"},
        one | {"k": "in", "live": True, "sender": "u1", "mid": "m6"},
        one | {"k": "out", "dlv": True, "human": True, "ackonly": True, "mid": "m7"},
        one | {"k": "in", "live": True, "sender": "u1", "mid": "m8"},
        one | {"k": "refused", "mid": "m3"},
        {"k": "agent_on", "agent": "ann", "team": "day", "shop": "s1"},
        {"k": "gap", "count": 3},
    ]
    return [e | {"at": start + 60000 * i} for i, e in enumerate(events)]


def comparable(row):
    """Without ids of the stream, the time when an entry of a transcript was stored, the order of a map's fields."""
    row = row[:12] + row[13:] if len(row) == 14 else row
    return [b",".join(sorted(v.split(b","))) if isinstance(v, bytes) else v for v in row
            if not (isinstance(v, bytes) and re.fullmatch(rb"\d+-\d+", v))]


def test_readers_answer_alike_of_what_either_version_wrote(db):
    """The questions of the dashboard, of the command line and of an export."""
    now, answers = Shard(db).now(), []
    for version in (3, 4):
        shard = Both(db)
        events = day_of_events(now)
        records = [(n, e if set(e) & {"text", "txm"} else plain_form(e) or e) for n, e in enumerate(events, 1)]
        assert sum(isinstance(e, bytes) for _, e in records) == 5
        if version == 3:
            shard.apply_by_3("ring", records, 0)
        else:
            assert shard.apply("ring", records, node="n0")[3] == "OK"
        hour, day = events[0]["at"] // HOUR, events[0]["at"] // (24 * HOUR)
        hours, days = range(hour, now // HOUR + 1), f"{day},{day + 1}"
        questions = [("board", "hour", h, "ann", "bob") for h in hours] + [
            ("board", "day", f"{hour},{hour + 4}", "ann\nbob"), ("board", "open", events[0]["at"]), ("board", "sizes"),
            ("board", "rules", f"{24 * day},{24 * day + 24},{24 * day + 48}", "tone.vague,a.b,c.d,tone.slow"), ("board", "hits", days, "ann\nbob"),
            ("read", "waiting", 9), ("read", "rounds", "", 9, "a"), ("read", "cases", "all", 9), ("read", "commitments", 9), ("read", "sessions", 9),
            ("said_read", "entries", "c2", 0, 9), ("board", "violations", 9, ""), ("board", "gaps")]
        answers.append({q: [comparable(row) if isinstance(row, list) else row for row in shard.run(*q)[1:]] for q in questions})
    assert answers[0] == answers[1]
    empty = [q for q, rows in answers[0].items() if not rows and q[1] != "hour"]
    assert empty == [] and any(answers[0]["board", "hour", h, "ann", "bob"] for h in hours), "these see nothing of the events"
