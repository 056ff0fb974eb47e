"""What rules did, whether they were right, and which rules run where: through real gateways."""

import asyncio
import re
import time

import pytest
from board_rig import Board, Client, Page, Story, free_of_surprises, in_thread, two_shops
from gateway import Agent, Backend, Gateway, Redis, wait_for
from test_board_api import check

RULES = """pack: try_out
direction: outgoing
rules:
  - id: try_out.word
    title: a word that is blocked
    norm: E1
    action: block
    words: [加我微信]
    notice: no
    examples: {hit: [加我微信], miss: [你好]}
  - id: try_out.trial
    title: a word on trial
    action: block
    mode: shadow
    words: [转账吧]
    notice: no
    examples: {hit: [转账吧], miss: [你好]}
"""


@pytest.fixture
def rig(folder):
    with two_shops(folder, RULES) as rig:
        yield rig


def with_gateway(rig, text, look):
    """look(gate) in a thread after two violations of ann's and one of bob's."""
    folder, redis, _ = rig

    async def run():
        async with Backend() as im:
            gate = Gateway(folder / "gate", im.port, redis=redis, rules=folder / "packs",
                           extra=f"directory: {folder / 'directory.yaml'}\nviolations: {{text: {text}}}\n")
            async with Agent(gate.url, "ann") as ann, Agent(gate.url, "bob") as bob:
                await ann.send("u1", "亲，加我微信 wx_138abc77 打电话 13812345678 哦", "x1")
                await ann.send("u1", "那就转账吧，谢谢", "x2")
                await ann.until("ack")
                await bob.send("u2", "加我微信", "x3")
                await ann.send("u1", "您好", "x4")
                await ann.until("ack")
                await in_thread(look, gate)
            gate.stop()
    asyncio.run(run())


def feed(client, n):
    return wait_for(f"{n} violations", lambda: (lambda v: v if len(v) == n else None)(client.get("/api/v1/violations")["violations"]))


def post(client, violation, path, **body):
    code, got = client.call("POST", f"/api/v1/violations/{violation['id']}/{path}", body)
    check("post", "/api/v1/violations/{id}/" + path, code, got)
    return code, got


def test_the_feed_its_texts_and_verdicts_of_people(rig):
    _, _, board = rig

    def look(gate):
        sue, ann, vera, red = Client(board, "sue"), Client(board, "ann"), Client(board, "vera"), Client(board, "red-sup")
        sue.now_until("data", lambda d: d["agents"])
        seen = {v["text"][:4]: v for v in feed(sue, 3)}
        check("get", "/api/v1/violations", 200, {"violations": list(seen.values())})
        first, trial = seen["亲，加我"], seen["那就转账"]
        assert "138" not in first["text"] and "abc" not in first["text"] and "加我微信" in first["text"] and first["has_full"], first["text"]
        assert first["action"] == "block" and first["rules"] == ["try_out.word"]
        assert trial["action"] == "pass" and trial["shadow"] == ["try_out.trial"] and trial["would"] == "block" and trial["rules"] == []
        # who sees what
        assert {v["agent"] for v in red.get("/api/v1/violations")["violations"]} == {"ann"} == {v["agent"] for v in ann.get("/api/v1/violations")["violations"]}
        other = seen["加我微信"]
        assert post(ann, other, "feedback", verdict="wrong")[0] == post(red, other, "feedback", verdict="wrong")[0] == 404
        assert post(red, other, "text", why="x")[0] == 404
        assert vera.call("POST", f"/api/v1/violations/{first['id']}/text", {"why": "x"})[0] == 403
        assert ann.call("GET", "/api/v1/now")[0] == ann.call("GET", "/api/v1/rules")[0] == 403
        # unmasked by role, and audited
        assert post(sue, first, "text")[1]["error"] == "why"
        assert post(sue, first, "text", why="the agent asked")[1]["text"] == "亲，加我微信 wx_138abc77 打电话 13812345678 哦"
        audit = Client(board, "adam").get("/api/v1/audit")["entries"][0:3]
        assert ("violation_unmask", "sue", first["id"], "the agent asked", "ok") in [(e["action"], e["who"], e["target"], e["why"], e["result"]) for e in audit]
        # was it right?
        rule = lambda name: next(r for r in sue.get("/api/v1/rules")["rules"] if r["id"] == name)
        assert rule("try_out.word")["hits"]["precision"] is None
        assert post(ann, first, "feedback", verdict="wrong", why="he asked for it")[0] == 200
        assert next(v for v in feed(sue, 3) if v["id"] == first["id"])["feedback"]["who"] == "ann"
        assert post(sue, first, "feedback", verdict="right")[0] == 200  # the supervisor's word stands
        code, body = post(ann, first, "feedback", verdict="wrong")
        assert (code, body["who"], body["verdict"]) == (409, "sue", "right")
        assert post(sue, other, "feedback", verdict="wrong", rule="try_out.word")[0] == 200
        assert post(sue, trial, "feedback", verdict="right")[0] == 200
        assert post(sue, trial, "feedback", verdict="right", rule="try_out.word")[0] == 400
        assert post(sue, trial, "feedback", verdict="perhaps")[0] == 400
        for bad in ("0-1-1", "99999-1-1", "x", "0-1", "0--1"):
            assert post(sue, {"id": bad}, "feedback", verdict="right")[0] == 404, bad
        hits = wait_for("figures", lambda: (lambda h: h if h["right"] == 1 and h["wrong"] == 1 else None)(rule("try_out.word")["hits"]))
        assert hits["precision"] == 0.5 and hits["days"][-1] == hits["today"]["block"] == 2 and sum(hits["trial_days"]) == 0
        hits = rule("try_out.trial")["hits"]
        assert (hits["precision"], hits["trial_days"][-1], sum(hits["days"])) == (1.0, 1, 0)
        for name, word, on_trial in ("red-sup", 1, 1), ("shop-sup", 1, 0), ("none-sup", 0, 0), ("sue", 2, 1):
            d = Client(board, name).get("/api/v1/rules")
            check("get", "/api/v1/rules", 200, d)
            found = {r["id"]: (sum(r["hits"]["days"]), sum(r["hits"]["trial_days"])) for r in d["rules"]}
            assert found == {"try_out.word": (word, 0), "try_out.trial": (0, on_trial)}, name
            assert d["whole"] == (name == "sue") == (d["rules"][0]["hits"]["right"] is not None), "what others think is not theirs to see"
        assert post(sue, first, "feedback", verdict="none")[0] == 200
        wait_for("taken back", lambda: rule("try_out.word")["hits"]["precision"] == 0)

    with_gateway(rig, "full", look)


