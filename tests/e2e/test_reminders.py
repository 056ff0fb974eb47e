"""Reminders and cases end to end: customers, agents, two real gateways on one Redis. A step is recorded once, its chat
notice is shown at most once, and what a killed gateway left half done the other one takes over."""

import asyncio
import json
import signal
import time

import pytest
from gateway import PATIENCE, SOURCE, Agent, Backend, Gateway, Redis, run, until
from redis_gate import RedisGate
from track_redis import read_stream

RULES = SOURCE / "tests" / "e2e" / "rules"
SHARDS = 16


def reminders(redis, **match):
    """Stream entries of reminders of all shards."""
    r, out = redis.client(), []
    for shard in range(SHARDS):
        for e in read_stream(r, f"cg:{{{shard}}}:stream"):
            if e["k"] == "reminder" and all(e.get(k) == v for k, v in match.items()):
                out.append(e)
    return out


def look_now(redis):
    """Everything is looked at, whenever it was to be."""
    r = redis.client()
    for i in range(SHARDS):
        for member in r.zrange(f"cg:{{{i}}}:remind_at", 0, -1):
            r.zadd(f"cg:{{{i}}}:remind_at", {member: 1}, xx=True)


def gateway(folder, port, redis, node, steps, lease="10s", **more):
    return Gateway(folder / node, port, redis=redis, node=node, rules=RULES, extra=f"""
reminders:
  unanswered: {steps}
  lease: {lease}
""", **more)


AGENT_FIRST = "[{after: 1s, to: agent}, {after: 3s, to: supervisor}]"
AGENT_ONLY = "[{after: 1s, to: agent}]"


def test_an_unanswered_customer_reaches_the_agent_and_is_recorded_once(folder):
    async def go():
        async with Backend() as b:
            redis = Redis(folder / "redis")
            one, two = (gateway(folder, b.port, redis, n, AGENT_FIRST) for n in ("one", "two"))
            async with Agent(one.url, "amy") as amy, Agent(two.url, "bob") as bob:
                await b.say("amy", "c1", "在吗", "in-1")
                await b.say("bob", "c2", "有人吗", "in-2")
                for agent, conv in ((amy, "c1"), (bob, "c2")):
                    notice = await agent.until("notice")
                    assert notice["conversationId"] == conv and "已等待" in notice["text"] and conv in notice["text"]
                await until("both steps of both", lambda: len(reminders(redis)) == 8)
                for conv, node in (("c1", "one"), ("c2", "two")):
                    got = [(e["what"], e["step"], e.get("to", "")) for e in reminders(redis, conv=conv)]
                    assert got == [("raised", "0", "agent"), ("delivered", "0", ""), ("raised", "1", "supervisor"),
                                   ("undelivered", "1", "")], got
                    assert {e["node"] for e in reminders(redis, conv=conv, step="0")} == {node}, \
                        "the node that holds the agent's session goes first"
                await amy.send("c1", "您好，在的", "out-1")
                assert (await amy.until("ack"))["ref"] == "out-1"
                await asyncio.sleep(0.01)     # in one millisecond nobody can say which came first
                await b.say("amy", "c1", "好", "in-3")       # a new wait has steps of its own
                assert (await amy.until("notice"))["conversationId"] == "c1"
                await until("its first step", lambda: len(reminders(redis, conv="c1", what="delivered")) == 2)
            shown = json.loads(one.cli("reminders", "--config", one.config, "--json").stdout)
            assert {(e["conv"], e["step"]) for e in shown} == {("c1", "0"), ("c1", "1"), ("c2", "0"), ("c2", "1")}
            await until("counted", lambda: one.metrics()["chatgate_reminders_delivered_total"] == 2)
            for g in (one, two):
                g.stop()
            redis.stop()
    run(go())


def test_an_answer_in_time_raises_nothing(folder):
    async def go():
        async with Backend() as b:
            redis = Redis(folder / "redis")
            g = gateway(folder, b.port, redis, "one", "[{after: 5s, to: agent}]")
            async with Agent(g.url, "amy") as amy:
                await b.say("amy", "c1", "在吗", "in-1")
                await amy.until("message")
                await asyncio.sleep(0.01)     # in one millisecond nobody can say which came first
                await amy.send("c1", "您好", "out-1")
                await amy.until("ack")
                await b.say("amy", "c2", "在吗", "in-2")     # shows that the clock is at work
                assert (await amy.until("notice"))["conversationId"] == "c2"
                await until("recorded", lambda: reminders(redis, what="delivered"))
            assert reminders(redis, conv="c1") == []
            g.stop()
            redis.stop()
    run(go())


@pytest.mark.parametrize("script, what, notices, outcome", [
    ("remind_raise", "command", 1, "delivered"),   # claimed, nothing recorded: the other node does it all
    ("remind_raise", "answer", 0, "uncertain"),    # recorded; whether it was shown nobody can know
    ("remind_done", "command", 1, "uncertain"),    # shown, not yet noted
], ids=["before", "during", "after"])
def test_the_claiming_gateway_is_killed(folder, script, what, notices, outcome):
    async def go():
        async with Backend() as b:
            redis = Redis(folder / "redis")
            async with RedisGate(redis, folder / "gate.sock") as gate:
                one = gateway(folder, b.port, gate, "one", AGENT_ONLY, lease="2s")
                gate.shut(script, what)
                seen = 0
                async with Agent(one.url, "amy") as amy:
                    await b.say("amy", "c1", "在吗", "in-1")
                    await asyncio.wait_for(gate.is_shut.wait(), PATIENCE)
                    if what == "answer":
                        await until("recorded", lambda: reminders(redis, what="raised"))
                    if script == "remind_done":
                        await amy.until("notice")
                        seen += 1
                    assert len(reminders(redis)) == (script == "remind_done" or what == "answer")
                    one.stop(signal.SIGKILL)
                two = gateway(folder, b.port, redis, "two", AGENT_ONLY, lease="2s")
                async with Agent(two.url, "amy") as amy:
                    await until("taken over", lambda: reminders(redis, what=outcome))
                    await b.say("amy", "c9", "在吗", "in-2")     # its notice would come behind a second one of c1
                    while (m := await amy.until("notice"))["conversationId"] != "c9":
                        seen += 1
                assert seen == notices
                raised, ended = reminders(redis, conv="c1", what="raised"), reminders(redis, conv="c1", what=outcome)
                assert len(raised) == len(ended) == 1 and len(reminders(redis, conv="c1")) == 2
                assert raised[0]["node"] == ("two" if seen and what == "command" and script == "remind_raise" else "one")
                assert ended[0]["node"] == "two" and int(ended[0]["fence"]) > 1
                two.stop()
            redis.stop()
    run(go())


