"""The life of a case and of a commitment, on a real Redis."""
import msgpack
import pytest

from track_model import DAY, HOUR
from track_redis import Server, Shard


@pytest.fixture(scope="module")
def db(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("redis"))
    yield server.db
    server.stop()


class Desk:
    """One ring that tells one customer's story."""

    def __init__(self, db):
        db.flushall()
        self.shard, self.seq = Shard(db), 0
        self.now = self.shard.now()

    def event(self, **e):
        self.seq += 1
        e = {"conv": "c", "cust": "u", "mid": f"m{self.seq}", "agent": "ann", "team": "red", "shop": "s", **e}
        assert self.shard.apply("r", [(self.seq, e)]) == (self.seq, 1, 0, "OK")

    def says(self, ago, **e):
        self.event(k="in", at=self.now - ago, live=True, sender="u", **e)

    def goes_on(self):
        """Until Redis's clock shows another millisecond than that of all that was."""
        start = self.shard.now()
        while self.shard.now() <= start:
            pass
        self.now = self.shard.now()

    def complains(self, ago, kind="refund", sev=2, words="要退款"):
        self.says(ago, ckind=kind, sev=sev, crule="complaint." + kind, words=words)

    def answers(self, ago, **e):
        self.event(k="out", at=self.now - ago, dlv=True, human=True, **e)

    def cases(self, which="all"):
        return self.shard.read("cases", which, 100)

    def move(self, case, to, who="sue", why="because"):
        return [v.decode() for v in self.shard.run("case_move", "move", case, to, who, why)]


ID, STATE, SEV, KINDS, CUST, OPENED, N, ORDERS, WORDS = 0, 1, 2, 3, 4, 8, 10, 11, 14


@pytest.fixture
def desk(db):
    return Desk(db)


def test_a_complaint_opens_a_case_with_its_words_and_order_numbers(desk):
    desk.complains(5000, words="订单 202611220001 和 1234567890123 坏了, 电话13812345678, 123456789, " + "9" * 21)
    (c,) = desk.cases()
    assert (c[STATE], c[SEV], c[KINDS], c[CUST], c[N]) == ("open", "2", "refund", "u", "1")
    assert c[ORDERS] == "202611220001,1234567890123"
    assert c[WORDS].startswith("订单 2026")
    (e,) = desk.shard.stream(k="case")
    assert (e["case"], e["from"], e["to"], e["who"]) == (c[ID], "", "open", "customer")
    assert all("坏" not in v for e in desk.shard.stream() for v in e.values()), "the stream holds no chat text"


def test_the_same_customer_again_is_the_same_case(desk):
    desk.complains(5000, "refund", 2, "单 11111111111111")
    desk.complains(4000, "attitude", 4, "单 22222222222222")
    (c,) = desk.cases()
    assert (c[SEV], c[KINDS], c[N], c[ORDERS]) == ("4", "refund,attitude", "2", "11111111111111,22222222222222")
    assert c[WORDS] == "单 11111111111111"


def test_confirmed_is_solved_and_comes_back_within_the_window(desk):
    desk.complains(3 * DAY)
    desk.says(2 * DAY, conf=True)
    assert desk.cases("open") == [] and desk.cases()[0][STATE] == "solved"
    desk.complains(1 * DAY)
    (c,) = desk.cases("open")
    assert c[STATE] == "reopened"
    rows = desk.shard.read("case", c[ID])
    assert [(h[2], h[3], h[4]) for h in rows[1:]] == [
        ("", "open", "customer"), ("open", "solved", "customer"), ("solved", "reopened", "customer")]


def test_after_the_window_it_is_another_case(desk):
    shard = desk.shard
    desk.complains(5000)
    first = desk.cases()[0][ID]
    desk.says(4000, conf=True)
    import msgpack
    # a customer's log as it stands eight days later
    rec = msgpack.unpackb(shard.db.hget(shard.key("cust"), "u"), strict_map_key=False)
    for e in rec["l"]:
        e[0] -= 8 * DAY
    shard.db.hset(shard.key("cust"), "u", msgpack.packb(rec))
    desk.complains(1000)
    assert sorted((c[ID] == first, c[STATE]) for c in desk.cases()) == [(False, "open"), (True, "solved")]


