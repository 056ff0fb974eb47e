"""Held messages as the scripts keep them, on a real Redis."""
import msgpack
import pytest

from track_redis import Server, Shard

TTL, LEASE, WITHIN, KEEP = 600000, 10000, 600000, 86400000
ROW = ("id state at expires agent team shop conv cust mid edit rules text who why decided ended node").split()


@pytest.fixture(scope="module")
def db(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("redis"))
    yield server.db
    server.stop()


class Queue:
    def __init__(self, db):
        db.flushall()
        self.db, self.shard, self.seq = db, Shard(db), 0

    def hold(self, mid="m1", agent="ann", ttl=TTL, ago=0, **e):
        self.seq += 1
        e = {"k": "out", "act": 3, "conv": "c", "cust": "u", "mid": mid, "agent": agent, "team": "red", "shop": "s",
             "at": self.shard.now() - ago, "human": True, "rules": "pack.rule", "hraw": "{raw}", "htext": "给您补偿50元",
             "hroute": "plain:0", "hvia": "n1/1", "httl": ttl, **e}
        assert self.shard.apply("r", [(self.seq, e)])[3] == "OK"

    def run(self, script, *args):
        return [v.decode() if isinstance(v, bytes) else v for v in self.shard.run(script, *args)]

    def rows(self, *question):
        rows = self.shard.run("held_read", *question)[1:]
        return [dict(zip(ROW, [v.decode() for v in r], strict=True)) for r in rows]

    def one(self, id="0-1"):
        (row,) = self.rows("one", id)
        return row

    def due(self, within=WITHIN, keep=KEEP, most=500):
        now, live, *rows = self.shard.run("held_due", within, keep, most)
        return live, [tuple(v.decode() for v in r[:3]) for r in rows]

    def trail(self):
        return [(e["from"], e["to"], e["who"], e["why"]) for e in self.shard.stream(k="held")]

    def counts(self):
        return {k: v for k, v in self.db.hgetall(self.shard.key("held")).items() if k.startswith(b"#")}


@pytest.fixture
def q(db):
    return Queue(db)


def test_a_held_message_waits_with_all_that_an_approver_needs(q):
    q.hold()
    row = q.one()
    assert (row["state"], row["agent"], row["team"], row["shop"], row["conv"], row["cust"]) == (
        "waiting", "ann", "red", "s", "c", "u")
    assert (row["text"], row["rules"], row["mid"], row["edit"]) == ("给您补偿50元", "pack.rule", "m1", "")
    assert int(row["expires"]) - int(row["at"]) == TTL
    assert q.rows("list", "waiting", 10) == q.rows("list", "open", 10) == q.rows("list", "all", 10) == [row]
    assert q.due() == (1, [])
    (e,) = q.shard.stream(k="held")
    assert (e["held"], e["to"], e["who"]) == ("0-1", "waiting", "ann")
    assert all("补偿" not in v and "raw" not in v for e in q.shard.stream() for v in e.values()), "no chat text"


def test_the_clock_goes_on_while_a_message_is_held(q):
    q.seq += 1
    q.shard.apply("r", [(q.seq, {"k": "in", "at": q.shard.now() - 9000, "live": True, "conv": "c", "cust": "u",
                                 "sender": "u", "mid": "i1"})])
    q.hold()
    assert len(q.shard.read("waiting", 10)) == 1


def test_approved_claimed_sent(q):
    q.hold()
    assert q.run("held_decide", "approve", "0-1", "sue", "fine") == ["OK", "0-1", "approved"]
    assert q.due() == (1, [("0-1", "send", "ann")])
    answer = q.run("held_claim", "0-1", "n1", LEASE)
    assert answer[0] == "SEND" and answer[2:] == [
        "sending", "ann", "c", "plain:0", "n1/1", "{raw}", "给您补偿50元", "sue", "fine"]
    assert q.run("held_claim", "0-1", "n2", LEASE) == ["BUSY"]
    assert q.due() == (1, [])
    assert q.run("held_done", "0-1", int(answer[1]) + 1, "sent", "") == ["STALE"]
    assert q.run("held_done", "0-1", answer[1], "sent", "") == ["OK", "sent"]
    assert q.run("held_done", "0-1", answer[1], "back", "") == ["STALE"], "sent is for good"
    assert q.due() == (0, [])
    row = q.one()
    assert (row["state"], row["who"], row["why"], row["node"]) == ("sent", "sue", "fine", "n1")
    assert q.shard.packed("held")["0-1"]["raw"] == ""
    assert [t[1] for t in q.trail()] == ["waiting", "approved", "sent"]
    assert q.counts() == {}


def test_given_back_it_is_sent_by_another_node(q):
    q.hold()
    q.run("held_decide", "approve", "0-1", "sue", "")
    fence = q.run("held_claim", "0-1", "n1", LEASE)[1]
    assert q.run("held_done", "0-1", fence, "back", "no session") == ["OK", "approved"]
    assert q.run("held_claim", "0-1", "n2", LEASE) == ["BUSY"], "not again at once"
    rec = msgpack.unpackb(q.db.hget(q.shard.key("held"), "0-1"), strict_map_key=False)
    q.db.hset(q.shard.key("held"), "0-1", msgpack.packb({**rec, "l": rec["l"] - 2000}))
    assert q.due() == (1, [("0-1", "send", "ann")])
    assert q.run("held_claim", "0-1", "n2", LEASE)[0] == "SEND"


