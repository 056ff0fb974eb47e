"""Erasing a customer, pseudonyms, retention: against every key of the schema."""

import asyncio
import json
import subprocess

import msgpack
import pytest

from gateway import BUILD, SOURCE, Agent, Backend, Gateway, Redis, run, wait_for
from track_redis import Server, Shard, key_names, plain_form

WHO, CONV, OTHER = "victim-4711", "talk-of-4711", "bystander"
DAY = 86400000


def chatgate(*args, status=0):
    done = subprocess.run([BUILD / "src/cli/chatgate", *map(str, args)], capture_output=True, text=True, timeout=120)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def values(db, key):
    kind = db.type(key).decode()
    if kind == "hash":
        return [x for pair in db.hgetall(key).items() for x in pair]
    if kind == "list":
        return db.lrange(key, 0, -1)
    if kind == "zset":
        return db.zrange(key, 0, -1)
    if kind == "stream":
        return [x for _, e in db.xrange(key) for pair in e.items() for x in pair]
    if kind == "string":
        return [db.get(key)]
    raise AssertionError(f"{key}: {kind}, which this test cannot read")


def mentions(db, *ids):
    """Keys in which one of the ids stands anywhere, as bytes."""
    return sorted({key.decode() for key in db.scan_iter() for v in values(db, key) for i in ids
                   if i.encode() in v or i.encode() in key})


class Town:
    """A Redis with a customer in every kind of key, and another one beside."""

    def __init__(self, folder, extra=""):
        self.folder, self.server = folder, Server(folder)
        self.db = self.server.db
        self.db.hset("cg:meta", mapping={"shards": 2, "version": 1})
        self.shards, self.seq = [Shard(self.db, 0), Shard(self.db, 1)], [0, 0]
        self.config = folder / "chatgate.yaml"
        self.config.write_text("listeners: [{address: '127.0.0.1:0', profile: plain-ws-json, upstream: im}]\n"
                               f"profiles_dir: {SOURCE}/conf/profiles\n"
                               "upstreams: [{name: im, servers: ['127.0.0.1:9']}]\n"
                               f"redis: {{address: {self.server.socket}}}\n{extra}")

    def event(self, shard=0, ago=1000, **e):
        s = self.shards[shard]
        self.seq[shard] += 1
        e = {"agent": "ann", "team": "red", "shop": "s", "mid": f"m{self.seq[shard]}", "at": s.now() - ago, "tkeep": DAY, **e}
        assert s.apply("r", [(self.seq[shard], e)])[3] == "OK"

    def story(self, shard, conv, cust, done=False):
        """Complaint, commitment, a held message, an answered and an unanswered round."""
        def come(ago, **e):
            self.event(shard, ago, k="in", conv=conv, cust=cust, sender=cust, live=True, **e)
        come(9000, text="坏了", ckind="refund", sev=2, crule="c.r", words="坏了 1234567890")
        self.event(shard, 8000, k="out", conv=conv, cust=cust, act=0, dlv=True, human=True, text="两小时内回复您",
                   due=self.shards[shard].now() + 7200000, prule="p.r")
        self.event(shard, 7000, k="out", conv=conv, cust=cust, act=3, human=True, hraw="{raw}", htext="补偿您", hroute="p:0",
                   hvia="n/1", httl=600000, rules="h.r")
        come(6000, text="还在吗", mid="")
        if done:
            come(5000, conf=True, text="好的解决了")
        s = self.shards[shard]
        for item in s.run("remind_due", "16", "0:agent", "0:agent", "0")[1:]:
            s.run("remind_claim", item[0], item[2], item[3], "n1", 600000, "0:agent", "0:agent", "0")
        due = s.run("seal_due", "n1", 0, 64, 500)
        no = int(due[2])
        for c in due[4:]:
            no += 1
            assert s.run("seal_put", due[1], no, c[0], c[3], "h", json.dumps({"conversation": c[0].decode()}), "sig", "hash")

    def erase(self, *args, who=WHO):
        return chatgate("erase", "--customer", who, "--config", self.config, *args)


@pytest.fixture
def town(folder):
    t = Town(folder)
    yield t
    t.server.stop()


