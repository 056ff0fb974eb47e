"""chatgate commitments list | keep | cancel | extend; chatgate reminders snooze | wake."""

import json
import subprocess

import pytest
from gateway import BUILD, SOURCE
from track_redis import Server, Shard

HOUR = 3600000
STEPS = ("30000:agent", f"{HOUR}:agent", "600000", "0:supervisor")


@pytest.fixture
def desk(folder):
    server = Server(folder)
    config = folder / "chatgate.yaml"
    config.write_text("listeners: [{address: '127.0.0.1:0', profile: plain-ws-json, upstream: im}]\n"
                      f"profiles_dir: {SOURCE}/conf/profiles\n"
                      "upstreams: [{name: im, servers: ['127.0.0.1:9']}]\n"
                      f"redis: {{address: {server.socket}}}\n")

    def run(*args, status=0):
        done = subprocess.run([BUILD / "src/cli/chatgate", *args, "--config", config], text=True, capture_output=True,
                              timeout=120)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stderr if status else done.stdout
    run.shard, run.seq = Shard(server.db, 2), 0
    server.db.hset("cg:meta", mapping={"shards": 4, "version": 1})
    run.now = run.shard.now()

    def event(**e):
        run.seq += 1
        e = {"conv": "c", "cust": "u", "mid": f"m{run.seq}", "agent": "ann", "team": "red", "shop": "s", **e}
        assert run.shard.apply("r", [(run.seq, e)])[3] == "OK"
    run.event = event
    run.promise = lambda due, ago=2 * HOUR, **e: event(k="out", at=run.now - ago, dlv=True, human=True, due=run.now + due, **e)
    run.answer = lambda ago=0, **e: event(k="out", at=run.now - ago, dlv=True, human=True, **e)
    yield run
    server.stop()


def listed(desk):
    return json.loads(desk("commitments", "--json"))


def counted(desk, agent="ann"):
    hour = desk.now // HOUR
    rows = desk.shard.read("figures", (hour - 30) * HOUR, (hour + 2) * HOUR, "a", agent)
    out = {}
    for row in rows:
        if row[1] == "v":
            for pair in row[2].split(","):
                what, n = pair.split(":")
                if what.startswith("promise_"):
                    out[what[8:]] = out.get(what[8:], 0) + int(n)
    return out


def due_now(desk):
    db, key = desk.shard.db, desk.shard.key("remind_at")
    for member in db.zrange(key, 0, -1):
        db.zadd(key, {member: 1})
    return [(r[1].decode(), r[5].decode()) for r in desk.shard.run("remind_due", 16, *STEPS)[1:]]


def test_listed_soonest_first(desk):
    desk.promise(HOUR, conv="c1")
    desk.promise(-HOUR, conv="c2")
    first, second = listed(desk)
    assert (first["conversation"], first["due_ms"], first["agent"], first["made_ms"]) == (
        "c2", desk.now - HOUR, "ann", desk.now - 2 * HOUR)
    assert second["conversation"] == "c1" and first["id"].startswith("2-") and len(first["id"]) == 12
    text = desk("commitments", "list")
    assert "broken for 1 h" in text and first["id"] in text and "2 open commitments" in text
    assert json.loads(desk("commitments", "--most", "1", "--json"))[0]["id"] == first["id"]


def test_kept_by_hand(desk):
    desk.promise(-HOUR)
    (c,) = listed(desk)
    assert due_now(desk) == [("commitment", "agent")]
    assert "kept" in desk("commitments", "keep", c["id"], "--by", "sue", "--reason", "打了电话")
    assert listed(desk) == [] and due_now(desk) == [] and counted(desk) == {"kept": 1}
    desk.answer()  # would have been too late; it was settled by hand
    assert counted(desk) == {"kept": 1}
    (e,) = desk.shard.stream(k="commitment")
    assert (e["what"], e["who"], e["why"], e["agent"], e["conv"]) == ("kept", "sue", "打了电话", "ann", "c")
    assert "none called" in desk("commitments", "keep", c["id"], status=1)
    assert desk.shard.db.hlen(desk.shard.key("remind")) == 0, "nothing is left of it"


def test_cancelled(desk):
    desk.promise(HOUR)
    (c,) = listed(desk)
    assert "--reason TEXT is needed" in desk("commitments", "cancel", c["id"], status=2)
    desk("commitments", "cancel", c["id"], "--reason", "顾客退单")
    desk.answer()
    assert listed(desk) == [] and due_now(desk) == [] and counted(desk) == {"cancelled": 1}


