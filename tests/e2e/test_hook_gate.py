"""How fast, and whether at all, a webhook's target is sent to: the script of all gateways, on a real Redis. Time passes by
moving what it remembers into the past."""
import random

import msgpack
import pytest

from track_redis import Server, script_text

KEY, TARGET = "cg:hooks", "desk"
MINUTE, SECOND = 60_000, 1000
TIMES = ("w", "o", "p", "seen", "ok_at", "fail_at")


@pytest.fixture(scope="module")
def db(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("redis"))
    yield server.db
    server.stop()


class Gate:
    def __init__(self, db):
        db.flushall()
        self.db, self.passed = db, 0
        self.sha = db.script_load(script_text("hook_gate"))

    def run(self, *args):
        return [v.decode() if isinstance(v, bytes) else v for v in self.db.evalsha(self.sha, 1, KEY, *args)]

    def ask(self, urgent=False, per_minute=20, per_second=0):
        """None: go; else (ms to wait, why)."""
        answer = self.run("ask", TARGET, int(urgent), per_minute, per_second, "generic", "example.org")
        return None if answer == ["GO"] else (int(answer[1]), answer[2])

    def fail(self, wait=0, jitter=500):
        return self.run("fail", TARGET, wait, jitter, "answered 500")

    def state(self):
        return msgpack.unpackb(self.db.hget(KEY, TARGET))

    def later(self, ms):
        self.passed += ms
        s = self.state()
        s["g"] = [at - ms for at in s["g"]]
        for name in TIMES:
            s[name] = max(s[name] - ms, 0) if s.get(name) else s.get(name, 0)
        self.db.hset(KEY, TARGET, msgpack.packb(s))

    def now(self):
        s, us = self.db.time()
        return s * 1000 + us // 1000 + self.passed


@pytest.fixture
def gate(db):
    return Gate(db)


def test_a_quarter_of_a_minute_is_kept_for_urgent_ones(gate):
    """DingTalk's and WeCom's robots: 20 a minute."""
    assert [gate.ask() for _ in range(15)] == [None] * 15
    wait, why = gate.ask()
    assert why == "rate" and 0 < wait <= MINUTE + SECOND
    assert [gate.ask(urgent=True) for _ in range(5)] == [None] * 5
    assert gate.ask(urgent=True)[1] == "rate"
    gate.later(MINUTE + SECOND)
    assert [gate.ask(urgent=True) for _ in range(20)] == [None] * 20 and gate.ask(urgent=True)[1] == "rate"


def test_so_many_in_a_second_too(gate):
    """Feishu's robots: 5 a second, 100 a minute."""
    for _ in range(3):
        at_once = gate.db.pipeline(transaction=True)    # however busy the machine is
        for _ in range(6):
            at_once.evalsha(gate.sha, 1, KEY, "ask", TARGET, 0, 100, 5, "feishu", "example.org")
        *goes, (word, wait, why) = at_once.execute()
        assert goes == [[b"GO"]] * 5 and (word, why) == (b"WAIT", b"rate") and 0 < int(wait) <= 1050
        gate.later(2 * SECOND)


@pytest.mark.parametrize("most", [1, 2, 3, 4])
def test_a_small_limit_lets_something_through(gate, most):
    """With fewer than four a minute nothing is kept back."""
    goes = [gate.ask(per_minute=most) for _ in range(5)].count(None)
    assert goes == (most if most < 4 else 3)


@pytest.mark.parametrize("seed", range(6))
def test_no_minute_and_no_second_has_more_than_its_share(gate, seed):
    """Whatever is asked for and when; and who waits as long as told may go, if nobody else went meanwhile."""
    rng = random.Random(seed)
    per_minute, per_second = rng.choice([(20, 0), (100, 5), (7, 2), (20, 3)])
    common, sent = per_minute - per_minute // 4, []
    for _ in range(400):
        urgent = rng.random() < 0.3
        before, answer = gate.now(), gate.ask(urgent, per_minute, per_second)
        if answer and rng.random() < 0.5:
            gate.later(answer[0])
            before, again = gate.now(), gate.ask(urgent, per_minute, per_second)
            assert again is None, (answer, again)
            answer = None
        if answer is None:
            sent.append((before, gate.now(), urgent))
        gate.later(rng.choice([1, 10, 200, 3000, 30_000]))
    assert len(sent) > 40
    for i, (_, end, _) in enumerate(sent):
        last_minute = [u for b, _, u in sent[:i + 1] if b > end - MINUTE]
        assert len(last_minute) <= per_minute
        assert sent[i][2] or len(last_minute) <= common, "what is kept for urgent ones"
        assert not per_second or sum(b > end - SECOND for b, _, _ in sent[:i + 1]) <= per_second


def test_a_receiver_that_says_when(gate):
    """Retry-After, and a robot that was sent to too often."""
    assert gate.ask() is None and gate.fail(wait=30_000) == ["OK", 1]
    wait, why = gate.ask(urgent=True)
    assert why == "told to wait" and 0 < wait <= 30_000
    told = gate.state()
    assert told["w"] - told["fail_at"] == 30_000
    gate.fail(wait=1000)
    assert gate.state()["w"] == told["w"], "the longer one holds"
    gate.later(wait)
    assert gate.ask() is None


def test_the_circuit_opens_longer_each_time_and_lets_one_probe_through(gate):
    for n in range(1, 6):
        assert gate.ask() is None and gate.fail() == ["OK", n]
    for opened in (10, 20, 40, 80, 160, 300, 300):
        wait, why = gate.ask(urgent=True)
        s = gate.state()
        assert why == "broken" and 0 < wait <= opened * 1000 == s["o"] - s["fail_at"]
        gate.later(wait)
        assert gate.ask() is None, "one delivery as a probe"
        probe = gate.ask(urgent=True)
        assert probe[1] == "broken" and 0 < probe[0] <= 1000, "nobody else while its answer is awaited"
        gate.fail()
        s = gate.state()
        gate.db.hset(KEY, TARGET, msgpack.packb({**s, "g": []}))    # so that the rate is none of the reasons
    gate.later(300_000)
    assert gate.ask() is None
    assert gate.run("ok", TARGET) == ["OK", 0]
    assert [gate.ask() for _ in range(10)] == [None] * 10, "closed by one success"


def test_a_probe_whose_gateway_died_is_followed_by_another(gate):
    for _ in range(5):
        gate.ask(), gate.fail()
    gate.later(10_001)
    assert gate.ask() is None and gate.ask()[1] == "broken"
    gate.later(90_001)
    assert gate.ask() is None


def test_jitter_spreads_the_opening(gate):
    spread = []
    for jitter in (0, 1000):
        gate.db.flushall()
        for _ in range(5):
            gate.ask()
            gate.fail(jitter=jitter)
        s = gate.state()
        spread.append(s["o"] - s["fail_at"])
    assert spread == [7500, 12_500]


def test_targets_unseen_for_a_month_go(gate):
    for i in range(40):
        gate.run("ask", f"t{i}", 0, 20, 0, "generic", "h")
    old = msgpack.unpackb(gate.db.hget(KEY, "t3"))
    gate.db.hset(KEY, "t3", msgpack.packb({**old, "seen": old["seen"] - 31 * 86_400_000}))
    gate.ask()
    assert not gate.db.hexists(KEY, "t3") and gate.db.hlen(KEY) == 40
