"""How replies are measured (`tracking:`): the presets and single parts on conversations computed by hand, days in the
deployment's zone, and that the order of arrival means nothing."""
import collections
import random

import msgpack
import pytest

from track_model import HOUR, Maker
from track_redis import Server, Shard
from test_track_order import feed

DAY, OFFSET = 24 * HOUR, 8 * HOUR
ZONE = f"Asia/Shanghai {OFFSET}"
S = 1000
MIDNIGHT = -1
# What src/conf/preset.c says, as the gateways write it (test_agents_measured shows that they do).
PRESETS = {
    "taobao": f"taobao round assistant touch {8 * HOUR} {23 * HOUR} {DAY} {180 * S}",
    "jd": f"jd session/600000 human start {9 * HOUR} {23 * HOUR} {MIDNIGHT} {30 * S}",
    "douyin": f"douyin round human start {8 * HOUR} {23 * HOUR} {MIDNIGHT} {180 * S}",
    "pdd": f"pdd round human start {8 * HOUR} {23 * HOUR} {MIDNIGHT} {300 * S}",
    "kuaishou": f"kuaishou customer_day human start {8 * HOUR} {23 * HOUR} {MIDNIGHT} {180 * S}",
    "wecom": f"wecom customer_day human start 0 {DAY} {MIDNIGHT} 0",
    "zendesk": f"zendesk session human start 0 {DAY} 0 0",
    "messages": f"custom message human start 0 {DAY} 0 {180 * S}",
    "clipped": f"custom round human clip {8 * HOUR} {23 * HOUR} 0 {180 * S}",
    "two hours": f"custom message human start 0 {DAY} {2 * HOUR} {180 * S}",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    s = Server(tmp_path_factory.mktemp("redis"))
    yield s
    s.stop()


@pytest.fixture
def desk(server):
    shard = Shard(server.db)
    shard.first = ((shard.now() + OFFSET) // DAY - 3) * DAY - OFFSET  # midnight in Shanghai, three days ago
    shard.seq = 0

    def event(k, conv, day, clock, **e):
        hour, minute, second = map(int, clock.split(":"))
        shard.seq += 1
        at = shard.first + day * DAY + hour * HOUR + minute * 60 * S + second * S
        more = {"live": True, "sender": conv} if k == "in" else {"dlv": True, "human": True}
        e = {"k": k, "at": at, "conv": conv, "cust": conv, "agent": "ann", "team": "red", "shop": "s1",
             "mid": f"m{shard.seq}", **more, **e}
        shard.events.append(e)
    shard.event, shard.events = event, []

    def fresh():
        """Empty; conversations idle for two days are not forgotten while the test runs."""
        server.db.flushall()
        server.db.hset(shard.key("info"), "swept", shard.now() + DAY)
    shard.fresh = fresh
    fresh()
    return shard


def apply_all(shard, events):
    assert shard.apply("r", list(enumerate(events, 1)))[3] == "OK"


def of_days(shard, name="ann", scope="a"):
    """{local day from shard.first: {kind: packed}}"""
    shard.read("figures", 0, 1, "a", "")  # folds what was counted last
    out = collections.defaultdict(dict)
    first = (shard.first + OFFSET) // DAY
    for slot in range(4):
        for field, m in shard.packed(f"days:{slot}").items():
            day, of, who, kind = field.split("|")
            if (of, who) == (scope, name):
                out[int(day) - first][kind] = m
    return out


def measured(shard):
    n, total, within, lost = 0, 0, [0] * 5, 0
    for kinds in of_days(shard).values():
        m = kinds.get("m", {"n": 0, "sum": 0, "w": [0] * 5})
        n, total, within = n + m["n"], total + m["sum"], [a + b for a, b in zip(within, m["w"])]
        lost += kinds.get("v", {}).get("unanswered", 0)
    open_ = sum(int(row[7]) for row in shard.read("waiting", 99))
    return n, total // S, within, lost, open_


def three_customers(desk):
    """a: asks before the window opens, in it, and just before it closes. b: asks behind it, is answered in the morning,
    asks again and waits. c: asks, asks again on the next day, is answered."""
    desk.event("in", "a", 0, "07:59:50"), desk.event("out", "a", 0, "08:00:20")
    desk.event("in", "a", 0, "10:00:00"), desk.event("in", "a", 0, "10:00:20"), desk.event("out", "a", 0, "10:02:00")
    desk.event("in", "a", 0, "22:59:00"), desk.event("out", "a", 0, "23:05:00")
    desk.event("in", "b", 0, "23:30:00"), desk.event("out", "b", 1, "08:05:00"), desk.event("in", "b", 1, "09:00:00")
    desk.event("in", "c", 0, "12:00:00"), desk.event("in", "c", 1, "12:00:00"), desk.event("out", "c", 1, "12:00:10")


# preset: units answered, sum of their seconds, within 3 30 60 180 300 s, unanswered, unanswered of those who still wait
BY_HAND = {
    # 30, 120, 360 s; b's answer falls into the window; c waits for more than a day, b since more than one
    "taobao": (4, 30 + 120 + 360 + 30900, [0, 1, 1, 2, 2], 1, 1),
    # sessions begin with a 7:59 (before 9), a 22:59, b 23:30 (outside), c 12:00 (midnight came first)
    # and, 10 minutes of silence being enough: a 10:00, b 9:00, who still waits
    "jd": (2, 120 + 360, [0, 0, 0, 1, 1], 1, 1),
    "douyin": (2, 120 + 360, [0, 0, 0, 1, 1], 1, 1),
    "pdd": (2, 120 + 360, [0, 0, 0, 1, 1], 1, 1),
    # each customer's first message of a day: a and b of day 0 outside; c of day 0 unanswered; c of day 1 10 s; b of day 1 waits
    "kuaishou": (1, 10, [0, 1, 1, 1, 1], 1, 1),
    "wecom": (2, 30 + 10, [0, 2, 2, 2, 2], 2, 1),
    "zendesk": (4, 30 + 360 + 30900 + 86410, [0, 1, 1, 1, 1], 0, 0),
    "messages": (7, 30 + 120 + 100 + 360 + 30900 + 86410 + 10, [0, 2, 2, 4, 4], 0, 0),
    # 8:00:00 to 8:00:20; 120; 22:59 to 23:00; 8:00 to 8:05; 12:00 to 23:00 and 8:00 to 12:00:10
    "clipped": (5, 20 + 120 + 60 + 300 + 39600 + 14410, [0, 1, 2, 3, 4], 0, 0),
    # b's and c's first messages waited for longer
    "two hours": (5, 30 + 120 + 100 + 360 + 10, [0, 2, 2, 4, 4], 2, 1),
}


@pytest.mark.parametrize("name", PRESETS)
def test_presets_on_conversations_computed_by_hand(desk, name):
    desk.counting = (ZONE, PRESETS[name])
    three_customers(desk)
    apply_all(desk, desk.events)
    assert measured(desk) == BY_HAND[name]
    plain = [k["f"]["n"] + k.get("n", {"n": 0})["n"] for k in of_days(desk).values() if "f" in k]
    assert sum(plain) == 5, "the plain rounds stay what they are"
    told = [row[10] for row in desk.read("rounds", "", 99)]
    numbers = [int(v) for text in told for v in text.split(",") if v.isdigit()]
    assert (len(numbers), sum(numbers) // S) == BY_HAND[name][:2], "each figure has its rounds behind it"
    assert sum(text.split(",").count("unanswered") for text in told) == BY_HAND[name][3]


@pytest.mark.parametrize("name", ["taobao", "jd", "kuaishou", "messages", "wecom"])
def test_any_order_of_arrival(desk, name):
    """Late events take back what was measured and measure anew."""
    desk.counting = (ZONE, PRESETS[name])
    three_customers(desk)
    rng = random.Random(7)
    for attempt in range(12):
        rng.shuffle(desk.events)
        desk.fresh()
        for i in range(0, len(desk.events), 3):
            desk.apply("r", list(enumerate(desk.events, 1))[i:i + 3])
            if attempt % 2:
                desk.read("figures", 0, 1, "a", "")
        assert measured(desk) == BY_HAND[name], attempt


@pytest.mark.parametrize("name", ["wecom", "jd", "kuaishou", "messages", "two hours"])
@pytest.mark.parametrize("seed", range(4))
def test_every_interleaving_measures_the_same(desk, seed, name):
    rng = random.Random(seed)
    maker = Maker(rng, desk.now() - 20 * HOUR, 120, rings=3)
    found = []
    for attempt in range(4):
        desk.fresh()
        desk.counting = (ZONE, PRESETS[name])
        feed(desk, maker, rng, shuffle_rings=attempt > 1)
        state = desk.state()
        found.append(({k: v for k, v in state["figures"].items() if k.endswith(("|m", "|v"))},
                      sorted(r[10] for r in desk.read("rounds", "", 9999))))
    assert all(f == found[0] for f in found)
    assert found[0][1], "by the clock this runs few units may be of the window, but rounds there are"


def test_a_session_ends_after_the_silence_that_is_set(desk):
    """Silence is that of the conversation: an agent's message ends it as well. At ten minutes it is the same session still."""
    desk.counting = (ZONE, f"custom session/600000 human start 0 {DAY} 0 {180 * S}")
    for k, clock in (("in", "10:00:00"), ("out", "10:00:10"),       # the first one
                     ("in", "10:10:10"), ("out", "10:10:40"),       # ten minutes: the same
                     ("in", "10:20:41"), ("out", "10:21:00"),       # and a second: another
                     ("out", "10:30:00"), ("in", "10:39:00"), ("out", "10:39:05"),   # he asked whether that helped
                     ("in", "10:50:00"), ("in", "11:30:00"), ("out", "11:30:30")):   # half an hour without an answer: one round
        desk.event(k, "a", 0, clock)
    apply_all(desk, desk.events)
    assert measured(desk) == (3, 10 + 19 + 2430, [0, 2, 2, 2, 2], 0, 0)
    assert [row[10] for row in desk.read("rounds", "", 99)][::-1] == ["10000", "", "19000", "", "2430000"]


def test_who_answers_for_what_nobody_answered(desk):
    """Who replied last in the conversation, else who saw the message: as with customers who wait."""
    desk.counting = (ZONE, PRESETS["two hours"])
    desk.event("in", "a", 0, "10:00:00", agent="bob")
    desk.event("out", "a", 0, "13:00:00", agent="cay")
    desk.event("in", "a", 0, "14:00:00", agent="bob")
    desk.event("out", "a", 0, "17:00:00", agent="bob")
    apply_all(desk, desk.events)
    assert of_days(desk, "bob")[0]["v"]["unanswered"] == 1 and of_days(desk, "cay")[0]["v"]["unanswered"] == 1
    assert "m" not in of_days(desk, "bob")[0] and "m" not in of_days(desk, "cay")[0]
    assert of_days(desk, "red", "t")[0]["v"]["unanswered"] == 2


def test_a_shop_s_calendar_as_the_window(desk):
    """Business time comes with the messages: 10 minutes of it, none of it, and of two calendars (unknown)."""
    desk.counting = (ZONE, f"custom round human clip -1 -1 {MIDNIGHT} {180 * S}")
    desk.event("in", "a", 0, "08:00:00", ob=1000 * S, oc=5), desk.event("out", "a", 0, "09:10:00", ob=1600 * S, oc=5)
    desk.event("in", "b", 0, "02:00:00", ob=1000 * S, oc=5), desk.event("out", "b", 0, "02:10:00", ob=1000 * S, oc=5)
    desk.event("in", "c", 0, "08:00:00", ob=1000 * S, oc=5), desk.event("out", "c", 0, "09:10:00", ob=1600 * S, oc=6)
    desk.event("in", "d", 0, "02:00:00", ob=1000 * S, oc=5)  # whether any open time passed is not known
    apply_all(desk, desk.events)
    assert measured(desk) == (1, 600, [0, 0, 0, 0, 0], 0, 0)


def test_a_forgotten_customer_counts_as_unanswered(desk):
    desk.counting = (ZONE, PRESETS["douyin"])
    desk.event("in", "a", 0, "10:00:00")
    apply_all(desk, desk.events)
    head = desk.db.hget(desk.key("conv"), "a")
    old = (desk.now() - 8 * DAY).to_bytes(6, "big")  # its last event is eight days ago by now
    desk.db.hset(desk.key("conv"), "a", head[:1] + old + head[7:])
    desk.db.zadd(desk.key("conv_at"), {"a": 1})
    desk.db.hdel(desk.key("info"), "swept")
    desk.event("in", "z", 2, "10:00:00")
    assert desk.apply("r", list(enumerate(desk.events, 1))[1:])[3] == "OK"
    assert desk.db.hget(desk.key("info"), "forgotten") == b"1" and desk.db.zscore(desk.key("waiting"), "a") is None
    assert of_days(desk)[1]["v"]["unanswered"] == 1, "at the midnight behind day 0"


def test_without_a_measure_nothing_is_noted(desk):
    desk.counting = (ZONE, "")
    three_customers(desk)
    apply_all(desk, desk.events)
    assert {len(r) for r in desk.read("rounds", "", 99)} == {10} and {len(r) for r in desk.read("waiting", 9)} == {7}
    kinds = {f.split("|")[3] for slot in range(4) for f in desk.packed(f"days:{slot}")}
    assert kinds == {"f", "n", "v"}
    assert desk.db.hmget(desk.key("info"), "zone", "tracking") == [ZONE.encode(), b""]


def test_a_definition_holds_from_when_it_is_set(desk):
    """What was counted before stays as it is; a round that was open then is measured by the new one."""
    three_customers(desk)
    for i, e in enumerate(desk.events, 1):
        desk.counting = (ZONE, PRESETS["messages"] if i > 3 else PRESETS["zendesk"])
        desk.apply("r", [(i, e)])
    assert measured(desk)[:2] == (7, 30 + 120 + 100 + 360 + 30900 + 86410 + 10)
    desk.counting = (ZONE, "")
    desk.event("out", "b", 1, "09:01:00")
    desk.apply("r", list(enumerate(desk.events, 1))[-1:])
    assert measured_rows(desk) == 7


def measured_rows(shard):
    shard.read("figures", 0, 1, "a", "")
    return sum(k["m"]["n"] for k in of_days(shard).values() if "m" in k)


# --- days ---

def days_with_messages(shard):
    shard.read("figures", 0, 1, "a", "")
    out = {}
    for slot in range(4):
        for field, m in shard.packed(f"days:{slot}").items():
            if field.endswith("|a|ann|v"):
                out[int(field.split("|")[0])] = m["in"]
    return out


@pytest.mark.parametrize("zone, offset", [("Asia/Shanghai", 8), ("UTC", 0), ("Asia/Kolkata", 5.5), ("Asia/Kathmandu", 5.75),
                                          ("America/St_Johns", -3.5), ("Pacific/Kiritimati", 14)])
def test_days_begin_at_midnight_of_the_zone(desk, zone, offset):
    ms = int(offset * HOUR)
    desk.counting = (f"{zone} {ms}", "")
    day = (desk.now() + ms) // DAY - 2
    midnight = day * DAY - ms
    for i, at in enumerate((midnight - 1, midnight - 60 * S, midnight, midnight + 60 * S, midnight + DAY - 1)):
        desk.apply(f"r{i}", [(1, {"k": "in", "at": at, "live": True, "conv": f"c{i}", "cust": f"c{i}", "mid": f"m{i}",
                                  "agent": "ann", "team": "red", "shop": "s1"})])
    assert days_with_messages(desk) == {day - 1: 2, day: 3}
    for n, want in (4, ["in:2", "in:3"]), (3, ["in:3"]), (2, []):
        rows = desk.read("days", day + 2 - n + 1, day + 2, "a", "ann")
        assert sorted(r[2] for r in rows) == want and all(day + 2 - n < int(r[-1]) <= day + 2 for r in rows)


def test_a_day_on_which_the_clock_is_changed(desk):
    """Until SINCE another distance held: that day has 23 hours."""
    since = (desk.now() // DAY - 1) * DAY + HOUR   # 1:00 UTC yesterday, from +1 to +2
    desk.counting = (f"Europe/Berlin {2 * HOUR} {HOUR} {since}", "")
    first = since // DAY * DAY - HOUR               # midnight of that day, in winter time
    for i, at in enumerate((first - 1, first, first + 23 * HOUR - 1, first + 23 * HOUR)):
        desk.apply(f"r{i}", [(1, {"k": "in", "at": min(at, desk.now()), "live": True, "conv": f"c{i}", "cust": f"c{i}",
                                  "mid": f"m{i}", "agent": "ann"})])
    day = since // DAY
    assert days_with_messages(desk) == {day - 1: 1, day: 2, day + 1: 1}


# --- days of each shop ---

class Zone:
    """A distance to UTC, and perhaps another one until some moment."""

    def __init__(self, name, offset, before=None, since=0):
        self.name, self.at = name, lambda ms: before if before is not None and ms < since else offset
        self.text = f"{name} {offset}" + (f" {before} {since}" if before is not None else "")

    def day(self, at):
        return (at + self.at(at)) // DAY


def zones_text(zones):
    return "".join(f"{z.text}\t" + "".join(f"{shop}\t" for shop in shops) + "\n" for z, shops in zones) or "-"


def some_zones(rng, now):
    """The deployment's, and those of some shops; names that are the beginning or the end of others."""
    changed = now - rng.randrange(1, 6) * DAY
    known = [Zone("Asia/Tokyo", 9 * HOUR), Zone("UTC", 0), Zone("Asia/Kolkata", 11 * HOUR // 2),
             Zone("Europe/Berlin", 2 * HOUR, HOUR, changed), Zone("America/New_York", -5 * HOUR, -4 * HOUR, changed),
             Zone("Pacific/Kiritimati", 14 * HOUR), Zone("Etc/GMT+12", -12 * HOUR), Zone("Asia/Kathmandu", 23 * HOUR // 4)]
    rng.shuffle(known)
    shops = ["s", "s1", "s11", "1", "shop", "\u5e97\u94fa", "a b", "x|y", "%d+", ".*"]
    rng.shuffle(shops)
    main, zones = known.pop(), []
    for zone in known[:rng.randrange(1, 6)]:
        take = rng.randrange(1, 3)
        zones.append((zone, shops[:take]))
        shops = shops[take:]
    return main, zones, shops or ["plain"]


def shop_events(rng, now, shops):
    """Customers' messages and replies of agents with one shop each, in teams that work for several; some are refused."""
    agents = [(f"a{i}", f"t{i % 2}", shop) for i, shop in enumerate(shops)] + [("none", "t0", "")]
    events = []
    for i in range(85):  # fewer events than those after which idle conversations are forgotten
        agent, team, shop = rng.choice(agents)
        at = now - rng.randrange(6 * DAY)
        e = {"conv": f"c{i}", "cust": f"c{i}", "agent": agent, "team": team, "shop": shop}
        events.append({"k": "in", "at": at, "live": True, "sender": f"c{i}", "mid": f"i{i}", **e})
        if rng.random() < 0.8:
            reply = min(at + rng.choice([S, 100 * S, 3 * HOUR]), now)
            events.append({"k": "out", "at": reply, "dlv": True, "human": True, "mid": f"o{i}", **e})
            if rng.random() < 0.2:
                events.append({"k": "refused", "at": reply + 1, "mid": f"o{i}", **e})
    return events


def figures_by_hand(events, day_of):
    """{(day, scope, name): [messages in, rounds]}: each in the day of its shop."""
    refused, out = {e["mid"] for e in events if e["k"] == "refused"}, collections.defaultdict(lambda: [0, 0])
    for e in events:
        what = 0 if e["k"] == "in" else 1 if e["k"] == "out" and e["mid"] not in refused else None
        for scope, name in (("a", e["agent"]), ("t", e["team"]), ("s", e["shop"])):
            if what is not None and name:
                out[day_of(e["shop"], e["at"]), scope, name][what] += 1
    return dict(out)


def figures_by_day(shard):
    out = collections.defaultdict(lambda: [0, 0])
    for slot in range(4):
        for field, m in shard.packed(f"days:{slot}").items():
            day, rest = field.split("|", 1)
            scope, rest = rest.split("|", 1)
            name, kind = rest.rsplit("|", 1)
            if kind in "vf":
                out[int(day), scope, name][kind == "f"] += m.get("in", 0) if kind == "v" else m["n"]
    return {k: v for k, v in out.items() if any(v)}


@pytest.mark.parametrize("seed", range(12))
def test_each_shop_has_its_own_days(desk, seed):
    """Every message and round stands in exactly one day: that of its shop's zone, else of the deployment's; in any order of
    arrival, whoever told of the zones, and however often the figures are folded in between."""
    rng = random.Random(seed)
    now = desk.now()
    main, zones, others = some_zones(rng, now)
    zone_of = {shop: z for z, shops in zones for shop in shops}
    events = shop_events(rng, now - 10, list(zone_of) + others)
    desk.counting, desk.zones = (main.text, ""), zones_text(zones)
    rings = [events[i::3] for i in range(3)]
    sent = [0, 0, 0]
    while any(sent[i] < len(r) for i, r in enumerate(rings)):
        i = rng.randrange(3)
        batch = rings[i][sent[i]:sent[i] + rng.randrange(1, 40)]
        if batch:
            assert desk.apply(f"r{i}", list(enumerate(batch, sent[i] + 1)))[3] == "OK"
            sent[i] += len(batch)
            known, desk.zones = desk.zones, ""       # told once
            assert desk.db.hget(desk.key("info"), "zones").decode() == zones_text(zones), known
            desk.parts = lambda zone, n=Shard.parts, z=zones_text(zones): parts_with(desk, n, zone, z)
        if rng.random() < 0.1:
            desk.read("figures", 0, 1, "a", "")
    desk.read("figures", 0, 1, "a", "")
    assert figures_by_day(desk) == figures_by_hand(events, lambda shop, at: zone_of.get(shop, main).day(at))


def parts_with(desk, parts, zone, zones):
    told, desk.zones = desk.zones, zones
    try:
        return parts(desk, zone)
    finally:
        desk.zones = told


def test_another_list_of_shops_is_told_once(desk):
    """Who says nothing, or the same, changes nothing; who says something else is believed, and readers see since when."""
    e = {"k": "in", "live": True, "agent": "ann", "team": "red", "shop": "s1"}

    def send(number, zones):
        desk.zones = zones
        desk.apply("r", [(number, {**e, "at": desk.now(), "conv": f"c{number}", "cust": f"c{number}", "mid": f"m{number}"})])
        return desk.read("counting")[0]
    tokyo = f"Asia/Tokyo {9 * HOUR}\ts1\t\n"
    desk.counting = (ZONE, "")
    first = send(1, tokyo)
    assert first[0] == ZONE and first[3] == tokyo
    assert send(2, "") == send(3, tokyo) == first
    none = send(4, "-")
    assert none[3] == "-" and int(none[2]) >= int(first[2])


def test_two_calls_a_day_are_those_of_the_shop(desk):
    """The limit of telephone calls begins anew at midnight of the case's shop."""
    now = desk.now()
    here = (6 - now // HOUR % 24) * HOUR                    # between 6 and 7 in the shop, between 18 and 19 elsewhere
    midnight = ((now + here) // DAY + 1) * DAY - here
    desk.counting, desk.zones = (f"Main/Zone {here + 12 * HOUR}", ""), f"Some/Zone {here}\ts1\t\n"
    desk.apply("r", [(1, {"k": "in", "at": now, "live": True, "conv": "c", "cust": "c", "mid": "m", "agent": "ann", "team": "red",
                          "shop": "s1", "ckind": "refund", "sev": 2, "crule": "x", "words": "x"})])
    case = desk.read("cases", "open", 9)[0][0]
    for _ in range(2):
        assert desk.run("case_act", "call", case, "bob", "", "no_answer", "")[0] == b"OK"
    assert desk.run("case_act", "call", case, "bob", "", "no_answer", "") == [b"LIMIT", str(midnight).encode()]


def test_a_gateway_of_before_counts_by_what_is_known(desk):
    """One that tells nothing of zone or measure (an older version, during an upgrade) changes neither."""
    desk.counting = (ZONE, PRESETS["zendesk"])
    desk.event("in", "a", 0, "00:30:00"), desk.event("out", "a", 0, "00:30:30")
    desk.apply("r", list(enumerate(desk.events, 1))[:1])
    desk.counting = ()
    desk.apply("r", list(enumerate(desk.events, 1))[1:])
    assert measured(desk) == (1, 30, [0, 1, 1, 1, 1], 0, 0)
    assert of_days(desk)[0]["v"] == {"in": 1, "pass": 1}, "of Shanghai, not the day before, as in UTC"
    assert desk.db.hget(desk.key("info"), "tracking") == PRESETS["zendesk"].encode()


def test_a_definition_of_later_is_not_misread(desk):
    """Entries without the new value are read by new readers, and the other way round."""
    three_customers(desk)
    apply_all(desk, desk.events)
    members = desk.db.zrange(desk.key("rounds"), 0, -1)
    assert {len(msgpack.unpackb(m, raw=True)) for m in members} == {10}