def test_a_late_confirmation_or_complaint_is_put_in_its_place(desk):
    desk.says(4000, conf=True)
    desk.complains(5000)
    assert desk.cases()[0][STATE] == "solved"
    desk.complains(4500)
    (c,) = desk.cases()
    assert (c[STATE], c[N]) == ("solved", "2")


LEGAL = {"open": {"acknowledged", "waiting", "solved", "closed"}, "acknowledged": {"waiting", "solved", "closed"},
         "waiting": {"acknowledged", "solved", "closed"}, "reopened": {"acknowledged", "waiting", "solved", "closed"},
         "solved": {"closed", "reopened"}, "closed": {"reopened"}}
WAY = {"open": [], "acknowledged": ["acknowledged"], "waiting": ["waiting"], "solved": ["solved"], "closed": ["closed"],
       "reopened": ["closed", "reopened"]}


@pytest.mark.parametrize("state", LEGAL)
@pytest.mark.parametrize("to", LEGAL)
def test_only_legal_moves_are_made(desk, state, to):
    desk.complains(5000)
    case = desk.cases()[0][ID]
    for step in WAY[state]:
        assert desk.move(case, step)[0] == "OK"
    before = desk.shard.read("case", case)[1:]
    got = desk.move(case, to, "sue", "a reason")
    if to in LEGAL[state]:
        assert got == ["OK", case, to]
        after = desk.shard.read("case", case)[1:]
        assert after[:-1] == before
        assert after[-1][2:] == [state, to, "sue", "a reason"]
        assert (desk.cases("open") != []) == (to not in ("solved", "closed"))
    else:
        assert got[0] == "ILLEGAL" and got[1] == state and set(got[2:]) == LEGAL[state]
        assert desk.shard.read("case", case)[1:] == before


def test_opened_by_hand_and_merged_with_what_the_customer_says(desk):
    got = [v.decode() for v in desk.shard.run("case_move", "open", "u", "c", "invoice", "3", "要发票 1234567890", "sue", "call")]
    assert got[0] == "OK" and got[2] == "open"
    desk.goes_on()
    desk.complains(0)
    (c,) = desk.cases("open")
    assert (c[ID], c[KINDS], c[N], c[SEV], c[ORDERS]) == (got[1], "invoice,refund", "2", "3", "1234567890")


def test_moves_of_what_does_not_exist_or_stands_behind_another(desk):
    assert desk.move("0-77", "closed") == ["NONE"]
    desk.complains(5000)
    first = desk.cases()[0][ID]
    assert desk.move(first, "closed")[0] == "OK"
    desk.goes_on()
    desk.complains(0)
    second = desk.cases("open")[0][ID]
    assert second != first
    assert desk.move(first, "reopened") == ["OTHER", second]
    desk.goes_on()
    assert desk.move(second, "closed")[0] == "OK"
    assert desk.move(first, "reopened") == ["OK", first, "reopened"]
    desk.shard.db.hdel(desk.shard.key("cust"), "u")  # long afterwards: the log has been swept
    assert desk.move(first, "closed") == ["OK", first, "closed"]


def test_more_complaints_than_the_log_holds(desk):
    for i in range(60):
        desk.complains(60000 - 100 * i, words=f"{10**12 + i}")
    (c,) = desk.cases()
    assert c[N] == "60" and c[STATE] == "open" and int(c[OPENED]) == desk.now - 60000
    rec = desk.shard.packed("cust")["u"]
    assert len(rec["l"]) <= 16 and len(rec["k"]) <= 32


def promises(desk):
    return [(int(r[5]), int(r[6])) for r in desk.shard.read("commitments", 100)]


def outcomes(desk):
    total = {}
    for name, kind, text in (r for r in desk.shard.read("figures", desk.now - 3 * HOUR, desk.now + 1, "a", "ann") if r[1] == "v"):
        for what, n in (p.split(":") for p in text.split(",")):
            if what.startswith("promise_"):
                total[what[8:]] = total.get(what[8:], 0) + int(n)
    return total