def test_nothing_is_left_of_a_customer_anywhere(town):
    town.shards[0].db.hset("cg:{0}:info", "hooks_until", town.shards[0].now() + DAY)  # a webhook takes events
    town.story(0, CONV, WHO, done=True)
    town.story(1, OTHER, OTHER, done=True)
    # in a room of another shard, with and without message ids
    for n in range(3):
        town.event(1, 500 + n, k="in", conv="room", cust="room", sender=WHO, live=True, text=f"room {n}", th=f"{n:016x}", **({"mid": ""} if n else {}))
    named = mentions(town.db, WHO, CONV)
    for name in ("conv", "conv_at", "cust", "cust_at", "waiting", "due", "case", "rounds", "held", "said", "said_new",
                 "said_at", "seals", "stream", "remind", "remind_at"):
        if name not in ("said_new", "waiting"):
            assert f"cg:{{0}}:{name}" in named, f"{name}: the test has lost its subject"
    assert "cg:{1}:win" in named and "cg:{1}:said" in named and "cg:{1}:stream" in named
    before = {k: town.db.dump(k) for k in ("cg:{0}:hours:0", "cg:{1}:case", "cg:{1}:cust") if town.db.exists(k)}
    said = town.erase("--by", "sue", "--reason", "wish of the customer")
    assert mentions(town.db, WHO, CONV) == []
    assert "events" in said and "figures by hour and day" in said
    assert {k: town.db.dump(k) for k in before} == before, "what is another customer's stays as it was"
    assert [c[0] for c in town.shards[1].read("cases", "all", 9)] == ["1-1"]
    assert len([e for e in town.shards[1].stream(k="out")]) == 2
    rounds = [msgpack.unpackb(r) for r in town.db.zrange("cg:{0}:rounds", 0, -1)]
    assert [(r[0], r[1], r[4]) for r in rounds] == [("erased", "erased", "ann")], "the figure keeps its round"
    room = [e for v in town.db.hvals("cg:{1}:said") for e in msgpack.unpackb(v) if isinstance(e, list) and e[2] == "in"]
    assert [(e[4], e[10], e[11]) for e in room if "room" in e[10] or e[11] == "erased"] == [("", "", "erased")] * 3
    (audit,) = [{k.decode(): v.decode() for k, v in e.items()} for _, e in town.db.xrange("cg:audit")]
    assert (audit["action"], audit["who"]) == ("customer.erase", "sue") and audit["target"].startswith("customer-")
    assert "wish of the customer (erased" in audit["why"]
    # and the shard works on
    town.event(0, 0, k="in", conv="new", cust="new", sender="new", live=True, text="您好")
    assert town.shards[0].run("held_read", "list", "all", 10)[1:] == []
    again = json.loads(town.erase("--json"))
    assert sum(again["erased"].values()) == 0


@pytest.mark.parametrize("who, conv", [("2", "2"), ("1", "9"), ("c", "w"), ("w", "c"), ("4", "i"), ("open", "refund"), ("customer", "agent"), ("71", "17"), ("ann", "red"), ("e", "n")])
def test_an_id_like_any_other_text_takes_nothing_from_others(town, who, conv):
    """Small numbers, words of the schema, an agent's name, a part of another's id: only the customer's own goes."""
    town.shards[0].db.hset("cg:{0}:info", "hooks_until", town.shards[0].now() + DAY)
    for other, theirs in (("719", "171"), ("somebody", "talk-c-w-2"), ("22", "one"), ("x", who + "x")):
        town.story(0, theirs, other)
        town.event(0, 400, k="in", conv="room-" + other, cust="room-" + other, sender=other, live=True, text="room", mid="", th="0" * 16)

    def of_others():
        # scripts that look at a conversation may write it anew: what it says counts
        return {key: sorted(map(repr, values(town.db, key))) for key in sorted(town.db.scan_iter())
                if not key.endswith((b":info", b":applied", b":rings", b":figlog", b"cg:audit")) and b":hours:" not in key and b":days:" not in key}

    before = of_others()
    assert sum(json.loads(town.erase("--json", "--dry-run", "--with-open-cases", who=who))["erased"].values()) == 0
    town.erase("--with-open-cases", who=who)
    assert of_others() == before
    town.story(0, conv, who)
    town.event(0, 300, k="in", conv="room-x", cust="room-x", sender=who, live=True, text="said here", mid="", th="1" * 16)
    assert of_others() != before
    got = json.loads(town.erase("--json", "--with-open-cases", who=who))["erased"]
    assert got["stream"] and got["conv"] and got["case"] and got["cust"] and got["due"] and got["held"] and got["rounds"] and got["remind"]
    again = json.loads(town.erase("--json", "--with-open-cases", who=who))["erased"]
    assert sum(again.values()) == 0, again
    assert not town.db.exists("cg:{0}:due") or not [m for m in town.db.zrange("cg:{0}:due", 0, -1) if m.startswith(conv.encode() + b"\n")]
    left = {key for key, now in of_others().items() if set(before.get(key, ())) - set(now)}
    assert {key.split(b":")[-1] for key in left} <= {b"conv", b"win", b"said", b"rounds"}, left  # the room that they share
    assert [c[4] for c in town.shards[0].read("cases", "all", 9)] == ["719", "somebody", "22", "x"]


