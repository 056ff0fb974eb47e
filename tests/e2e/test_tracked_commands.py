"""chatgate agents, cases and reminders: what the gateways recorded, read back from Redis."""

import asyncio
import json
import subprocess

import pytest
from gateway import BUILD, SOURCE, Agent, Backend, Gateway, Redis, wait_for

DIRECTORY = """
calendars: {always: {hours: {daily: "00:00-24:00"}}, never: {hours: {daily: []}}}
shops: {s1: {calendar: always}, s2: {calendar: never}, s3: }
agents:
  - {id: ann, team: day, shop: s1}
  - {id: bob, team: day, shop: s2}
"""
COMPLAINT = "收到的衣服破了个洞，我要投诉你们！"


@pytest.fixture
def tracked(folder):
    """A gateway that has seen: ann answering twice and being refused once, bob with a complaint and a reminder."""
    redis = Redis(folder / "redis")
    gate = None

    async def talk():
        nonlocal gate
        async with Backend() as backend:
            (folder / "gate").mkdir()
            (folder / "gate" / "who.yaml").write_text(DIRECTORY)
            gate = Gateway(folder / "gate", backend.port, redis=redis,
                           extra="reminders: {unanswered: [{after: 5s, to: agent}]}\ndirectory: who.yaml")
            async with Agent(gate.url, "ann") as ann, Agent(gate.url, "bob") as bob:
                for n in 1, 2:
                    await backend.say("ann", "c-ann", "在吗？", f"q{n}")
                    await ann.until("message")
                    await asyncio.sleep(0.05)  # the reply time that is looked for below
                    await ann.send("c-ann", "您好亲，在的", f"a{n}")
                    await ann.until("ack")
                await ann.send("c-ann", "加我微信", "a3")
                await ann.until("error")
                await backend.say("bob", "c-bob", COMPLAINT, "q3")
                await bob.until("message")
                await bob.until("notice")
    asyncio.run(talk())
    yield gate, redis
    gate.stop()
    redis.stop()


def run(gate, *args, status=0):
    done = subprocess.run([gate.cli_program, *map(str, args), "--config", gate.config], text=True, capture_output=True, timeout=120)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout if status == 0 else done.stderr


def test_agents_cases_reminders(tracked):
    gate, redis = tracked
    wait_for("all is in Redis", lambda: [r["what"] for r in json.loads(run(gate, "reminders", "--json"))] ==
             ["delivered", "raised"])
    ann, bob = json.loads(run(gate, "agents", "--json"))
    assert (ann["agent"], bob["agent"]) == ("ann", "bob")
    assert (ann["first"]["count"], ann["next"]["count"], ann["blocked"], ann["waiting"]) == (1, 1, 1, 0)
    assert 50 <= ann["first"]["p50_ms"] and ann["first"]["p50_ms"] <= ann["first"]["p90_ms"]
    assert ann["first"]["within_30s"] == ann["first"]["within_3min"] == 1
    assert (bob["first"]["count"], bob["next"]["count"], bob["blocked"], bob["waiting"]) == (0, 0, 0, 1)

    table = run(gate, "agents", "ann")
    assert "bob" not in table and table.count("c-ann") == 2, table
    rounds = table.split("\n\n")[1].splitlines()
    assert [row.split()[3] for row in rounds[1:]] == ["next", "first"], "newest first"

    assert ann["first_business"] == ann["first"] and ann["next_business"] == ann["next"], "a shop that never closes"
    assert ann["first"]["within_3s"] == (ann["first"]["mean_ms"] <= 3000) and ann["first"]["p90_ms"] <= ann["first"]["p99_ms"]
    assert "p50_ms" not in bob["first"] and "longest_wait_ms" not in ann and bob["longest_wait_ms"] > 0
    assert (ann["incoming"], ann["passed"], bob["incoming"]) == (2, 2, 1)
    [day] = json.loads(run(gate, "agents", "--by", "team", "--json"))
    assert (day["team"], day["first"], day["waiting"], day["incoming"]) == ("day", ann["first"], 1, 3)
    s1, s2 = json.loads(run(gate, "agents", "--by", "shop", "--days", 2, "--json"))
    assert (s1["shop"], s1["next"]["count"], s2["shop"], s2["waiting"]) == ("s1", 1, "s2", 1)
    jd = json.loads(run(gate, "agents", "ann", "--preset", "jd", "--json"))[0]["preset"]
    taobao = json.loads(run(gate, "agents", "ann", "--preset", "taobao", "--json"))[0]["preset"]
    assert (jd["count"], jd["within"], taobao["count"], taobao["within"]) == (1, 1, 2, 2)
    wecom = json.loads(run(gate, "agents", "bob", "--preset", "wecom", "--json"))[0]["preset"]
    assert wecom["count"] == 0 and "mean_ms" not in wecom and "within" not in wecom, "undefined is absent"
    assert "100.0 %" in run(gate, "agents", "--preset", "pdd")
    for option, value, allowed in (("--preset", "ebay", "taobao"), ("--by", "room", "agent, team or shop"), ("--days", "0", "1 to 112"), ("--hours", "x", "1 to 168")):
        error = run(gate, "agents", option, value, status=2)
        assert f'{option} is "{value}", must be' in error and allowed in error, error
    rounds = json.loads(run(gate, "agents", "show", "ann", "--rounds", "--json"))
    assert [(r["first"], r["messages"], r["shop"], r["business_ms"] == r["reply_ms"]) for r in rounds] == [
        (False, 1, "s1", True), (True, 1, "s1", True)]
    assert sum(r["reply_ms"] for r in rounds) // 2 == (ann["first"]["mean_ms"] + ann["next"]["mean_ms"]) // 2
    assert run(gate, "agents", "show", "ann", "--rounds").count("c-ann") == 2
    assert "usage" in run(gate, "agents", "--rounds", status=2).lower()
    assert "usage" in run(gate, "agents", "--each", status=2).lower()
    for name, by, period, head in ("ann", "agent", "--hours", "hour"), ("ann", "agent", "--days", "day"), ("day", "team", "--days", "day"):
        each = json.loads(run(gate, "agents", name, "--by", by, period, 2, "--each", "--json"))
        assert 1 <= len(each) <= 2 and [r[head] for r in each] == sorted(r[head] for r in each), each
        assert sum(r["first"]["count"] + r["next"]["count"] for r in each) == 2 and "waiting" not in each[0]
        assert sum(r["incoming"] for r in each) == (3 if by == "team" else 2) and sum(r["blocked"] for r in each) == 1
        assert period == "--days" or all(r["start_ms"] % 3_600_000 == 0 for r in each)
        table = run(gate, "agents", name, "--by", by, period, 2, "--each").splitlines()
        assert table[0].startswith(head + " ") and len(table) == 1 + len(each) and table[1].startswith(each[0][head])
    for by, name in ("team", "day"), ("shop", "s1"):
        assert json.loads(run(gate, "agents", "show", name, "--by", by, "--rounds", "--json")) == rounds, "the figures of the team are these"
        table = run(gate, "agents", name, "--by", by).split("\n\n")[1].splitlines()
        assert table[0].startswith("agent ") and [row.split()[0] for row in table[1:]] == ["ann", "ann"]
    assert json.loads(run(gate, "agents", "show", "s2", "--by", "shop", "--rounds", "--json")) == [], "bob has answered nobody"
    assert run(gate, "agents", "nobody").startswith('nothing is known of "nobody" in this time\n')

    [case] = json.loads(run(gate, "cases", "--json"))
    assert (case["state"], case["agent"], case["conversation"], case["words"]) == ("open", "bob", "c-bob", COMPLAINT)
    assert case["severity"] >= 1 and case["opened_ms"] > 0
    table = run(gate, "cases")
    assert COMPLAINT in table and table.endswith("\n1 open case\n"), table
    assert run(gate, "cases", "--all").endswith("\n1 case\n")

    rows = run(gate, "reminders").splitlines()
    assert len(rows) == 2 and "delivered" in rows[1] and "bob" in rows[1] and "c-bob" in rows[1], "one row a step"

    redis.stop()
    assert str(redis.socket) in run(gate, "agents", status=2)