def test_a_commitment_is_kept_by_a_later_message_that_says_something(desk):
    due = desk.now + 60000
    desk.answers(50000, due=due, prule="commit.time")
    assert promises(desk) == [(desk.now - 50000, due)]
    desk.says(45000)  # the customer's thanks keep nothing
    desk.answers(40000, ackonly=True)
    desk.event(k="out", at=desk.now - 35000, act=4)  # blocked
    assert promises(desk) and outcomes(desk) == {}
    desk.answers(30000)
    assert promises(desk) == [] and outcomes(desk) == {"kept": 1}


def test_a_commitment_answered_late_is_broken_and_a_new_one_extends(desk):
    desk.answers(50000, due=desk.now - 20000)
    desk.answers(10000)
    assert outcomes(desk) == {"broken": 1}
    desk.answers(9000, due=desk.now + 9000)
    desk.answers(8000, due=desk.now + 99000)
    assert outcomes(desk) == {"broken": 1, "extended": 1}
    assert promises(desk) == [(desk.now - 8000, desk.now + 99000)]


def test_a_refused_answer_keeps_nothing_and_reopens_the_round(desk):
    desk.says(60000)
    desk.answers(50000, due=desk.now + 5000)
    desk.answers(40000, mid="x")
    assert promises(desk) == [] and desk.shard.state()["waiting"] == {}
    desk.event(k="refused", at=desk.now - 39000, mid="x")
    assert promises(desk) == [(desk.now - 50000, desk.now + 5000)]
    desk.says(30000)
    desk.answers(20000, mid="y")
    desk.event(k="refused", at=desk.now - 19000, mid="y")
    assert desk.shard.state()["waiting"]["c"][0] == desk.now - 30000
    assert outcomes(desk) == {}


# --- what people do to a case beside moving it ---

class Acts(Desk):
    def act(self, what, value="", who="sue", why="because", force="", case="0-1"):
        return [v.decode() for v in self.shard.run("case_act", what, case, who, why, value, force)]

    def case(self, case="0-1"):
        return self.shard.packed("case")[case]

    def history(self, case="0-1"):
        return [tuple(h[2:]) for h in self.shard.read("case", case)[1:]]


@pytest.fixture
def acts(db):
    return Acts(db)


def test_assigned_noted_with_orders_and_severity(acts):
    acts.complains(5000)
    assert acts.act("assign", "tom") == ["OK", "0-1", "open", "tom"]
    assert acts.act("order", "A-2026-77") == ["OK", "0-1", "open", "A-2026-77"]
    assert acts.act("severity", "4") == ["OK", "0-1", "open", "4"]
    assert acts.act("note", why="仓库说明天到") == ["OK", "0-1", "open", ""]
    acts.goes_on()
    acts.complains(0, "attitude", 1)
    row = acts.cases()[0]
    assert (row[SEV], row[KINDS], row[ORDERS], row[N], row[17]) == ("4", "refund,attitude", "A-2026-77", "2", "tom")
    assert acts.history() == [("", "open", "customer", "complaint.refund"),
                              ("open", "open", "sue", "because", "assign", "tom"),
                              ("open", "open", "sue", "because", "order", "A-2026-77"),
                              ("open", "open", "sue", "because", "severity", "4"),
                              ("open", "open", "sue", "仓库说明天到", "note", "")]
    assert [(e["what"], e["value"], e["who"]) for e in acts.shard.stream(k="case") if "what" in e] == [
        ("assign", "tom", "sue"), ("order", "A-2026-77", "sue"), ("severity", "4", "sue"), ("note", "", "sue")]


def it_is(acts, hours):
    """So many hours after midnight, in a zone that is chosen for it."""
    acts.shard.db.hset(acts.shard.key("info"), "zone", f"Chosen {int(hours * HOUR - acts.shard.now()) % DAY}")