def test_every_key_of_the_schema_is_looked_at_or_names_nobody(town):
    """A new key of the schema must be thought of here: erased, or known to hold no customer."""
    text = (SOURCE / "src/cli/cli_erase.c").read_text()
    nobody = {"applied", "rings", "info", "agents", "case_open", "case_done", "held_at", "held_done", "held_tell", "hook_at",
              "hook_urgent", "figlog"} | {f"hours:{i}" for i in range(8)} | {f"days:{i}" for i in range(4)}
    for name in key_names():
        name = name.split(":", 2)[2]
        assert (f'X("{name}",' in text) != (name in nobody), f"{name}: is it erased?"


def test_an_open_case_stays_unless_it_is_wanted(town):
    town.story(0, CONV, WHO)
    dry = json.loads(town.erase("--dry-run", "--json"))
    assert dry["dry_run"] and dry["kept"]["case"] == 1 and dry["erased"]["stream"] > 0
    assert not town.db.exists("cg:audit") and len(town.shards[0].read("cases", "open", 9)) == 1
    said = town.erase()
    assert "because a case is open" in said
    (case,) = town.shards[0].read("cases", "open", 9)
    assert case[4] == WHO
    left = mentions(town.db, WHO, CONV)
    assert left == ["cg:{0}:case", "cg:{0}:cust", "cg:{0}:said", "cg:{0}:said_at", "cg:{0}:seals"]
    assert "because a case is open" not in town.erase("--with-open-cases")
    assert mentions(town.db, WHO, CONV) == [] and town.shards[0].read("cases", "all", 9) == []


def test_many_pieces(town):
    for i in range(700):
        town.event(0, 1000, k="in", conv=CONV, cust=WHO, sender=WHO, live=True, text=f"t{i}")
        if i % 3 == 0:
            town.event(0, 1000, k="in", conv=f"c{i}", cust=f"c{i}", sender=f"c{i}", live=True)
    got = json.loads(town.erase("--json"))
    assert got["erased"]["stream"] == 700 and mentions(town.db, WHO, CONV) == []
    assert len(town.shards[0].stream(k="in")) == 234


def test_out_of_entries_with_messages_of_several(town):
    """Plain messages stand many in one entry: one customer's go, the others' stay, each once."""
    s = town.shards[0]
    people = [(WHO, CONV), ("someone", "talk-else"), (WHO, "room-x"), ("someone", "room-x"), ("4711", "talk-4711")]
    records = []
    for n in range(60):
        sender, conv = people[n % len(people)]
        cust = "room-x" if conv == "room-x" else sender
        e = {"k": "in", "at": s.now() - 60000 + n, "conv": conv, "cust": cust, "sender": sender, "live": True, "agent": "ann",
             "mid": "" if n % 4 == 0 else f"m{n}", "th": f"{n:016x}"}
        records.append((n + 1, plain_form(e)))
    assert s.apply("r", records[:50])[3] == s.apply("r", records[50:])[3] == "OK"
    assert town.db.xlen(s.key("stream")) == 2 and len(s.stream()) == 60
    others = {e["id"]: e for e in s.stream() if e["sender"] != WHO}
    got = json.loads(town.erase("--json"))
    assert got["erased"]["stream"] == 24 and mentions(town.db, WHO, CONV) == []
    left = s.stream()
    assert {e["id"]: e for e in left} == others and len(left) == 36
    assert json.loads(town.erase("--json"))["erased"]["stream"] == 0


@pytest.mark.parametrize("args, words", [
    (["--customer", ""], "--customer ID is needed"), ([], "--customer ID is needed"), (["--customer", "a\nb"], "line break"),
    (["--customer", "x" * 201], "200 bytes"), (["--customer"], "missing behind"), (["--customer", "x", "y"], "unexpected")])
def test_bad_arguments(folder, args, words):
    assert words in chatgate("erase", *args, status=2)


# --- pseudonyms ---

COMPLAINT = "我要投诉，东西坏了，要求退款"