@pytest.mark.parametrize("answer_ago, outcome", [(30 * 60000, "kept"), (0, "broken")])
def test_extended(desk, answer_ago, outcome):
    desk.promise(-HOUR)
    (c,) = listed(desk)
    error = desk("commitments", "extend", c["id"], "--for", "30m", "--reason", "等仓库", status=1)
    assert "future" in error
    answer = json.loads(desk("commitments", "extend", c["id"], "--for", "90m", "--reason", "等仓库", "--json"))
    assert answer == {"id": c["id"], "state": "extended", "due_ms": desk.now + HOUR // 2}
    assert listed(desk)[0]["due_ms"] == desk.now + HOUR // 2 and due_now(desk) == []
    if outcome == "broken":  # the new time passes, too
        import msgpack
        key, db = desk.shard.key("remind"), desk.shard.db
        (field,) = [f for f in db.hkeys(key) if f.startswith(b"P\n")]
        hand = msgpack.unpackb(db.hget(key, field))
        hand["d"] = desk.now - 1000
        db.hset(key, field, msgpack.packb(hand))
    desk.answer(answer_ago)
    assert counted(desk) == {outcome: 1} and listed(desk) == []
    assert desk.shard.db.hlen(desk.shard.key("remind")) == 0


def test_what_comes_next(desk):
    desk.event(k="in", at=desk.now - 60000, live=True, conv="c1", cust="u1")
    desk.event(k="in", at=desk.now - 3 * HOUR, live=True, conv="c2", cust="u2", ckind="refund", sev=2, words="w")
    desk.promise(HOUR, conv="c3", cust="u3")
    rows = json.loads(desk("reminders", "next", "--json"))
    assert [(r["kind"], r["customer"], r["to"]) for r in rows] == [
        ("unanswered", "u2", "agent"), ("unanswered", "u1", "agent"), ("commitment", "u3", "agent"), ("stale_case", "u2", "agent")]
    assert rows[1]["due_ms"] == desk.now and rows[2]["due_ms"] == desk.now + HOUR - 600000
    assert rows[3]["due_ms"] == desk.now + HOUR and rows[3]["ref"] == "2-1"
    desk("reminders", "snooze", rows[1]["id"], "--for", "2h")
    after = json.loads(desk("reminders", "next", "--json"))
    assert after[-1]["id"] == rows[1]["id"] and after[-1]["snoozed_ms"] == after[-1]["due_ms"] > desk.now + HOUR
    table = desk("reminders", "next", "--most", "2")
    assert "now" in table and rows[0]["id"] in table and rows[3]["id"] not in table
    assert "unexpected" in desk("reminders", "next", "week", status=2)


def test_snooze_and_wake(desk):
    desk.event(k="in", at=desk.now - 60000, live=True)
    assert due_now(desk) == [("unanswered", "agent")]
    (item,) = desk.shard.db.zrange(desk.shard.key("remind_at"), 0, -1)
    name = "2-" + __import__("hashlib").sha1(item).hexdigest()[:10]
    assert f"{name} waits until" in desk("reminders", "snooze", name, "--for", "30m", "--by", "sue", "--reason", "吃饭")
    assert due_now(desk) == []
    table = desk("reminders")
    assert "snoozed" in table and name in table
    assert "waits no longer" in desk("reminders", "wake", name)
    assert due_now(desk) == [("unanswered", "agent")]
    assert json.loads(desk("reminders", "snooze", name, "--for", "2h", "--json"))["until_ms"] > desk.now + HOUR


@pytest.mark.parametrize("args, words, status", [
    (["commitments", "keep"], "a name is needed", 2), (["commitments", "extend", "2-1"], "--for TIME is needed", 2),
    (["commitments", "extend", "2-1", "--for", "soon", "--reason", "x"], "30m, 4h, 2d", 2),
    (["commitments", "keep", "9-1"], "none called", 1), (["commitments", "keep", "2-zz"], "none called", 1),
    (["commitments", "perhaps"], "unexpected", 2), (["commitments", "keep", "2-1", "--for", "3h"], "unexpected", 2),
    (["reminders", "snooze", "2-1"], "--for TIME is needed", 2), (["reminders", "snooze", "x", "--for", "1h"], "none called", 1),
    (["reminders", "snooze", "2-1", "--for", "60d"], "30 days", 1),
])
def test_what_is_wrong_is_said(desk, args, words, status):
    assert words in desk(*args, status=status)