def test_two_calls_a_day_and_no_third(acts):
    acts.complains(5000)
    it_is(acts, 20)
    assert acts.act("call", "no_answer")[0] == "OK" and acts.act("call", "answered")[0] == "OK"
    word, when = acts.act("call", "no_answer")
    assert word == "LIMIT" and abs(int(when) - acts.shard.now() - 4 * HOUR) < 60000, "at midnight"
    assert acts.act("call", "busy", force="force")[0] == "OK", "one that was made all the same is not hidden"
    assert len(acts.case()["calls"]) == 3 and acts.case()["nw"] == acts.case()["calls"][1]


def test_yesterdays_calls_do_not_count(acts):
    acts.complains(5000)
    it_is(acts, 23.5)
    for _ in range(2):
        assert acts.act("call", "no_answer")[0] == "OK"
    assert acts.act("call", "no_answer")[0] == "LIMIT"
    case = acts.case()
    case["calls"] = [at - HOUR for at in case["calls"]]
    acts.shard.db.hset(acts.shard.key("case"), "0-1", msgpack.packb(case))
    assert acts.act("call", "no_answer")[0] == "LIMIT", "an hour ago, on the same day"
    it_is(acts, 0.5)
    acts.goes_on()
    assert acts.act("call", "no_answer")[0] == "OK", "an hour ago, yesterday"


def test_a_bad_review_is_followed_up_by_chat_first(acts):
    acts.complains(5000, "bad_review")
    assert acts.act("call", "no_answer") == ["CHAT_FIRST"]
    acts.answers(1000)
    assert acts.act("call", "no_answer")[0] == "OK"


def test_news_and_snooze_move_the_reminder(acts):
    steps = ("16", "60000:agent", "1000:agent,5000:supervisor", "0")
    acts.complains(5000)
    due = acts.shard.run("remind_due", *steps)[1:]
    assert [d[1] for d in due] == [b"stale_case"]
    acts.act("assign", "tom")
    due = acts.shard.run("remind_due", *steps)[1:]
    assert [d[6] for d in due] == [b"tom"], "who works on it is reminded"
    until = acts.shard.now() + HOUR
    assert acts.act("snooze", str(until))[3] == str(until)
    assert acts.shard.run("remind_due", *steps)[1:] == []
    assert acts.shard.db.zscore(acts.shard.key("remind_at"), "c\n0-1") == until
    assert acts.act("snooze", "0")[0] == "OK"
    assert len(acts.shard.run("remind_due", *steps)) == 2
    acts.act("news")
    assert acts.shard.run("remind_due", *steps)[1:] == []
    assert acts.cases()[0][16] == str(acts.case()["nw"])


def test_acts_are_refused_with_what_is_allowed(acts):
    acts.complains(5000)
    for what, value in [("assign", ""), ("assign", "x" * 201), ("call", "maybe"), ("snooze", "soon"), ("snooze", "1"),
                        ("snooze", str(acts.shard.now() + 40 * DAY)), ("snooze", "nan"), ("snooze", "1e400"), ("order", "a b"),
                        ("severity", "5"), ("note", "x"), ("delete", "")]:
        word, allowed = acts.act(what, value)
        assert word == "BAD" and allowed, what
    assert acts.act("note", case="0-9") == ["NONE"]
    assert len(acts.history()) == 1


def test_acts_stay_with_a_case_whose_log_has_gone_on(acts):
    acts.complains(5000)
    acts.says(4000, conf=True)
    acts.shard.db.hdel(acts.shard.key("cust"), "u")
    acts.goes_on()
    acts.complains(0)
    assert acts.act("note", why="spät")[0] == "OK"
    assert acts.history()[-1] == ("solved", "solved", "sue", "spät", "note", "")
    assert acts.act("note", case="0-2")[:3] == ["OK", "0-2", "open"]
    assert sorted(c[STATE] for c in acts.cases()) == ["open", "solved"]


def test_acts_survive_the_folding_of_the_log(acts):
    acts.complains(50000)
    acts.act("assign", "tom")
    for i in range(40):
        acts.act("note", why=f"n{i}")
        acts.goes_on()
    c = acts.case()
    assert c["as"] == "tom" and c["id"] == "0-1" and c["n"] == 1 and len(c["hist"]) == 40
    assert c["hist"][0][2] == "open" and c["hist"][-1][4] == "n39"
