"""The deployment's own definition and what counts how often, through the real gateway and Redis: from `tracking:` of the
configuration to `chatgate agents`."""

import asyncio
import json
import time

import pytest

from gateway import Agent, Backend, Gateway, Redis, wait_for
from test_exactly_once import is_drained, run, settle, stream

DIRECTORY = """
shops: {s1: , s2: }
agents:
  - {id: ann, team: day, shop: s1}
  - {id: bea, team: night, shop: s2}
  - {id: robot, team: day, shop: s1, role: bot}
  - {id: helper, team: day, shop: s1, role: assistant}
"""


class Desk:
    """A gateway and what people do with it."""

    def __init__(self, folder, backend, tracking="", **more):
        self.redis, self.b = Redis(folder / "redis"), backend
        (folder / "gate").mkdir()
        (folder / "gate" / "who.yaml").write_text(DIRECTORY)
        self.g = Gateway(folder / "gate", backend.port, redis=self.redis, extra=f"directory: who.yaml\n{tracking}", **more)

    async def ask(self, agents, conv, text, mid):
        """The backend shows a customer's message on all these connections."""
        for a in agents if isinstance(agents, list) else [agents]:
            await self.b.say(a.name, conv, text, mid)
            while (await a.until("message"))["id"] != mid:
                pass
        await asyncio.sleep(0.002)      # in one millisecond nobody can say which came first

    async def answer(self, a, conv, text, mid):
        await a.send(conv, text, mid)
        while (await a.until("ack"))["ref"] != mid:
            pass
        await asyncio.sleep(0.002)

    async def agents(self, *args):
        await settle(self.g)
        rows = json.loads(await asyncio.to_thread(self.text, "agents", *args, "--json"))
        return {r.get("agent", r.get("team", r.get("shop"))): r for r in rows}

    def text(self, *args):
        return self.g.cli(*args, "--config", self.g.config).stdout

    def stop(self):
        self.g.stop()
        self.redis.stop()


def with_desk(folder, tracking, story, **more):
    async def go():
        async with Backend() as b:
            desk = Desk(folder, b, tracking, **more)
            await story(desk)
            desk.stop()
    run(go())


def counts(row):
    return row["first"]["count"], row["next"]["count"], row["incoming"]


@pytest.mark.parametrize("preset, text, counted", [
    ("taobao", "taobao round assistant touch 28800000 82800000 86400000 180000", 2),
    ("zendesk", "zendesk session human start 0 86400000 0 0", 1),
    ("wecom", "wecom customer_day human start 0 86400000 -1 0", 1)])
def test_a_preset_reaches_redis_and_the_command_line(folder, preset, text, counted):
    async def story(d):
        async with Agent(d.g.url, "ann") as ann:
            for i in range(2):
                await d.ask(ann, "c1", "在吗", f"q{i}")
                await d.answer(ann, "c1", "在的亲", f"a{i}")
            row = (await d.agents())["ann"]
            assert d.redis.client().hget(next(iter(d.redis.client().scan_iter("cg:*:info"))), "tracking").decode() == text
            m = row["measured"]
            assert (m["name"], row["first"]["count"], row["next"]["count"]) == (preset, 1, 1)
            assert (m["counted"], m["answered"]["count"], m["unanswered"]) == (counted, counted, 0)
            assert m["answered"]["mean_ms"] >= 2 and ("in_time" not in m or m["in_time"] == counted)
            table = await asyncio.to_thread(d.text, "agents")
            assert f"\n{preset}: " in table and "unanswered" in table
            rounds = json.loads(await asyncio.to_thread(d.text, "agents", "show", "ann", "--rounds", "--json"))
            told = [r["measured"] for r in rounds]
            assert sum(v.isdigit() for v in told) == m["answered"]["count"] and len(told) == 2
    noon = 12 - time.gmtime().tm_hour   # the zone in which it is noon, so that it runs in every window
    with_desk(folder, f'tracking: {{preset: {preset}, zone: "{noon:+03d}:00"}}', story)