def test_masked_texts_only_unless_wanted(rig):
    _, redis, board = rig

    def look(gate):
        sue = Client(board, "sue")
        sue.now_until("data", lambda d: d["agents"])
        first = next(v for v in feed(sue, 3) if v["text"].startswith("亲"))
        assert not first["has_full"] and post(sue, first, "text", why="x")[1]["error"] == "not_kept"
        db = redis.client()
        everything = b"".join(str(db.xrange(k)).encode() for k in db.keys("cg:*:stream"))
        assert b"13812345678" not in everything and b"wx_138abc77" not in everything

    with_gateway(rig, "masked", look)


def test_the_rules_that_gateways_run(rig):
    folder, redis, board = rig

    async def run():
        async with Backend() as im:
            one = Gateway(folder / "one", im.port, redis=redis, rules=folder / "packs")
            (folder / "other").mkdir()
            (folder / "other" / "try_out.yaml").write_text(RULES.split("  - id: try_out.trial")[0])
            two = Gateway(folder / "two", im.port, redis=redis, rules=folder / "other")
            two_config = two.config.read_text().replace("node: test-node", "node: second")
            two.stop()
            two.write_config(two_config)
            two.start()
            try:
                await in_thread(look, one, two)
            finally:
                one.stop()
                two.stop()

    def look(one, two):
        vera = Client(board, "vera")
        vera.now_until("data", lambda d: True)

        def rules(what, probe):
            return wait_for(what, lambda: (lambda code, d: d if code == 200 and probe(d, {n["node"]: n for n in d["nodes"]}) else None)(*vera.call("GET", "/api/v1/rules")))
        d = rules("both lists", lambda d, n: len(n) == 2 and len(d["rules"]) == 2)
        check("get", "/api/v1/rules", 200, d)
        node = {n["node"]: n for n in d["nodes"]}
        versions = [node[n]["rules"]["version"] for n in ("test-node", "second")]
        assert versions[0] != versions[1] and node["second"]["packs"] == [{"pack": "try_out", "rules": 1, "shadow": 0}]
        assert {r["id"]: (set(r["versions"]), r["shadow"], r["norm"], r["action"]) for r in d["rules"]} == {
            "try_out.word": (set(versions), False, "E1", "block"), "try_out.trial": ({versions[0]}, True, "", "block")}
        assert node["test-node"]["mode"] == "enforce" and node["test-node"]["rules"]["last_reload_ms"] == 0
        scoped = Client(board, "red-view").get("/api/v1/rules")
        assert not scoped["whole"] and all(sum(r["hits"]["days"]) == 0 and r["hits"]["wrong"] is None for r in scoped["rules"])
        check("get", "/api/v1/rules", 200, scoped)
        # a reload that fails, a mode, a reload that works: told at once
        pack = folder / "other" / "try_out.yaml"
        good = pack.read_text()
        pack.write_text(good.replace("action: block", "action: explode"))
        assert not two.ask("reload")["ok"]
        n = rules("the failure", lambda d, n: n["second"]["rules"]["last_failed_ms"])
        n = {x["node"]: x for x in n["nodes"]}["second"]
        assert "explode" in n["rules"]["last_error"] and n["rules"]["reloads_failed"] == 1 and n["rules"]["version"] == versions[1]
        assert two.ask("mode observe 30m")["ok"]
        rules("the mode", lambda d, n: n["second"]["mode"] == "observe" and n["second"]["mode_until_ms"] > time.time() * 1000)
        vera.now_until("every page says so", lambda d: d["modes"] == [{"node": "second", "mode": "observe"}])
        pack.write_text(good.replace("加我微信", "加我好友", 1).replace("[加我微信]", "[加我好友]"))
        assert two.ask("reload")["ok"]
        d = rules("the new version", lambda d, n: n["second"]["rules"]["version"] not in versions and all(v in [x["rules"]["version"] for x in d["nodes"]] for r in d["rules"] for v in r["versions"])
                  and any(n["second"]["rules"]["version"] in r["versions"] for r in d["rules"]))
        assert {n["node"]: n for n in d["nodes"]}["second"]["rules"]["last_error"] == ""
        page = Page(board.url)
        try:
            page.log_in("adam")
            page.wait_text(".banner", "Rules are not enforced: second: observe only")
            page.go("rules")
            page.wait_text("main", "2 different rule sets")
            page.wait_text("main", "not on every gateway")
            assert two.ask("mode enforce")["ok"]
            wait_for("the banner goes", lambda: not page.find(".banner")[0].is_displayed())
            two.stop()
            page.wait_text("main", "last seen", 40)
            assert free_of_surprises(page) == []
        finally:
            page.close()

    asyncio.run(run())


