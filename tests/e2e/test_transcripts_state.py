"""Transcripts and their seals as the scripts keep them, on a real Redis."""
import pytest

from track_redis import Server, Shard

KEEP, LEASE, ZERO = 86400000, 30000, "0" * 64


@pytest.fixture(scope="module")
def db(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("redis"))
    yield server.db
    server.stop()


def text(v):
    return [text(x) for x in v] if isinstance(v, list) else v.decode() if isinstance(v, bytes) else v


class Book:
    def __init__(self, db):
        db.flushall()
        self.db, self.shard, self.seq = db, Shard(db), 0

    def say(self, k="in", conv="c", words="在吗", keep=KEEP, **e):
        self.seq += 1
        e = {"k": k, "conv": conv, "cust": "u", "mid": f"m{self.seq}", "agent": "ann", "at": self.shard.now(), "live": True,
             "sender": "u" if k == "in" else "", "text": words, "tkeep": keep, **e}
        assert self.shard.apply("r", [(self.seq, {a: b for a, b in e.items() if b != ""})])[3] == "OK"

    def entries(self, conv="c", since=0, most=1000):
        got = text(self.shard.run("said_read", "entries", conv, since, most))
        return got[2:], got[1] if len(got) > 1 else None

    def due(self, node="n1", most=64, entries=500, lease=LEASE):
        return text(self.shard.run("seal_due", node, lease, most, entries))

    def put(self, fence, no, conv, n, head="h"):
        return text(self.shard.run("seal_put", fence, no, conv, n, head, f"seal {no}", f"sig {no}", f"hash {no}"))


@pytest.fixture
def book(db):
    return Book(db)


def test_entries_stand_in_order_with_all_that_matters(book):
    book.say(words="坏了！")
    book.say("out", act=4, words="加我微信", human=True, rules="p.r")
    book.say("out", act=2, words="很好", dlv=True, human=True)
    book.say("refused", words="", mid="m3")
    rows, head = book.entries()
    assert [(r[0], r[2], r[5], r[6], r[10]) for r in rows] == [
        ("1", "in", "", "", "坏了！"), ("2", "out", "block", "", "加我微信"), ("3", "out", "rewrite", "1", "很好"),
        ("4", "refused", "", "", "")]
    assert head == ["u", "4", "0"] and rows[1][9] == "p.r" and rows[0][4] == "u" and rows[1][3] == "ann"
    assert all("坏了" not in v for e in book.shard.stream() for v in e.values())


def test_the_same_message_again_is_one_entry(book):
    book.say(mid="same")
    book.say(mid="same")
    assert len(book.entries()[0]) == 1


def test_without_transcripts_nothing_is_kept(book):
    book.say(keep=0)
    assert book.entries() == ([], None) and not book.db.exists(book.shard.key("said"))


def test_pieces_and_their_end(book):
    for i in range(50):
        book.say(words=f"w{i}")
    rows, head = book.entries()
    assert [r[10] for r in rows] == [f"w{i}" for i in range(50)] and head[1] == "50"
    assert [r[0] for r in book.entries(since=30, most=5)[0]] == ["31", "32", "33", "34", "35"]
    assert book.db.zcard(book.shard.key("said_at")) == 4
    book.db.zadd(book.shard.key("said_at"), {"c\n0": 1, "c\n1": 1})
    book.say(conv="d")
    assert [r[0] for r in book.entries()[0]] == [str(i) for i in range(33, 51)]
    for piece in (2, 3):
        book.db.zadd(book.shard.key("said_at"), {f"c\n{piece}": 1})
    book.say(conv="d")
    assert book.entries() == ([], None)
    assert set(book.db.hkeys(book.shard.key("said"))) == {b"d", b"d\n0"}
    assert book.db.zrange(book.shard.key("said_new"), 0, -1) == [b"d"]


def test_a_seal_covers_what_is_new(book):
    for i in range(3):
        book.say(words=f"w{i}")
    word, fence, no, prev, (conv, before, n0, n, rows) = book.due()
    assert (word, no, prev, conv, before, n0, n) == ("OK", "0", ZERO, "c", ZERO, "0", "3")
    assert [r[10] for r in rows] == ["w0", "w1", "w2"]
    assert book.due("n2") == ["BUSY"], "one gateway at a time"
    book.say(words="later")
    assert book.put(fence, 1, "c", 3, "a" * 64) == ["OK"]
    assert book.put(fence, 1, "c", 3) == ["STALE"], "numbers go up by one"
    word, fence, no, prev, (conv, before, n0, n, rows) = book.due()
    assert (no, prev, before, n0, n) == ("1", "hash 1", "a" * 64, "3", "4") and [r[10] for r in rows] == ["later"]
    assert book.put(fence, 2, "c", 4) == ["OK"]
    assert book.due() == ["BUSY"]
    assert [dict(e)[b"seal"] for _, e in book.db.xrange(book.shard.key("seals"))] == [b"seal 1", b"seal 2"]
    last, *seals = text(book.shard.run("said_read", "seals", "c", "", 100))[1:]
    assert seals == [["seal 1", "sig 1"], ["seal 2", "sig 2"]] and last
    assert text(book.shard.run("said_read", "seals", "c", last, 100))[1:] == [""]


def test_a_node_that_lost_its_lease_cannot_seal(book):
    book.say()
    fence = book.due(lease=0)[1]
    other = book.due("n2")[1]
    assert book.put(fence, 1, "c", 1) == ["STALE"]
    assert book.put(other, 1, "c", 1) == ["OK"]


def test_long_ones_are_sealed_in_parts(book):
    for i in range(40):
        book.say(words=f"w{i}")
    fence, rows = (due := book.due(entries=25))[1], due[4][4]
    assert len(rows) == 25 and book.put(fence, 1, "c", 25) == ["OK"]
    due = book.due(entries=25)
    assert [r[0] for r in due[4][4]] == [str(i) for i in range(26, 41)]


def test_hostile_records_do_no_harm(book):
    for e in ({"text": 5}, {"text": ["x"]}, {"conv": "a\nb"}, {"conv": ""}, {"tkeep": "x"}, {"tkeep": 2**60}, {"mid": {}}):
        book.seq += 1
        e = {"k": "in", "conv": "c", "at": book.shard.now(), "live": True, "text": "t", "tkeep": KEEP, **e}
        assert book.shard.apply("r", [(book.seq, e)])[3] == "OK"
    for row in book.entries()[0]:
        assert len(row) == 14