def test_unanswered_after_a_horizon_with_those_who_wait(folder):
    async def story(d):
        async with Agent(d.g.url, "ann") as ann:
            await d.ask(ann, "c1", "在吗", "q1")
            await d.ask(ann, "c2", "在吗", "q2")
            assert (await d.agents())["ann"]["waiting"] == 2
            while (await d.agents())["ann"]["measured"]["unanswered"] < 2:   # two seconds pass
                pass
            await d.answer(ann, "c1", "来晚了亲", "a1")
            m = (await d.agents())["ann"]["measured"]
            assert (m["counted"], m["unanswered"], m["answered"]["count"]) == (2, 2, 0), "one booked, one still waits"
            assert (await d.agents())["ann"]["first"]["count"] == 1, "the plain round is what it is"
            assert [t["measured"] for t in json.loads(await asyncio.to_thread(
                d.text, "agents", "show", "ann", "--rounds", "--json"))] == ["unanswered"]
            by_day = await d.agents("--by", "team", "--days", "2")
            assert by_day["day"]["measured"]["unanswered"] == 2
    with_desk(folder, "tracking: {horizon: 2s}", story)


def test_a_shop_with_its_own_calendar_has_its_own_days(folder):
    """s2 lies where it is never the same date as in the deployment's zone: its agent's, team's and own days are of there. A
    reload that takes the calendar away makes new events count by the deployment's."""
    async def story(d):
        def day(hours):
            return int(time.time() + hours * 3600) // 86400

        def days():
            fields = (f.decode().split("|") for k in d.redis.client().scan_iter("cg:*:days:*") for f in d.redis.client().hkeys(k))
            return {(name, int(number)) for number, scope, name, kind in (f for f in fields if len(f) == 4)
                    if kind == "f" and scope in "ats"}
        who = d.g.config.parent / "who.yaml"
        who.write_text(DIRECTORY.replace("s2: }", "s2: {calendar: far}}") +
                       "calendars: {far: {zone: Pacific/Kiritimati, hours: {daily: '00:00-24:00'}}}\n")
        await asyncio.to_thread(d.text, "reload")
        async with Agent(d.g.url, "ann") as ann, Agent(d.g.url, "bea") as bea:
            was = day(-12), day(14)
            for who_is, conv in (ann, "c1"), (bea, "c2"):
                await d.ask(who_is, conv, "在吗", f"q-{conv}")
                await d.answer(who_is, conv, "在的亲", f"a-{conv}")
            for by, near, far in ("agent", "ann", "bea"), ("team", "day", "night"), ("shop", "s1", "s2"):
                rows = await d.agents("--by", by, "--days", "1")
                if (day(-12), day(14)) != was:
                    return      # midnight came in between, somewhere
                assert {n: r["first"]["count"] for n, r in rows.items()} == {near: 1, far: 1}
                assert {(near, was[0]), (far, was[1])} <= days() and not {(near, was[1]), (far, was[0])} & days()
            who.write_text(DIRECTORY)
            await asyncio.to_thread(d.text, "reload")
            await d.ask(bea, "c2", "在吗", "q3"), await d.answer(bea, "c2", "在的亲", "a3")
            await d.ask(bea, "c3", "在吗", "q4"), await d.answer(bea, "c3", "在的亲", "a4")
            await d.agents()
            if (day(-12), day(14)) == was:
                assert {("bea", was[0]), ("bea", was[1])} <= days(), "what was counted stays"
    with_desk(folder, "tracking: {zone: Etc/GMT+12}", story)


def test_messages_one_by_one_and_a_reload(folder):
    async def story(d):
        async with Agent(d.g.url, "ann") as ann:
            for i in range(3):
                await d.ask(ann, "c1", "在吗", f"q{i}")
            await d.answer(ann, "c1", "在的亲", "a1")
            row = (await d.agents())["ann"]
            assert row["first"]["count"] == 1 and row["measured"]["counted"] == row["measured"]["in_time"] == 3
            config = d.g.config.read_text()
            d.g.config.write_text(config.replace("unit: message", "unit: session"))
            await asyncio.to_thread(d.text, "reload")
            for i in range(3, 6):
                await d.ask(ann, "c2", "在吗", f"q{i}")
            await d.answer(ann, "c2", "在的亲", "a2")
            m = (await d.agents())["ann"]["measured"]
            assert (m["unit"], m["counted"]) == ("session", 4)
            d.g.config.write_text(config.replace("{unit: message}", "{window: calendar}"))
            failed = await asyncio.to_thread(d.g.cli, "reload", "--config", d.g.config, check=False)
            assert failed.returncode != 0 and "must be clip where window is calendar" in failed.stdout + failed.stderr
            d.g.config.write_text(config)       # which the gateway has not read
            assert (await d.agents())["ann"]["measured"]["unit"] == "session"
    with_desk(folder, "tracking: {unit: message}", story)