def test_the_violations_page(rig):
    _, _, board = rig

    def look(gate):
        Client(board, "sue").now_until("data", lambda d: d["agents"])
        page = Page(board.url)
        try:
            page.log_in("sue")
            page.go("violations")
            wait_for("three", lambda: len(page.find("[data-violation]")) == 3)
            found = next(e for e in page.find("[data-violation]") if "打电话" in e.text)
            item = f'[data-violation="{found.get_attribute("data-violation")}"]'
            assert "13812345678" not in page.text(item)
            page.click(f"{item} [data-unmask]")
            page.wait_text(item, "13812345678")
            page.click(f"{item} [data-verdict=wrong]")
            page.wait(f"{item} [data-verdict=wrong][aria-pressed=true]")
            page.wait_text('[data-rule="try_out.word"]', r"0\s?% right")
            page.click(f"{item} [data-verdict=right]")
            page.wait(f"{item} [data-verdict=right][aria-pressed=true]")
            page.wait_text('[data-rule="try_out.word"]', r"100\s?% right")
            page.wait_text("main", "trial: would be blocked")
            for width in (360, 768, 1920):
                page.size(width, 900)
                assert page.overflow() == [0, []], width
            assert free_of_surprises(page) == []
        finally:
            page.close()
        page = Page(board.url, lang="zh-CN")
        try:  # an agent sees this page only, and their own messages
            page.log_in("ann")
            wait_for("ann's two", lambda: len(page.find("[data-violation]")) == 2)
            assert [a.text for a in page.find("nav a")] == ["违规"]
            page.click("[data-verdict=wrong]")
            page.wait("[data-verdict=wrong][aria-pressed=true]")
            assert not page.find("[data-unmask]") and free_of_surprises(page) == []
        finally:
            page.close()

    with_gateway(rig, "full", look)


def test_days_are_those_of_the_board(folder):
    """Hits of yesterday evening and this morning, in the board's zone, stand on their days."""
    redis = Redis(folder / "redis")
    story = Story(redis.client())
    redis.client().set("cg:{nodes}:rules:v1", '[{"id":"p.r","title":"t","norm":"","cite":"","action":"block","direction":"outgoing","shadow":false}]')
    redis.client().hset("cg:{nodes}:state", "n", '{"rules":{"version":"v1"}}')
    redis.client().zadd("cg:{nodes}:at", {"n": story.now})
    hour = 3_600_000
    for ago, n in [(1, 2), (20, 3), (43, 4), (24 * 5, 1)]:  # it is between 18 and 19 o'clock: today; yesterday; the day before …
        for i in range(n):
            story.put(i % 4, {"k": "out", "at": story.now - ago * hour, "act": 4, "conv": f"c{i}", "cust": f"u{i}", "agent": "ann", "team": "red", "shop": "s1", "rules": "p.r"})
    board = Board(folder / "board", redis.socket)
    vera = Client(board, "vera")
    vera.now_until("data", lambda d: True)
    hits = wait_for("the rule", lambda: (lambda code, d: d["rules"][0]["hits"] if code == 200 and d["rules"] else None)(*vera.call("GET", "/api/v1/rules")))
    assert hits["days"] == [0, 1, 0, 0, 4, 3, 2], hits
    assert hits["today"]["block"] == 2
    assert re.search(r"^\d", str(hits["wrong"]))
    board.stop()
    redis.stop()


