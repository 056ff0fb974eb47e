"""Reminders: recorded once by whichever of several nodes, taken over when a node dies, looked at again before they are
raised. Time passes by moving what is recorded into the past: Redis's own clock decides."""
import threading

import pytest
import redis

from track_redis import Server, Shard

STEPS = ("30000:agent,120000:supervisor", "3600000:agent", "600000")
HOUR = 3600000
# unanswered, stale_case, before and after a promised time, cold_case, review, follow_up
PLANS = ("30000:agent", f"{100 * HOUR}:agent", "600000", f"0:agent,{HOUR}:supervisor", f"{12 * HOUR}:agent,{48 * HOUR}:supervisor",
         f"1800000:agent,{24 * HOUR}:agent:call,{30 * HOUR}:supervisor:call", f"{72 * HOUR}:agent")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


class Desk:
    def __init__(self, db, steps=STEPS):
        db.flushall()
        self.steps = steps
        self.shard, self.seq = Shard(db), 0
        self.now = self.shard.now()

    def event(self, **e):
        self.seq += 1
        e = {"conv": "c", "cust": "u", "mid": f"m{self.seq}", "agent": "ann", "team": "red", "shop": "s", **e}
        assert self.shard.apply("r", [(self.seq, e)])[3] == "OK"

    def asks(self, ago, **e):
        self.event(k="in", at=self.now - ago, live=True, **e)

    def answers(self, ago, **e):
        self.event(k="out", at=self.now - ago, dlv=True, human=True, **e)

    def due(self):
        return [Due(*r) for r in self.shard.run("remind_due", 16, *self.steps)[1:]]

    def run(self, script, d, *args):
        return [v.decode() for v in self.shard.run(script, d.item, d.step, d.anchor, *args, *self.steps)]

    def claim(self, d, node="n1", lease=10000):
        return self.run("remind_claim", d, node, lease)

    def whole(self, d, node="n1", outcome="delivered"):
        word, fence = self.claim(d, node)
        assert word == "OK"
        assert self.run("remind_raise", d, fence, "chat") == ["SEND"]
        assert self.run("remind_done", d, fence, outcome) == ["OK"]

    def look(self):
        """What is due, whenever each item was to be looked at."""
        db, key = self.shard.db, self.shard.key("remind_at")
        for member in db.zrange(key, 0, -1):
            db.zadd(key, {member: 1})
        return self.due()

    def act(self, *args):
        answer = [v.decode() for v in self.shard.run("case_act", *args)]
        assert answer[0] == "OK", answer

    def move(self, case, to):
        assert self.shard.run("case_move", "move", case, to, "sue", "why")[0] == b"OK"

    def recorded(self):
        return [(e["what"], e["kind"], e["step"]) for e in self.shard.stream(k="reminder")]


class Due:
    def __init__(self, item, kind, step, anchor, due, to, agent, conv, cust, since, ref, n, shop):
        self.item, self.kind, self.step, self.anchor = item, kind.decode(), step, anchor
        self.due, self.to, self.agent, self.since, self.ref = int(due), to.decode(), agent.decode(), int(since), ref.decode()


@pytest.fixture
def desk(server):
    return Desk(server.db)


def test_steps_come_due_one_after_the_other_and_once(desk):
    desk.asks(29000 - 5000)
    assert desk.due() == []
    desk = Desk(desk.shard.db)
    desk.asks(60000)
    (d,) = desk.due()
    assert (d.kind, d.step, d.to, d.agent, d.due) == ("unanswered", 0, "agent", "ann", desk.now - 30000)
    desk.whole(d)
    assert desk.due() == [] and desk.recorded() == [("raised", "unanswered", "0"), ("delivered", "unanswered", "0")]
    assert desk.claim(d) == ["GONE"], "a step that is done cannot be claimed again"


def test_the_supervisor_is_next(desk):
    desk.asks(130000)
    desk.whole(desk.due()[0])
    (d,) = desk.due()
    assert (d.step, d.to) == (1, "supervisor")
    desk.whole(d, outcome="undelivered")
    assert desk.due() == []
    assert [w for w, _, _ in desk.recorded()] == ["raised", "delivered", "raised", "undelivered"]


def test_an_answer_ends_it_at_any_point(desk):
    desk.asks(60000)
    (d,) = desk.due()
    _, fence = desk.claim(d)
    desk.answers(1000)
    assert desk.run("remind_raise", d, fence, "chat") == ["GONE"]
    assert desk.recorded() == [] and desk.due() == []
    assert desk.claim(d) == ["GONE"]