@pytest.mark.parametrize("stopper, ends", [("human", ()), ("assistant", ("helper",)), ("any", ("helper", "robot"))])
def test_programs_are_no_replies_unless_they_are(folder, stopper, ends):
    async def story(d):
        async with Agent(d.g.url, "robot") as robot, Agent(d.g.url, "helper") as helper, Agent(d.g.url, "ann") as ann:
            for who in robot, helper, ann:
                conv = "c-" + who.name
                await d.ask(who, conv, "在吗", "q-" + who.name)
                await d.answer(who, conv, "在的亲", "a-" + who.name)
            rows = await d.agents()
            for name in "robot", "helper", "ann":
                is_reply = name == "ann" or name in ends
                assert (rows[name]["first"]["count"], rows[name]["waiting"], rows[name]["passed"]) == (
                    (1, 0, 1) if is_reply else (0, 1, 1)), name
    with_desk(folder, f"tracking: {{stopper: {stopper}}}", story)


# --- what counts how often ---

def test_a_transfer_is_the_round_of_who_answered(folder):
    """The customer writes to ann, who hands over without a word; bea answers. Then the customer writes to bea."""
    async def story(d):
        async with Agent(d.g.url, "ann") as ann, Agent(d.g.url, "bea") as bea:
            await d.ask(ann, "c1", "退款怎么还没到", "q1")
            assert (await d.agents())["ann"]["waiting"] == 1
            await d.answer(bea, "c1", "亲，我来为您处理", "a1")
            await d.ask(bea, "c1", "好的，多久", "q2")
            rows = await d.agents()
            assert counts(rows["ann"]) == (0, 0, 1) and counts(rows["bea"]) == (1, 0, 1)
            assert (rows["ann"]["waiting"], rows["bea"]["waiting"]) == (0, 1), "who replied last has the customer"
            await d.answer(bea, "c1", "亲，今天就到", "a2")
            shops = await d.agents("--by", "shop")
            assert counts(shops["s1"]) == (0, 0, 1) and counts(shops["s2"]) == (1, 1, 1)
    with_desk(folder, "", story)


def test_several_devices_of_one_agent_see_one_message(folder):
    """The same agent on three connections: each shows the message, one of them answers."""
    async def story(d):
        async with Agent(d.g.url, "ann") as phone:
            await d.ask(phone, "c1", "在吗", "q1")
            async with Agent(d.g.url, "ann") as desk:       # the backend now sends to this one
                await d.ask(desk, "c1", "在吗", "q1")        # the same message, shown again at login
                async with Agent(d.g.url, "ann") as laptop:
                    await d.ask(laptop, "c1", "在吗", "q1")
                    await d.answer(phone, "c1", "在的亲", "a1")
                    row = (await d.agents())["ann"]
                    assert counts(row) == (1, 0, 1) and row["passed"] == 1 and row["waiting"] == 0
                    (one,) = json.loads(await asyncio.to_thread(d.text, "agents", "show", "ann", "--rounds", "--json"))
                    assert one["messages"] == 1
                    seen = [e for e in stream(d.redis) if e["k"] == "in"]
                    assert [e.get("dup") for e in seen].count("1") == 2, "each sight is told, two as copies"
    with_desk(folder, "", story)


def test_two_agents_at_one_customer(folder):
    """Both see the customer's message; the first answer ends the round, the second begins none."""
    async def story(d):
        async with Agent(d.g.url, "ann") as ann, Agent(d.g.url, "bea") as bea:
            await d.ask([ann, bea], "c1", "在吗", "q1")
            await d.answer(bea, "c1", "在的亲", "a1")
            await d.answer(ann, "c1", "您好亲", "a2")
            rows = await d.agents()
            assert counts(rows["bea"]) == (1, 0, 0) and counts(rows["ann"]) == (0, 0, 1), "its first sight was ann's"
            assert rows["ann"]["passed"] == rows["bea"]["passed"] == 1
            await d.ask([ann, bea], "c1", "还在吗", "q2")
            await d.answer(ann, "c1", "在", "a3")
            rows = await d.agents()
            assert counts(rows["ann"]) == (0, 1, 2) and counts(rows["bea"]) == (1, 0, 0)
    with_desk(folder, "", story)