def test_a_socket_beside_the_file(folder):
    """Relative paths are taken from the file's folder, from wherever and however the file is named."""
    redis = Redis(folder / "redis")
    (folder / "c.yaml").write_text("listeners: [{address: '127.0.0.1:0', profile: plain-ws-json, upstream: im}]\n"
                                   f"profiles_dir: {SOURCE}/conf/profiles\n"
                                   "upstreams: [{name: im, servers: ['127.0.0.1:9']}]\n"
                                   f"redis: {{address: 'unix:redis/{redis.socket.name}', timeout: 20s}}\n")
    for where, name in ((folder, "c.yaml"), (folder, "./c.yaml"), (folder / "redis", "../c.yaml"), ("/", folder / "c.yaml")):
        done = subprocess.run([BUILD / "src/cli/chatgate", "cases", "--config", name], cwd=where, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "") or "no gateway has written" in done.stdout + done.stderr, done
    redis.stop()


def test_nothing_tracked_yet(folder):
    redis = Redis(folder / "redis")
    config = folder / "chatgate.yaml"
    config.write_text("listeners: [{address: '127.0.0.1:0', profile: plain-ws-json, upstream: im}]\n"
                      f"profiles_dir: {SOURCE}/conf/profiles\n"
                      "upstreams: [{name: im, servers: ['127.0.0.1:9']}]\n"
                      f"redis: {{address: {redis.socket}}}\n")

    class Gate:
        cli_program, config = BUILD / "src" / "cli" / "chatgate", folder / "chatgate.yaml"
    assert run(Gate, "agents", "--json") == run(Gate, "cases", "--json") == run(Gate, "reminders", "--json") == "[]\n"
    assert run(Gate, "cases").endswith("0 open cases\n")
    config.write_text(config.read_text().replace("redis: {", "redis: {enabled: false, "))
    assert "redis.enabled is false" in run(Gate, "cases", status=2)
    redis.stop()


@pytest.mark.parametrize("args", [["agents", "--all"], ["cases", "x"], ["reminders", "--most", "0"], ["agents", "--hours"],
                                  ["agents", "a", "b"], ["agents", "--hours", "169"]])
def test_usage(args):
    done = subprocess.run([BUILD / "src" / "cli" / "chatgate", *args], text=True, capture_output=True)
    assert done.returncode == 2 and f"usage: chatgate {args[0]} " in done.stderr, done.stderr
