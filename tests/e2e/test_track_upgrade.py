"""Data of version 3 of the schema under this version's scripts, and gateways of both versions beside each other. What version 3
does is done by its own script (apply_3.lua.gz, as its gateways sent it)."""
import gzip
import pathlib
import random

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