def test_a_complaint_through_the_daemon_opens_a_case(folder):
    async def go():
        async with Backend() as b:
            redis = Redis(folder / "redis")
            one, two = (gateway(folder, b.port, redis, n, AGENT_ONLY) for n in ("one", "two"))
            async with Agent(one.url, "amy") as amy, Agent(two.url, "amy") as again:
                await b.say("amy", "c1", "你们发错货了！订单 20260101123456，我要投诉", "in-1")  # the newest connection
                await again.until("message")

                def cases(g, *args):
                    return json.loads(g.cli("cases", *args, "--config", g.config, "--json").stdout)
                await until("a case", lambda: cases(one))
                (case,) = cases(two)
                assert (case["state"], case["severity"], case["customer"], case["orders"]) == ("open", 3, "c1", "20260101123456")
                assert "发错货了" in case["words"]
                await b.say("amy", "c1", "问题解决了", "in-2")
                await until("solved", lambda: cases(one) == [])
                assert cases(two, "show", case["id"])["state"] == "solved"
                await amy.ws.close()
            for g in (one, two):
                g.stop()
            redis.stop()
    run(go())


@pytest.mark.parametrize("text, kind", [("等了一周还没到，已经给你们差评了", "review_bad"), ("先给个中评", "review_middling")])
def test_a_review_is_followed_up_by_its_own_plan(folder, text, kind):
    """By the rules that are shipped: chat first, then the telephone, and no third call on a day."""
    async def go():
        async with Backend() as b:
            redis = Redis(folder / "redis")
            noon = 12 - time.gmtime().tm_hour       # the zone in which it is noon: no midnight comes between the calls
            g = Gateway(folder / "g", b.port, redis=redis, rules=SOURCE / "rules", extra=f"""
tracking: {{zone: "{noon:+03d}:00"}}
reminders:
  unanswered: []
  review: [{{after: 1s, to: agent, do: chat}}, {{after: 1s, to: agent, do: call}}]
""")

            def cli(*args):
                return json.loads(g.cli(*args, "--config", g.config, "--json").stdout)
            async with Agent(g.url, "amy") as amy:
                await b.say("amy", "c1", text, "in-1")
                assert (await amy.until("notice"))["conversationId"] == "c1"
                (case,) = cli("cases")
                assert (case["kinds"], case["state"]) == (kind, "open")
                refused = g.cli("cases", "call", case["id"], "no_answer", "--config", g.config, check=False)
                assert refused.returncode == 1 and "followed up by chat first" in refused.stderr
                await amy.send("c1", "亲，非常抱歉，我们马上为您处理", "out-1")
                assert (await amy.until("ack"))["ref"] == "out-1"
                # looked at between first step and answer, it is looked at again in a quarter of an hour: that is over
                await until("both steps", lambda: look_now(redis) or
                            {"review_chat", "review_call"} <= {r["kind"] for r in cli("reminders")})
                assert "c1" in (await amy.until("notice"))["text"]
                answers = [g.cli("cases", "call", case["id"], "no_answer", "--config", g.config, check=False).returncode
                           for _ in range(3)]
                assert answers == [0, 0, 1]
            g.stop()
            redis.stop()
    run(go())


def test_quiet_hours_hold_and_release(folder):
    """The shop is quiet around the clock, then no more: what is still wanted comes then."""
    async def go():
        async with Backend() as b:
            redis = Redis(folder / "redis")
            g = gateway(folder, b.port, redis, "one", AGENT_ONLY)
            text = g.config.read_text()
            quiet = """  quiet:
    hours: ["00:00-24:00"]
    time_zone: Asia/Shanghai
"""
            g.config.write_text(text.replace("  lease: 10s\n", "  lease: 10s\n" + quiet))
            g.cli("reload", "--config", g.config)
            async with Agent(g.url, "amy") as amy:
                await b.say("amy", "c1", "在吗", "in-1")
                await b.say("amy", "c2", "在吗", "in-2")
                await until("both held", lambda: g.metrics()["chatgate_reminders_held_total"] >= 2)
                assert reminders(redis) == []
                await amy.send("c2", "您好", "out-1")     # answered in the quiet hours
                await amy.until("ack")
                g.config.write_text(text)
                g.cli("reload", "--config", g.config)
                await asyncio.sleep(1)                    # two looks of the clock: it waits for its time
                assert reminders(redis) == []
                look_now(redis)                           # which now comes
                assert (await amy.until("notice"))["conversationId"] == "c1"
                await until("recorded", lambda: reminders(redis, what="delivered"))
            assert {e["conv"] for e in reminders(redis)} == {"c1"}, "the other one is not wanted any more"
            g.stop()
            redis.stop()
    run(go())