def test_claimed_once_by_many_nodes(server, desk):
    desk.asks(60000)
    (d,) = desk.due()
    results, start = [], threading.Barrier(8)

    def node(name):
        own = Shard(redis.Redis(unix_socket_path=server.socket))
        start.wait(20)
        results.append(own.run("remind_claim", d.item, d.step, d.anchor, name, 10000, *STEPS)[0])
    threads = [threading.Thread(target=node, args=(f"n{i}",)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(30)
    assert sorted(results) == [b"BUSY"] * 7 + [b"OK"]
    assert desk.due() == [], "while a node holds it, nobody is asked to"


def wait_for_due(desk):
    import time
    until = time.monotonic() + 10
    while time.monotonic() < until:
        got = desk.due()
        if got:
            return got
    raise AssertionError("the lease did not end")


def test_killed_between_claim_and_raise_is_taken_over_and_shown(desk):
    desk.asks(60000)
    (d,) = desk.due()
    _, old = desk.claim(d, "n1", lease=50)
    (d,) = wait_for_due(desk)
    word, new = desk.claim(d, "n2")
    assert word == "OK" and int(new) > int(old)
    assert desk.run("remind_raise", d, old, "chat") == ["STALE"], "the first node woke up late"
    assert desk.run("remind_raise", d, new, "chat") == ["SEND"]
    assert desk.run("remind_done", d, old, "delivered") == ["STALE"]
    assert desk.run("remind_done", d, new, "delivered") == ["OK"]
    assert [w for w, _, _ in desk.recorded()] == ["raised", "delivered"]
    assert desk.shard.stream(k="reminder", what="raised")[0]["node"] == "n2"


def test_killed_after_raise_is_recorded_once_and_not_shown_twice(desk):
    desk.asks(60000)
    (d,) = desk.due()
    _, old = desk.claim(d, "n1", lease=50)
    assert desk.run("remind_raise", d, old, "chat") in (["SEND"], ["STALE"])
    (d,) = wait_for_due(desk)
    _, new = desk.claim(d, "n2")
    assert desk.run("remind_raise", d, new, "chat") == ["UNCERTAIN"]
    assert desk.run("remind_done", d, new, "uncertain") == ["OK"]
    assert [w for w, _, _ in desk.recorded()] == ["raised", "uncertain"]


def test_a_new_round_starts_over_and_a_round_that_began_earlier_does_not(desk):
    desk.asks(60000)
    desk.whole(desk.due()[0])
    desk.asks(70000)  # came late from another gateway: the same wait, only longer
    assert desk.due() == []
    desk.answers(50000)
    desk.asks(40000)
    (d,) = desk.due()
    assert (d.step, d.since) == (0, desk.now - 40000)


def test_a_case_without_news(desk):
    desk.asks(2 * 3600000, ckind="refund", sev=2, words="w")
    desk.answers(90 * 60000)
    (d,) = desk.due()
    assert (d.kind, d.step, d.since) == ("stale_case", 0, desk.now - 90 * 60000)
    case = d.ref
    desk.answers(60000)
    assert desk.claim(d) == ["GONE"] and desk.due() == [], "news to the customer"
    assert desk.shard.run("case_move", "move", case, "closed", "sue", "done")[0] == b"OK"
    assert desk.due() == []


def test_commitments_before_and_at_the_due_time(desk):
    desk.answers(3600000, due=desk.now + 300000)
    (d,) = desk.due()
    assert (d.kind, d.step, d.to, d.due) == ("commitment", 0, "agent", desk.now - 300000)
    desk.whole(d)
    assert desk.due() == []
    desk = Desk(desk.shard.db)
    desk.answers(3600000, due=desk.now - 300000)
    desk.whole(desk.due()[0])
    (d,) = desk.due()
    assert (d.step, d.to, d.due) == (1, "supervisor", desk.now - 300000)
    desk.answers(1000)
    assert desk.claim(d) == ["GONE"] and desk.due() == []


def test_a_short_promise_is_not_nagged_at_once(desk):
    desk.answers(1000, due=desk.now + 120000)
    assert desk.due() == []


def test_what_is_over_leaves_nothing_behind(desk):
    for i in range(20):
        desk.asks(60000, conv=f"c{i}")
    for d in desk.due() + desk.due():
        if desk.claim(d)[0] == "OK":
            pass
    for i in range(20):
        desk.answers(1000, conv=f"c{i}")
    db, s = desk.shard.db, desk.shard
    for member in db.zrange(s.key("remind_at"), 0, -1):
        db.zadd(s.key("remind_at"), {member: 1})
    for _ in range(3):
        assert desk.due() == []
    assert db.zcard(s.key("remind_at")) == 0 and db.hlen(s.key("remind")) == 0


def test_due_answers_are_bounded(desk):
    for i in range(50):
        desk.asks(60000 + i, conv=f"c{i}")
    assert len(desk.due()) == 16


def review(server, ago, **e):
    desk = Desk(server.db, PLANS)
    desk.asks(ago, ckind="bad_review", sev=2, words="一星", **e)
    return desk


def test_a_review_is_followed_up_by_chat_first(server):
    desk = review(server, 20 * 60000)
    assert [d for d in desk.look() if d.kind != "unanswered"] == []
    desk = review(server, 3 * HOUR)
    (d,) = (d for d in desk.look() if d.kind != "unanswered")
    assert (d.kind, d.step, d.to, d.since) == ("review_chat", 0, "agent", desk.now - 3 * HOUR)
    desk.whole(d)
    assert [d for d in desk.look() if d.kind != "unanswered"] == []


def test_a_review_is_called_about_only_without_an_answer(server):
    desk = review(server, 40 * HOUR)
    desk.answers(25 * HOUR)
    (d,) = desk.look()
    assert (d.kind, d.step, d.to, d.since) == ("review_call", 0, "agent", desk.now - 25 * HOUR)
    desk.asks(1000)
    assert desk.claim(d) == ["GONE"], "the customer answered before anybody was told to call"
    desk.answers(500)
    assert desk.look() == [], "and was answered: from here on it is a case as others"


@pytest.mark.parametrize("others, longest", [(0, 5000), (59, 12_000), (5000, 15 * 60_000)])
def test_a_review_is_looked_at_before_its_plan_says(server, others, longest):
    """A message in the chat makes a call due, whatever step of the chat plan comes next; and the case of a customer who
    answered is one as others, whatever was to be called. Many open cases are looked at more seldom, five a second."""
    plans = (*PLANS[:1], "1000:supervisor", *PLANS[2:5], "36000000:agent,1000:agent:call", PLANS[6])
    desk = Desk(server.db, plans)
    desk.asks(2 * HOUR, ckind="bad_review", sev=2, words="一星")
    (case,) = (r[0] for r in desk.shard.read("cases", "open", 9))
    if others:
        desk.shard.db.zadd(desk.shard.key("case_open"), {f"x{i}": 1 for i in range(others)})
    item = f"c\n{case}".encode()
    before = desk.shard.now()
    desk.due()
    at = desk.shard.db.zscore(desk.shard.key("remind_at"), item)
    assert before < at <= desk.shard.now() + longest < desk.now + 8 * HOUR, "the next step of the chat plan is in eight hours"
    desk.answers(2000)
    desk.shard.db.zadd(desk.shard.key("remind_at"), {item: 0})     # so much later
    (d,) = (d for d in desk.due() if d.item == item)
    assert d.kind == "review_call"
    desk.asks(500, conv="c")
    desk.shard.db.zadd(desk.shard.key("remind_at"), {item: 0})
    (d,) = (d for d in desk.due() if d.item == item)
    assert d.kind == "stale_case"


def test_a_review_s_customer_reached_by_telephone_is_not_called_again(server):
    desk = review(server, 40 * HOUR)
    desk.answers(35 * HOUR)
    (d,) = desk.look()
    assert d.kind == "review_call"
    desk.act("call", d.ref, "ann", "", "answered")
    assert desk.look() == []


def test_no_more_than_two_calls_a_day(server):
    desk = review(server, 80 * HOUR)
    noon = (12 * HOUR - desk.now) % (24 * HOUR)     # in a zone that is chosen for it, so that it is not midnight
    desk.shard.db.hset(desk.shard.key("info"), "zone", f"Chosen {noon}")
    desk.answers(32 * HOUR)
    (d,) = desk.look()
    assert (d.kind, d.step) == ("review_call", 0)
    desk.whole(d)
    (d,) = desk.look()
    assert (d.step, d.to) == (1, "supervisor")
    for _ in range(2):
        desk.act("call", d.ref, "ann", "", "no_answer")
    assert desk.look() == [] and desk.claim(d) == ["GONE"], "a third call may not be asked for today"
    import msgpack
    key = desk.shard.key("case")
    case = msgpack.unpackb(desk.shard.db.hget(key, d.ref))
    case["calls"] = [at - 25 * HOUR for at in case["calls"]]
    desk.shard.db.hset(key, d.ref, msgpack.packb(case))
    (d,) = desk.look()
    assert (d.kind, d.step) == ("review_call", 1), "the day after"


def test_a_case_goes_cold_while_things_happen_and_the_customer_hears_nothing(server):
    desk = Desk(server.db, PLANS)
    desk.asks(50 * HOUR, ckind="refund", sev=3, words="w")
    desk.answers(30 * HOUR)
    assert desk.look() == [], "nothing happened since"
    case = desk.shard.read("cases", "open", 9)[0][0]
    desk.move(case, "waiting")
    (d,) = desk.look()
    assert (d.kind, d.step, d.to, d.since, d.ref) == ("cold_case", 0, "agent", desk.now - 30 * HOUR, case)
    desk.whole(d)
    assert desk.look() == [], "48 hours are not over"
    desk.act("news", case, "sue", "told by mail", "")
    assert desk.look() == []


def test_a_solved_case_is_visited(server):
    desk = Desk(server.db, PLANS)
    desk.asks(100 * HOUR, ckind="refund", sev=3, words="w")
    desk.answers(90 * HOUR)
    desk.asks(80 * HOUR, conf=True)
    desk.answers(79 * HOUR)  # "you are welcome" is no visit
    (d,) = desk.look()
    assert (d.kind, d.step, d.to, d.since) == ("follow_up", 0, "agent", desk.now - 80 * HOUR)
    desk.whole(d)
    assert desk.look() == []
    desk.asks(1000, ckind="refund", sev=3, words="again")
    assert desk.claim(d) == ["GONE"] and all(d.kind != "follow_up" for d in desk.look())


def test_a_visit_that_was_made_is_not_asked_for(server):
    desk = Desk(server.db, PLANS)
    desk.asks(100 * HOUR, ckind="refund", sev=3, words="w")
    desk.asks(80 * HOUR, conf=True)
    desk.answers(20 * HOUR)
    assert desk.look() == []


def test_a_broken_promise_goes_from_the_agent_to_the_supervisor(server):
    desk = Desk(server.db, PLANS)
    desk.answers(5 * HOUR, due=desk.now - 2 * HOUR)
    for step, to in enumerate(("agent", "agent", "supervisor")):
        (d,) = desk.look()
        assert (d.kind, d.step, d.to) == ("commitment", step, to)
        desk.whole(d)
    assert desk.look() == []


def snooze(desk, name, till, **_):
    return [v.decode() for v in desk.shard.run("remind_snooze", name, till, "sue", "in a meeting")]


def test_snoozed(server):
    desk = Desk(server.db, PLANS)
    desk.asks(60000)
    (d,) = desk.look()
    name = "0-" + __import__("hashlib").sha1(d.item).hexdigest()[:10]
    assert snooze(desk, "0-0000000000", "+1000") == ["NONE"]
    assert snooze(desk, name, "yesterday")[0] == snooze(desk, name, "5")[0] == snooze(desk, name, f"+{31 * 24 * HOUR}")[0] == "BAD"
    assert snooze(desk, name, "+600000")[:2] == ["OK", name]
    assert desk.look() == [] and desk.claim(d) == ["GONE"]
    (e,) = desk.shard.stream(k="reminder")
    assert (e["what"], e["item"], e["who"], e["why"]) == ("snoozed", name, "sue", "in a meeting")
    assert snooze(desk, name, "0")[0] == "OK"
    (d,) = desk.look()
    desk.whole(d)
    assert desk.shard.stream(k="reminder", what="raised")[0]["item"] == name, "its name is found where it is shown"
    snooze(desk, name, "+600000")
    desk.answers(30000)
    desk.asks(20000)
    assert desk.look() == [], "a snooze is of the conversation's waiting, not of one message"


def test_held_items_do_not_come_again_before_their_time(server):
    desk = Desk(server.db, PLANS)
    desk.asks(60000)
    (d,) = desk.due()
    assert desk.shard.run("remind_hold", d.item, desk.now + 300000) == [b"OK"]
    assert desk.due() == []
    assert desk.shard.db.zscore(desk.shard.key("remind_at"), d.item) == desk.now + 300000
    assert desk.shard.run("remind_hold", "w\nnobody", desk.now) == [b"GONE"]