def test_a_gateway_that_dies_over_it_leaves_it_uncertain_and_nobody_sends_it_again(q):
    q.hold()
    q.run("held_decide", "approve", "0-1", "sue", "")
    fence = q.run("held_claim", "0-1", "n1", 0)[1]
    assert q.due() == (0, [("0-1", "tell", "ann")])
    assert q.one()["state"] == "uncertain"
    assert q.run("held_done", "0-1", int(fence) + 1, "sent", "") == ["STALE"]
    assert q.run("held_done", "0-1", fence, "sent", "") == ["OK", "sent"], "unless it was only late"
    assert q.due() == (0, []) and q.one()["state"] == "sent"


def test_what_is_uncertain_is_told(q):
    q.hold()
    q.run("held_decide", "approve", "0-1", "sue", "")
    fence = q.run("held_claim", "0-1", "n1", 0)[1]
    q.due()
    assert q.run("held_claim", "0-1", "n2", LEASE)[0] == "TELL"
    assert q.run("held_done", "0-1", fence, "sent", "") == ["STALE"]


def test_refused_and_told(q):
    q.hold()
    assert q.run("held_decide", "refuse", "0-1", "sue", "不要承诺补偿") == ["OK", "0-1", "refused"]
    assert q.due() == (0, [("0-1", "tell", "ann")])
    answer = q.run("held_claim", "0-1", "n1", LEASE)
    assert (answer[0], answer[2], answer[7], answer[9:]) == ("TELL", "refused", "{raw}", ["sue", "不要承诺补偿"])
    assert q.due() == (0, [])
    assert q.run("held_done", "0-1", answer[1], "told", "") == ["OK", "refused"]
    assert q.due() == (0, []) and q.run("held_claim", "0-1", "n1", LEASE) == ["GONE"]
    assert q.counts() == {}


@pytest.mark.parametrize("first,second", [("approve", "refuse"), ("refuse", "approve"), ("approve", "approve")])
def test_one_decision_only(q, first, second):
    q.hold()
    q.run("held_decide", first, "0-1", "sue", "")
    state = q.one()["state"]
    answer = q.run("held_decide", second, "0-1", "bob", "")
    assert answer[:3] == ["ENDED", state, "sue"]
    assert q.run("held_decide", "approve", "0-9", "bob", "") == ["NONE"]
    assert q.run("held_decide", "approve", "#ann", "bob", "") == ["NONE"]
    assert q.one()["who"] == "sue"


def test_nobody_decides_in_time(q):
    q.hold(ttl=1000, ago=2000)
    assert q.one()["state"] == "expired", "shown so before anybody ended it"
    assert q.run("held_decide", "approve", "0-1", "sue", "")[:2] == ["ENDED", "expired"]
    assert q.due() == (0, [("0-1", "tell", "ann")])
    assert q.one()["state"] == "expired" and q.counts() == {}


def test_the_deployment_may_have_it_sent_then(q):
    q.hold(ttl=1000, ago=2000, hsend=True)
    q.due()
    assert q.due() == (1, [("0-1", "send", "ann")])
    assert q.one()["who"] == "chatgate"


def test_approved_without_the_agent_is_unsent_after_a_while(q):
    q.hold()
    q.run("held_decide", "approve", "0-1", "sue", "")
    assert q.due(within=0) == (0, [("0-1", "tell", "ann")])
    assert q.one()["state"] == "unsent"


def test_blocked_by_the_rules_then_in_force(q):
    q.hold()
    q.run("held_decide", "approve", "0-1", "sue", "")
    fence = q.run("held_claim", "0-1", "n1", LEASE)[1]
    assert q.run("held_done", "0-1", fence, "blocked", "pack.other") == ["OK", "blocked"]
    assert (q.one()["state"], q.one()["why"]) == ("blocked", "pack.other")


def test_bounds(q):
    for i in range(22):
        q.hold(mid=f"m{i}")
    states = [r["state"] for r in q.rows("list", "all", 100)]
    assert states.count("waiting") == 20 and states.count("refused") == 2
    q.hold(mid="x", agent="ben")
    assert q.rows("list", "waiting", 100)[-1]["agent"] == "ben"
    q.run("held_decide", "refuse", "0-1", "sue", "")
    q.hold(mid="y")
    assert sum(r["agent"] == "ann" for r in q.rows("list", "waiting", 100)) == 20
    assert q.counts() == {b"#ann": b"20", b"#ben": b"1"}
    for i in range(600):
        q.hold(mid=f"z{i}", agent=f"a{i}")
    assert q.db.zcard(q.shard.key("held_at")) == 500
    for _ in range(60):
        q.due(keep=0)
    assert q.db.zcard(q.shard.key("held_done")) == 0
    assert q.db.zcard(q.shard.key("held_tell")) == 0
    assert len(q.shard.packed("held")) == 500


def test_a_doubled_record_is_held_once(q):
    q.hold()
    e = {"k": "out", "act": 3, "conv": "c", "cust": "u", "mid": "m1", "hraw": "x", "at": q.shard.now(), "httl": TTL}
    assert q.shard.apply("r", [(1, e)]) == (1, 0, 1, "OK")
    assert len(q.rows("list", "all", 10)) == 1


def test_hostile_records_do_no_harm(q):
    for e in ({"hraw": 5}, {"hraw": "x", "httl": "y"}, {"hraw": "x", "agent": ["a"]}, {"hraw": "x", "htext": {}},
              {"hraw": "\x00", "httl": 2**62}):
        q.seq += 1
        assert q.shard.apply("r", [(q.seq, {"k": "out", "act": 3, "at": q.shard.now(), **e})])[3] == "OK"
    q.due()
    for row in q.rows("list", "all", 10):
        assert row["state"] in ("waiting", "expired")