def test_who_sees_some_teams_sees_what_rules_did_there(folder):
    """By day and by what was done, over shards and more agents than one question takes; of both lists, teams and shops."""
    redis = Redis(folder / "redis")
    story = Story(redis.client())
    redis.client().set("cg:{nodes}:rules:v1", '[{"id":"p.r","title":"t","norm":"","cite":"","action":"block","direction":"outgoing","shadow":false}]')
    redis.client().hset("cg:{nodes}:state", "n", '{"rules":{"version":"v1"}}')
    redis.client().zadd("cg:{nodes}:at", {"n": story.now})
    hour, desk = 3_600_000, 18 - time.gmtime().tm_hour
    for shard in story.shard:
        shard.counting = (f"{desk:+03d}:00 {desk * hour}", "")
    people = [("ann", "red", "s1"), ("bea", "red", "s2"), ("cy", "blue", "s2"), *((f"x{i:03}", "red", "s1") for i in range(510))]
    for i, (name, team, shop) in enumerate(people):
        story.agent(name, team, shop, i % 4)
    for number, (name, team, shop) in enumerate([*people[:3], people[-1]]):
        for ago, act, how in (1, 4, "rules"), (2, 1, "rules"), (20, 4, "rules"), (50, 4, "shadow"):
            for shard in range(number % 3 + 1):
                story.put(shard, {"k": "out", "at": story.now - ago * hour, "act": act, "conv": f"c{name}{ago}", "cust": "u", "agent": name, "team": team, "shop": shop, how: "p.r"})
    board = Board(folder / "board", redis.socket)
    vera = Client(board, "vera")
    vera.now_until("data", lambda d: len(d["agents"]) == len(people))
    for name, agents in ("red-view", (1, 2, 1)), ("shop-sup", (2, 3)), ("vera", (1, 2, 3, 1)), ("none-sup", ()):
        d = Client(board, name).get("/api/v1/rules")
        n, hits = sum(agents), d["rules"][0]["hits"]
        assert (hits["days"], hits["trial_days"]) == ([0, 0, 0, 0, 0, n, 2 * n], [0, 0, 0, 0, n, 0, 0]), name
        assert hits["today"] == {"pass": 0, "warn": n, "rewrite": 0, "hold": 0, "block": n}
    board.stop()
    redis.stop()


def test_what_was_said_around_a_case(rig):
    folder, redis, board = rig

    async def run():
        async with Backend() as im:
            gate = Gateway(folder / "gate", im.port, redis=redis, extra=f"directory: {folder / 'directory.yaml'}\ntranscripts: {{enabled: true, text: full}}\n")
            async with Agent(gate.url, "ann") as ann:
                await im.say("ann", "u1", "我要投诉，东西坏了要退款，再不处理我就打12315", "m1")
                await ann.until("message")
                await ann.send("u1", "非常抱歉，我马上为您处理", "x1")
                await ann.until("ack")
                await in_thread(look)
            gate.stop()

    def look():
        sue, blue = Client(board, "sue"), Client(board, "shop-sup")
        case = wait_for("the case", lambda: (lambda code, d: d["cases"][0]["id"] if code == 200 and d["cases"] else None)(*sue.call("GET", "/api/v1/cases")))
        d = wait_for("both", lambda: (lambda d: d if len(d["entries"]) == 2 else None)(sue.get(f"/api/v1/cases/{case}/transcript")))
        check("get", "/api/v1/cases/{id}/transcript", 200, d)
        assert [(e["kind"], e["delivered"], e["text"][:4]) for e in d["entries"]] == [("in", False, "我要投诉"), ("out", True, "非常抱歉")] and d["total"] == 2
        assert blue.call("GET", f"/api/v1/cases/{case}/transcript")[0] == 404
        assert Client(board, "vera").call("GET", f"/api/v1/cases/{case}/transcript")[0] == 403
        audit = [(e["action"], e["who"], e["target"], e["result"]) for e in Client(board, "adam").get("/api/v1/audit")["entries"]]
        assert ("case_transcript", "sue", case, "ok") in audit and ("case_transcript", "shop-sup", case, "not_visible") in audit
        page = Page(board.url)
        try:
            page.log_in("sue")
            page.go("cases")
            page.click("[data-case]")
            page.click("[data-transcript]")
            page.wait_text(".talk", "非常抱歉，我马上为您处理")
            for width in (360, 1280):
                page.size(width, 900)
                assert page.overflow() == [0, []], width
            assert free_of_surprises(page) == []
        finally:
            page.close()

    asyncio.run(run())