def test_an_edit_neither_begins_nor_ends_anything(folder):
    """The customer's edit opens no round, the agent's corrected message is no second reply; both are judged."""
    async def story(d):
        async with Agent(d.g.url, "ann") as ann:
            await d.ask(ann, "c1", "在吗", "q1")
            await d.answer(ann, "c1", "在的亲", "a1")
            await ann.ws.send(json.dumps({"type": "edit", "conversationId": "c1", "id": "a1", "text": "在的亲，请讲"},
                                         ensure_ascii=False))
            await d.b.agents["ann"].send(json.dumps({"type": "edit", "conversationId": "c1", "id": "q1", "text": "在不在",
                                                     "sender": {"id": "c1", "role": "customer"}}, ensure_ascii=False))
            await d.ask(ann, "c9", "在吗", "q9")            # behind both: they have passed
            await asyncio.to_thread(wait_for, "the edit is at the backend", lambda: any('"edit"' in r for r in d.b.raw))
            await ann.ws.send(json.dumps({"type": "edit", "conversationId": "c1", "id": "a1", "text": "加我微信吧"},
                                         ensure_ascii=False))
            await ann.until("error")
            row = (await d.agents())["ann"]
            assert counts(row) == (1, 0, 2) and row["waiting"] == 1, "only c9 waits"
            assert row["blocked"] == 1
    with_desk(folder, "", story)


def test_replayed_history_counts_at_its_own_time(folder):
    """At login the backend shows what was said: what is known counts once, what was missed waits since it was written, and
    what stands before the last reply opens nothing."""
    async def story(d):
        now = int(time.time() * 1000)

        async def show(conv, mid, ago_s):
            await d.b.agents["ann"].send(json.dumps(
                {"type": "message", "conversationId": conv, "id": mid, "text": "在吗", "ts": now - ago_s * 1000,
                 "sender": {"id": conv, "role": "customer"}}, ensure_ascii=False))
        async with Agent(d.g.url, "ann") as ann:
            await d.ask(ann, "c1", "在吗", "q1")
            await d.answer(ann, "c1", "在的亲", "a1")
        async with Agent(d.g.url, "ann") as ann:
            for conv, mid, ago_s in (("c1", "q1", 0), ("c1", "q0", 3600), ("c2", "missed", 600), ("c3", "old", 200000)):
                await show(conv, mid, ago_s)
                await ann.until("message")
            row = (await d.agents())["ann"]
            assert row["first"]["count"] == 1 and row["waiting"] == 1, "c2 alone"
            assert 600_000 <= row["longest_wait_ms"] < 660_000 + (int(time.time() * 1000) - now)
            await d.answer(ann, "c2", "来了亲", "a2")
            row = (await d.agents())["ann"]
            assert (row["first"]["count"], row["waiting"]) == (2, 0) and row["first"]["p99_ms"] >= 600_000
            rounds = json.loads(await asyncio.to_thread(d.text, "agents", "show", "ann", "--rounds", "--json"))
            assert {r["conversation"]: r["start_ms"] // 1000 for r in rounds}["c2"] == (now - 600_000) // 1000
    with_desk(folder, "", story)


def test_the_rounds_behind_a_figure_are_all_of_it(folder):
    """Sums and counts of the figures are those of the rounds that are listed."""
    async def story(d):
        async with Agent(d.g.url, "ann") as ann:
            for i in range(12):
                await d.ask(ann, f"c{i % 5}", "在吗", f"q{i}")
                if i % 3:
                    await d.ask(ann, f"c{i % 5}", "有人吗", f"r{i}")
                await d.answer(ann, f"c{i % 5}", "在的亲", f"a{i}")
            row = (await d.agents())["ann"]
            rounds = json.loads(await asyncio.to_thread(d.text, "agents", "show", "ann", "--rounds", "--json"))
            assert len(rounds) == row["first"]["count"] + row["next"]["count"] == 12
            for kind, is_first in ("first", True), ("next", False):
                mine = [r["reply_ms"] for r in rounds if r["first"] == is_first]
                assert sum(mine) // len(mine) == row[kind]["mean_ms"]
                assert sum(ms <= 3000 for ms in mine) == row[kind]["within_3s"]
            assert sum(r["messages"] for r in rounds) == row["incoming"] == 20
            units = [int(v) for r in rounds for v in r["measured"].split(",")]
            m = row["measured"]
            assert len(units) == m["counted"] == 20 and sum(units) // 20 == m["answered"]["mean_ms"]
            assert is_drained(d.g)
    with_desk(folder, "tracking: {unit: message}", story)