def test_under_pseudonyms_no_id_reaches_redis_and_reminders_find_home(folder):
    secret = folder / "privacy.key"
    secret.write_text("a secret of more than sixteen bytes\n")

    async def go():
        async with Backend() as b:
            redis = Redis(folder / "redis")
            g = Gateway(folder / "gw", b.port, redis=redis, redis_extra="  shards: 2", rules=SOURCE / "rules",
                        extra=f"privacy: {{pseudonyms: true, key: {secret}}}\ntranscripts: {{enabled: true}}\n"
                              "reminders: {unanswered: [{after: 1s, to: agent}]}\n")
            db = redis.client()
            async with Agent(g.url, "amy") as a:
                await b.say("amy", WHO, COMPLAINT, "i1")
                await a.until("message")
                notice = await a.until("notice")
                assert notice["conversationId"] == WHO, "shown in the conversation itself"
                assert WHO not in notice["text"]
                await a.send(WHO, "您好，马上处理", "o1")
                await a.until("ack")
                await asyncio.to_thread(wait_for, "events", lambda: g.metrics()["chatgate_events_pumped_total"] >= 3)
            assert b.messages[0][1]["conversationId"] == WHO, "the backend sees no pseudonym"
            assert mentions(db, WHO) == []
            (case,) = json.loads(chatgate("cases", "--json", "--config", g.config))
            assert case["customer"].startswith("p-") and len(case["customer"]) == 34 and case["customer"] == case["conversation"]
            import hashlib
            import hmac
            want = hmac.new(secret.read_text().strip().encode(), WHO.encode(), hashlib.sha256).hexdigest()
            assert case["customer"] == "p-" + want[:32]
            # by hand for the same customer: the same case
            said = json.loads(chatgate("cases", "open", "--customer", WHO, "--kind", "refund", "--reason", "电话", "--json",
                                       "--config", g.config))
            assert said["id"] == case["id"]
            chatgate("erase", "--customer", WHO, "--with-open-cases", "--config", g.config)
            assert mentions(db, case["customer"]) == []
            g.stop()
            redis.stop()
    run(go())


def test_pseudonyms_without_a_key_do_not_start(folder):
    for extra, words in (("privacy: {pseudonyms: true}", "privacy.key"),
                         (f"privacy: {{pseudonyms: true, key: {folder}/short}}", "must have 16")):
        (folder / "short").write_text("short\n")
        config = folder / "c.yaml"
        config.write_text("listeners: [{address: '127.0.0.1:0', profile: plain-ws-json, upstream: im}]\n"
                          f"upstreams: [{{name: im, servers: ['127.0.0.1:9']}}]\ncontrol: {folder}/s\nredis: {{enabled: false}}\n"
                          f"ring: {{dir: {folder}/ring, size: 1M}}\nprofiles_dir: {SOURCE}/conf/profiles\n"
                          f"rules: {{packs: [{SOURCE}/rules]}}\n{extra}\n")
        done = subprocess.run([BUILD / "src/chatgated", "--config", config], capture_output=True, text=True, timeout=120)
        assert done.returncode == 1 and words in done.stderr, done.stderr


# --- retention ---

def test_retention_of_each_kind(town):
    s = town.shards[0]
    town.story(0, CONV, WHO, done=True)
    run = lambda *a: s.run("retain", *a)  # noqa: E731
    assert run(0, 0, 0) == [0, 0] and run(DAY, DAY, DAY) == [0, 0]
    rec = town.db.hgetall(s.key("case"))
    (done,) = town.db.zrange(s.key("case_done"), 0, 0, withscores=True)
    town.db.zadd(s.key("case_done"), {done[0]: done[1] - 2 * DAY})
    assert run(0, DAY + DAY // 2, 0) == [0, 1]
    assert msgpack.unpackb(town.db.hget(s.key("case"), "0-1"))["wo"] == "" and rec
    assert not any("坏了".encode() in v for k in ("case", "cust") for v in town.db.hvals(s.key(k)))
    assert s.read("cases", "all", 9)[0][11] == "1234567890", "order numbers stay"
    assert run(DAY, 0, 0) == [1, 0]
    assert s.read("cases", "all", 9) == [] and town.db.hlen(s.key("cust")) == 0
    for i in range(300):
        town.event(0, 0, k="in", conv=f"x{i}", cust="x", live=True)
    n = town.db.xlen(s.key("stream"))
    wait_for("a millisecond", lambda: s.now() > int(town.db.xrevrange(s.key("stream"), count=1)[0][0].split(b"-")[0]))
    run(0, 0, 1)
    assert town.db.xlen(s.key("stream")) < n
